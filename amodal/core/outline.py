"""Outlines drawn by hand: closed shapes as text, and the masks that they fill."""

import math
import re

import numpy as np
import torch

from . import interrupts, picking
from .errors import BadInput
from .validate import Size

FEWEST, MOST = 3, 100_000  # points of an outline
FAR = 1e6  # pixels: a point further outside is taken to be there


def drawn_mask(text: str, size: Size, name: str) -> torch.Tensor:
    """[1, H, W], 1 inside the outline of a text, of an input `name`; all ones for an empty text.

    `size` is the picture's (height, width). Raises BadInput as `as_outline`, and for an outline
    without a pixel of the picture in it.
    """
    if not text.strip():
        return torch.ones(1, *size)
    mask = filled(as_outline(text, size, name), size)
    if not mask.any():
        raise BadInput(
            name, "encloses no pixel of the picture", "draw it again around the object, or clear it"
        )
    return mask


def as_outline(text: str, size: Size, name: str) -> list[tuple[float, float]]:
    """[(x, y)] in pixels from points separated by ';' or lines, each as `picking.as_point`.

    Raises BadInput for what is not a point, for fewer than three, and for more than 100,000.
    """
    parts = [part for part in re.split(r"[;\n]", text) if part.strip()]
    if not FEWEST <= len(parts) <= MOST:
        raise BadInput(
            name,
            f"has {len(parts)} points",
            f"draw a closed shape of {FEWEST} to {MOST} points, or clear it",
        )
    points = (picking.as_point(part, size, name) for part in parts)
    return [point for point in points if point is not None]


def filled(points: list[tuple[float, float]], size: Size) -> torch.Tensor:
    """[1, H, W]: 1 at each pixel whose middle a closed outline goes round (nonzero winding).

    points: (x, y) in pixels; they may lie outside. Where the outline crosses itself, every part
    that it goes round counts, as on the editor's canvas.
    """
    height, width = size
    winding = np.zeros((height, width + 1), np.int32)  # the last column: right of the picture
    ends = np.clip(np.array(points, np.float64), -FAR, FAR)
    for start, end in zip(ends, np.roll(ends, -1, axis=0)):
        interrupts.check()
        (left, top), (right, bottom) = (start, end) if start[1] < end[1] else (end, start)
        first, last = (min(max(math.ceil(y - 0.5), 0), height) for y in (top, bottom))
        rows = np.arange(first, last)  # whose middles lie between the two ends
        if len(rows):
            crossed = left + (rows + 0.5 - top) / (bottom - top) * (right - left)
            columns = np.ceil(np.clip(crossed - 0.5, 0, width)).astype(int)
            winding[rows, columns] += 1 if start[1] < end[1] else -1
    inside = np.cumsum(winding[:, :-1], axis=1) != 0
    return torch.from_numpy(inside).float()[None]
