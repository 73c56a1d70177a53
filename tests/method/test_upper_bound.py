"""Upper bounds in the crop's pixels, and from the size of other instances."""

import pytest
import torch

from amodal.core.detections import from_masks
from amodal.core.types import Canvas, Crop
from amodal.method import upper_bound


def box(x0, y0, x1, y1, height=40, width=60) -> torch.Tensor:
    mask = torch.zeros(1, height, width)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def test_without_a_crop_all_outside_the_bound_is_forbidden():
    bound = box(10, 10, 20, 20)
    assert torch.equal(upper_bound.forbidden(bound, None), 1 - bound)


def test_a_crop_shows_its_window_of_the_bound():
    crop = Crop(Canvas.whole(60, 40), (10, 5, 30, 25), (20, 20))
    shown = upper_bound.forbidden(box(15, 5, 60, 20), crop)
    expected = torch.ones(1, 20, 20)
    expected[:, :15, 5:] = 0
    assert torch.equal(shown, expected)


def test_a_bound_that_meets_the_border_goes_on_beyond_it():
    """The canvas has grown by 8 to the right and 6 below; the bound touches only the right."""
    crop = Crop(Canvas((60, 40), (68, 46)), (36, 14, 68, 46), (32, 32))
    shown = upper_bound.forbidden(box(50, 20, 60, 30), crop)
    assert not shown[:, 6:16, 14:].any()  # on to the canvas' edge
    assert shown[:, :6].all() and shown[:, 16:].all() and shown[:, :, :14].all()


def test_of_a_whole_canvas_the_bound_goes_on_beyond_the_picture():
    canvas = Canvas((60, 40), (70, 40), (10, 0))
    shown = upper_bound.on_canvas(box(0, 10, 20, 20), canvas)
    assert torch.equal(1 - shown, box(0, 10, 30, 20, width=70))


def test_beyond_the_canvas_nothing_is_forbidden():
    crop = Crop(Canvas.whole(60, 40), (-10, 0, 30, 40), (40, 40))
    shown = upper_bound.forbidden(box(20, 10, 30, 20), crop)
    assert not shown[:, :, :10].any() and shown[:, :, 10:29].any()


def test_an_object_is_bounded_by_the_size_of_others_of_its_label():
    masks = torch.cat(
        [box(20, 10, 24, 14), box(0, 0, 12, 6), box(40, 30, 50, 38), box(5, 20, 35, 39)]
    )
    objects = from_masks(masks, ["cat", "cat", "cat", "dog"])
    bound, others = upper_bound.by_instances(objects, masks[:1], "cat", 0.0)
    assert others == 2  # 12x6 and 10x8: a median of 11x7
    assert torch.equal(bound, box(24 - 11, 14 - 7, 20 + 11, 10 + 7))
    wider, _ = upper_bound.by_instances(objects, masks[:1], "cat", 1.0)
    assert torch.equal(wider, box(24 - 22, 0, 20 + 22, 10 + 14))


def test_what_is_seen_is_always_allowed():
    masks = torch.cat([box(20, 10, 40, 30), box(0, 0, 4, 4)])
    bound, others = upper_bound.by_instances(from_masks(masks, ["cat"] * 2), masks[:1], "cat", 0.0)
    assert others == 1 and bool((bound >= masks[:1]).all())


@pytest.mark.parametrize("label", ["dog", ""])
def test_without_others_all_is_allowed(label):
    masks = torch.cat([box(20, 10, 40, 30), box(0, 0, 4, 4)])
    objects = from_masks(masks, ["dog", "cat"])
    bound, others = upper_bound.by_instances(objects, masks[:1], label, 0.2)
    assert others == 0 and bool(bound.all())


@pytest.mark.parametrize(
    "painted, expected",
    [
        (box(0, 0, 0, 0), box(20, 10, 30, 20)),  # no pass yet: what the occluder covers within
        (box(0, 0, 60, 40), box(0, 0, 0, 0)),  # it goes on beyond, and would come back
        (box(0, 0, 22, 40), box(26, 10, 30, 20)),  # a pass painted only the left of it
    ],
)
def test_what_goes_on_beyond_the_bound_is_painted_once(painted, expected):
    occluder, allowed = box(5, 10, 30, 20), box(20, 0, 60, 40)
    left = upper_bound.left_over(occluder, allowed, painted, reach=4)
    assert torch.equal(left, expected)


def test_an_occluder_that_a_pass_brought_back_within_the_bound_is_painted_again():
    allowed, everything = box(20, 0, 60, 40), box(0, 0, 60, 40)
    inside, beyond = box(40, 10, 50, 20), box(5, 10, 30, 20)
    left = upper_bound.left_over(torch.maximum(inside, beyond), allowed, everything, reach=2)
    assert torch.equal(left, inside)
