"""The amodal mask: what may change, what may not, and what is said about it."""

import hypothesis.strategies as st
import torch
from hypothesis import given, settings

from amodal.core import mask_ops
from amodal.method import amodal_mask


def box(x0, y0, x1, y1, size=40):
    mask = torch.zeros(size, size)
    mask[y0:y1, x0:x1] = 1
    return mask


MODAL, INPAINT, WHOLE = box(5, 10, 20, 30), box(18, 5, 40, 35), box(5, 10, 30, 30)


def test_the_object_grows_by_what_was_painted_of_it():
    mask, status = amodal_mask.amodal_mask(WHOLE, MODAL, INPAINT, 0.3)
    assert torch.equal(mask, WHOLE) and status == "segmented (IoU 1.00 with the visible part)"


def test_nothing_grows_where_nothing_was_painted():
    segment = torch.maximum(WHOLE, box(0, 10, 6, 30))
    mask, _ = amodal_mask.amodal_mask(segment, MODAL, INPAINT, 0.3)
    assert torch.equal(mask, WHOLE)


def test_parts_that_hang_elsewhere_are_left_out():
    segment = torch.maximum(WHOLE, box(36, 6, 39, 9))
    mask, _ = amodal_mask.amodal_mask(segment, MODAL, INPAINT, 0.3)
    assert torch.equal(mask, WHOLE)


def test_an_object_in_two_visible_parts_keeps_both():
    modal = torch.maximum(box(2, 10, 10, 20), box(30, 10, 38, 20))
    mask, _ = amodal_mask.amodal_mask(modal, modal, box(9, 5, 31, 30), 0.3)
    assert torch.equal(mask, modal)
    whole, _ = amodal_mask.amodal_mask(box(2, 10, 38, 20), modal, box(9, 5, 31, 30), 0.3)
    assert torch.equal(whole, box(2, 10, 38, 20))


def test_a_segmenter_that_finds_something_else_is_not_believed():
    mask, status = amodal_mask.amodal_mask(box(0, 32, 12, 40), MODAL, INPAINT, 0.3)
    assert torch.equal(mask, MODAL)
    assert status.startswith("kept the visible part") and "0.00 only, less than 0.30" in status


def test_a_segmenter_that_finds_nothing_is_said_to():
    mask, status = amodal_mask.amodal_mask(torch.zeros(40, 40), MODAL, INPAINT, 0.0)
    assert torch.equal(mask, MODAL) and "found nothing" in status


def test_an_object_all_of_which_was_painted_is_taken_as_found():
    everything = torch.ones(40, 40)
    mask, status = amodal_mask.amodal_mask(WHOLE, MODAL, everything, 0.3)
    assert torch.equal(mask, WHOLE) and status == "segmented (nothing unpainted to compare with)"


def test_small_holes_in_the_painted_part_are_filled():
    segment = WHOLE.clone()
    segment[20, 25] = 0
    assert torch.equal(amodal_mask.amodal_mask(segment, MODAL, INPAINT, 0.3)[0], WHOLE)


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_the_visible_object_never_shrinks_and_only_painted_pixels_join(seed, floor):
    generator = torch.Generator().manual_seed(seed)
    segment, modal, inpaint = (
        (torch.rand(4, 4, generator=generator) < 0.5)
        .float()
        .repeat_interleave(5, 0)
        .repeat_interleave(5, 1)
        for _ in range(3)
    )
    mask, status = amodal_mask.amodal_mask(segment, modal, inpaint, floor)
    assert (mask >= modal).all()
    assert (mask <= torch.maximum(modal, inpaint)).all()
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert status.startswith(("segmented", "kept the visible part"))


def test_gaps_of_the_visible_mask_are_closed_within_reach_of_what_was_painted():
    modal = MODAL.clone()
    modal[12:15] = 0  # a gap in the visible part that nothing was painted in
    tight, _ = amodal_mask.amodal_mask(WHOLE, modal, INPAINT, 0.3)
    wide, _ = amodal_mask.amodal_mask(WHOLE, modal, INPAINT, 0.3, reach=0.1)
    everywhere, _ = amodal_mask.amodal_mask(WHOLE, modal, INPAINT, 0.3, reach=2)
    gap = (WHOLE > 0) & (modal == 0) & (INPAINT == 0)
    near = mask_ops.dilate(INPAINT, 4) > 0
    assert gap.any() and (gap & near).any() and (gap & ~near).any()
    assert not tight[gap].any()
    assert wide[gap & near].all() and not wide[gap & ~near].any()
    assert torch.equal(everywhere, WHOLE)
