"""I_syn: the visible object on the chosen background."""

import pytest
import torch

from amodal.core.errors import BadInput
from amodal.method import swapped_background

IMAGE = torch.rand(2, 24, 32, 3, generator=torch.Generator().manual_seed(0))
MASK = torch.zeros(2, 24, 32)
MASK[:, 6:18, 8:20] = 1
INSIDE = MASK[0] > 0
OWN = torch.rand(1, 50, 40, 3)


@pytest.mark.parametrize("choice", swapped_background.CHOICES)
def test_the_object_stays_equal_to_the_bit(choice):
    synthetic = swapped_background.swap(IMAGE, MASK, choice, OWN, seed=3)
    assert synthetic.shape == IMAGE.shape
    assert torch.equal(synthetic[:, INSIDE], IMAGE[:, INSIDE])
    assert synthetic.min() >= 0 and synthetic.max() <= 1


@pytest.mark.parametrize(("choice", "value"), swapped_background.PLAIN.items())
def test_plain_backgrounds_have_one_colour(choice, value):
    synthetic = swapped_background.swap(IMAGE, MASK, choice)
    assert bool((synthetic[:, ~INSIDE] == value).all())


@pytest.mark.parametrize(
    ("colour", "gray"),
    [(0.5, 0.25), (0.47, 0.75), (0.9, 0.25), (0.1, 0.75), (0.3, 0.75), (0.7, 0.25)],
)
def test_a_contrasting_gray_is_far_from_the_objects_colours(colour, gray):
    """Each picture of a batch gets its own gray, whatever stands outside the object."""
    image = torch.where(MASK[..., None] > 0, colour + 0.02 * (IMAGE - 0.5), IMAGE)
    other = torch.where(MASK[..., None] > 0, 0.0, IMAGE)
    synthetic = swapped_background.swap(
        torch.cat([image[:1], other[:1]]), MASK, swapped_background.CONTRASTING
    )
    assert synthetic[0, ~INSIDE].unique().tolist() == pytest.approx([gray])
    assert synthetic[1, ~INSIDE].unique().tolist() == pytest.approx([0.75])


def test_an_object_of_all_lightnesses_keeps_the_middle_gray():
    image = torch.where(IMAGE.mean(-1, keepdim=True) > 0.5, 1.0, 0.0).expand_as(IMAGE)
    synthetic = swapped_background.swap(image, MASK, swapped_background.CONTRASTING)
    assert bool((synthetic[:, ~INSIDE] == 0.5).all())


def test_the_original_background_changes_nothing():
    assert torch.equal(swapped_background.swap(IMAGE, MASK, "original"), IMAGE)


def test_noise_follows_the_seed():
    first, again, second = (
        swapped_background.swap(IMAGE, MASK, "noise", seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert 0.4 < first[:, ~INSIDE].mean() < 0.6


def test_blur_keeps_the_mean_and_loses_the_detail():
    blurred = swapped_background.blurred(IMAGE)
    assert blurred.shape == IMAGE.shape
    assert blurred.std() < 0.3 * IMAGE.std()
    assert torch.allclose(blurred.mean((1, 2)), IMAGE.mean((1, 2)), atol=0.03)
    plain = torch.full((1, 300, 40, 3), 0.7)
    assert torch.allclose(swapped_background.blurred(plain), plain, atol=1e-5)


@pytest.mark.parametrize("size", [(24, 32), (48, 64), (100, 20), (8, 90)])
def test_an_own_background_covers_the_crop_without_distortion(size):
    y, x = torch.meshgrid(*(torch.arange(n).float() for n in size), indexing="ij")
    own = torch.stack([x / 100, y / 100, x * 0], -1)[None]
    cover = swapped_background.covering(own, (24, 32))
    assert cover.shape == (1, 24, 32, 3)
    across = float(cover[0, 12, 20, 0] - cover[0, 12, 10, 0]) / 10
    down = float(cover[0, 16, 16, 1] - cover[0, 8, 16, 1]) / 8
    assert across == pytest.approx(down, rel=0.1)


def test_a_missing_or_unknown_background_is_refused():
    with pytest.raises(BadInput, match="'own_background' is not connected"):
        swapped_background.swap(IMAGE, MASK, "image")
    with pytest.raises(BadInput, match="'own_background' is a batch of 3 against 2"):
        swapped_background.swap(IMAGE, MASK, "image", torch.rand(3, 5, 5, 3))
    with pytest.raises(BadInput, match="'sky' is unknown"):
        swapped_background.swap(IMAGE, MASK, "sky")
