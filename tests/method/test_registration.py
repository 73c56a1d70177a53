"""Where an edited picture has moved, found from the visible object."""

import functools
import math

import pytest
import torch
from editor import edited, residual

from amodal.method import registration
from amodal.method.registration import Motion
from amodal.stickers.scenes import make_scene


@functools.cache
def example(seed: int, size: int) -> dict:
    """I_syn and the whole object on gray [1, h, w, 3]; modal mask and occluders [1, h, w]."""
    scene = make_scene(seed, size=size, hidden=(0.2, 0.4))
    tensor = {
        "image": torch.from_numpy(scene.image.copy()).float()[None],
        "truth": torch.from_numpy(scene.truth.copy()).float()[None],
        "modal": torch.from_numpy(scene.modal().copy()).float()[None],
        "amodal": torch.from_numpy(scene.amodal().copy()).float()[None],
        "occluder": torch.from_numpy(scene.modal(scene.query + 1).copy()).float()[None],
    }
    gray = torch.full_like(tensor["image"], 0.5)
    return {
        "seen": torch.where(tensor["modal"][..., None] > 0, tensor["image"], gray),
        "whole": torch.where(tensor["amodal"][..., None] > 0, tensor["truth"], gray),
        "modal": tensor["modal"],
        "occluder": tensor["occluder"],
    }


def found_for(at: dict, answer: torch.Tensor) -> Motion:
    return registration.estimated(at["seen"], answer, at["modal"], at["occluder"])


def motions(count: int, size: int) -> list[Motion]:
    """Scales from 1 / 1.3 to 1.3, shifts up to a tenth of the side."""
    generator = torch.Generator().manual_seed(size)
    drawn = torch.rand(count, 3, generator=generator) * 2 - 1
    return [
        Motion(math.exp(a * math.log(1.3)), 0.1 * size * b, 0.1 * size * c)
        for a, b, c in drawn.tolist()
    ]


@pytest.mark.parametrize(("size", "count"), [(128, 6), (256, 3), (512, 1)])
def test_known_motions_are_found_to_a_fraction_of_a_pixel(size, count):
    """The answer is recoloured too, and shows the hidden part that the crop does not."""
    for seed, motion in enumerate(motions(count, size)):
        at = example(seed, size)
        found = found_for(at, edited(at["whole"], motion))
        assert residual(found, motion, at["modal"]) < 0.15, motion
        assert found.match > 0.85


def darkened(picture):
    return picture**1.4


def noisy(picture):
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
    return (picture + 0.04 * noise).clamp(0, 1)


def blurred(picture):
    return torch.nn.functional.avg_pool2d(picture.movedim(-1, 1), 3, 1, 1).movedim(1, -1)


def with_another_part(picture):
    """A tenth of the object's box is drawn anew, in another colour."""
    changed = picture.clone()
    changed[:, 56:72, 56:72] = torch.tensor([0.9, 0.1, 0.8])
    return changed


@pytest.mark.parametrize("change", [darkened, noisy, blurred, with_another_part])
def test_what_else_the_editor_changes_misleads_it_little(change):
    at, motion = example(3, 128), Motion(1.08, -5.3, 4.6)
    found = found_for(at, change(edited(at["whole"], motion)))
    assert residual(found, motion, at["modal"]) < 0.5


@pytest.mark.parametrize("shape", [(96, 128), (128, 72)])
def test_crops_that_are_not_square_and_answers_of_another_size(shape):
    at = {name: part[:, : shape[0], : shape[1]] for name, part in example(3, 128).items()}
    motion = Motion(0.93, 4.2, -3.1)
    large = edited(at["whole"], motion)
    large = torch.nn.functional.interpolate(
        large.movedim(-1, 1), scale_factor=2, mode="bicubic"
    ).movedim(1, -1)
    found = found_for(at, large.clamp(0, 1))
    assert residual(found, motion, at["modal"]) < 0.3
    back = registration.undone(large, found, shape)
    inside = at["modal"] * (1 - at["occluder"]) > 0
    assert back.shape == (1, *shape, 3)
    assert float((registration.undone(large, motion, shape) - back)[inside].abs().mean()) < 0.02


def test_undoing_the_motion_brings_the_picture_back():
    at, motion = example(5, 128), Motion(1.1, 6.0, -4.0)
    back = registration.undone(edited(at["whole"], motion, recolour=False), motion, (128, 128))
    assert float((back - at["whole"]).abs().mean()) < 0.01


def test_another_picture_matches_badly():
    at = example(3, 128)
    for seed in (7, 8, 9):
        assert found_for(at, example(seed, 128)["whole"]).match < 0.75
    flat = torch.full((1, 128, 128, 3), 0.5)
    assert found_for(at, flat).match < 0.1


def test_a_picture_without_texture_or_without_anything_to_compare_does_not_fail():
    at = example(3, 128)
    flat = torch.full_like(at["seen"], 0.5)
    for changed in (at["occluder"], torch.ones_like(at["modal"])):
        motion = registration.estimated(flat, flat, at["modal"], changed)
        assert math.isfinite(motion.scale + motion.right + motion.down + motion.match)
