"""Exactly the touched sides are padded: each of the four alone, and in every mix."""

import itertools

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core import canvas as crop
from amodal.core.types import Crop
from amodal.method import padding

WIDTH, HEIGHT = 60, 44
MIXES = list(itertools.product([False, True], repeat=4))


def touching(sides, width=WIDTH, height=HEIGHT) -> torch.Tensor:
    """A cross from the middle to the given sides (left, top, right, bottom)."""
    left, top, right, bottom = sides
    mask = torch.zeros(1, height, width)
    x, y = width // 2, height // 2
    mask[:, y - 4 : y + 4, 0 if left else x - 8 : width if right else x + 8] = 1
    mask[:, 0 if top else y - 4 : height if bottom else y + 4, x - 4 : x + 4] = 1
    return mask


@pytest.mark.parametrize("sides", MIXES)
def test_each_mix_of_sides_is_padded_and_no_other(sides):
    mask = touching(sides)
    found = padding.needed(mask, Crop.whole(WIDTH, HEIGHT), 0.5, 2)
    assert tuple(amount > 0 for amount in found.amounts) == sides
    assert found.sides == tuple(s for s, hit in zip(padding.SIDES, sides) if hit)


@pytest.mark.parametrize("sides", MIXES)
def test_grown_and_painted_the_object_is_free_of_the_border(sides):
    mask = touching(sides)
    canvas = Crop.whole(WIDTH, HEIGHT)
    found = padding.needed(mask, canvas, 0.5, 2)
    plan = crop.plan(mask, canvas, found.amounts, 0.3, 64)
    picture, seen, beyond = crop.take(torch.rand(1, HEIGHT, WIDTH, 3), mask, plan)
    assert bool(beyond.any()) == any(sides)
    image = torch.rand(1, HEIGHT, WIDTH, 3)
    _, whole, done = crop.paste(image, mask, plan, picture, seen, beyond, 0.0)
    left, top, right, bottom = found.amounts
    assert done.canvas == (WIDTH + left + right, HEIGHT + top + bottom)
    assert done.offset == (left, top)
    again = padding.needed(whole, done, 0.5, 2)
    assert again.sides == () and again.amounts == (0, 0, 0, 0)


def test_as_much_as_asked_in_proportion_to_the_object():
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 10:30, 0:8] = 1
    for amount, pixels in ((0.5, 10), (1.0, 20), (0.0, 1)):
        found = padding.needed(mask, Crop.whole(WIDTH, HEIGHT), amount, 2)
        assert found.amounts == (pixels, 0, 0, 0)


@given(st.integers(0, 12), st.integers(0, 6))
@settings(deadline=None)
def test_the_margin_is_counted_from_the_border(gap, margin):
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[:, 15:25, gap : gap + 10] = 1
    found = padding.needed(mask, Crop.whole(WIDTH, HEIGHT), 0.5, margin)
    assert ("left" in found.sides) == (gap <= margin)


def test_unpainted_canvas_inside_the_border_counts_as_touched_without_growing():
    canvas = Crop((40, 40), (80, 40), offset=(40, 0), painted=((20, 0, 60, 40),))
    mask = torch.zeros(1, 40, 80)
    mask[:, 10:20, 20:50] = 1  # reaches the painted window's left edge, 20 pixels from the border
    found = padding.needed(mask, canvas, 0.5, 2)
    assert found.sides == ("left",) and found.amounts == (0, 0, 0, 0)
    inner = torch.zeros(1, 40, 80)
    inner[:, 10:20, 25:50] = 1
    assert padding.needed(inner, canvas, 0.5, 2).sides == ()


def test_full_mask_touches_everything():
    found = padding.needed(torch.ones(1, 8, 8), Crop.whole(8, 8), 0.5, 2)
    assert found.amounts == (4, 4, 4, 4) and found.sides == padding.SIDES
