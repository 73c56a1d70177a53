"""Who hides whom by the shape of the border between them: no model, no picture (section 3.4).

Two old cues. Where the border of two objects meets what lies behind both (a T-junction), the
outline of the nearer one runs on smoothly while the farther one's ends; and the farther one has a
bite taken out, so that its convex hull covers more of the nearer one than the other way round.

Measured on 1,160 pairs of neighbours in the sticker world, with true masks, one of them hiding a
part of the other (tests/models/test_border_order.py): right in 92 %; junctions alone 90 %, hulls
alone 81 %, and that the larger one is in front 73 %. A net
that has seen pictures does better, and this always prefers one of the two, even where they only
touch: the last resort where there is neither an order model nor a depth picture.
"""

from __future__ import annotations

import numpy as np
import torch

SIDE = 256  # the pair is looked at no larger than this
DISC = 0.15  # radius at a junction, as a fraction of the root of the smaller object's area
JUNCTIONS, HULLS = 18.0, 2.0  # how much the cues say, fitted on other scenes than those measured


class BorderOrder:
    """AMODAL_ORDER_MODEL; see `payloads.OrderModel`. The picture is not looked at."""

    def order(self, image, masks, pairs) -> torch.Tensor:
        """P [n, n] 0..1 for masks [n, H, W], where P[j, i] = 1 - P[i, j]; NaN outside the pairs."""
        table = torch.full((len(masks), len(masks)), float("nan"))
        for i, j in pairs:
            junctions, hulls = cues(*pair_view(masks[i] > 0.5, masks[j] > 0.5))
            logit = torch.tensor(JUNCTIONS * junctions + HULLS * hulls)
            table[i, j], table[j, i] = logit.sigmoid(), (-logit).sigmoid()
        return table


def pair_view(one: torch.Tensor, other: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Two masks [H, W] bool as arrays that hold both objects, at most about SIDE pixels wide."""
    rows, columns = (one | other).any(1).nonzero(), (one | other).any(0).nonzero()
    if not len(rows):
        return one.cpu().numpy(), other.cpu().numpy()
    top, left = int(rows[0]), int(columns[0])
    bottom, right = int(rows[-1]) + 1, int(columns[-1]) + 1
    step = max(1, -(-max(bottom - top, right - left) // SIDE))
    return tuple(
        np.pad(mask[top:bottom:step, left:right:step].cpu().numpy(), 4) for mask in (one, other)
    )


def cues(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """How much the junctions and the hulls speak for `one` hiding `other`; 0 for nothing.

    Masks [h, w] bool. The first is the difference of the parts (0..1) that both fill of a disc at
    the junctions, the second the logarithm of the ratio in which their hulls cover each other.
    """
    from scipy.ndimage import distance_transform_edt as distance

    if not one.any() or not other.any():
        return 0.0, 0.0
    to_one, to_other = distance(~one), distance(~other)
    gap = (to_one + to_other).min()  # masks of segmenters do not quite touch
    border = np.maximum(to_one, to_other) <= gap / 2 + 1
    behind = ~one & ~other & ~border
    junctions = border & (distance(~behind) <= 3) if behind.any() else border & False
    bites = (hull(other) & one).sum() + border.sum(), (hull(one) & other).sum() + border.sum()
    hulls = float(np.log(bites[0] / bites[1]))
    if not junctions.any():
        return 0.0, hulls
    radius = max(3.0, DISC * min(one.sum(), other.sum()) ** 0.5)
    return float((filled(one, radius) - filled(other, radius))[junctions].mean()), hulls


def filled(mask: np.ndarray, radius: float) -> np.ndarray:
    """The part (0..1) of a disc around each pixel that a mask [h, w] fills."""
    from scipy.signal import fftconvolve

    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (x**2 + y**2 <= radius**2).astype(np.float32)
    return fftconvolve(mask.astype(np.float32), disc / disc.sum(), mode="same")


def hull(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask [h, w] bool; the mask itself where it is but a line."""
    from PIL import Image, ImageDraw
    from scipy.spatial import ConvexHull, QhullError

    points = np.argwhere(mask)[:, ::-1]
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # too few points, or all in one line
        return mask
    drawn = Image.new("1", mask.shape[::-1])
    ImageDraw.Draw(drawn).polygon([tuple(map(int, corner)) for corner in corners], fill=1)
    return np.array(drawn)
