"""amodal.clusters: k-means on features, the paper's selection rule, and the known background."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from amodal.core.errors import BadInput
from amodal.method import mask_at_k

SIZE = (64, 64)


def mask(*areas) -> torch.Tensor:
    """[1, 64, 64] with rectangles (x0, y0, x1, y1) set."""
    out = torch.zeros(1, *SIZE)
    for x0, y0, x1, y1 in areas:
        out[:, y0:y1, x0:x1] = 1
    return out


def features_of(labels: torch.Tensor, channels: int = 32, noise: float = 0.1) -> torch.Tensor:
    """Features [C, h, w] that differ from region to region of labels [h, w]."""
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(int(labels.max()) + 1, channels, generator=generator)
    points = means[labels].movedim(-1, 0)
    return points + noise * torch.randn(points.shape, generator=generator)


def regions() -> torch.Tensor:
    labels = torch.zeros(16, 16, dtype=torch.long)
    labels[2:7, 3:12], labels[9:15, 1:6], labels[9:15, 9:15] = 1, 2, 3
    return labels


def test_k_means_finds_regions_at_the_pictures_size():
    labels = regions()
    found = mask_at_k.cluster(features_of(labels), 4, 0, SIZE)
    assert found.shape == (4, *SIZE)
    assert (found.sum(0) == 1).all()
    large = torch.nn.functional.interpolate(labels[None, None].float(), SIZE, mode="nearest")[0, 0]
    truth = {tuple((large == c).flatten().tolist()) for c in range(4)}
    assert {tuple((one > 0).flatten().tolist()) for one in found} == truth


def test_the_seed_fixes_the_clusters():
    features = torch.randn(8, 16, 16, generator=torch.Generator().manual_seed(1))
    one, same = (mask_at_k.cluster(features, 4, 7, SIZE) for _ in range(2))
    assert torch.equal(one, same)
    assert not torch.equal(one, mask_at_k.cluster(features, 4, 8, SIZE))
    assert torch.equal(one, mask_at_k.cluster(features, 4, 7 + 2**32, SIZE))  # any seed is taken


@settings(max_examples=20, deadline=None)
@given(some.integers(1, 9), some.integers(3, 40), some.integers(3, 40))
def test_every_pixel_is_in_exactly_one_cluster(count, height, width):
    found = mask_at_k.cluster(torch.randn(5, 3, 3), count, 0, (height, width))
    assert found.shape == (count, height, width)
    assert (found.sum(0) == 1).all()


@pytest.mark.parametrize("count", [0, 17])
def test_more_clusters_than_cells_are_refused(count):
    with pytest.raises(BadInput, match="for 16 cells"):
        mask_at_k.cluster(torch.randn(3, 4, 4), count, 0, SIZE)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(BadInput, match="'features' holds NaN"):
        mask_at_k.cluster(torch.full((3, 4, 4), float("nan")), 2, 0, SIZE)


def test_the_papers_rule():
    """Keep c where |c and modal| > 0.2 |modal|; M^k = (kept or modal) and (modal or inpaint)."""
    modal, inpaint = mask((10, 10, 30, 20)), mask((10, 20, 30, 40))
    parts = torch.cat(
        [
            mask((10, 10, 20, 30)),  # half of the modal mask, and half of the hidden part
            mask((20, 10, 30, 17)),  # 0.35 of it
            mask((20, 17, 30, 60)),  # 0.15 of it: not enough
            mask((0, 0, 10, 64)),
        ]
    )
    found, kept = mask_at_k.select(parts, modal, inpaint, 0.2)
    assert kept == [0, 1]
    assert torch.equal(found, mask((10, 10, 30, 20), (10, 20, 20, 30)))
    assert mask_at_k.told(parts, modal, kept) == "kept 0, 1 of 4 (overlap 0.50 0.35 0.15 0.00)"


def test_exactly_the_threshold_is_not_more_than_it():
    modal = mask((0, 0, 10, 10))
    parts = torch.cat([mask((0, 0, 2, 64)), mask((2, 0, 64, 64))])
    assert mask_at_k.select(parts, modal, mask((0, 0, 64, 64)), 0.2)[1] == [1]


def test_with_no_cluster_kept_the_modal_mask_remains():
    modal = mask((0, 0, 10, 10))
    found, kept = mask_at_k.select(mask((30, 30, 40, 40)), modal, mask((0, 0, 64, 64)))
    assert kept == []
    assert torch.equal(found, modal)
    assert mask_at_k.told(mask((30, 30, 40, 40)), modal, kept).startswith("kept none of 1")


def test_an_empty_modal_mask_is_refused():
    with pytest.raises(BadInput, match="'mask' is empty"):
        mask_at_k.select(mask((0, 0, 9, 9)), mask(), mask())


areas = some.lists(
    some.tuples(*[some.integers(0, 32)] * 2, *[some.integers(33, 64)] * 2), max_size=3
)


@settings(max_examples=40, deadline=None)
@given(areas, areas.filter(bool), areas, some.floats(0, 1))
def test_m_k_holds_the_modal_mask_and_stays_within_what_is_painted(parts, modal, inpaint, overlap):
    modal, inpaint = mask(*modal), mask(*inpaint)
    parts = torch.cat([mask(area) for area in parts] or [mask()])
    found, _ = mask_at_k.select(parts, modal, inpaint, overlap)
    assert (found >= modal).all()
    assert (found <= torch.maximum(modal, inpaint)).all()


def scene():
    """A gray background, a red object, of which the estimate also shows the hidden lower half."""
    modal, inpaint, whole = mask((20, 10, 44, 30)), mask((10, 30, 54, 60)), mask((20, 10, 44, 50))
    background = torch.full((1, *SIZE, 3), 0.5)
    background[modal > 0] = torch.tensor([0.9, 0.1, 0.1])
    estimate = background.clone()
    estimate[whole > 0] = torch.tensor([0.9, 0.1, 0.1])
    return estimate, background, modal, inpaint, whole


def test_what_left_the_known_gray_is_the_object():
    estimate, background, modal, inpaint, whole = scene()
    estimate = estimate + 0.02 * torch.randn(estimate.shape)
    found = mask_at_k.known_background(estimate, background, modal, inpaint, 0.08)
    assert torch.equal(found, whole)


def test_small_holes_are_filled_and_loose_parts_dropped():
    estimate, background, modal, inpaint, whole = scene()
    estimate[:, 38:41, 30:33] = 0.5
    estimate[:, 54:58, 12:16] = 0.0
    assert torch.equal(
        mask_at_k.known_background(estimate, background, modal, inpaint, 0.08), whole
    )


def test_large_holes_stay():
    estimate, background, modal, inpaint, whole = scene()
    estimate[:, 35:47, 25:39] = 0.5
    found = mask_at_k.known_background(estimate, background, modal, inpaint, 0.08)
    assert torch.equal(found, whole * (1 - mask((25, 35, 39, 47))))


def test_nothing_outside_of_what_is_painted_counts():
    estimate, background, modal, inpaint, _ = scene()
    found = mask_at_k.known_background(torch.rand_like(estimate), background, modal, inpaint, 0.0)
    assert (found >= modal).all()
    assert (found <= torch.maximum(modal, inpaint)).all()


@pytest.mark.parametrize("text,levels", [("3", [3]), ("3, 1", [1, 3]), ("2 4 4", [2, 4])])
def test_levels_from_words(text, levels):
    assert mask_at_k.levels_of(text) == levels


def test_every_cluster_has_a_colour_of_its_own():
    parts = torch.cat([mask((0, 0, 32, 64)), mask((32, 0, 64, 64))])
    picture = mask_at_k.coloured(parts)
    assert picture.shape == (1, *SIZE, 3)
    assert len(picture.flatten(0, 2).unique(dim=0)) == 2
