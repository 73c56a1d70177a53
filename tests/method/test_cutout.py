"""The cut-out object, its place, and the original picture with it in front."""

import torch

from amodal.core.types import Canvas
from amodal.method.cutout import PAPER, cut_out, on_canvas

PICTURE = torch.rand(1, 20, 30, 3, generator=torch.Generator().manual_seed(0))
IMAGE = torch.rand(1, 28, 36, 3, generator=torch.Generator().manual_seed(1))
CANVAS = Canvas((30, 20), (36, 28), offset=(6, 3))
MASK = torch.zeros(1, 28, 36)
MASK[:, 5:15, 2:20] = 1


def test_the_object_is_cut_out_with_straight_alpha():
    cutout = cut_out(IMAGE, MASK, CANVAS, PICTURE, edge=0)
    assert cutout.object.shape == (1, 28, 36, 4)
    assert torch.equal(cutout.object[..., 3], MASK)
    assert torch.equal(cutout.object[..., :3][MASK > 0], IMAGE[MASK > 0])
    assert not cutout.object[MASK == 0].any()  # no colour of the occluder under zero alpha


def test_trimmed_is_the_object_in_its_box():
    cutout = cut_out(IMAGE, MASK, CANVAS, PICTURE, edge=0)
    assert torch.equal(cutout.trimmed, cutout.object[:, 5:15, 2:20])
    assert cutout.trimmed.untyped_storage().nbytes() == 10 * 18 * 4 * 4  # no view of the canvas


def test_a_soft_edge_keeps_the_mask_and_shows_no_background():
    white = torch.where(MASK[..., None] > 0, 0.2, 1.0).expand(1, 28, 36, 3)
    cutout = cut_out(white, MASK, CANVAS, PICTURE, edge=1.5)
    alpha = cutout.object[..., 3]
    assert torch.equal(alpha > 0.5, MASK > 0)
    assert ((alpha > 0) & (alpha < 1)).any()
    assert torch.equal(alpha[:, 8:12, 5:17], torch.ones(1, 4, 12))
    assert (cutout.object[..., :3][alpha > 0] == 0.2).all()
    assert not cutout.object[alpha == 0].any()
    rows, columns = (alpha[0] > 0).nonzero(as_tuple=True)
    size = (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1)
    assert cutout.trimmed.shape[1:3] == size


def test_an_object_cut_by_the_canvas_has_no_soft_edge_there():
    at_border = torch.zeros(1, 28, 36)
    at_border[:, :, :9] = 1
    alpha = cut_out(IMAGE, at_border, CANVAS, PICTURE).object[..., 3]
    assert (alpha[:, :, 0] == 1).all()
    assert ((alpha > 0) & (alpha < 1)).any()  # but at the object's own edge


def test_a_line_too_thin_for_a_soft_edge_stays():
    line = torch.zeros(1, 28, 36)
    line[:, 10, 4:30] = 1
    cutout = cut_out(IMAGE, line, CANVAS, PICTURE, edge=3)
    assert torch.equal(cutout.object[..., 3] > 0.5, line > 0)
    assert torch.equal(cutout.object[..., :3][line > 0], IMAGE[line > 0])


def test_the_original_lies_at_its_offset_on_a_light_gray_canvas():
    canvas_image = on_canvas(PICTURE, CANVAS)
    assert canvas_image.shape == (1, 28, 36, 3)
    assert torch.equal(canvas_image[:, 3:23, 6:36], PICTURE)
    around = torch.ones(28, 36, dtype=torch.bool)
    around[3:23, 6:36] = False
    assert bool((canvas_image[0][around] == torch.tensor(PAPER)).all())


def test_the_overlay_shows_the_object_in_front_of_the_original():
    cutout = cut_out(IMAGE, MASK, CANVAS, PICTURE, edge=0)
    assert (cutout.x, cutout.y) == (-6, -3)
    assert torch.equal(cutout.overlay[MASK > 0], IMAGE[MASK > 0])
    free = MASK == 0
    assert torch.equal(cutout.overlay[free], on_canvas(PICTURE, CANVAS)[free])


def test_a_soft_edge_blends_the_object_into_the_overlay():
    cutout = cut_out(IMAGE, MASK, CANVAS, PICTURE)
    alpha = cutout.object[..., 3:]
    assert ((alpha > 0) & (alpha < 1)).any()
    expected = on_canvas(PICTURE, CANVAS) * (1 - alpha) + cutout.object[..., :3] * alpha
    assert torch.allclose(cutout.overlay, expected, atol=1e-6)


def test_the_inputs_stay_unchanged():
    before = IMAGE.clone(), MASK.clone(), PICTURE.clone()
    cut_out(IMAGE, MASK, CANVAS, PICTURE)
    assert all(torch.equal(a, b) for a, b in zip(before, (IMAGE, MASK, PICTURE)))
