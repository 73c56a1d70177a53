"""Bounds of what may be painted and taken for the object (the limitations of section 5).

An object that its occluder encloses can grow without end: nothing shows how far it reaches. A shape
drawn by hand, another model's amodal mask, or the size of other instances says so (our addition).
"""

import statistics

import torch
import torch.nn.functional as F

from ..core import canvas, detections, mask_ops
from ..core.types import Canvas, Crop, Objects


def forbidden(bound: torch.Tensor, crop: Crop | None) -> torch.Tensor:
    """[1, h, w]: 1 where the object must not reach, in the crop's pixels.

    bound [1, H, W] (0 or 1) is where it may, in the original picture's pixels. Beyond the picture
    it goes on as at the border. Beyond the canvas, which is never pasted back, nothing is
    forbidden. Without a crop, the bound is of the same picture as the other masks.
    """
    if crop is None:
        return 1 - bound
    (x, y), (width, height) = crop.canvas.offset, crop.canvas.size
    around = (x, width - x - bound.shape[2], y, height - y - bound.shape[1])
    return canvas.window_mask(F.pad(1 - bound[None], around, mode="replicate")[0], crop)


def on_canvas(bound: torch.Tensor, whole: Canvas) -> torch.Tensor:
    """As `forbidden`, of a whole canvas: [1, H, W]."""
    width, height = whole.size
    return forbidden(bound, Crop(whole, (0, 0, width, height), (width, height)))


def left_over(
    occluder_mask: torch.Tensor, allowed: torch.Tensor, painted: torch.Tensor, reach: float
) -> torch.Tensor:
    """[1, h, w]: what of the occluders is still to be painted where the object is `allowed`.

    All masks are [1, h, w], 0 or 1. An occluder that goes on beyond the bound stays there, and each
    pass would continue it inwards again. Therefore it no longer counts within `reach` pixels of
    what an earlier pass has `painted`.
    """
    beyond = mask_ops.connected_to(occluder_mask[0], (occluder_mask * (1 - allowed))[0])
    return occluder_mask * allowed * (1 - beyond * mask_ops.dilate(painted, reach))


def by_instances(
    objects: Objects, modal_mask: torch.Tensor, label: str, tolerance: float
) -> tuple[torch.Tensor, int]:
    """(bound [1, H, W], how many others): the object is no larger than others of its label.

    On each side, the box of its visible pixels, modal_mask [1, H, W], may grow until it is as wide
    and as high as the median of the others, times 1 + tolerance. Without others all is allowed.
    """
    query, _ = detections.best_overlap(objects, modal_mask) if len(objects) else (-1, 0.0)
    boxes = [
        mask_ops.object_box(mask)
        for number, mask in enumerate(objects.masks)
        if number != query and objects.labels[number] == label and mask.any()
    ]
    if not boxes:
        return torch.ones_like(modal_mask), 0
    width, height = (
        round(statistics.median(box[axis + 2] - box[axis] for box in boxes) * (1 + tolerance))
        for axis in (0, 1)
    )
    x0, y0, x1, y1 = mask_ops.object_box(modal_mask)
    width, height = max(width, x1 - x0), max(height, y1 - y0)
    bound = torch.zeros_like(modal_mask)
    bound[:, max(0, y1 - height) : y0 + height, max(0, x1 - width) : x0 + width] = 1
    return bound, len(boxes)
