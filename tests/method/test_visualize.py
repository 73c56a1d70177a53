"""Small pictures for the editor's widgets."""

import pytest
import torch

from amodal.core import detections, visualize


def box_mask(x0, y0, x1, y1, width=40, height=30):
    mask = torch.zeros(height, width)
    mask[y0:y1, x0:x1] = 1
    return mask


def test_fitted_shrinks_to_the_longer_side_and_never_enlarges():
    assert visualize.fitted(torch.rand(1, 300, 600, 3), 256).shape == (1, 128, 256, 3)
    small = torch.rand(1, 30, 60, 3)
    assert visualize.fitted(small, 256) is small
    assert visualize.fitted(torch.rand(1, 1, 4000, 3), 256).shape == (1, 1, 256, 3)


def test_a_thumbnail_shows_the_masks_outline():
    image = torch.zeros(1, 512, 512, 3)
    mask = torch.zeros(1, 512, 512)
    mask[:, 100:300, 100:300] = 1
    small = visualize.thumbnail(image, mask)
    assert small.shape == (256, 256, 3)
    assert torch.allclose(small[100, 50], torch.tensor(visualize.QUERY_COLOUR), atol=1e-5)
    assert small[100, 100].max() < 0.2 and not small[20, 20].any()


def test_a_veil_covers_the_mask_and_nothing_else():
    veil = visualize.veil(box_mask(0, 0, 20, 30)[None], 1024)
    assert veil.shape == (30, 40, 4)
    assert veil[5, 5, 3] == pytest.approx(0.45) and veil[5, 30, 3] == 0


def test_of_overlapping_objects_the_index_map_shows_the_smallest():
    masks = torch.stack([box_mask(2, 2, 12, 12), box_mask(0, 0, 40, 30)])
    areas = visualize.index_map(masks, 1024)
    assert areas.dtype == torch.uint8 and areas.shape == (30, 40)
    assert areas[5, 5] == 1 and areas[20, 20] == 2
    assert not visualize.index_map(torch.zeros(0, 8, 9), 1024).any()


@pytest.mark.parametrize("side", [1024, 64, 61, 32, 7])
def test_what_the_index_map_shows_is_what_a_click_there_picks(side):
    """The browser writes the middle of a pixel of the map, rounded; the same object is picked."""
    noise = torch.rand(90, 130, generator=torch.Generator().manual_seed(1))
    found = detections.from_masks(torch.stack([noise > 0.5, noise < 0.3]).float(), [])
    areas = visualize.index_map(found.masks, side)
    height, width = areas.shape
    for row in range(height):
        for column in range(0, width, 3):
            x, y = visualize.middles(width)[column], visualize.middles(height)[row]
            at = detections.as_point(f"{x:.5f},{y:.5f}", (90, 130))
            if areas[row, column]:
                assert detections.at_point(found, *at) == areas[row, column] - 1


def test_a_long_label_stays_under_its_picture():
    pictures = [torch.ones(8, 8, 3)] * 2
    page = visualize.grid(pictures, ["score 0.05: grew by 17 %, cut off", ""], columns=2, cell=160)
    right = page[:, 10 + 160 + 10 :]  # what is under the second picture, which has no label
    assert (right == 1).all() and (page != 1).any()
