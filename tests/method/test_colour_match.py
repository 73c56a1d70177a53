"""The painted part takes the colours of the picture around it, gently."""

import pytest
import torch

from amodal.core import mask_ops, validate
from amodal.method.colour_match import GAIN, SHIFT, matched

SIZE = (96, 160)


def crop(seed: int = 0):
    """A picture, what is painted in it, and nothing unknown."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 12, 20, 3, generator=generator) * 0.5 + 0.25
    painted = torch.zeros(1, *SIZE)
    painted[:, 30:60, 50:110] = 1
    return validate.resize(coarse, SIZE), painted, torch.zeros(1, *SIZE)


@pytest.mark.parametrize("gain", [0.85, 1.15])
@pytest.mark.parametrize("shift", [(0.05, 0.05, 0.05), (0.06, -0.03, 0.0)])
def test_a_drift_of_colour_and_contrast_is_undone(gain, shift):
    picture, painted, unknown = crop()
    drifted = (picture - 0.5) * gain + 0.5 + torch.tensor(shift)
    result = matched(drifted, picture, painted, unknown)
    assert (result - picture).abs().mean() < 0.1 * (drifted - picture).abs().mean()
    half = matched(drifted, picture, painted, unknown, 0.5)
    assert torch.allclose(half, (drifted + result) / 2, atol=1e-6)


def test_an_enlarged_crop_is_matched_at_its_own_size():
    picture, painted, unknown = crop()
    drifted = picture * 0.9 + 0.08
    large = validate.resize(drifted, (192, 320))
    result = matched(large, picture, painted, unknown)
    assert result.shape == large.shape
    truth = validate.resize(picture, (192, 320))
    assert (result - truth).abs().mean() < 0.2 * (large - truth).abs().mean()


def test_the_change_is_bounded():
    picture, painted, unknown = crop()
    result = matched(1 - picture * 0.2, picture, painted, unknown)
    before = 1 - picture * 0.2
    assert (result.mean() - before.mean()).abs() <= SHIFT + 0.05
    assert result.std() <= GAIN * before.std() + 1e-3


def test_only_known_pixels_beside_the_painted_part_count():
    picture, painted, unknown = crop()
    far = mask_ops.dilate(painted, 20) <= 0.5
    strange = torch.where((far | (painted > 0))[..., None], torch.rand(1, *SIZE, 3), picture)
    assert torch.allclose(matched(strange, picture, painted, unknown), strange, atol=1e-5)
    gray = picture.clone()
    gray[:, :30] = 0.5
    unknown[:, :30] = 1
    assert torch.allclose(matched(picture, gray, painted, unknown), picture, atol=1e-5)


def test_without_a_ring_or_without_strength_nothing_changes():
    picture, painted, unknown = crop()
    noise = torch.rand(1, *SIZE, 3)
    assert torch.equal(matched(noise, picture, torch.ones(1, *SIZE), unknown), noise)
    assert torch.equal(matched(noise, picture, painted, torch.ones(1, *SIZE)), noise)
    assert torch.equal(matched(noise, picture, painted, unknown, 0.0), noise)


def test_a_flat_surrounding_does_not_raise_the_contrast():
    picture, painted, unknown = crop()
    flat = torch.full_like(picture, 0.4)
    noisy = flat + 0.003 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(1))
    textured = torch.where(painted[..., None] > 0, picture, noisy)
    result = matched(textured, flat, painted, unknown)
    inside = painted[0] > 0
    ratio = result[0][inside].std() / picture[0][inside].std()
    assert 0.8 < float(ratio) < 1.1
