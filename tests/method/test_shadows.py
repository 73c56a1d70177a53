"""Shadows and reflections of occluders, found on drawn grounds where the truth is known."""

import numpy as np
import pytest
import torch

from amodal.core import mask_ops
from amodal.method import shadows
from amodal.stickers.backgrounds import make_background
from research.applications.shadow_scenes import BARE, KINDS, REFLECTION, SHADOW

GROUNDS = ("plain", "gradient", "texture")
SIDE = 96


def disc(x: float, y: float, radius: float) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    return ((columns - x) ** 2 + (rows - y) ** 2 <= radius**2).float()[None]


def picture(ground: str, seed: int = 0) -> torch.Tensor:
    sheet = make_background(np.random.default_rng(seed), ground, SIDE)
    return torch.from_numpy(sheet)[None]


def painted(image, mask, colour) -> torch.Tensor:
    return torch.lerp(image, torch.tensor(colour), mask[..., None])


def darkened(image, mask, light, blur: int = 5) -> torch.Tensor:
    """The image with a soft shadow that leaves `light` (a number, or one for each channel)."""
    soft = torch.nn.functional.avg_pool2d(mask[None], blur, 1, blur // 2)[0]
    return image * (1 - soft[..., None] * (1 - torch.as_tensor(light)))


OCCLUDER = disc(40, 40, 18)
CAST = disc(54, 52, 18) * (1 - OCCLUDER)
NOBODY = torch.zeros_like(OCCLUDER)
RED = [0.85, 0.2, 0.15]


@pytest.mark.parametrize("light", [0.35, 0.6])
@pytest.mark.parametrize("ground", GROUNDS)
def test_darkened_ground_beside_the_occluder_is_its_shadow(ground, light):
    image = painted(darkened(picture(ground), CAST, light), OCCLUDER, RED)
    found = shadows.on_ground(image, OCCLUDER, NOBODY)
    assert mask_ops.iou(found.shadow, CAST) > 0.6
    assert found.light.tolist() == pytest.approx([light] * 3, abs=0.12)
    assert not found.reflection.any() and not (found.shadow * OCCLUDER).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ground", GROUNDS)
def test_ground_without_a_shadow_has_none(ground, seed):
    found = shadows.on_ground(painted(picture(ground, seed), OCCLUDER, RED), OCCLUDER, NOBODY)
    assert not found.mask.any() and torch.equal(found.light, torch.ones(3))


@pytest.mark.parametrize(
    "image, occluders",
    [
        (darkened(picture("plain"), CAST, 0.5), NOBODY),  # nothing casts it
        (darkened(picture("plain"), CAST, [0.3, 0.5, 1.0]), OCCLUDER),  # another colour
        (darkened(picture("plain"), disc(40, 10, 9), 0.5), OCCLUDER),  # higher than the occluder
        (darkened(picture("plain"), disc(82, 84, 9), 0.5), OCCLUDER),  # not beside it
        (darkened(picture("plain"), disc(54, 52, 18), 0.97), OCCLUDER),  # hardly darker
    ],
)
def test_what_is_not_like_a_shadow_is_none(image, occluders):
    found = shadows.on_ground(painted(image, occluders, RED), occluders, NOBODY)
    assert not found.shadow.any()


def test_a_known_dark_object_is_no_shadow():
    image = painted(darkened(picture("plain"), CAST, 0.4), OCCLUDER, RED)
    assert shadows.on_ground(image, OCCLUDER, NOBODY).shadow.any()
    assert not shadows.on_ground(image, OCCLUDER, NOBODY, CAST).mask.any()
    assert not shadows.on_ground(image, OCCLUDER, CAST).mask.any()


@pytest.mark.parametrize("strength", [0.3, 0.6])
@pytest.mark.parametrize("ground", GROUNDS)
def test_the_occluder_upside_down_is_its_reflection(ground, strength):
    clear, occluder = picture(ground), disc(40, 28, 18)
    stripes = (torch.arange(SIDE) % 8 < 4).float()[:, None, None]
    face = painted(painted(clear, occluder, RED), occluder * stripes[None, ..., 0], [0.9, 0.9, 0.3])
    line = mask_ops.object_box(occluder)[3]
    truth, mirrored = torch.zeros_like(occluder), clear.clone()
    truth[:, line : 2 * line] = occluder[:, :line].flip(1)
    mirrored[:, line : 2 * line] = face[:, :line].flip(1)
    image = torch.lerp(clear, mirrored, strength * truth[..., None])
    image = torch.where(occluder[..., None] > 0, face, image)
    found = shadows.on_ground(image, occluder, NOBODY)
    assert mask_ops.iou(found.reflection, truth) > 0.8


def test_the_objects_own_shadow_is_found_and_relit():
    """A striped object that the shadow crosses, lit again by the factor of the ground."""
    body = disc(66, 50, 26) * (1 - OCCLUDER)
    stripes = (torch.arange(SIDE) % 12 < 6).float()[None, None, :] * body
    lit = painted(painted(picture("plain"), body, [0.3, 0.7, 0.4]), stripes, [0.9, 0.8, 0.3])
    cast = disc(54, 54, 20) * (1 - OCCLUDER)
    image = painted(darkened(lit, cast, 0.5), OCCLUDER, RED)
    found = shadows.on_ground(image, OCCLUDER, body)
    shade = shadows.on_object(image, body, OCCLUDER, found)
    assert mask_ops.iou(shade, cast * body) > 0.7
    assert not (shade * (1 - body)).any()
    relit = shadows.relit(image, shade, found.light)
    assert torch.equal(relit[shade == 0], image[shade == 0])
    inside = body > 0
    assert (relit - lit)[inside].abs().mean() < 0.5 * (image - lit)[inside].abs().mean()


def test_without_a_shadow_on_the_ground_the_object_has_none():
    body = disc(66, 50, 26) * (1 - OCCLUDER)
    image = painted(painted(picture("plain"), body, [0.1, 0.1, 0.1]), OCCLUDER, RED)
    found = shadows.on_ground(image, OCCLUDER, body)
    assert not shadows.on_object(image, body, OCCLUDER, found).any()


@pytest.mark.parametrize("name", [SHADOW, REFLECTION])
def test_scenes_differ_from_their_truth_only_where_marked(name):
    scene = KINDS[name].scene(0, 3)
    assert scene.on_ground.any() and not (scene.on_ground & scene.modal()).any()
    changed = np.abs(scene.image - scene.window(scene.background_sheet)).max(-1) > 0.02
    assert changed[scene.on_ground].mean() > 0.9
    ground = ~np.any([scene.amodal(i) for i in range(len(scene.layers))], 0)
    plain = scene.truth[ground] == scene.window(scene.background_sheet)[ground]
    assert plain.mean() > 0.9  # the truth has no shadow; soft edges of the query are left


def test_the_bare_scene_is_the_shadowed_one_without_its_shadow():
    scene, bare = (KINDS[name].scene(1, 3) for name in (SHADOW, BARE))
    assert scene.words == bare.words and not bare.marked.any()
    assert np.array_equal(scene.truth, bare.truth)
    assert np.array_equal(
        scene.image[~scene.window(scene.shade > 0)], bare.image[~scene.window(scene.shade > 0)]
    )
