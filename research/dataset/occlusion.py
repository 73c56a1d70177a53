"""Lays one whole object over another so that it hides a given fraction (figure 7, left)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .wholes import Whole

LEVELS = {"easy": (0.2, 0.5), "hard": (0.5, 0.8)}
AREAS = (0.8, 1.6)  # area of the occluder over that of the query
SCALES = (0.4, 2.5)  # an occluder that needs more scaling does not match
DIRECTIONS = 8  # tries for one pair
STEPS = 14  # of the bisection along one direction


@dataclass
class Occluded:
    """A pseudo-occluded object.

    picture [H, W, 3] uint8; modal, amodal, occluder [H, W] bool; hidden: the hidden fraction of the
    query; scale and corner (x, y) of the pasted occluder.
    """

    picture: np.ndarray
    modal: np.ndarray
    amodal: np.ndarray
    occluder: np.ndarray
    hidden: float
    scale: float
    corner: tuple[int, int]


def occlude(query: Whole, occluder: Whole, level: str, rng: np.random.Generator) -> Occluded | None:
    """The query behind the occluder, hidden as LEVELS says; None if the two do not match.

    The hidden fraction is uniform in the level's range. The occluder is scaled to a size like the
    query's and moved in from outside until it hides that fraction.
    """
    art = cut_out(occluder.rgba)
    amodal = query.mask
    if not amodal.any() or not (art[..., 3] > 127).any():
        return None
    area = rng.uniform(*AREAS) * amodal.sum()
    scale = float(np.sqrt(area / (art[..., 3] > 127).sum()))
    if not SCALES[0] <= scale <= SCALES[1]:
        return None
    art = scaled(art, scale)
    low, high = LEVELS[level]
    for _ in range(DIRECTIONS):
        wanted = rng.uniform(low, high)
        corner = place(amodal, art[..., 3] > 127, wanted, rng.uniform(0, 2 * np.pi))
        cover = lay(np.zeros((*amodal.shape, 4), np.uint8), art, corner)
        front = cover[..., 3] > 127
        hidden = float((amodal & front).sum() / amodal.sum())
        if low <= hidden <= high:
            picture = over(query.picture, cover)
            return Occluded(picture, amodal & ~front, amodal, front, hidden, scale, corner)
    return None


def place(amodal: np.ndarray, front: np.ndarray, wanted: float, angle: float) -> tuple[int, int]:
    """The corner (x, y) at which `front` [h, w] hides about the fraction `wanted` of `amodal`.

    Bisects along a direction, from the query's middle to where the two no longer overlap.
    """
    rows, columns = np.nonzero(amodal)
    middle = np.array([columns.mean(), rows.mean()]) - np.array(front.shape[::-1]) / 2
    way = np.array([np.cos(angle), np.sin(angle)])
    near, far = 0.0, float(np.hypot(*amodal.shape) + np.hypot(*front.shape))
    corner = (0, 0)
    for _ in range(STEPS):
        at = (near + far) / 2
        corner = tuple(int(v) for v in np.round(middle + at * way))
        hides = lay(np.zeros_like(amodal), front, corner)[amodal].mean()
        near, far = (at, far) if hides > wanted else (near, at)
    return corner


def cut_out(rgba: np.ndarray) -> np.ndarray:
    """[h, w, 4]: the box of the visible pixels."""
    rows, columns = (np.flatnonzero(rgba[..., 3].any(axis)) for axis in (1, 0))
    if not len(rows):
        return rgba
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def scaled(rgba: np.ndarray, scale: float) -> np.ndarray:
    """[h, w, 4] uint8 resized; colours of transparent pixels do not bleed."""
    size = tuple(max(1, round(length * scale)) for length in rgba.shape[1::-1])
    small = Image.fromarray(rgba).convert("RGBa").resize(size, Image.Resampling.BICUBIC)
    return np.asarray(small.convert("RGBA"))


def lay(sheet: np.ndarray, art: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Puts art [h, w, ...] into the sheet [H, W, ...] at (x, y), in place; returns the sheet."""
    x, y = corner
    height, width = art.shape[:2]
    left, top = max(0, x), max(0, y)
    right, bottom = min(sheet.shape[1], x + width), min(sheet.shape[0], y + height)
    if right > left and bottom > top:
        sheet[top:bottom, left:right] = art[top - y : bottom - y, left - x : right - x]
    return sheet


def over(picture: np.ndarray, rgba: np.ndarray) -> np.ndarray:
    """Composites [H, W, 4] uint8 over [H, W, 3] uint8."""
    cover = rgba[..., 3:].astype(np.uint32)
    mixed = rgba[..., :3] * cover + picture * (255 - cover)
    return ((mixed + 127) // 255).astype(np.uint8)


def hole_in(mask: np.ndarray, share: float) -> np.ndarray:
    """A disc [H, W] bool around the deepest point of a mask [H, W] bool, inside the mask.

    Its area is `share` (0..1) of the mask's area, or less where the mask is too thin.
    """
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(mask)
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    radius = min(np.sqrt(share * mask.sum() / np.pi), depth.max() - 1)
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
