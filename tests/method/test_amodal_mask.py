"""The amodal mask: what may change, what must stay, and the description of it."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core import mask_ops
from amodal.method.amodal_mask import beyond_the_paint, segment_amodal


def box(x0, y0, x1, y1, size=40):
    """[size, size] with one rectangle set."""
    mask = torch.zeros(size, size)
    mask[y0:y1, x0:x1] = 1
    return mask


MODAL, INPAINT, WHOLE = box(5, 10, 20, 30), box(18, 5, 40, 35), box(5, 10, 30, 30)


def test_the_object_grows_by_its_segment_in_the_inpaint_mask():
    result = segment_amodal(WHOLE, MODAL, INPAINT, 0.3)
    assert torch.equal(result.mask, WHOLE)
    assert (result.found, result.agreement, result.min_iou) == (True, 1.0, 0.3)
    assert result.describe() == "segmented (IoU 1.00 with the modal mask)"


def test_nothing_grows_outside_the_inpaint_mask():
    segment = torch.maximum(WHOLE, box(0, 10, 6, 30))
    result = segment_amodal(segment, MODAL, INPAINT, 0.3)
    assert torch.equal(result.mask, WHOLE)
    assert result.found and result.agreement == pytest.approx(13 / 18)


def test_disconnected_parts_are_left_out():
    segment = torch.maximum(WHOLE, box(36, 6, 39, 9))
    assert torch.equal(segment_amodal(segment, MODAL, INPAINT, 0.3).mask, WHOLE)


def test_an_object_in_two_visible_parts_keeps_both():
    modal = torch.maximum(box(2, 10, 10, 20), box(30, 10, 38, 20))
    inpaint = box(9, 5, 31, 30)
    assert torch.equal(segment_amodal(modal, modal, inpaint, 0.3).mask, modal)
    whole = segment_amodal(box(2, 10, 38, 20), modal, inpaint, 0.3).mask
    assert torch.equal(whole, box(2, 10, 38, 20))


def test_the_segment_of_another_object_is_rejected():
    result = segment_amodal(box(0, 32, 12, 40), MODAL, INPAINT, 0.3)
    assert torch.equal(result.mask, MODAL)
    assert (result.found, result.agreement, result.min_iou) == (False, 0.0, 0.3)
    assert result.describe() == (
        "kept the modal mask: the segment agrees with it by an IoU of 0.00, less than 0.30"
    )


def test_an_agreement_of_exactly_min_iou_is_enough():
    modal, inpaint = box(0, 0, 10, 10), box(20, 0, 40, 40)
    segment = box(0, 0, 10, 5)
    assert segment_amodal(segment, modal, inpaint, 0.5).found
    assert not segment_amodal(segment, modal, inpaint, 0.51).found


def test_an_empty_segment_keeps_the_modal_mask():
    result = segment_amodal(torch.zeros(40, 40), MODAL, INPAINT, 0.0)
    assert torch.equal(result.mask, MODAL)
    assert not result.found and result.agreement is None
    assert result.describe() == "kept the modal mask: the segmenter found nothing"


def test_without_an_unpainted_pixel_the_segment_is_taken():
    result = segment_amodal(WHOLE, MODAL, torch.ones(40, 40), 0.3)
    assert torch.equal(result.mask, WHOLE)
    assert result.found and result.agreement is None
    assert result.describe() == "segmented (no unpainted pixel to compare with)"


def test_small_holes_in_the_painted_part_are_filled():
    segment = WHOLE.clone()
    segment[20, 25] = 0
    assert torch.equal(segment_amodal(segment, MODAL, INPAINT, 0.3).mask, WHOLE)


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_the_modal_mask_never_shrinks_and_only_inpainted_pixels_join(seed, min_iou):
    generator = torch.Generator().manual_seed(seed)
    segment, modal, inpaint = (
        (torch.rand(4, 4, generator=generator) < 0.5)
        .float()
        .repeat_interleave(5, 0)
        .repeat_interleave(5, 1)
        for _ in range(3)
    )
    result = segment_amodal(segment, modal, inpaint, min_iou)
    assert (result.mask >= modal).all()
    allowed = torch.maximum(modal, inpaint)
    if result.joined:
        allowed = torch.maximum(allowed, beyond_the_paint(segment, modal, inpaint))
    assert (result.mask <= allowed).all()
    assert set(result.mask.unique().tolist()) <= {0.0, 1.0}
    assert result.describe().startswith("segmented" if result.found else "kept the modal mask")
    if not result.found:
        assert torch.equal(result.mask, modal)
    if result.agreement is not None:
        assert result.found == (result.agreement >= min_iou)


def test_gaps_of_the_modal_mask_are_closed_within_reach_of_the_inpaint_mask():
    modal = MODAL.clone()
    modal[12:15] = 0  # a gap in the visible part, partly outside the inpaint mask
    tight = segment_amodal(WHOLE, modal, INPAINT, 0.3).mask
    wide = segment_amodal(WHOLE, modal, INPAINT, 0.3, reach=0.1).mask
    everywhere = segment_amodal(WHOLE, modal, INPAINT, 0.3, reach=2).mask
    gap = (WHOLE > 0) & (modal == 0) & (INPAINT == 0)
    near = mask_ops.dilate(INPAINT, 4) > 0
    assert gap.any() and (gap & near).any() and (gap & ~near).any()
    assert not tight[gap].any()
    assert wide[gap & near].all() and not wide[gap & ~near].any()
    assert torch.equal(everywhere, WHOLE)


# --- an object split in two by its occluder, and neighbours of its kind ---------------------------

FRONT, REAR, POLE = box(4, 12, 14, 26), box(20, 12, 36, 26), box(13, 0, 21, 40)
SPLIT = box(4, 12, 36, 26)


def test_an_object_that_goes_on_beyond_the_paint_is_one_object():
    result = segment_amodal(SPLIT, FRONT, POLE, 0.3, 0.1)
    assert torch.equal(result.mask, SPLIT)
    assert result.found and result.joined and "joined" in result.describe()


def test_the_other_half_may_be_another_detection_of_the_same_kind():
    result = segment_amodal(SPLIT, FRONT, POLE, 0.3, 0.1, same_kind=REAR)
    assert torch.equal(result.mask, SPLIT) and result.joined


def test_a_part_of_another_kind_is_never_joined():
    result = segment_amodal(SPLIT, FRONT, POLE, 0.3, 0.1, other_kinds=REAR)
    assert not (result.mask * REAR * (1 - POLE)).any() and not result.joined
    assert result.found and result.agreement == 1.0


def test_without_a_painted_connection_nothing_is_joined():
    segment = torch.maximum(FRONT, REAR) * (1 - POLE)
    assert not segment_amodal(segment, FRONT, POLE, 0.3, 0.1).joined


@pytest.mark.parametrize("known", [True, False], ids=["detected apart", "not detected"])
def test_a_neighbour_of_the_same_kind_is_not_swallowed(known):
    """Two cows side by side behind a man; the segmenter gives both as one."""
    first, second, man = box(4, 14, 18, 30), box(18, 14, 32, 30), box(12, 4, 17, 34)
    modal = first * (1 - man)
    both = torch.maximum(first, second)
    result = segment_amodal(both, modal, man, 0.3, 0.1, second if known else None)
    taken = result.mask * second * (1 - man)
    assert not result.joined
    assert not taken.any() if known else float(taken.sum()) <= 4 * 16  # the reach, 0.1 of 40


@pytest.mark.parametrize("left", [46, 50, 53, 56, 58])
def test_a_wide_hole_at_the_seam_is_the_objects(left):
    """Between the spokes of a wheel the background shows; an occluder's edge may run across."""
    hole = box(left, 40, left + 10, 48, 128)
    modal = box(4, 4, 56, 80, 128) * (1 - hole)
    inpaint = box(56, 0, 128, 128, 128)
    segment = box(4, 4, 110, 80, 128) * (1 - hole)
    result = segment_amodal(segment, modal, inpaint, 0.3, 0.1).mask
    assert torch.equal(result, segment)


def test_holes_of_the_object_stay_and_gaps_at_the_seam_are_closed():
    """A handle's hole in the painted part is the object's; a gap beside the modal mask is not."""
    modal, inpaint = box(4, 4, 60, 80, 128), box(56, 0, 128, 128, 128)
    hole, seam = box(90, 30, 98, 38, 128), box(60, 40, 62, 46, 128)
    segment = box(4, 4, 110, 80, 128) * (1 - hole) * (1 - seam)
    result = segment_amodal(segment, modal, inpaint, 0.3, 0.1).mask
    assert not (result * hole).any()
    assert (result * seam).sum() == seam.sum()
