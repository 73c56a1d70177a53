"""Exactly the touched sides are padded, in every combination of the four."""

import itertools

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core import canvas
from amodal.core.types import Canvas, Padding
from amodal.method.padding import SIDES, padding_for

WIDTH, HEIGHT = 60, 44
WHOLE = Canvas.whole(WIDTH, HEIGHT)
COMBINATIONS = list(itertools.product([False, True], repeat=4))


def touching(sides, width=WIDTH, height=HEIGHT) -> torch.Tensor:
    """A cross from the middle to the given sides (left, top, right, bottom)."""
    left, top, right, bottom = sides
    mask = torch.zeros(1, height, width)
    x, y = width // 2, height // 2
    mask[:, y - 4 : y + 4, 0 if left else x - 8 : width if right else x + 8] = 1
    mask[:, 0 if top else y - 4 : height if bottom else y + 4, x - 4 : x + 4] = 1
    return mask


@pytest.mark.parametrize("sides", COMBINATIONS)
def test_touched_sides_are_padded_and_no_others(sides):
    padding = padding_for(touching(sides), WHOLE, 0.5, 2)
    assert tuple(amount > 0 for amount in padding.amounts) == sides
    assert padding.sides == tuple(side for side, touched in zip(SIDES, sides) if touched)


@pytest.mark.parametrize("sides", COMBINATIONS)
def test_after_painting_the_padding_no_side_is_touched(sides):
    mask = touching(sides)
    padding = padding_for(mask, WHOLE, 0.5, 2)
    crop = canvas.plan_crop(mask, WHOLE, padding.amounts, 0.3, 64)
    image = torch.rand(1, HEIGHT, WIDTH, 3)
    picture, modal, padding_mask = canvas.cut_crop(image, mask, crop)
    assert bool(padding_mask.any()) == any(sides)
    _, whole, grown = canvas.paste_crop(image, mask, crop, picture, modal, padding_mask, 0.0)
    left, top, right, bottom = padding.amounts
    assert grown.size == (WIDTH + left + right, HEIGHT + top + bottom)
    assert grown.offset == (left, top)
    assert padding_for(whole, grown, 0.5, 2) == Padding()


def test_the_amount_is_in_proportion_to_the_object():
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 10:30, 0:8] = 1
    for amount, pixels in ((0.5, 10), (1.0, 20), (0.0, 1)):
        assert padding_for(mask, WHOLE, amount, 2).amounts == (pixels, 0, 0, 0)


@given(st.integers(0, 12), st.integers(0, 6))
@settings(deadline=None)
def test_the_margin_is_counted_from_the_border(gap, margin):
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 15:25, gap : gap + 10] = 1
    padding = padding_for(mask, WHOLE, 0.5, margin)
    assert ("left" in padding.sides) == (gap <= margin)


@pytest.mark.parametrize("scale", [1, 2, 10])
@pytest.mark.parametrize("gap", [0, 5, 6])
def test_a_larger_picture_of_the_same_scene_touches_the_same_sides(scale, gap):
    mask = torch.zeros(1, 400 * scale, 600 * scale)
    mask[:, 100 * scale : 300 * scale, gap * scale : 500 * scale] = 1
    canvas_ = Canvas.whole(600 * scale, 400 * scale)
    padding = padding_for(mask, canvas_, 0.5, 2, reach=0.01)
    assert padding.sides == (("left",) if gap <= 5 else ())


def test_the_reach_of_a_small_object_is_the_margin():
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 15:25, 3:13] = 1
    assert padding_for(mask, WHOLE, 0.5, 2, reach=0.01) == Padding()


def test_an_unknown_part_of_the_canvas_is_touched_but_adds_no_pixels():
    canvas_of_80 = Canvas((40, 40), (80, 40), offset=(40, 0), inpainted=((20, 0, 60, 40),))
    mask = torch.zeros(1, 40, 80)
    mask[:, 10:20, 20:50] = 1  # reaches the left edge of the inpainted window, 20 from the border
    assert padding_for(mask, canvas_of_80, 0.5, 2) == Padding(sides=("left",))
    inner = torch.zeros(1, 40, 80)
    inner[:, 10:20, 25:50] = 1
    assert padding_for(inner, canvas_of_80, 0.5, 2) == Padding()


def test_a_full_mask_touches_every_side():
    padding = padding_for(torch.ones(1, 8, 8), Canvas.whole(8, 8), 0.5, 2)
    assert padding == Padding(4, 4, 4, 4, sides=SIDES)
