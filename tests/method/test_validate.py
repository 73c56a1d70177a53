"""IMAGE and MASK inputs are brought to one layout, or refused with a reason."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core import mask_ops, validate
from amodal.core.errors import BadInput


def test_a_picture_in_the_right_layout_is_not_copied():
    image = torch.rand(2, 8, 9, 3)
    assert validate.as_images(image).data_ptr() == image.data_ptr()


@pytest.mark.parametrize("shape", [(1, 8, 9, 4), (8, 9, 3), (8, 9, 4), (1, 8, 9, 1)])
def test_other_layouts_become_rgb(shape):
    image = torch.rand(shape)
    result = validate.as_images(image)
    assert result.shape == (1, 8, 9, 3)
    assert torch.equal(result[..., 0].flatten(), image.reshape(8, 9, -1)[..., 0].flatten())


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.rand(1, 8, 9, 2), "[1, 8, 9, 2]"),
        (torch.rand(8, 9), "[8, 9]"),
        (torch.zeros(0, 8, 9, 3), "[0, 8, 9, 3]"),
        (torch.full((1, 8, 9, 3), 200.0), "200"),
        (torch.full((1, 8, 9, 3), float("nan")), "NaN"),
        (torch.full((1, 8, 9, 3), float("-inf")), "infinity"),
        ("a string", "str"),
    ],
)
def test_a_bad_picture_is_refused_and_described(image, words):
    with pytest.raises(BadInput) as error:
        validate.as_images(image, "picture")
    assert error.value.input == "picture"
    assert words in str(error.value)
    assert "Remedy" in str(error.value)


def test_one_nan_among_many_pixels_is_refused():
    image = torch.rand(1, 64, 64, 3)
    image[0, 40, 3, 2] = float("nan")
    with pytest.raises(BadInput, match="NaN"):
        validate.as_images(image)


def test_values_slightly_out_of_range_are_clamped():
    result = validate.as_images(torch.tensor([-0.1, 0.5, 1.2]).reshape(1, 1, 1, 3))
    assert torch.allclose(result.flatten(), torch.tensor([0.0, 0.5, 1.0]))


def test_bytes_are_scaled_to_0_to_1():
    result = validate.as_images(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))
    assert result.dtype == torch.float32 and bool((result == 1).all())


@pytest.mark.parametrize("shape", [(8, 9), (1, 8, 9), (1, 1, 8, 9), (1, 8, 9, 1)])
def test_masks_of_any_layout_are_taken(shape):
    assert validate.as_masks(torch.ones(shape)).shape == (1, 8, 9)


def test_masks_are_resized_and_hard_ones_stay_hard():
    mask = torch.zeros(1, 30, 40)
    mask[:, 10:20, 10:20] = 1
    result = validate.as_masks(mask, (60, 80))
    assert result.shape == (1, 60, 80) and validate.is_hard(result)
    assert abs(result.mean() - mask.mean()) < 0.01
    assert not validate.is_hard(validate.as_masks(mask * 0.8, (60, 80)))


def test_one_mask_is_hard_and_single():
    mask = torch.tensor([[0.2, 0.6]])
    assert torch.equal(validate.one_mask(mask), torch.tensor([[[0.0, 1.0]]]))
    hard = torch.ones(1, 4, 4)
    assert validate.one_mask(hard).data_ptr() == hard.data_ptr()
    with pytest.raises(BadInput, match="batch of 2"):
        validate.one_mask(torch.ones(2, 4, 4))


def test_an_empty_object_mask_is_refused():
    with pytest.raises(BadInput, match="empty"):
        validate.object_mask(torch.zeros(1, 4, 4))


def test_a_batch_of_one_is_repeated_and_another_length_refused():
    assert len(validate.paired(3, torch.ones(1, 4, 4), "mask")) == 3
    with pytest.raises(BadInput, match="batch of 2 against 3"):
        validate.paired(3, torch.ones(2, 4, 4), "mask")


def test_resizing_keeps_a_uniform_picture_uniform():
    result = validate.resize(torch.full((1, 7, 9, 3), 0.3), (64, 20))
    assert result.shape == (1, 64, 20, 3)
    assert torch.allclose(result, torch.full_like(result, 0.3), atol=1e-6)


@pytest.mark.parametrize("offset", range(0, 12, 3))
@pytest.mark.parametrize("thick", [1, 2, 5])
@pytest.mark.parametrize("lean", [0, 3])
def test_a_thin_pole_keeps_a_line_when_a_mask_gets_smaller(offset, thick, lean):
    """At any place, upright or leaning, alone or standing on something thick."""
    pole = torch.zeros(1, 2800, 600)
    for row in range(2800):
        x = 100 + offset + row * lean // 28
        pole[:, row, x : x + thick] = 1
    for thing in (pole, torch.maximum(pole, slab())):
        small = validate.resize_mask(thing, (512, 110))[0]
        assert set(small.unique().tolist()) == {0.0, 1.0}
        assert small.any(1).sum() >= 508
        assert parts(mask_ops.dilate(small, 1)) == 1  # one pixel may be missing at the slab
        assert small[3:300].sum(1).max() <= 2  # its end may be a little wider


def slab():
    mask = torch.zeros(1, 2800, 600)
    mask[:, 2000:, 50:550] = 1
    return mask


def parts(mask) -> int:
    from scipy.ndimage import label

    return label(mask.numpy(), structure=[[1] * 3] * 3)[1]


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3]))
@settings(deadline=None, max_examples=60)
def test_a_smaller_mask_of_something_thick_is_where_more_than_half_is_covered(seed, noise):
    """Nothing is added along rough outlines; and no mask becomes empty."""
    generator = torch.Generator().manual_seed(seed)
    blob = torch.nn.functional.interpolate(
        torch.rand(1, 1, 5, 5, generator=generator), (200, 200), mode="bicubic"
    )[0]
    mask = (blob + noise * (torch.rand(1, 200, 200, generator=generator) - 0.5) > 0.5).float()
    if not mask.any():
        return
    small = validate.resize_mask(mask, (40, 40))
    cover = validate.resize(mask[..., None], (40, 40), "bilinear")[..., 0]
    assert small.any()
    added = (small > 0) & (cover <= 0.5)
    assert float(added.sum()) <= 0.02 * float(small.sum()) + 2


def test_specks_vanish_but_the_last_pixel_does_not():
    mask = torch.zeros(1, 400, 400)
    mask[:, 50, 50] = 1
    assert validate.resize_mask(mask, (40, 40)).sum() == 1
    mask[:, 200:300, 200:300] = 1
    assert validate.resize_mask(mask, (40, 40)).sum() == 100


def test_a_hard_mask_of_another_size_keeps_its_thin_parts():
    mask = torch.zeros(1, 1200, 900)
    mask[:, :, 452:454] = 1
    assert validate.as_masks(mask, (300, 225)).any(-1).all()
