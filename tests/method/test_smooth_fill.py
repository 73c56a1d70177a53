"""The smooth fill: simple backgrounds come out nearly exact, known pixels never change."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.method import smooth_fill

SIZE = 96
Y, X = torch.meshgrid(torch.arange(SIZE) / SIZE, torch.arange(SIZE) / SIZE, indexing="ij")
DISC = ((X - 0.45) ** 2 + (Y - 0.55) ** 2 < 0.3**2).float()[None]
STRIP = (X < 0.2).float()[None]
HOLES = {"disc": DISC, "strip": STRIP, "both": torch.maximum(DISC, STRIP)}
PLAIN = torch.stack([X * 0 + 0.3, X * 0 + 0.6, X * 0 + 0.9], -1)[None]
GRADIENT = torch.stack([0.2 + 0.6 * X, 0.9 - 0.5 * Y, 0.3 + 0.2 * X + 0.3 * Y], -1)[None]
CURVED = torch.stack([0.5 + 0.3 * torch.sin(3 * X), 0.5 + 0.3 * torch.cos(2 * Y + X), X * Y], -1)[
    None
]


def covered(background, hole):
    """The background with a lurid colour where the hole is."""
    return torch.where(hole[..., None] > 0, torch.tensor([0.95, 0.0, 0.8]), background)


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize(
    ("background", "tolerance"), [(PLAIN, 1e-4), (GRADIENT, 1e-3), (CURVED, 0.3)]
)
def test_simple_backgrounds_are_continued(name, background, tolerance):
    filled = smooth_fill.smooth(covered(background, HOLES[name]), HOLES[name])
    assert (filled - background).abs().max() < tolerance


def test_the_membrane_is_harmonic():
    known = (DISC[0] <= 0.5) & ((X > 0.05) | (Y > 0.3))
    values = CURVED[0].movedim(-1, 0)
    filled = smooth_fill.membrane((values * known)[None], known[None, None].float())[0]
    neighbours = (
        filled[:, 1:-1, :-2] + filled[:, 1:-1, 2:] + filled[:, :-2, 1:-1] + filled[:, 2:, 1:-1]
    ) / 4
    inside = ~known[1:-1, 1:-1]
    curvature = (neighbours - filled[:, 1:-1, 1:-1])[:, inside].abs()
    assert curvature.max() < 0.01 and curvature.mean() < 2e-4
    assert torch.equal(filled[:, known], values[:, known])
    assert filled[:, ~known].max() <= values[:, known].max() + 1e-5


@given(st.integers(0, 1000), st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_known_pixels_stay_equal_to_the_bit(seed, share):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 20, 31, 3, generator=generator)
    hole = (torch.rand(1, 20, 31, generator=generator) < share).float()
    filled = smooth_fill.smooth(image, hole)
    assert torch.equal(filled[hole < 0.5], image[hole < 0.5])
    assert filled.min() >= 0 and filled.max() <= 1


def test_the_colours_of_another_object_do_not_bleed_into_the_hole():
    other = ((X - 0.85) ** 2 + (Y - 0.55) ** 2 < 0.14**2) & (DISC[0] < 0.5)
    scene = torch.where(other[None, ..., None], torch.tensor([1.0, 0.1, 0.0]), GRADIENT)
    filled = smooth_fill.smooth(covered(scene, DISC), DISC)
    assert (filled - GRADIENT)[DISC > 0].abs().max() < 0.05
    assert torch.equal(filled[DISC < 0.5], scene[DISC < 0.5])


def test_a_picture_of_two_halves_keeps_both():
    halves = torch.where((Y < 0.5)[None, ..., None], torch.tensor([0.2, 0.4, 0.9]), PLAIN * 0.4)
    filled = smooth_fill.smooth(covered(halves, DISC), DISC)
    assert (filled - halves).abs()[0, 27, 43].max() < 0.25
    assert (filled - halves).abs()[0, 76, 43].max() < 0.25


def test_without_known_pixels_all_is_gray_and_without_a_hole_nothing_changes():
    image = torch.rand(1, 8, 8, 3)
    assert bool((smooth_fill.smooth(image, torch.ones(1, 8, 8)) == 0.5).all())
    assert torch.equal(smooth_fill.smooth(image, torch.zeros(1, 8, 8)), image)


def test_few_known_pixels_are_enough():
    hole = torch.ones(1, 16, 16)
    hole[0, 3, 4] = 0
    filled = smooth_fill.smooth(torch.full((1, 16, 16, 3), 0.7), hole)
    assert torch.allclose(filled, torch.full_like(filled, 0.7), atol=1e-5)


def test_the_hole_holds_the_object_its_occluders_and_the_padding():
    query, occluders, padding = DISC, torch.roll(DISC, 20, 2), STRIP
    hole = smooth_fill.removed_mask(query, occluders, padding, 0.03)
    for part in (query, occluders, padding):
        assert (hole >= part).all()
    assert hole.sum() > torch.maximum(torch.maximum(query, occluders), padding).sum()
    bare = smooth_fill.removed_mask(query, occluders, None, 0.0)
    assert torch.equal(bare, torch.maximum(query, occluders))
