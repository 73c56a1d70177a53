"""Masks drawn on pictures, and small pictures for the editor's widgets."""

import pytest
import torch

from amodal.core import detections, picking, visualize


def box_mask(x0, y0, x1, y1, width=40, height=30):
    mask = torch.zeros(height, width)
    mask[y0:y1, x0:x1] = 1
    return mask


IMAGE = torch.rand(1, 28, 36, 3, generator=torch.Generator().manual_seed(1))
MASK = box_mask(2, 5, 20, 15, 36, 28)[None]


def test_an_overlay_tints_the_inside_outlines_the_rim_and_leaves_the_rest():
    drawn = visualize.overlay(IMAGE, MASK, colours=[(1.0, 0.0, 0.0)])
    assert torch.equal(drawn[MASK == 0], IMAGE[MASK == 0])
    assert drawn[0, 5, 10].tolist() == [1.0, 0.0, 0.0]
    assert not torch.equal(drawn[0, 10, 10], IMAGE[0, 10, 10])
    assert drawn[0, 10, 10, 0] > IMAGE[0, 10, 10, 0]
    assert torch.equal(visualize.overlay(IMAGE, torch.zeros(2, 28, 36)), IMAGE)


def test_an_overlay_leaves_its_inputs_unchanged():
    before = IMAGE.clone(), MASK.clone()
    visualize.overlay(IMAGE, MASK, ["cat"])
    assert torch.equal(before[0], IMAGE) and torch.equal(before[1], MASK)


def test_names_are_written_on_pictures_large_enough_to_read_them():
    large, mask = torch.full((1, 300, 300, 3), 0.5), torch.ones(1, 300, 300)
    bare, named = visualize.overlay(large, mask), visualize.overlay(large, mask, ["teddy bear"])
    assert (named - bare).abs().amax(-1)[0, 130:170].max() > 0.3
    assert torch.allclose(named[:, :100], bare[:, :100], atol=1 / 255)
    small = visualize.overlay(IMAGE, MASK, ["teddy bear"])
    assert torch.equal(small, visualize.overlay(IMAGE, MASK))


def test_the_colours_of_a_series_differ():
    colours = torch.tensor([visualize.colour(i) for i in range(8)])
    distances = torch.cdist(colours, colours) + torch.eye(8)
    assert distances.min() > 0.25


def test_every_cluster_has_its_own_colour():
    clusters = torch.stack([box_mask(0, 0, 20, 30), box_mask(20, 0, 40, 30)])
    picture = visualize.coloured(clusters)
    assert picture.shape == (1, 30, 40, 3)
    assert len(picture.flatten(0, 2).unique(dim=0)) == 2
    for number, cluster in enumerate(clusters):
        colours = picture[0][cluster > 0].unique(dim=0)
        assert torch.allclose(colours, torch.tensor([visualize.colour(number)]))


def test_fitted_shrinks_the_longer_side_and_never_enlarges():
    assert visualize.fitted(torch.rand(1, 300, 600, 3), 256).shape == (1, 128, 256, 3)
    small = torch.rand(1, 30, 60, 3)
    assert visualize.fitted(small, 256) is small
    assert visualize.fitted(torch.rand(1, 1, 4000, 3), 256).shape == (1, 1, 256, 3)


def test_a_thumbnail_shows_the_outline_of_the_mask():
    image = torch.zeros(1, 512, 512, 3)
    mask = torch.zeros(1, 512, 512)
    mask[:, 100:300, 100:300] = 1
    assert visualize.thumbnail(image, mask).shape == (512, 512, 3)
    small = visualize.thumbnail(image, mask, 256)
    assert small.shape == (256, 256, 3)
    assert torch.allclose(small[100, 50], torch.tensor(visualize.QUERY_COLOUR), atol=1e-5)
    assert small[100, 100].max() < 0.2 and not small[20, 20].any()


def test_a_veil_covers_the_mask_and_nothing_else():
    veil = visualize.veil(box_mask(0, 0, 20, 30)[None], 1024)
    assert veil.shape == (30, 40, 4)
    assert veil[5, 5, 3] == pytest.approx(0.45) and veil[5, 30, 3] == 0


def test_the_index_map_shows_the_smallest_of_overlapping_objects():
    masks = torch.stack([box_mask(2, 2, 12, 12), box_mask(0, 0, 40, 30)])
    areas = visualize.index_map(masks, 1024)
    assert areas.dtype == torch.uint8 and areas.shape == (30, 40)
    assert areas[5, 5] == 1 and areas[20, 20] == 2
    assert not visualize.index_map(torch.zeros(0, 8, 9), 1024).any()


@pytest.mark.parametrize("side", [1024, 64, 61, 32, 7])
def test_a_click_picks_the_object_that_the_index_map_shows(side):
    """The browser writes the middle of a pixel of the map, rounded to FRACTION_DIGITS."""
    noise = torch.rand(90, 130, generator=torch.Generator().manual_seed(1))
    objects = detections.from_masks(torch.stack([noise > 0.5, noise < 0.3]).float(), [])
    areas = visualize.index_map(objects.masks, side)
    height, width = areas.shape
    for row in range(height):
        for column in range(0, width, 3):
            x, y = visualize.middles(width)[column], visualize.middles(height)[row]
            point = picking.as_point(f"{x:.5f},{y:.5f}", (90, 130))
            if areas[row, column]:
                assert picking.at_point(objects, *point) == areas[row, column] - 1


def test_a_long_label_is_no_wider_than_its_picture():
    pictures = [torch.ones(8, 8, 3)] * 2
    page = visualize.grid(pictures, ["score 0.05: grew by 17 %, cut off", ""], columns=2, cell=160)
    right = page[:, 10 + 160 + 10 :]  # under the second picture, which has no label
    assert (right == 1).all() and (page != 1).any()
