"""The modal mask, asked for again where the object is seen large (section 3.4).

A segmenter answers with few cells for the whole picture (SAM with 256 x 256), so that an object
that fills a small part of it gets a coarse mask. And a pass sees only its crop: an object that goes
on beyond it is cut there. Both are mended by asking again in a window around the mask.
"""

from dataclasses import dataclass

import torch

from ..core import detections, mask_ops, validate
from ..core.errors import BadInput
from ..core.types import Box, Segmenter

CELLS = 256  # cells of a segmenter's mask along the larger side of the picture
COARSE = 1.5  # cells: the edge of a mask may be off by as much
FINER = 0.75  # the window must be smaller than the picture by this factor to give finer edges
SHOWN = 1024  # larger side of the window in pixels; segmenters do not use more
WINDOWS = 12  # windows to ask in at most, each larger than the one before
SAME_AT_FIRST = 0.7  # a mask with a smaller IoU with the modal mask is another object
SAME_LATER = 0.4  # the same once a pass has painted, whose crop may have cut the object


@dataclass(frozen=True)
class Refined:
    """mask [1, H, W], 0 or 1; asked: how many windows were asked; agreement: the IoU of the first
    answer with the mask as it was, None where there was no answer. trusted: drawn by hand, so the
    segmenter was not asked."""

    mask: torch.Tensor
    asked: int
    agreement: float | None
    trusted: bool = False

    def describe(self) -> str:
        """For people: 'refined (IoU 0.93 with the mask as it was)'."""
        if self.trusted:
            return "kept: drawn by hand"
        if self.agreement is None:
            return "kept: the segmenter found nothing at the mask"
        text = f"IoU {self.agreement:.2f} with the mask as it was"
        return f"refined ({text})" if self.asked else f"kept: the answer is another object ({text})"


def refine(
    image: torch.Tensor,
    modal_mask: torch.Tensor,
    segmenter: Segmenter,
    label: str,
    context: float = 0.3,
    edges: bool = True,
    first: bool = True,
) -> Refined:
    """The mask [1, H, W] of an object, asked for again in windows around it.

    image [1, H, W, 3] in 0..1, modal_mask [1, H, W], not empty. context: the margin of a window, as
    a fraction of the object's larger side. edges: take the edges of the answer; without it, a mask
    that a hand has drawn stays as it is until a pass has painted. first: no pass has painted yet.
    An answer with a smaller IoU than 0.7 (0.4 after a pass) is ignored. Where the answer ends at
    the window's border, the next, larger window is asked.
    """
    agreement, asked = None, 0
    if first and not edges:
        return Refined(modal_mask, asked, agreement, trusted=True)
    for _ in range(WINDOWS):
        box = window(modal_mask, context)
        found = answer(image, modal_mask, box, segmenter, label)
        if found is None:
            break
        x0, y0, x1, y1 = box
        part = modal_mask[0, y0:y1, x0:x1]
        overlap = mask_ops.iou(found, part)
        agreement = overlap if agreement is None else agreement
        if overlap < (SAME_AT_FIRST if first else SAME_LATER):
            break
        trim = tolerance(modal_mask, box) if edges and first else 0.0
        modal_mask = modal_mask.clone()
        modal_mask[0, y0:y1, x0:x1] = merged(part, found, trim)
        asked += 1
        if not is_cut(found, box, validate.size_of(modal_mask)):
            break
    return Refined(modal_mask, asked, agreement)


def window(mask: torch.Tensor, context: float) -> Box:
    """The box of a mask [1, H, W] with `context` times its larger side around it."""
    height, width = validate.size_of(mask)
    x0, y0, x1, y1 = mask_ops.object_box(mask)
    return mask_ops.grown_box(
        (x0, y0, x1, y1), round(context * max(x1 - x0, y1 - y0)), (width, height)
    )


def answer(
    image: torch.Tensor, mask: torch.Tensor, box: Box, segmenter: Segmenter, label: str
) -> torch.Tensor | None:
    """What the segmenter finds in a box at the mask [1, H, W]: [h, w], or None.

    Other objects with the same label are taken from it.
    """
    x0, y0, x1, y1 = box
    picture, prior = image[:, y0:y1, x0:x1], mask[:, y0:y1, x0:x1]
    size = validate.size_of(prior)
    factor = min(1.0, SHOWN / max(size))
    shown = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    picture = validate.resize(picture, shown)
    prior = validate.as_masks(prior, shown)
    if not prior.any():
        return None
    found = (
        labelled(picture[0], prior, segmenter, label)
        if label
        else segmenter.segment(picture[0], prior_mask=prior[0])
    )
    if found is None or not found.any():
        return None
    return validate.as_masks(found, size, "segmenter")[0]


def labelled(
    picture: torch.Tensor, prior: torch.Tensor, segmenter: Segmenter, label: str
) -> torch.Tensor | None:
    """The detection of a label [h, w] at the prior mask [1, h, w], less others of its kind."""
    try:
        objects = segmenter.detect(picture, [label])
    except BadInput:  # the segmenter knows a fixed list of words, and the label is none of them
        return None
    best, overlap = detections.best_overlap(objects, prior)
    if best < 0 or not overlap:
        return None
    found = objects.masks[best]
    for i, mask in enumerate(objects.masks):
        if i != best and mask_ops.share_inside(mask, prior[0]) < 1 - detections.INSIDE:
            found = found & ~mask
    return found.float()


def tolerance(mask: torch.Tensor, box: Box) -> float:
    """How far the edges of a coarse mask [1, H, W] may be off, in pixels; 0 where a new answer in
    the box would not be finer."""
    picture, window_side = max(mask.shape), max(box[2] - box[0], box[3] - box[1])
    cell = picture / CELLS
    return COARSE * cell if cell >= 2 and window_side < FINER * picture else 0.0


def merged(mask: torch.Tensor, found: torch.Tensor, trim: float) -> torch.Tensor:
    """Both masks [h, w] as one, without rims of `mask` beside `found` thinner than 2 * trim."""
    if trim <= 0:
        return torch.maximum(mask, found)
    only = mask * (1 - found)
    thick = mask_ops.dilate(mask_ops.erode(only, trim), 2 * trim) * only
    return torch.maximum(found, thick)


def is_cut(found: torch.Tensor, box: Box, size: tuple[int, int]) -> bool:
    """Does a mask [h, w] touch a border of its box inside a picture of (height, width)?"""
    x0, y0, x1, y1 = box
    edges = (
        (x0 > 0, found[:, 0]),
        (y0 > 0, found[0]),
        (x1 < size[1], found[:, -1]),
        (y1 < size[0], found[-1]),
    )
    return any(inner and bool((edge > 0.5).any()) for inner, edge in edges)
