"""The size of a crop: its aspect follows the object, its sides suit diffusion models."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core import canvas, zoom
from amodal.core.types import Canvas

SIDES = st.integers(1, 6000)
SIZES = st.sampled_from([128, 512, 768, 1024])


def crop_of(width, height, box, size=512, context=0.3, shape="rectangle", **more):
    """The crop of a box-shaped object in a picture of that size, and its padding mask."""
    mask = torch.zeros(1, height, width)
    x0, y0, x1, y1 = box
    mask[:, y0:y1, x0:x1] = 1
    crop = canvas.plan_crop(
        mask, Canvas.whole(width, height), (0, 0, 0, 0), context, size, shape, **more
    )
    return crop, canvas.unknown_in_crop(crop)


@given(SIDES, SIDES, SIZES)
@settings(deadline=None)
def test_rectangles_have_multiples_of_64_about_the_area_and_at_most_1_to_4(width, height, size):
    wide, tall = zoom.crop_size((width, height), size, "rectangle")
    assert wide % 64 == tall % 64 == 0
    assert abs(wide * tall / size**2 - 1) <= 0.15
    assert max(wide, tall) <= 4 * min(wide, tall)


@given(st.floats(0.26, 3.9), st.sampled_from([512, 1024]))
@settings(deadline=None)
def test_the_aspect_follows_the_window(aspect, size):
    wide, tall = zoom.crop_size((round(1000 * aspect), 1000), size, "rectangle")
    assert abs(math.log(wide / tall) - math.log(aspect)) < math.log(1.13 if size == 512 else 1.07)
    assert zoom.crop_size((1000, 1000), size, "rectangle") == (size, size)


@pytest.mark.parametrize(
    ("picture", "box", "at_most"),
    [
        ((2000, 700), (150, 300, 1850, 550), 0.03),  # a surfboard
        ((700, 2000), (300, 150, 550, 1850), 0.03),
        ((4000, 3000), (0, 0, 4000, 3000), 0.07),  # the whole picture, which cannot be cut
        ((600, 400), (10, 180, 590, 220), 0.0),
        ((4000, 3000), (1900, 1400, 2100, 1600), 0.0),
    ],
)
def test_a_rectangle_is_all_picture(picture, box, at_most):
    crop, unknown = crop_of(*picture, box)
    assert float(unknown.mean()) <= at_most
    assert crop.box[0] <= box[0] and crop.box[1] <= box[1]
    assert crop.box[2] >= box[2] and crop.box[3] >= box[3]


def test_a_wide_object_is_shown_larger_in_a_rectangle():
    box = (150, 300, 1850, 550)
    square, rectangle = (
        crop_of(2000, 700, box, shape=shape)[0].scale for shape in ("square", "rectangle")
    )
    assert rectangle < 0.65 * square


@given(SIDES, SIDES, SIZES)
@settings(deadline=None)
def test_a_square_ignores_the_aspect(width, height, size):
    assert zoom.crop_size((width, height), size) == (size, size)


@pytest.mark.parametrize("shape", zoom.SHAPES)
def test_a_larger_window_gets_more_pixels_up_to_the_largest(shape):
    def sizes(side, **more):
        return zoom.crop_size((side, side), 512, shape, **more)

    assert sizes(3000) == (512, 512)  # not asked for
    assert sizes(300, largest=1024) == (512, 512)  # the model's size is the least
    assert sizes(800, largest=1024) == (832, 832)
    assert sizes(3000, largest=1024) == (1024, 1024)
    assert sizes(3000, largest=256) == (512, 512)
