"""Crop and paste are inverse, and only painted pixels ever change."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import example, given, settings

from amodal.core import canvas, mask_ops, zoom
from amodal.core.errors import BadInput
from amodal.core.types import Canvas, Crop


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@st.composite
def a_case(draw):
    """A picture, an object's mask on it, a crop around the object, and the pads of the crop."""
    height, width = draw(st.integers(8, 70)), draw(st.integers(8, 70))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    mask = torch.zeros(1, height, width)
    mask[:, y0:y1, x0:x1] = 1
    pads = tuple(draw(st.sampled_from([0, 0, 1, 7, 30])) for _ in range(4))
    context = draw(st.sampled_from([0.0, 0.3, 1.0]))
    shape = draw(st.sampled_from(zoom.SHAPES))
    size = draw(st.sampled_from([8, 32, 64] if shape == "square" else [64, 128, 192]))
    largest = draw(st.sampled_from([0, 64, 256]))
    image = torch.rand(1, height, width, 3, generator=seeded(draw(st.integers(0, 99))))
    whole = Canvas.whole(width, height)
    crop = canvas.plan_crop(mask, whole, pads, context, size, shape, largest)
    return image, mask, crop, pads


@given(a_case())
@settings(deadline=None, max_examples=150)
def test_the_window_holds_the_object_and_its_pads(case):
    _, mask, crop, (left, top, right, bottom) = case
    x0, y0, x1, y1 = crop.box
    width, height = crop.canvas.size
    for window, pixels in ((x1 - x0, crop.size[0]), (y1 - y0, crop.size[1])):
        assert abs(window - crop.scale * pixels) <= 0.5 + 0.5 * pixels / crop.size[0]
    object_x0, object_y0, object_x1, object_y1 = mask_ops.box_of(mask)
    assert x0 <= max(0, object_x0) and x1 >= min(width, object_x1 + left + right)
    assert y0 <= max(0, object_y0) and y1 >= min(height, object_y1 + top + bottom)
    assert x1 - x0 > width or (x0 >= 0 and x1 <= width)
    assert y1 - y0 > height or (y0 >= 0 and y1 <= height)
    assert width == mask.shape[2] + left + right and height == mask.shape[1] + top + bottom
    assert crop.canvas.offset == crop.grown == (left, top)
    assert crop.canvas.original == (mask.shape[2], mask.shape[1])
    assert crop.canvas.inpainted == ()


def across_the_border():
    """A case: pixels of the crop that are painted lie half beyond the canvas."""
    crop = Crop(Canvas((8, 13), (9, 50), (0, 30), ()), (-15, 12, 23, 50), (8, 8), (0, 30))
    image = torch.rand(1, 13, 8, 3, generator=seeded(1))
    return image, torch.zeros(1, 13, 8), crop, None


@given(a_case(), st.sampled_from([0.0, 0.02, 0.1]), st.integers(0, 99))
@example(across_the_border(), 0.0, 0)
@settings(deadline=None, max_examples=150)
def test_pixels_that_are_not_painted_stay_equal_to_the_bit(case, feather, seed):
    image, mask, crop, _ = case
    wide, tall = crop.size
    inpaint = torch.zeros(1, tall, wide)
    inpaint[:, tall // 4 : tall // 2, wide // 3 : wide // 2] = 1
    completed = torch.rand(1, tall, wide, 3, generator=seeded(seed))
    amodal = torch.rand(1, tall, wide, generator=seeded(seed)).round()
    pasted, whole, grown_canvas = canvas.paste_crop(
        image, mask, crop, completed, amodal, inpaint, feather
    )
    left, top = crop.grown
    height, width = image.shape[1:3]
    here = slice(top, top + height), slice(left, left + width)
    side = math.sqrt((crop.box[2] - crop.box[0]) * (crop.box[3] - crop.box[1]))
    painted = torch.zeros(1, *crop.canvas.size[::-1])
    box = canvas.inside(crop.box, crop.canvas.size)
    x0, y0, x1, y1 = box
    painted[:, y0:y1, x0:x1] = canvas.to_canvas(inpaint, crop, box) > 0
    reach = feather * 1.1 * side + 2 * max(1.0, crop.scale)  # sides of boxes are rounded
    untouched = mask_ops.dilate(painted, reach)[0][here] == 0
    assert torch.equal(pasted[0][here][untouched], image[0][untouched])
    hard = canvas.to_canvas(canvas.held_inside(inpaint, crop), crop, box)[0] > 0.5
    expected_colours = canvas.to_canvas(completed, crop, box)[0]
    assert torch.equal(pasted[0, y0:y1, x0:x1][hard], expected_colours[hard])
    assert (whole[0][here] >= mask[0]).all() and set(whole.unique().tolist()) <= {0.0, 1.0}
    expected = torch.zeros_like(whole)
    expected[0][here] = mask[0]
    expected[:, y0:y1, x0:x1][canvas.to_canvas(amodal, crop, box) > 0.5] = 1
    assert torch.equal(whole, expected)
    assert grown_canvas == crop.canvas.but(inpainted=(box,))
    assert tuple(pasted.shape[2:0:-1]) == grown_canvas.size


@given(a_case())
@settings(deadline=None)
def test_pasting_an_unchanged_crop_at_its_own_scale_changes_nothing(case):
    image, mask, crop, _ = case
    wide, tall = crop.box[2] - crop.box[0], crop.box[3] - crop.box[1]
    same = crop.but(size=(wide, tall))
    picture, modal, _ = canvas.cut_crop(image, mask, same)
    everything = torch.ones(1, tall, wide)
    pasted, whole, _ = canvas.paste_crop(image, mask, same, picture, modal, everything, 0.0)
    left, top = crop.grown
    height, width = image.shape[1:3]
    here = slice(top, top + height), slice(left, left + width)
    assert torch.equal(pasted[0][here], image[0])
    assert torch.equal(whole[0][here], mask[0]) and whole.sum() == mask.sum()
    outside = torch.ones(*crop.canvas.size[::-1], dtype=torch.bool)
    outside[here] = False
    assert bool((pasted[0][outside] == canvas.UNKNOWN).all())


@given(a_case(), st.sampled_from([0.0, 0.05]), st.sampled_from([1, 2]))
@settings(deadline=None, max_examples=60)
def test_a_crop_with_nothing_painted_leaves_the_canvas_equal_to_the_bit(case, feather, enlarged):
    image, mask, crop, (left, top, _, _) = case
    _, _, padding = canvas.cut_crop(image, mask, crop)
    sides = [enlarged * side for side in crop.size[::-1]]
    noise, nothing = torch.rand(1, *sides, 3), torch.zeros_like(padding)
    pasted, whole, _ = canvas.paste_crop(image, mask, crop, noise, nothing, nothing, feather)
    here = slice(top, top + image.shape[1]), slice(left, left + image.shape[2])
    assert torch.equal(pasted[0][here], image[0]) and torch.equal(whole[0][here], mask[0])
    assert whole.sum() == mask.sum()


@given(a_case())
@settings(deadline=None, max_examples=60)
def test_every_crop_pixel_shows_the_picture_or_is_marked_unknown_and_gray(case):
    image, mask, crop, _ = case
    picture, modal, padding = canvas.cut_crop(image * 0, mask, crop)
    (x0, y0, x1, y1), (left, top) = crop.box, crop.grown
    height, width = image.shape[1:3]
    rows = torch.arange(y0, y1)[:, None].expand(-1, x1 - x0) - top
    columns = torch.arange(x0, x1).expand(y1 - y0, -1) - left
    known = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    assert bool(padding.any()) == bool((~known).any())
    assert torch.equal(picture[..., 0] == canvas.UNKNOWN, padding > 0)
    share = float(padding.mean()) - float((~known).float().mean())
    assert -1e-6 <= share <= 2 / min(crop.size) + 2 / max(crop.size)
    assert modal.any() and set(modal.unique().tolist()) <= {0.0, 1.0}


@given(a_case(), st.sampled_from([0.0, 0.05]))
@settings(deadline=None, max_examples=60)
def test_what_is_painted_beyond_the_canvas_leaves_the_canvas_equal_to_the_bit(case, feather):
    image, mask, crop, (left, top, _, _) = case
    x0, y0, x1, y1 = crop.box
    beyond = canvas.unknown_in_crop(crop.but(canvas=Canvas.whole(*crop.canvas.size)))
    if beyond.all():  # a canvas smaller than a pixel of the crop
        return
    noise, nothing = torch.rand(1, *crop.size[::-1], 3), torch.zeros_like(beyond)
    pasted, _, _ = canvas.paste_crop(image, mask, crop, noise, nothing, beyond, feather)
    here = slice(top, top + image.shape[1]), slice(left, left + image.shape[2])
    assert torch.equal(pasted[0][here], image[0])


def test_an_occluder_at_the_canvas_border_is_replaced_up_to_the_border():
    image, mask = torch.zeros(1, 41, 141, 3), torch.zeros(1, 41, 141)
    mask[:, 10:30, 10:131] = 1
    crop = canvas.plan_crop(mask, Canvas.whole(141, 41), (0, 0, 0, 0), 0.0, 64)
    painted = torch.zeros(1, 64, 64)
    painted[:, :, 20:30] = 1
    pasted, _, _ = canvas.paste_crop(image, mask, crop, torch.ones(1, 64, 64, 3), mask, painted, 0)
    changed = pasted[0, :, :, 0] > 0
    assert changed[:, 50:64].all() and not changed[:, :46].any()


@pytest.mark.parametrize("size", [64, 200, 512])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (40, 0, 0, 25)])
def test_a_ramp_survives_cutting_and_pasting(size, pads):
    height, width = 120, 160
    y, x = torch.meshgrid(torch.arange(height) / 200, torch.arange(width) / 200, indexing="ij")
    image = torch.stack([x, y, x * 0], -1)[None]
    mask = torch.zeros(1, height, width)
    mask[:, 50:90, 30:75] = 1
    crop = canvas.plan_crop(mask, Canvas.whole(width, height), pads, 0.3, size)
    picture, modal, _ = canvas.cut_crop(image, mask, crop)
    everything = torch.ones(1, size, size)
    pasted, _, _ = canvas.paste_crop(image, mask, crop, picture, modal, everything, 0.0)
    left, top = crop.grown
    x0, y0, x1, y1 = crop.box
    rows = slice(max(y0, top) + 4, min(y1, top + height) - 4)
    columns = slice(max(x0, left) + 4, min(x1, left + width) - 4)
    expected = torch.zeros_like(pasted)
    expected[:, top : top + height, left : left + width] = image
    error = (pasted - expected)[0, rows, columns].abs()
    assert error.numel() > 3000 and error.max() < 0.002  # 0.4 pixels of the ramp
    assert mask_ops.iou(modal, box_in_crop(mask, crop)) > 0.95


def box_in_crop(mask, crop):
    """The object's box, scaled into the crop by hand, as a mask [1, S, S] of the crop."""
    scale = crop.size[0] / (crop.box[2] - crop.box[0])
    left, top = (a - b for a, b in zip(crop.grown, crop.box[:2]))
    x0, y0, x1, y1 = mask_ops.box_of(mask)
    rows = slice(round((y0 + top) * scale), round((y1 + top) * scale))
    columns = slice(round((x0 + left) * scale), round((x1 + left) * scale))
    result = torch.zeros(1, *crop.size[::-1])
    result[:, rows, columns] = 1
    return result


def two_passes():
    """Image and mask before the passes; canvas image, mask and map after two of them, which paint
    the padding black and call it a part of the object."""
    image = torch.rand(1, 50, 60, 3, generator=seeded(1))
    mask = torch.zeros(1, 50, 60)
    mask[:, 20:40, 0:20] = 1
    state = image, mask, Canvas.whole(60, 50)
    for pads in ((10, 0, 0, 0), (5, 8, 0, 0)):
        crop = canvas.plan_crop(state[1], state[2], pads, 0.3, 64)
        picture, modal, padding = canvas.cut_crop(state[0], state[1], crop)
        amodal = torch.maximum(modal, padding)
        state = canvas.paste_crop(*state[:2], crop, picture * 0, amodal, padding, 0.0)
    return image, state


def test_two_passes_keep_the_original_in_its_place():
    image, (pasted, whole, grown_canvas) = two_passes()
    assert grown_canvas.offset == (15, 8) and grown_canvas.size == (75, 58)
    assert grown_canvas.original == (60, 50)
    original = pasted[0, 8:58, 15:75]
    assert torch.equal(original[:, 2:], image[0, :, 2:])  # a pixel at the seam is resampled
    unknown = canvas.unknown_in(grown_canvas, (0, 0, *grown_canvas.size))
    assert bool((pasted[0][unknown] == canvas.UNKNOWN).all())
    assert whole[0, 28:48, 15:35].all()


def test_each_pass_adds_its_window_and_moves_the_earlier_ones():
    mask = torch.zeros(1, 50, 60)
    mask[:, 20:40, 5:25] = 1
    picture, flat = torch.zeros(1, 32, 32, 3), torch.zeros(1, 32, 32)
    first = canvas.plan_crop(mask, Canvas.whole(60, 50), (0, 0, 0, 0), 0.1, 32)
    assert first.box == (3, 18, 27, 42)
    image, mask, after_first = canvas.paste_crop(
        torch.rand(1, 50, 60, 3), mask, first, picture, flat, flat, 0.0
    )
    assert after_first == Canvas((60, 50), (60, 50), (0, 0), ((3, 18, 27, 42),))
    second = canvas.plan_crop(mask, after_first, (10, 4, 0, 2), 0.0, 32)
    assert second.grown == (10, 4)
    assert second.canvas == Canvas((60, 50), (70, 56), (10, 4), ((13, 22, 37, 46),))
    _, _, after_second = canvas.paste_crop(image, mask, second, picture, flat, flat, 0.0)
    assert after_second == second.canvas.but(
        inpainted=((13, 22, 37, 46), canvas.inside(second.box, (70, 56)))
    )
    assert after_first.inpainted == ((3, 18, 27, 42),)  # maps are values; the old one stays


def test_a_window_beyond_the_canvas_is_recorded_clipped():
    image, mask = torch.rand(1, 16, 64, 3), torch.zeros(1, 16, 64)
    mask[:, 4:12, 10:50] = 1
    crop = canvas.plan_crop(mask, Canvas.whole(64, 16), (0, 0, 0, 0), 0.0, 40)
    picture, flat = torch.zeros(1, 40, 40, 3), torch.zeros(1, 40, 40)
    _, _, grown_canvas = canvas.paste_crop(image, mask, crop, picture, flat, flat, 0.0)
    assert crop.box == (10, -12, 50, 28) and grown_canvas.inpainted == ((10, 0, 50, 16),)


def test_the_padding_is_gray_and_marked_in_the_padding_mask():
    image, mask = torch.ones(1, 40, 40, 3), torch.zeros(1, 40, 40)
    mask[:, 10:30, 0:20] = 1
    crop = canvas.plan_crop(mask, Canvas.whole(40, 40), (20, 0, 0, 0), 0.0, 64)
    picture, _, padding = canvas.cut_crop(image, mask, crop)
    assert crop.box == (0, 0, 40, 40)
    assert torch.equal(padding, (torch.arange(64) < 32).float().expand(1, 64, 64))
    assert bool((picture[0, :, :32] == 0.5).all()) and bool((picture[0, :, 32:] > 0.999).all())


def test_a_window_larger_than_the_canvas_is_unknown_there():
    image = torch.rand(1, 16, 64, 3, generator=seeded(2))
    mask = torch.zeros(1, 16, 64)
    mask[:, 4:12, 10:50] = 1
    crop = canvas.plan_crop(mask, Canvas.whole(64, 16), (0, 0, 0, 0), 0.0, 40)
    assert crop.box == (10, -12, 50, 28)
    picture, modal, padding = canvas.cut_crop(image, mask, crop)
    beyond = torch.ones(1, 40, 40)
    beyond[:, 12:28] = 0
    assert torch.equal(padding, beyond) and bool((picture[beyond > 0] == canvas.UNKNOWN).all())
    assert torch.equal(picture[0, 12:28], image[0, :, 10:50])
    assert not modal[0, :12].any() and modal.sum() == mask.sum()


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 70), (1, 1)])
def test_tiny_pictures_and_full_masks(height, width):
    image, mask = torch.rand(1, height, width, 3), torch.ones(1, height, width)
    crop = canvas.plan_crop(mask, Canvas.whole(width, height), (4, 4, 4, 4), 0.3, 64)
    picture, modal, padding = canvas.cut_crop(image, mask, crop)
    assert picture.shape == (1, 64, 64, 3) and modal.any() and padding.any()
    pasted, whole, _ = canvas.paste_crop(image, mask, crop, picture, modal, padding, 0.01)
    assert pasted.shape == (1, height + 8, width + 8, 3) and whole.sum() >= mask.sum()


CROP = Crop(Canvas((128, 96), (160, 96), (32, 0)), (62, 20, 126, 84), (128, 128))


def box(x0, y0, x1, y1, height=96, width=128):
    """[1, height, width] with one rectangle set."""
    mask = torch.zeros(1, height, width)
    mask[:, y0:y1, x0:x1] = 1
    return mask


def test_a_mask_of_the_original_is_mapped_into_the_crop():
    mapped = canvas.of_original(box(40, 30, 80, 60), CROP)  # at 72..112, 30..60 on the canvas
    assert torch.equal(mapped, box(20, 20, 100, 80, 128, 128))


def test_the_windows_of_earlier_passes_are_mapped_into_the_crop():
    assert not canvas.inpainted_windows(CROP).any()
    later = CROP.but(canvas=CROP.canvas.but(inpainted=((0, 0, 72, 96), (112, 74, 160, 96))))
    expected = box(0, 0, 20, 128, 128, 128) + box(100, 108, 128, 128, 128, 128)
    assert torch.equal(canvas.inpainted_windows(later), expected)


def test_inpainted_pixels_are_changed_pixels_and_pixels_beyond_the_original():
    original = torch.rand(1, 96, 128, 3, generator=seeded(3))
    crop = Crop(Canvas((128, 96), (160, 96), (32, 0), ((0, 0, 96, 96),)), (0, 0, 96, 96), (96, 96))
    changed = box(40, 10, 50, 20, 96, 96)
    image = torch.zeros(1, 96, 96, 3)
    image[:, :, 32:] = original[:, :, :64]
    image = torch.where(changed[..., None] > 0, (image + 0.5) % 1, image)
    image[:, 60, 60] += 1 / 255  # less than resizing may change
    expected = torch.maximum(changed, box(0, 0, 32, 96, 96, 96))
    assert torch.equal(canvas.inpainted_pixels(image, original, crop), expected)


def test_a_canvas_of_another_size_is_refused():
    image = torch.rand(1, 10, 12, 3)
    with pytest.raises(BadInput, match="12x11"):
        canvas.canvas_of(image, Canvas.whole(12, 11))
    assert canvas.canvas_of(image, None) == Canvas.whole(12, 10)
    grown_canvas = Canvas((6, 5), (12, 10), (3, 2))
    assert canvas.canvas_of(image, grown_canvas) is grown_canvas


def test_a_crop_of_another_canvas_is_refused():
    crop = canvas.plan_crop(torch.ones(1, 10, 12), Canvas.whole(12, 10), (2, 0, 0, 0), 0.3, 64)
    canvas.check_origin(torch.rand(1, 10, 12, 3), crop)
    for height, width in ((20, 30), (10, 13), (11, 12)):
        with pytest.raises(BadInput, match="do not match the canvas of the crop"):
            canvas.check_origin(torch.rand(1, height, width, 3), crop)


def test_results_are_float32_and_hold_no_view_of_the_canvas():
    image = torch.zeros(1, 300, 400, 3)
    mask = torch.zeros(1, 300, 400)
    mask[:, 100:200, 100:200] = 1
    crop = canvas.plan_crop(mask, Canvas.whole(400, 300), (0, 0, 0, 0), 0.3, 64)
    picture, modal, padding = canvas.cut_crop(image, mask, crop)
    pasted = canvas.paste_crop(image, mask, crop, picture, modal, padding, 0.01)
    assert [part.dtype for part in pasted[:2]] == [torch.float32] * 2
    assert not [part for part in vars(pasted[2]).values() if isinstance(part, torch.Tensor)]
    assert picture.untyped_storage().nbytes() <= 64 * 64 * 3 * 4
