"""Mask algebra against plain definitions, on random masks."""

import hypothesis.strategies as st
import torch
from hypothesis import given, settings

from amodal.core import mask_ops


@st.composite
def a_mask(draw, largest=24):
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    density = draw(st.sampled_from([0.02, 0.3, 0.9]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return (torch.rand(height, width, generator=generator) < density).float()


@given(a_mask())
@settings(deadline=None)
def test_the_box_is_the_smallest_that_holds_every_pixel(mask):
    box = mask_ops.box_of(mask)
    if box is None:
        assert not mask.any()
        return
    x0, y0, x1, y1 = box
    inside = mask[y0:y1, x0:x1]
    assert inside.sum() == mask.sum()
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


@given(a_mask(), st.floats(0, 6))
@settings(deadline=None)
def test_dilation_is_a_disc_around_every_pixel(mask, radius):
    dilated = mask_ops.dilate(mask, radius)
    points = mask.nonzero().float()
    y, x = torch.meshgrid(*(torch.arange(n) for n in mask.shape), indexing="ij")
    grid = torch.stack([y, x], -1).float().reshape(-1, 2)
    expected = torch.zeros(mask.numel())
    if len(points):
        distance = torch.cdist(grid, points).amin(1)
        expected = (distance <= radius + 1e-4).float()
        rounding = (distance - radius).abs() < 1e-3  # either answer is right on the circle itself
        expected[rounding] = dilated.flatten()[rounding]
    assert torch.equal(dilated.flatten(), expected)


@given(a_mask(), st.integers(0, 5))
@settings(deadline=None)
def test_dilation_adds_erosion_removes_and_closing_adds(mask, radius):
    assert (mask_ops.dilate(mask, radius) >= mask).all()
    assert (mask_ops.erode(mask, radius) <= mask).all()
    closed = mask_ops.erode(mask_ops.dilate(mask, radius), radius)
    assert (closed >= mask).all()


def test_a_mask_does_not_erode_from_the_border_of_the_picture():
    assert mask_ops.erode(torch.ones(5, 5), 2).all()


def test_masks_of_a_batch_are_dilated_separately():
    batch = torch.zeros(2, 9, 9)
    batch[1, 4, 4] = 1
    dilated = mask_ops.dilate(batch, 1)
    assert dilated[0].sum() == 0 and dilated[1].sum() == 5


def test_iou_and_share_inside():
    upper, middle, empty = torch.zeros(4, 4), torch.zeros(4, 4), torch.zeros(4, 4)
    upper[:2], middle[1:3] = 1, 1
    assert mask_ops.iou(upper, middle) == 4 / 12
    assert mask_ops.share_inside(upper, middle) == 0.5
    assert mask_ops.iou(empty, empty) == 0
    assert mask_ops.share_inside(empty, upper) == 0


def test_only_parts_connected_to_the_seed_stay():
    mask = torch.zeros(5, 12)
    mask[:, 0:2] = mask[:, 4:6] = mask[:, 10:12] = 1
    seed = torch.zeros(5, 12)
    seed[2, 1] = 1
    assert mask_ops.connected_to(mask, seed)[0].tolist() == [1, 1] + [0] * 10
    bridged = mask_ops.connected_to(mask, seed, bridge=1)
    assert bridged[0].tolist() == [1, 1, 0, 0, 1, 1] + [0] * 6
    assert not mask_ops.connected_to(mask, torch.zeros(5, 12)).any()


def test_small_enclosed_holes_are_filled():
    mask = torch.ones(9, 9)
    mask[2, 2] = 0
    mask[5:8, 5:8] = 0
    mask[0, 4] = 0  # open to the border: not a hole
    filled = mask_ops.fill_holes(mask, largest=4)
    assert filled[2, 2] == 1 and filled[6, 6] == 0 and filled[0, 4] == 0
    assert torch.equal(mask_ops.fill_holes(torch.ones(3, 3), 4), torch.ones(3, 3))


def ring(outer: int, inner: int, gap: int = 0) -> torch.Tensor:
    """A square frame on 64x64, open over `gap` pixels at its top."""
    mask = torch.zeros(64, 64)
    mask[32 - outer : 32 + outer, 32 - outer : 32 + outer] = 1
    mask[32 - inner : 32 + inner, 32 - inner : 32 + inner] = 0
    mask[:32, 32 : 32 + gap] = 0
    return mask


def test_a_mask_inside_a_closed_wall_is_surrounded():
    inside = torch.zeros(64, 64)
    inside[30:34, 30:34] = 1
    wall = ring(20, 10)
    assert mask_ops.surrounds(wall, inside)
    assert mask_ops.surrounds(ring(20, 10, gap=2), inside)  # narrow gaps count as closed
    assert not mask_ops.surrounds(ring(20, 10, gap=8), inside)
    assert not mask_ops.surrounds(wall, torch.roll(inside, 28, 1))
    assert not mask_ops.surrounds(wall * 0, inside) and not mask_ops.surrounds(wall, inside * 0)


def test_a_mask_that_crosses_the_wall_is_not_surrounded():
    across = torch.zeros(64, 64)
    across[30:34, 30:] = 1
    assert not mask_ops.surrounds(ring(20, 10) * (1 - across), across)


def test_a_speck_outside_the_wall_does_not_count():
    with_speck = torch.zeros(64, 64)
    with_speck[28:36, 28:36] = 1
    with_speck[2, 2] = 1
    assert mask_ops.surrounds(ring(20, 10), with_speck)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=50)
def test_overlaps_by_boxes_are_those_by_all_pixels(seed):
    generator = torch.Generator().manual_seed(seed)
    pair = torch.zeros(2, 40, 50)
    for mask in pair:
        x, y, wide, tall = torch.randint(0, 25, (4,), generator=generator).tolist()
        mask[y : y + tall, x : x + wide] = torch.rand(
            mask[y : y + tall, x : x + wide].shape, generator=generator
        ).round()
    first, second = pair > 0.5
    both, either = int((first & second).sum()), int((first | second).sum())
    expected = both / either if either else 0.0
    assert mask_ops.iou(*pair) == mask_ops.iou(first, second) == expected
    boxes = tuple(mask_ops.box_of(mask) for mask in pair)
    assert mask_ops.iou(*pair, boxes) == expected
    share = both / int(first.sum()) if first.any() else 0.0
    assert mask_ops.share_inside(*pair) == share


def test_a_gap_in_a_wall_is_measured_against_the_object_it_encloses():
    """In a large picture, a small object is not enclosed by what stands somewhere around it."""
    far = torch.nn.functional.pad(ring(20, 10, gap=8), (400, 400, 400, 400))
    inside = torch.zeros_like(far)
    inside[430:434, 430:434] = 1
    assert mask_ops.surrounds(torch.nn.functional.pad(ring(20, 10), (400,) * 4), inside)
    assert not mask_ops.surrounds(far, inside)
