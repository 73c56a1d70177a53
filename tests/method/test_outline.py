"""Outlines drawn by hand: from text to a mask."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amodal.core import outline
from amodal.core.errors import BadInput

SIZE = (40, 60)
places = st.tuples(st.floats(-30, 90), st.floats(-30, 70))


def box(x0, y0, x1, y1) -> torch.Tensor:
    mask = torch.zeros(1, *SIZE)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def drawn(text: str) -> torch.Tensor:
    return outline.drawn_mask(text, SIZE, "drawn_bound")


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_without_an_outline_all_is_allowed(text):
    assert torch.equal(drawn(text), torch.ones(1, *SIZE))


def test_points_are_pixels_or_fractions():
    expected = box(15, 10, 45, 30)
    assert torch.equal(drawn("15,10; 45,10; 45,30; 15,30"), expected)
    assert torch.equal(drawn("0.25,0.25;0.75,0.25;0.75,0.75;0.25,0.75"), expected)
    assert torch.equal(drawn("15,10\n45,10\n(45 30)\n\n15,30;"), expected)


@pytest.mark.parametrize("turn", [1, -1])
def test_the_direction_and_the_first_point_do_not_matter(turn):
    corners = [(15, 10), (45, 10), (45, 30), (15, 30)][::turn]
    for first in range(4):
        mask = outline.filled(corners[first:] + corners[:first], SIZE)
        assert torch.equal(mask, box(15, 10, 45, 30))


def test_the_whole_picture_can_be_drawn_round():
    corners = "0.0000,0.0000; 1.0000,0.0000; 1.0000,1.0000; 0.0000,1.0000"
    assert torch.equal(drawn(corners), torch.ones(1, *SIZE))


def test_what_lies_outside_the_picture_is_cut_off():
    assert torch.equal(drawn("-20,-9; 30,-9; 30,100; -20,100"), box(0, 0, 30, 40))
    assert torch.equal(drawn("-500,5; 900,5; 900,9; -500,9"), box(0, 5, 60, 9))


@pytest.mark.parametrize(
    "text",
    [
        "70,5; 90,5; 90,20; 70,20",  # beside the picture
        "5,-30; 9,-30; 9,-2",  # above it
        "5,5; 9,9; 14,14; 9,9",  # a line there and back
        "5,5; 5,5; 5,5",
        "5.6,5.6; 5.9,5.6; 5.9,5.9",  # between the middles of pixels
        f"{'9' * 400},5; {'9' * 400},9; {'9' * 400},20",  # further than any number
    ],
)
def test_an_outline_without_a_pixel_is_refused(text):
    with pytest.raises(BadInput, match="drawn_bound.*encloses no pixel"):
        drawn(text)


@pytest.mark.parametrize("text", ["5,5", "0.5,0.5; 0.6,0.6", ";", "5,5;" * 100_001])
def test_too_few_and_too_many_points_are_refused(text):
    with pytest.raises(BadInput, match="drawn_bound.* has .* points"):
        drawn(text)


@pytest.mark.parametrize("part", ["x,y", "5", "5,5,5", "nan,1", "1e5,2", '{"x": 1}', "not 5,5"])
def test_what_is_no_point_is_refused(part):
    with pytest.raises(BadInput, match="drawn_bound.*is not a point"):
        drawn(f"5,5; 9,5; {part}; 9,9")


def test_every_loop_of_a_crossing_outline_counts():
    """An eight, a hook at the close, and a star whose middle is gone round twice."""
    eight = outline.filled([(10, 10), (50, 30), (50, 10), (10, 30)], SIZE)[0]
    assert eight[20, 12] and eight[20, 48] and not eight[12, 30] and not eight[28, 30]
    hook = outline.filled([(10, 10), (40, 10), (40, 30), (10, 30), (10, 5), (5, 20)], SIZE)[0]
    assert hook[20, 25] and hook[12, 8]
    points = [(30 + 18 * math.sin(4 * math.pi * i / 5), 20 - 18 * math.cos(4 * math.pi * i / 5))
              for i in range(5)]  # fmt: skip
    star = outline.filled(points, SIZE)[0]
    assert star[20, 30] and star[4, 30] and not star[5, 10]


def test_many_points_fill_a_disc_to_the_pixel():
    turns = np.linspace(0, 2 * math.pi, 20_000, endpoint=False)
    disc = outline.filled([(30 + 12 * math.cos(t), 20 + 12 * math.sin(t)) for t in turns], SIZE)
    rows, columns = np.mgrid[0:40, 0:60] + 0.5
    expected = np.hypot(columns - 30, rows - 20) < 12
    assert np.array_equal(disc[0].numpy() > 0, expected)


@settings(max_examples=25, deadline=None)
@given(st.lists(places, min_size=3, max_size=12))
def test_a_pixel_is_inside_if_the_outline_goes_round_its_middle(points):
    """Against the sum of the angles under which the edges are seen."""
    mask = outline.filled(points, SIZE)[0].numpy() > 0
    rows, columns = np.mgrid[0:40, 0:60] + 0.5
    middles = columns + 1j * rows
    ends = np.array([complex(*point) for point in points])
    total, near = np.zeros(SIZE), np.full(SIZE, np.inf)
    for start, end in zip(ends, np.roll(ends, -1)):
        with np.errstate(all="ignore"):  # an edge without length has no direction
            total += np.angle((end - middles) / (start - middles))
            along = np.clip(((middles - start) / (end - start)).real, 0, 1)
        near = np.fmin(near, np.abs(start + np.nan_to_num(along) * (end - start) - middles))
    clear = near > 1e-6  # on the line itself either answer will do
    assert np.array_equal(mask[clear], np.abs(total[clear]) > math.pi)
