"""Crop and paste are inverse, and nothing but what was painted ever changes."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core import canvas as crop
from amodal.core import mask_ops
from amodal.core.errors import BadInput
from amodal.core.types import Crop


@st.composite
def a_case(draw):
    """A picture, an object's box on it, pads, context and a crop size."""
    height, width = draw(st.integers(8, 70)), draw(st.integers(8, 70))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    mask = torch.zeros(1, height, width)
    mask[:, y0:y1, x0:x1] = 1
    pads = tuple(draw(st.sampled_from([0, 0, 1, 7, 30])) for _ in range(4))
    context = draw(st.sampled_from([0.0, 0.3, 1.0]))
    size = draw(st.sampled_from([8, 32, 64]))
    image = torch.rand(1, height, width, 3, generator=seeded(draw(st.integers(0, 99))))
    return image, mask, crop.plan(mask, Crop.whole(width, height), pads, context, size), pads


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(a_case())
@settings(deadline=None, max_examples=150)
def test_the_window_shows_the_object_its_pads_and_the_canvas(case):
    _, mask, plan, (left, top, right, bottom) = case
    x0, y0, x1, y1 = plan.box
    width, height = plan.canvas
    assert x1 - x0 == y1 - y0
    bx0, by0, bx1, by1 = mask_ops.box_of(mask)
    assert x0 <= max(0, bx0) and x1 >= min(width, bx1 + left + right)
    assert y0 <= max(0, by0) and y1 >= min(height, by1 + top + bottom)
    side = x1 - x0
    assert side > width or (x0 >= 0 and x1 <= width)
    assert side > height or (y0 >= 0 and y1 <= height)
    assert width == mask.shape[2] + left + right and height == mask.shape[1] + top + bottom
    assert plan.offset == plan.grown == (left, top)


@given(a_case(), st.floats(-50, 120), st.floats(-50, 120))
@settings(deadline=None)
def test_points_go_to_the_crop_and_back(case, x, y):
    plan = case[2]
    there = crop.to_crop(plan, (x, y))
    back = crop.to_original(plan, there)
    assert back == pytest.approx((x, y), abs=1e-9)
    scale = plan.size[0] / (plan.box[2] - plan.box[0])
    begin = crop.to_crop(plan, (plan.box[0] - plan.offset[0], plan.box[1] - plan.offset[1]))
    end = crop.to_crop(plan, (plan.box[2] - plan.offset[0], plan.box[3] - plan.offset[1]))
    assert begin == pytest.approx((0, 0)) and end == pytest.approx(plan.size)
    assert there[0] - begin[0] == pytest.approx((x + plan.offset[0] - plan.box[0]) * scale)


@given(a_case(), st.sampled_from([0.0, 0.02, 0.1]), st.integers(0, 99))
@settings(deadline=None, max_examples=150)
def test_what_is_not_painted_stays_equal_to_the_bit(case, feather, seed):
    image, mask, plan, _ = case
    _, seen, beyond = crop.take(image, mask, plan)
    size = plan.size[0]
    inpaint = torch.zeros(1, size, size)
    inpaint[:, size // 4 : size // 2, size // 3 : size // 2] = 1
    completed = torch.rand(1, size, size, 3, generator=seeded(seed))
    amodal = torch.rand(1, size, size, generator=seeded(seed)).round()
    canvas, whole, done = crop.paste(image, mask, plan, completed, amodal, inpaint, feather)
    left, top = plan.grown
    height, width = image.shape[1:3]
    here = slice(top, top + height), slice(left, left + width)
    side = plan.box[2] - plan.box[0]
    painted = torch.zeros(1, *plan.canvas[::-1])
    box = crop.inside(plan.box, plan.canvas)
    x0, y0, x1, y1 = box
    painted[:, y0:y1, x0:x1] = crop.to_canvas(inpaint, plan, box) > 0
    reach = feather * side + 2 * max(1.0, side / size)
    free = mask_ops.dilate(painted, reach)[0][here] == 0
    assert torch.equal(canvas[0][here][free], image[0][free])
    hard = crop.to_canvas(inpaint, plan, box)[0] > 0.5
    mine = crop.to_canvas(completed, plan, box)[0]
    assert torch.equal(canvas[0, y0:y1, x0:x1][hard], mine[hard])
    assert (whole[0][here] >= mask[0]).all() and set(whole.unique().tolist()) <= {0.0, 1.0}
    expected = torch.zeros_like(whole)
    expected[0][here] = mask[0]
    expected[:, y0:y1, x0:x1][crop.to_canvas(amodal, plan, box) > 0.5] = 1
    assert torch.equal(whole, expected)
    assert done.painted == (box,) and done.box is None and done.canvas == plan.canvas


@given(a_case())
@settings(deadline=None)
def test_pasting_what_was_taken_at_its_own_scale_changes_nothing(case):
    image, mask, plan, _ = case
    side = plan.box[2] - plan.box[0]
    same = plan.but(size=(side, side))
    picture, seen, beyond = crop.take(image, mask, same)
    everything = torch.ones(1, side, side)
    canvas, whole, _ = crop.paste(image, mask, same, picture, seen, everything, 0.0)
    left, top = plan.grown
    height, width = image.shape[1:3]
    here = slice(top, top + height), slice(left, left + width)
    assert torch.equal(canvas[0][here], image[0])
    assert torch.equal(whole[0][here], mask[0]) and whole.sum() == mask.sum()
    outside = torch.ones(*plan.canvas[::-1], dtype=torch.bool)
    outside[here] = False
    assert bool((canvas[0][outside] == crop.UNKNOWN).all())


@pytest.mark.parametrize("size", [64, 200, 512])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (40, 0, 0, 25)])
def test_a_ramp_survives_the_way_there_and_back(size, pads):
    height, width = 120, 160
    y, x = torch.meshgrid(torch.arange(height) / 200, torch.arange(width) / 200, indexing="ij")
    image = torch.stack([x, y, x * 0], -1)[None]
    mask = torch.zeros(1, height, width)
    mask[:, 50:90, 30:75] = 1
    plan = crop.plan(mask, Crop.whole(width, height), pads, 0.3, size)
    picture, seen, _ = crop.take(image, mask, plan)
    canvas, whole, _ = crop.paste(image, mask, plan, picture, seen, torch.ones(1, size, size), 0.0)
    left, top = plan.grown
    x0, y0, x1, y1 = plan.box
    rows = slice(max(y0, top) + 4, min(y1, top + height) - 4)
    columns = slice(max(x0, left) + 4, min(x1, left + width) - 4)
    expected = torch.zeros_like(canvas)
    expected[:, top : top + height, left : left + width] = image
    off = (canvas - expected)[0, rows, columns].abs()
    assert off.numel() > 3000 and off.max() < 0.002  # 0.4 pixels of the ramp
    assert mask_ops.iou(seen, crop_of(mask, plan)) > 0.95


def crop_of(mask, plan):
    """The object's box, mapped by the point map, as a mask of the crop."""
    x0, y0, x1, y1 = mask_ops.box_of(mask)
    low, high = crop.to_crop(plan, (x0, y0)), crop.to_crop(plan, (x1, y1))
    result = torch.zeros(1, *plan.size[::-1])
    result[:, round(low[1]) : round(high[1]), round(low[0]) : round(high[0])] = 1
    return result


def test_two_passes_keep_the_original_where_it_was():
    image = torch.rand(1, 50, 60, 3, generator=seeded(1))
    mask = torch.zeros(1, 50, 60)
    mask[:, 20:40, 0:20] = 1
    state = image, mask, Crop.whole(60, 50)
    for pads in ((10, 0, 0, 0), (5, 8, 0, 0)):
        plan = crop.plan(state[1], state[2], pads, 0.3, 64)
        picture, seen, beyond = crop.take(state[0], state[1], plan)
        grown = torch.maximum(seen, beyond)
        state = crop.paste(state[0], state[1], plan, picture * 0, grown, beyond, 0.0)
    canvas, whole, done = state
    x, y = done.offset
    assert (x, y) == (15, 8) and done.canvas == (75, 58) and len(done.painted) == 2
    original = canvas[0, y : y + 50, x : x + 60]
    assert torch.equal(original[:, 2:], image[0, :, 2:])  # a pixel at the seam is resampled
    unknown = crop.unknown_in(done, (0, 0, *done.canvas))
    assert bool((canvas[0][unknown] == crop.UNKNOWN).all())
    assert whole[0, 28:48, 15:35].all()


def test_beyond_is_the_padding_and_gray():
    image, mask = torch.ones(1, 40, 40, 3), torch.zeros(1, 40, 40)
    mask[:, 10:30, 0:20] = 1
    plan = crop.plan(mask, Crop.whole(40, 40), (20, 0, 0, 0), 0.0, 64)
    picture, _, beyond = crop.take(image, mask, plan)
    assert plan.box == (0, 0, 40, 40)
    assert torch.equal(beyond, (torch.arange(64) < 32).float().expand(1, 64, 64))
    assert bool((picture[0, :, :32] == 0.5).all()) and bool((picture[0, :, 32:] > 0.999).all())


def test_a_window_larger_than_the_canvas_repeats_its_edge():
    image = torch.rand(1, 16, 64, 3, generator=seeded(2))
    mask = torch.zeros(1, 16, 64)
    mask[:, 4:12, 10:50] = 1
    plan = crop.plan(mask, Crop.whole(64, 16), (0, 0, 0, 0), 0.0, 40)
    assert plan.box == (10, -12, 50, 28)
    picture, seen, beyond = crop.take(image, mask, plan)
    assert torch.equal(picture[0, 0], picture[0, 12]) and not beyond.any()
    assert torch.equal(picture[0, 12:28], image[0, :, 10:50])
    assert not seen[0, :12].any() and seen.sum() == mask.sum()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 70), (1, 1)])
def test_tiny_pictures_and_full_masks(height, width):
    image, mask = torch.rand(1, height, width, 3), torch.ones(1, height, width)
    plan = crop.plan(mask, Crop.whole(width, height), (4, 4, 4, 4), 0.3, 64)
    picture, seen, beyond = crop.take(image, mask, plan)
    assert picture.shape == (1, 64, 64, 3) and seen.any() and beyond.any()
    canvas, whole, _ = crop.paste(image, mask, plan, picture, seen, beyond, 0.01)
    assert canvas.shape == (1, height + 8, width + 8, 3) and whole.sum() >= mask.sum()


def test_a_canvas_of_another_size_is_refused():
    image = torch.rand(1, 10, 12, 3)
    with pytest.raises(BadInput, match="12x11"):
        crop.canvas_of(image, Crop.whole(12, 11))
    plan = crop.plan(torch.ones(1, 10, 12), Crop.whole(12, 10), (0, 0, 0, 0), 0.3, 64)
    with pytest.raises(BadInput, match="not what the crop was cut from"):
        crop.check_origin(torch.rand(1, 20, 30, 3), plan)


def test_twelve_megapixels_are_kept_in_two_tensors_of_single_precision():
    image = torch.zeros(1, 300, 400, 3)
    mask = torch.zeros(1, 300, 400)
    mask[:, 100:200, 100:200] = 1
    plan = crop.plan(mask, Crop.whole(400, 300), (0, 0, 0, 0), 0.3, 64)
    picture, seen, beyond = crop.take(image, mask, plan)
    made = crop.paste(image, mask, plan, picture, seen, beyond, 0.01)
    assert [part.dtype for part in made[:2]] == [torch.float32] * 2
    assert not [part for part in made[2].__dict__.values() if isinstance(part, torch.Tensor)]
    assert picture.untyped_storage().nbytes() <= 64 * 64 * 3 * 4  # no view of the canvas is kept
