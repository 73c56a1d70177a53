"""The amodal mask: the completed object, segmented again without its background (section 3.4)."""

from dataclasses import dataclass

import torch

from ..core import mask_ops

SMALL_HOLE = 0.03  # enclosed holes below this fraction of the object are filled


@dataclass(frozen=True)
class AmodalMask:
    """mask [H, W], 0 or 1. agreement: the IoU of the segment with the modal mask where nothing was
    painted, None where there is no such pixel or no segment. min_iou: the least agreement asked
    for. found: the segment was taken; where it was not, `mask` is the modal mask."""

    mask: torch.Tensor
    found: bool
    agreement: float | None
    min_iou: float

    def describe(self) -> str:
        """Where the mask comes from, for people."""
        if self.found:
            if self.agreement is None:
                return "segmented (no unpainted pixel to compare with)"
            return f"segmented (IoU {self.agreement:.2f} with the modal mask)"
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
) -> AmodalMask:
    """The amodal mask from a segment of the completed picture (section 3.4).

    segment, modal_mask, inpaint_mask: [H, W], 0 or 1. The segment is taken where it agrees with
    the modal mask outside the inpaint mask (IoU of at least `min_iou`). The result is the modal
    mask and the parts of the segment that are connected to it and lie in the inpaint mask, or
    within `reach` times the larger side of it (a modal mask may have gaps beside the occluder).
    The modal mask never shrinks.
    """
    if not segment.any():
        return AmodalMask(modal_mask, False, None, min_iou)
    outside = 1 - inpaint_mask
    comparable = bool((modal_mask * outside).any())
    agreement = mask_ops.iou(segment * outside, modal_mask * outside) if comparable else None
    if agreement is not None and agreement < min_iou:
        return AmodalMask(modal_mask, False, agreement, min_iou)
    bridge = max(1, round(max(modal_mask.shape) / 128))
    near = mask_ops.dilate(inpaint_mask, reach * max(modal_mask.shape))
    whole = torch.maximum(modal_mask, segment * near)
    whole = torch.maximum(mask_ops.connected_to(whole, modal_mask, bridge), modal_mask)
    closed = mask_ops.fill_holes(whole, int(SMALL_HOLE * float(whole.sum())))
    return AmodalMask(torch.maximum(whole, closed * near), True, agreement, min_iou)
