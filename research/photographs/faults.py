"""The faults of the parts, each by itself and together, with the share of cases that they strike.

A segmenter's fault strikes an object in a view, by chance; the seed is the scene's, the view's and
the object's, so the same view always fails in the same way. The query is always detected in the
input picture, where a person picks it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

PERFECT = "perfect"
TOGETHER = "together"
SAMPLED = "sampled"  # no fault: perfect parts, and section 3.5 on a checkpoint that knows the truth


@dataclass(frozen=True)
class Fault:
    """alone, together: the share of cases struck where it is the only fault, and among all."""

    title: str
    alone: float
    together: float


SEGMENTER = {
    "edges": Fault("outlines off by 1 to 4 pixels of the 1024 that SAM sees", 1, 1),
    "cells": Fault("masks of 256 cells for the longer side", 1, 1),
    "part": Fault("a part instead of the whole", 0.3, 0.03),
    "onto": Fault("the object with what lies on it", 0.5, 0.1),
    "halves": Fault("two detections for a split object", 1, 0.5),
    "twice": Fault("the same object detected twice", 0.5, 0.2),
    "joined": Fault("a neighbour of the same kind joined in", 0.5, 0.1),
    "missing": Fault("a missing detection", 0.2, 0.02),
    "words": Fault("a wrong or empty label", 0.5, 0.1),
    "low": Fault("low scores", 0.5, 0.05),
    "lost": Fault("nothing found after painting", 1, 0.02),
}
PAINTER = {
    "again": "paints the occluder again",
    "too-small": "the object too small",
    "too-large": "the object too large",
    "second": "a second object beside it",
    "shift": "a colour shift",
    "soft": "a soft edge",
}
ORDER = {
    "order-wrong": Fault("one answer in ten about who hides whom is wrong", 0.1, 0.0),
    "order-unsure": Fault("three answers in ten are unsure", 0.3, 0.0),
}
SAM_SIDE = 1024
EVERY = (PERFECT, SAMPLED, TOGETHER, *SEGMENTER, *PAINTER, *ORDER)


def title_of(fault: str) -> str:
    """What the table calls a fault."""
    named = {
        PERFECT: "perfect parts",
        SAMPLED: "perfect parts, with section 3.5 sampled",
        TOGETHER: "all faults of the segmenter together",
    }
    return named.get(fault) or PAINTER.get(fault) or {**SEGMENTER, **ORDER}[fault].title


def strikes(chosen: str, fault: str, *seed: int) -> bool:
    """Does the segmenter's fault strike this case, where `chosen` is the run's fault?"""
    if chosen not in (fault, TOGETHER):
        return False
    share = SEGMENTER[fault].together if chosen == TOGETHER else SEGMENTER[fault].alone
    return bool(np.random.default_rng([*seed, list(SEGMENTER).index(fault)]).random() < share)


# --- masks, [h, w] bool


def off_at_the_edge(mask: np.ndarray, rng, most: float = 4.0) -> np.ndarray:
    """The mask with its outline moved by 1 to `most` pixels, outwards and inwards by turns.

    The pixels are those of SAM's own input, which has SAM_SIDE of them on the longer side.
    """
    distance = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    waves = ndimage.zoom(rng.uniform(-1, 1, (6, 6)), [n / 6 for n in mask.shape], order=1)
    waves = waves[: mask.shape[0], : mask.shape[1]]
    waves = np.pad(waves, [(0, n - m) for n, m in zip(mask.shape, waves.shape)], mode="edge")
    moved = np.sign(waves) * (1 + (most - 1) * np.abs(waves))
    return distance + moved * max(mask.shape) / SAM_SIDE > 0


def in_cells(mask: np.ndarray, cells: int = 256) -> np.ndarray:
    """The mask as of a net whose answer has `cells` cells on the picture's longer side."""
    import torch
    import torch.nn.functional as F

    factor = cells / max(mask.shape)
    size = [max(1, round(side * factor)) for side in mask.shape]
    whole = torch.from_numpy(mask)[None, None].float()
    small = F.interpolate(whole, size=size, mode="bilinear", antialias=True)
    return (F.interpolate(small, size=mask.shape, mode="bilinear") > 0.5)[0, 0].numpy()


def part_of(mask: np.ndarray, rng) -> np.ndarray:
    """The part of a mask on one side of a line through it; about half."""
    ys, xs = np.nonzero(mask)
    angle = rng.uniform(0, 2 * np.pi)
    along = ys * np.sin(angle) + xs * np.cos(angle)
    keep = along > np.quantile(along, rng.uniform(0.3, 0.5))
    part = np.zeros_like(mask)
    part[ys[keep], xs[keep]] = True
    return part


def pieces(mask: np.ndarray, least: float = 0.1) -> list[np.ndarray]:
    """The connected parts of a mask with at least this share of it."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return [labels == i + 1 for i in range(count) if sizes[i] >= least * mask.sum()]
