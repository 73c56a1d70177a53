"""The cut-out object, its place, and the picture with it; and the drawing of masks."""

import torch

from amodal.core import visualize
from amodal.core.types import Crop
from amodal.method import cutout

PICTURE = torch.rand(1, 20, 30, 3, generator=torch.Generator().manual_seed(0))
IMAGE = torch.rand(1, 28, 36, 3, generator=torch.Generator().manual_seed(1))
CANVAS = Crop((30, 20), (36, 28), offset=(6, 3))
MASK = torch.zeros(1, 28, 36)
MASK[:, 5:15, 2:20] = 1


def test_the_object_is_cut_out_with_straight_alpha():
    made = cutout.result(IMAGE, MASK, CANVAS, PICTURE, edge=0)
    assert made.object.shape == (1, 28, 36, 4)
    assert torch.equal(made.object[..., 3], MASK)
    assert torch.equal(made.object[..., :3][MASK > 0], IMAGE[MASK > 0])
    assert not made.object[MASK == 0].any()  # nothing of the occluder hides under the alpha


def test_trimmed_is_the_object_in_its_box():
    made = cutout.result(IMAGE, MASK, CANVAS, PICTURE, edge=0)
    assert torch.equal(made.trimmed, made.object[:, 5:15, 2:20])
    assert made.trimmed.untyped_storage().nbytes() == 10 * 18 * 4 * 4  # not a view of the canvas


def test_a_soft_edge_keeps_the_mask_and_shows_no_background():
    white = torch.where(MASK[..., None] > 0, 0.2, 1.0).expand(1, 28, 36, 3)
    made = cutout.result(white, MASK, CANVAS, PICTURE, edge=1.5)
    alpha = made.object[..., 3]
    assert torch.equal(alpha > 0.5, MASK > 0)
    assert ((alpha > 0) & (alpha < 1)).any()
    assert torch.equal(alpha[:, 8:12, 5:17], torch.ones(1, 4, 12))
    assert (made.object[..., :3][alpha > 0] == 0.2).all()
    assert not made.object[alpha == 0].any()
    rows, columns = (alpha[0] > 0).nonzero(as_tuple=True)
    size = (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1)
    assert made.trimmed.shape[1:3] == size
    border = torch.zeros(1, 28, 36)
    border[:, :, :9] = 1  # cut by the canvas: no soft edge there
    assert (cutout.result(white, border, CANVAS, PICTURE).object[:, :, 0, 3] == 1).all()


def test_a_line_too_thin_for_a_soft_edge_stays():
    line = torch.zeros(1, 28, 36)
    line[:, 10, 4:30] = 1
    made = cutout.result(IMAGE, line, CANVAS, PICTURE, edge=3)
    assert torch.equal(made.object[..., 3] > 0.5, line > 0)
    assert torch.equal(made.object[..., :3][line > 0], IMAGE[line > 0])


def test_the_overlay_shows_the_object_in_front_of_the_original():
    made = cutout.result(IMAGE, MASK, CANVAS, PICTURE, edge=0)
    assert (made.x, made.y) == (-6, -3)
    assert torch.equal(made.overlay[MASK > 0], IMAGE[MASK > 0])
    inner, free = made.overlay[:, 3:23, 6:36], MASK[:, 3:23, 6:36] == 0
    assert torch.equal(inner[free], PICTURE[free])
    around = made.overlay[:, :3][MASK[:, :3] == 0]
    assert bool((around == torch.tensor(cutout.PAPER)).all())
    soft = cutout.result(IMAGE, MASK, CANVAS, PICTURE)
    alpha = soft.object[..., 3:]
    context = cutout.result(
        IMAGE, torch.zeros_like(MASK).index_fill_(1, torch.tensor(27), 1.0), CANVAS, PICTURE, edge=0
    ).overlay
    expected = context * (1 - alpha) + soft.object[..., :3] * alpha
    assert torch.allclose(soft.overlay[:, :26], expected[:, :26], atol=1e-6)


def test_the_inputs_are_left_as_they_were():
    before = IMAGE.clone(), MASK.clone(), PICTURE.clone()
    cutout.result(IMAGE, MASK, CANVAS, PICTURE)
    visualize.overlay(IMAGE, MASK, ["cat"])
    assert all(torch.equal(a, b) for a, b in zip(before, (IMAGE, MASK, PICTURE)))


def test_overlays_tint_the_inside_outline_the_rim_and_leave_the_rest():
    drawn = visualize.overlay(IMAGE, MASK, colours=[(1.0, 0.0, 0.0)])
    assert torch.equal(drawn[MASK == 0], IMAGE[MASK == 0])
    assert drawn[0, 5, 10].tolist() == [1.0, 0.0, 0.0]
    assert not torch.equal(drawn[0, 10, 10], IMAGE[0, 10, 10])
    assert drawn[0, 10, 10, 0] > IMAGE[0, 10, 10, 0]
    assert torch.equal(visualize.overlay(IMAGE, torch.zeros(2, 28, 36)), IMAGE)


def test_names_are_written_on_pictures_large_enough_to_read_them():
    large, mask = torch.full((1, 300, 300, 3), 0.5), torch.ones(1, 300, 300)
    bare, named = visualize.overlay(large, mask), visualize.overlay(large, mask, ["teddy bear"])
    assert (named - bare).abs().amax(-1)[0, 130:170].max() > 0.3
    assert torch.allclose(named[:, :100], bare[:, :100], atol=1 / 255)


def test_colours_are_told_apart():
    colours = torch.tensor([visualize.colour(i) for i in range(8)])
    apart = torch.cdist(colours, colours) + torch.eye(8)
    assert apart.min() > 0.25
