"""The amodal mask: the completed object segmented anew, trimmed of its background (section 3.4)."""

import torch

from ..core import mask_ops

KEPT = "kept the visible part"  # how the words begin where the segmenter is not believed
SMALL_HOLE = 0.03  # enclosed holes below this fraction of the object are filled


def amodal_mask(
    segment: torch.Tensor,
    modal: torch.Tensor,
    inpaint: torch.Tensor,
    floor: float,
    reach: float = 0.0,
) -> tuple[torch.Tensor, str]:
    """The amodal mask [H, W] and in words where it comes from.

    segment, modal, inpaint: [H, W], 0 or 1. The segmenter is believed when what it found agrees
    with the visible object where nothing was painted (IoU at least `floor`). The result is the
    visible object and what the segmenter found where something was painted, or within `reach` times
    the larger side of that (a visible mask may have gaps beside the occluder), less the parts that
    do not hang together with it; nothing else changes, and the visible object never shrinks.
    """
    if not segment.any():
        return modal, f"{KEPT}: the segmenter found nothing"
    outside = 1 - inpaint
    agreement = mask_ops.iou(segment * outside, modal * outside)
    comparable = bool((modal * outside).any())
    if comparable and agreement < floor:
        return modal, (
            f"{KEPT}: what the segmenter found agrees with it by an IoU of "
            f"{agreement:.2f} only, less than {floor:.2f}"
        )
    bridge = max(1, round(max(modal.shape) / 128))
    near = mask_ops.dilate(inpaint, reach * max(modal.shape))
    both = torch.maximum(modal, segment * near)
    both = torch.maximum(mask_ops.connected_to(both, modal, bridge), modal)
    closed = mask_ops.fill_holes(both, int(SMALL_HOLE * float(both.sum())))
    both = torch.maximum(both, closed * near)
    if not comparable:
        return both, "segmented (nothing unpainted to compare with)"
    return both, f"segmented (IoU {agreement:.2f} with the visible part)"
