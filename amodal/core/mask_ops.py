"""Mask algebra: boxes, overlaps, dilation, connected parts. Masks are float 0 or 1."""

import torch

from . import interrupts
from .types import Box

GAP = 1 / 64  # of the larger side: gaps narrower than this count as closed
OUTSIDE = 0.05  # the part of an enclosed mask that may lie outside, as specks


@interrupts.asks
def box_of(mask: torch.Tensor) -> Box | None:
    """The bounding box (x0, y0, x1, y1) of a mask [H, W] or [1, H, W], or None when empty."""
    mask = mask.reshape(mask.shape[-2:]) > 0.5
    rows = mask.any(1).nonzero()
    if not len(rows):
        return None
    columns = mask.any(0).nonzero()
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def object_box(mask: torch.Tensor) -> Box:
    """The bounding box of a mask [H, W] or [1, H, W]. Raises ValueError for an empty mask."""
    box = box_of(mask)
    if box is None:
        raise ValueError("the mask is empty")
    return box


@interrupts.asks
def iou(first: torch.Tensor, second: torch.Tensor) -> float:
    """Intersection over union of two masks of one shape; 0 where both are empty."""
    first, second = first > 0.5, second > 0.5
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0


@interrupts.asks
def share_inside(mask: torch.Tensor, area: torch.Tensor) -> float:
    """The fraction of a mask that lies inside an area, 0..1; 0 where the mask is empty."""
    size = int((mask > 0.5).sum())
    return int(((mask > 0.5) & (area > 0.5)).sum()) / size if size else 0.0


def dilate(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """Masks [..., H, W] dilated by a disc of `radius` pixels."""
    if radius <= 0:
        return mask
    return (distance_to(mask, radius) <= radius).float()


def erode(mask: torch.Tensor, radius: float) -> torch.Tensor:
    """Masks [..., H, W] eroded by a disc of `radius` pixels, but not from the picture's border."""
    return mask if radius <= 0 else 1 - dilate(1 - mask, radius)


@interrupts.cancellable
def distance_to(mask: torch.Tensor, limit: float) -> torch.Tensor:
    """Distance in pixels from each pixel of [..., H, W] to the nearest set one, up to `limit`.

    Beyond the limit, and everywhere in an empty mask, the value is some number above it.
    """
    from scipy.ndimage import distance_transform_edt

    flat = mask.reshape(-1, *mask.shape[-2:])
    distance = torch.full(flat.shape, limit + 1.0)
    for single, out in zip(flat, distance):
        box = box_of(single)
        if box is None:
            continue
        x0, y0, x1, y1 = grown_box(box, int(limit) + 1, (single.shape[1], single.shape[0]))
        part = single[y0:y1, x0:x1].cpu().numpy() <= 0.5
        out[y0:y1, x0:x1] = torch.from_numpy(distance_transform_edt(part))
    return distance.reshape(mask.shape).to(mask.device)


def grown_box(box: Box, by: int, size: tuple[int, int]) -> Box:
    """A box grown by `by` pixels on every side, clipped to a picture of (width, height)."""
    x0, y0, x1, y1 = box
    return max(0, x0 - by), max(0, y0 - by), min(size[0], x1 + by), min(size[1], y1 + by)


def connected_to(mask: torch.Tensor, seed: torch.Tensor, bridge: int = 0) -> torch.Tensor:
    """The parts of mask [H, W] that are connected to any pixel of seed [H, W].

    Gaps of up to 2 * `bridge` pixels count as connected.
    """
    from scipy.ndimage import label

    both = ((mask > 0.5) | (seed > 0.5)).float()
    joined = dilate(both, bridge).bool().cpu().numpy()
    parts, _ = label(joined, structure=[[1] * 3] * 3)
    parts = torch.from_numpy(parts).to(mask.device)
    kept = torch.unique(parts[seed > 0.5])
    return mask * torch.isin(parts, kept[kept > 0]).float()


def surrounds(wall: torch.Tensor, mask: torch.Tensor) -> bool:
    """True if `wall` [H, W] encloses `mask` [H, W]: every way to the border crosses it."""
    import numpy as np
    from scipy.ndimage import label

    inner = (mask > 0.5).cpu().numpy()
    if not inner.any() or not bool((wall > 0.5).any()):
        return False
    wide = dilate(wall, max(1, round(GAP * max(mask.shape)))).cpu().numpy() > 0.5
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
        return mask
    holes = torch.from_numpy(holes).to(mask.device).long()
    small = torch.bincount(holes.flatten(), minlength=count + 1) <= largest
    small[0] = False
    return torch.maximum(mask, small[holes].float())
