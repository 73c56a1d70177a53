"""Occlusion order from the shape of the border between two objects (section 3.4).

Uses the masks only: no weights, no picture. Two classic cues decide:

- T-junctions: where the border of two objects meets the background behind both, the outline of the
  nearer object continues smoothly and the outline of the farther one ends.
- Convexity: the occluder bites into the farther object. The convex hull of the farther object
  therefore covers more of the nearer one than the other way round.

Measured on 1,160 pairs of neighbours in the sticker world, with true masks, where one object hides
part of the other (tests/models/test_border_order.py): 92 % right. Junctions alone reach 90 %, hulls
alone 81 %, "the larger one is in front" 73 %. A network that sees the picture does better. This
model also prefers one of two objects that only touch. Use it as a last resort, without an order
model and without a depth picture.
"""

from __future__ import annotations

import numpy as np
import torch

from ..core import interrupts

SIDE = 256  # pairs are reduced to about this size
DISC = 0.15  # radius at a junction, as a fraction of the square root of the smaller object's area
JUNCTIONS, HULLS = 18.0, 2.0  # weights of the cues, fitted on scenes outside the measured ones


class BorderOrder:
    """AMODAL_ORDER_MODEL; see `core.types.OrderModel`. Ignores the picture."""

    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        """P [n, n] in 0..1 for masks [n, H, W], with P[j, i] = 1 - P[i, j]; NaN outside `pairs`."""
        table = torch.full((len(masks), len(masks)), float("nan"))
        for i, j in pairs:
            interrupts.check()
            junctions, hulls = cues(*pair_view(masks[i] > 0.5, masks[j] > 0.5))
            logit = torch.tensor(JUNCTIONS * junctions + HULLS * hulls)
            table[i, j], table[j, i] = logit.sigmoid(), (-logit).sigmoid()
        return table


def pair_view(first: torch.Tensor, second: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Both masks [H, W] bool, cut to their common box and reduced to about SIDE pixels.

    Returns two bool arrays of one shape, with 4 empty pixels around the objects.
    """
    union = first | second
    rows, columns = union.any(1).nonzero(), union.any(0).nonzero()
    if not len(rows):
        return first.cpu().numpy(), second.cpu().numpy()
    top, left = int(rows[0]), int(columns[0])
    bottom, right = int(rows[-1]) + 1, int(columns[-1]) + 1
    step = max(1, -(-max(bottom - top, right - left) // SIDE))

    def view(mask: torch.Tensor) -> np.ndarray:
        return np.pad(mask[top:bottom:step, left:right:step].cpu().numpy(), 4)

    return view(first), view(second)


def cues(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """(junction cue, hull cue) for `first` hiding `second`; positive values speak for it.

    Masks are [h, w] bool. The junction cue compares how much of a disc (0..1) each mask fills at
    the junctions. The hull cue is the logarithm of the ratio in which the hulls cover the other
    object. A cue without evidence is 0.
    """
    from scipy.ndimage import distance_transform_edt

    if not first.any() or not second.any():
        return 0.0, 0.0
    to_first, to_second = distance_transform_edt(~first), distance_transform_edt(~second)
    gap = (to_first + to_second).min()  # the masks of a segmenter rarely touch exactly
    border = np.maximum(to_first, to_second) <= gap / 2 + 1
    behind = ~first & ~second & ~border
    if behind.any():
        junctions = border & (distance_transform_edt(~behind) <= 3)
    else:
        junctions = np.zeros_like(border)
    bite_of_first = (hull(second) & first).sum() + border.sum()
    bite_of_second = (hull(first) & second).sum() + border.sum()
    hulls = float(np.log(bite_of_first / bite_of_second))
    if not junctions.any():
        return 0.0, hulls
    radius = max(3.0, DISC * min(first.sum(), second.sum()) ** 0.5)
    return float((filled(first, radius) - filled(second, radius))[junctions].mean()), hulls


def filled(mask: np.ndarray, radius: float) -> np.ndarray:
    """Fraction (0..1) of a disc around each pixel that a mask [h, w] fills."""
    from scipy.signal import fftconvolve

    half = int(radius)
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disc = (x**2 + y**2 <= radius**2).astype(np.float32)
    return fftconvolve(mask.astype(np.float32), disc / disc.sum(), mode="same")


def hull(mask: np.ndarray) -> np.ndarray:
    """Convex hull [h, w] bool of a mask [h, w] bool. A mask that is a line is returned as is."""
    from PIL import Image, ImageDraw
    from scipy.spatial import ConvexHull, QhullError

    points = np.argwhere(mask)[:, ::-1]
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # too few points, or all on one line
        return mask
    drawn = Image.new("1", mask.shape[::-1])
    ImageDraw.Draw(drawn).polygon([(int(x), int(y)) for x, y in corners], fill=1)
    return np.array(drawn)
