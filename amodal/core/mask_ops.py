"""Mask algebra: boxes, overlaps, dilation, connected parts.

Masks are bool, or float 0 or 1; a result is float unless its function says otherwise.
"""

import math

import numpy as np
import torch

from . import interrupts
from .types import Box

GAP = 1 / 32  # of the enclosed object's larger side: gaps narrower than this count as closed
OUTSIDE = 0.05  # the part of an enclosed mask that may lie outside, as specks


@interrupts.asks
def box_of(mask: torch.Tensor) -> Box | None:
    """The bounding box (x0, y0, x1, y1) of a mask [H, W] or [1, H, W], or None when empty."""
    pixels = hard(mask.reshape(mask.shape[-2:])).cpu().numpy()  # numpy's any() is much faster
    (rows,) = pixels.any(1).nonzero()
    if not len(rows):
        return None
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    (columns,) = pixels[y0:y1].any(0).nonzero()
    return int(columns[0]), y0, int(columns[-1]) + 1, y1


def hard(mask: torch.Tensor) -> torch.Tensor:
    """A mask as bool, thresholded at 0.5 unless it is bool."""
    return mask if mask.dtype == torch.bool else mask > 0.5


def object_box(mask: torch.Tensor) -> Box:
    """The bounding box of a mask [H, W] or [1, H, W]. Raises ValueError for an empty mask."""
    box = box_of(mask)
    if box is None:
        raise ValueError("the mask is empty")
    return box


def centre_of(mask: torch.Tensor, box: Box) -> tuple[float, float]:
    """The mean position (x, y) of the set pixels of a mask [H, W] that is set in a box only."""
    x0, y0, x1, y1 = box
    pixels = hard(mask[y0:y1, x0:x1]).cpu().numpy()
    columns, rows = pixels.sum(0), pixels.sum(1)
    x, y = (columns @ np.arange(x0, x1), rows @ np.arange(y0, y1)) / columns.sum()
    return float(x), float(y)


def mean_side(mask: torch.Tensor) -> float:
    """The side of the square with the area of a picture or mask [..., H, W], in pixels."""
    return math.sqrt(mask.shape[-2] * mask.shape[-1])


@interrupts.asks
def iou(
    first: torch.Tensor,
    second: torch.Tensor,
    boxes: tuple[Box | None, Box | None] | None = None,
) -> float:
    """Intersection over union of two masks [H, W] or [1, H, W]; 0 where both are empty.

    boxes: their bounding boxes, where they are known; None for an empty mask. Only pixels inside
    them are read.
    """
    ours, theirs = boxes or (box_of(first), box_of(second))
    if ours is None or theirs is None:
        return 0.0
    shared = common(ours, theirs)
    if shared is None:
        return 0.0
    both = overlap(first, second, shared)
    union = area_in(first, ours) + area_in(second, theirs) - both
    return both / union if union else 0.0


def iou_outside(first: torch.Tensor, second: torch.Tensor, area: torch.Tensor) -> float:
    """`iou` of two masks outside an area; everywhere where nothing of `second` lies outside."""
    outside = ~hard(area)
    if not bool((outside & hard(second)).any()):
        return iou(first, second)
    return iou(hard(first) & outside, hard(second) & outside)


@interrupts.asks
def share_inside(mask: torch.Tensor, area: torch.Tensor) -> float:
    """The fraction of a mask [H, W] inside an area [H, W], 0..1; 0 where the mask is empty."""
    box = box_of(mask)
    return overlap(mask, area, box) / area_in(mask, box) if box else 0.0


def common(first: Box, second: Box) -> Box | None:
    """The box that two boxes have in common, or None."""
    x0, y0 = max(first[0], second[0]), max(first[1], second[1])
    x1, y1 = min(first[2], second[2]), min(first[3], second[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def overlap(first: torch.Tensor, second: torch.Tensor, box: Box) -> int:
    """The number of pixels in a box that are set in both masks [..., H, W]."""
    x0, y0, x1, y1 = box
    return area(hard(first[..., y0:y1, x0:x1]) & hard(second[..., y0:y1, x0:x1]))


def area(mask: torch.Tensor) -> int:
    """The number of set pixels of a mask [..., H, W]."""
    return int(torch.count_nonzero(hard(mask)))


def area_in(mask: torch.Tensor, box: Box) -> int:
    """The number of set pixels of a mask [..., H, W] in a box."""
    return area(mask[..., box[1] : box[3], box[0] : box[2]])


def dilate(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """Masks [..., H, W] dilated by a disc of `radius` pixels."""
    if radius <= 0:
        return mask.float()
    flat = mask.reshape(-1, *mask.shape[-2:])
    result = torch.zeros(flat.shape, device=mask.device)
    for single, out in zip(flat, result):
        near, (x0, y0, x1, y1) = distances(single, radius)
        out[y0:y1, x0:x1] = (near <= radius).to(out)
    return result.reshape(mask.shape)


def erode(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """Masks [..., H, W] eroded by a disc of `radius` pixels, but not from the picture's border."""
    return mask.float() if radius <= 0 else 1 - dilate(~hard(mask), radius)


def distance_to(mask: torch.Tensor, limit: float) -> torch.Tensor:
    """Distance in pixels from each pixel of [..., H, W] to the nearest set one, up to `limit`.

    Beyond the limit, and everywhere in an empty mask, the value is some number above it.
    """
    flat = mask.reshape(-1, *mask.shape[-2:])
    distance = torch.full(flat.shape, limit + 1.0)
    for single, out in zip(flat, distance):
        near, (x0, y0, x1, y1) = distances(single, limit)
        out[y0:y1, x0:x1] = near
    return distance.reshape(mask.shape).to(mask.device)


@interrupts.cancellable
def distances(mask: torch.Tensor, limit: float) -> tuple[torch.Tensor, Box]:
    """Distances to a mask [H, W] in the box where they can be within `limit`, and that box."""
    from scipy.ndimage import distance_transform_edt

    box = box_of(mask)
    if box is None:
        return torch.zeros(0, 0), (0, 0, 0, 0)
    x0, y0, x1, y1 = box = grown_box(box, int(limit) + 1, (mask.shape[1], mask.shape[0]))
    part = mask[y0:y1, x0:x1].cpu().numpy() <= 0.5
    return torch.from_numpy(distance_transform_edt(part)), box


def grown_box(box: Box, by: int, size: tuple[int, int]) -> Box:
    """A box grown by `by` pixels on every side, clipped to a picture of (width, height)."""
    x0, y0, x1, y1 = box
    return max(0, x0 - by), max(0, y0 - by), min(size[0], x1 + by), min(size[1], y1 + by)


def connected_to(mask: torch.Tensor, seed: torch.Tensor, bridge: int = 0) -> torch.Tensor:
    """The parts of mask [H, W] that are connected to any pixel of seed [H, W].

    Gaps of up to 2 * `bridge` pixels count as connected.
    """
    from scipy.ndimage import label

    both = hard(mask) | hard(seed)
    joined = dilate(both, bridge).bool().cpu().numpy()
    parts, _ = label(joined, structure=[[1] * 3] * 3)
    parts = torch.from_numpy(parts).to(mask.device)
    kept = torch.unique(parts[seed > 0.5])
    return mask * torch.isin(parts, kept[kept > 0]).float()


def surrounds(wall: torch.Tensor, mask: torch.Tensor) -> bool:
    """True if `wall` [H, W] encloses `mask` [H, W]: every way to the border crosses it."""
    import numpy as np
    from scipy.ndimage import label

    inner = hard(mask).cpu().numpy()
    if not inner.any() or not bool(hard(wall).any()):
        return False
    x0, y0, x1, y1 = object_box(mask)
    wide = dilate(wall, max(1, round(GAP * max(x1 - x0, y1 - y0)))).cpu().numpy() > 0.5
    parts, _ = label(~wide | inner)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    outside = np.isin(parts, border[border > 0])
    return bool((outside & inner).sum() <= OUTSIDE * inner.sum())


def fill_holes(mask: torch.Tensor, largest: int) -> torch.Tensor:
    """Mask [H, W] with its enclosed holes of at most `largest` pixels filled."""
    from scipy.ndimage import binary_fill_holes, label

    solid = mask.cpu().numpy() > 0.5
    holes, count = label(binary_fill_holes(solid) & ~solid)
    if not count:
        return mask.float()
    holes = torch.from_numpy(holes).to(mask.device).long()
    small = torch.bincount(holes.flatten(), minlength=count + 1) <= largest
    small[0] = False
    return torch.maximum(mask.float(), small[holes].float())
