"""The amodal mask: the completed object, segmented again without its background (section 3.4)."""

from dataclasses import dataclass

import torch

from ..core import mask_ops

SEAM_HOLE = 0.03  # enclosed holes at the seam below this fraction of the object are filled
SPECK_HOLE = 1e-4  # so are enclosed holes anywhere below this one
SMALL_PART = 0.01  # parts beyond the painted area below this fraction of the object do not count


@dataclass(frozen=True)
class AmodalMask:
    """mask [H, W], 0 or 1. agreement: the IoU of the segment with the modal mask where nothing was
    painted, None where there is no such pixel or no segment. min_iou: the least agreement asked
    for. found: the segment was taken; where it was not, `mask` is the modal mask. joined: the
    object goes on beyond what was painted, and that part was taken too."""

    mask: torch.Tensor
    found: bool
    agreement: float | None
    min_iou: float
    joined: bool = False

    def describe(self) -> str:
        """Where the mask comes from, for people."""
        joined = "; joined with its part beyond the painted area" if self.joined else ""
        if self.found:
            if self.agreement is None:
                return f"segmented (no unpainted pixel to compare with){joined}"
            return f"segmented (IoU {self.agreement:.2f} with the modal mask){joined}"
        if self.agreement is None:
            return "kept the modal mask: the segmenter found nothing"
        return (
            f"kept the modal mask: the segment agrees with it by an IoU of {self.agreement:.2f}, "
            f"less than {self.min_iou:.2f}"
        )


def segment_amodal(
    segment: torch.Tensor,
    modal_mask: torch.Tensor,
    inpaint_mask: torch.Tensor,
    min_iou: float,
    reach: float = 0.0,
    same_kind: torch.Tensor | None = None,
    other_kinds: torch.Tensor | None = None,
) -> AmodalMask:
    """The amodal mask from a segment of the completed picture (section 3.4).

    All masks are [H, W], 0 or 1. The segment is taken where it agrees with the modal mask outside
    the inpaint mask (IoU of at least `min_iou`). The result is the modal mask and the parts of the
    segment that are connected to it and lie in the inpaint mask, or within `reach` times the larger
    side of it (a modal mask may have gaps beside the occluder). The modal mask never shrinks.

    same_kind and other_kinds are the visible pixels of other objects, with the query's label and
    with other labels. None of them is taken, except a part of the same kind that the segment
    reaches only through painted pixels: there an occluder had split the object in two.
    """
    if not segment.any():
        return AmodalMask(modal_mask, False, None, min_iou)
    visible = 1 - inpaint_mask
    none = torch.zeros_like(segment)
    same_kind, other_kinds = (
        none if mask is None else mask * visible * (1 - modal_mask)
        for mask in (same_kind, other_kinds)
    )
    segment = segment * (1 - other_kinds)
    beyond = beyond_the_paint(segment, modal_mask, inpaint_mask)
    own = segment * (1 - torch.maximum(same_kind, beyond))
    comparable = bool((modal_mask * visible).any())
    agreement = mask_ops.iou(own * visible, modal_mask * visible) if comparable else None
    if agreement is not None and agreement < min_iou:
        return AmodalMask(modal_mask, False, agreement, min_iou)
    near = mask_ops.dilate(inpaint_mask, reach * max(modal_mask.shape))
    whole = torch.maximum(torch.maximum(modal_mask, own * near), beyond)
    whole = mask_ops.connected_to(whole, modal_mask, gap(modal_mask))
    whole = torch.maximum(whole, modal_mask)
    closed = without_holes(whole, modal_mask, inpaint_mask)
    whole = torch.maximum(whole, closed * near * (1 - torch.maximum(same_kind, other_kinds)))
    return AmodalMask(whole, True, agreement, min_iou, bool((whole * beyond).any()))


def without_holes(
    whole: torch.Tensor, modal_mask: torch.Tensor, inpaint_mask: torch.Tensor
) -> torch.Tensor:
    """The amodal mask without specks, and without small holes between modal mask and painted part.

    All masks are [H, W], 0 or 1. Other holes belong to the object, such as those of a tree's crown,
    and so do wide ones at the seam: what a mask lacks there is narrow.
    """
    area, width = float(whole.sum()), 2 * gap(modal_mask)
    specks = mask_ops.fill_holes(whole, max(1, int(SPECK_HOLE * area)))
    holes = mask_ops.fill_holes(whole, int(SEAM_HOLE * area)) * (1 - whole)
    holes -= mask_ops.connected_to(holes, mask_ops.erode(holes, gap(modal_mask)))
    if not holes.any():
        return specks
    painted = mask_ops.erode(whole * (1 - modal_mask) * inpaint_mask, 1)
    seam = mask_ops.dilate(modal_mask, width) * mask_ops.dilate(painted, width + 1)
    return torch.maximum(specks, mask_ops.connected_to(holes, holes * seam))


def beyond_the_paint(
    segment: torch.Tensor, modal_mask: torch.Tensor, inpaint_mask: torch.Tensor
) -> torch.Tensor:
    """The visible parts of the segment that only painted pixels connect to the modal mask.

    All masks are [H, W], 0 or 1. A part that touches the modal mask itself is left out: that is a
    neighbour, or a gap of the modal mask.
    """
    from scipy.ndimage import label

    outside = segment * (1 - inpaint_mask) * (1 - modal_mask)
    numbers, count = label(outside.cpu().numpy() > 0.5)
    parts = torch.from_numpy(numbers).to(outside.device)
    areas = torch.bincount(parts.flatten().long(), minlength=count + 1)
    least = SMALL_PART * float(modal_mask.sum())
    width = 2 * gap(modal_mask)
    across = mask_ops.dilate(segment * inpaint_mask, width) > 0.5
    beside = (mask_ops.dilate(modal_mask, width) > 0.5) & ~(
        mask_ops.dilate(inpaint_mask, width) > 0.5
    )
    kept = [
        number
        for number in range(1, count + 1)
        if areas[number] >= least
        and bool((across & (parts == number)).any())
        and not bool((beside & (parts == number)).any())
    ]
    return torch.isin(parts, torch.tensor(kept, device=parts.device)).float()


def gap(mask: torch.Tensor) -> int:
    """Pixels: parts of the object closer than twice this are connected."""
    return max(1, round(max(mask.shape) / 128))
