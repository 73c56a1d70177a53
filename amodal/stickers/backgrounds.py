"""Backgrounds of scenes: studio gray, one colour, a gradient, or a mild texture."""

from __future__ import annotations

import numpy as np

GRAY = 0.5
BACKGROUNDS = ("gray", "plain", "gradient", "texture")


def make_background(rng: np.random.Generator, kind: str, side: int) -> np.ndarray:
    """[side, side, 3] float32 in 0..1; `kind` is one of BACKGROUNDS."""
    sheet = np.full((side, side, 3), GRAY, np.float32)
    if kind == "gray":
        return sheet
    first, second = pastel(rng), pastel(rng)
    sheet[:] = first
    if kind == "gradient":
        angle = rng.uniform(0, 2 * np.pi)
        ramp = np.linspace(-0.5, 0.5, side, dtype=np.float32)
        position = 0.5 + np.cos(angle) * ramp[None, :] + np.sin(angle) * ramp[:, None]
        sheet += np.clip(position, 0, 1)[..., None] * (second - first)
    if kind == "texture":
        sheet += 0.5 * blotches(rng, side)[..., None] * (second - first)
    return np.clip(sheet, 0, 1)


def pastel(rng: np.random.Generator) -> np.ndarray:
    """A light or medium colour [3] in 0..1 that differs from studio gray."""
    while True:
        colour = rng.uniform(0.55, 0.95, 3).astype(np.float32)
        if np.abs(colour - GRAY).max() > 0.15:
            return colour


def blotches(rng: np.random.Generator, side: int, cells: int = 10) -> np.ndarray:
    """Smooth noise [side, side], about -1..1, from a grid of cells x cells random values."""
    from PIL import Image

    coarse = Image.fromarray(rng.normal(0, 0.5, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
