"""M^k: k-means on features, the paper's selection rule, and the known background."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from amodal.core.errors import BadInput
from amodal.method import mask_at_k
from amodal.method.known_background import known_background

SIZE = (64, 64)


def mask(*areas) -> torch.Tensor:
    """[1, 64, 64] with rectangles (x0, y0, x1, y1) set."""
    result = torch.zeros(1, *SIZE)
    for x0, y0, x1, y1 in areas:
        result[:, y0:y1, x0:x1] = 1
    return result


def features_of(labels: torch.Tensor, channels: int = 32, noise: float = 0.1) -> torch.Tensor:
    """Features [C, h, w] that differ from region to region of labels [h, w]."""
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(int(labels.max()) + 1, channels, generator=generator)
    points = means[labels].movedim(-1, 0)
    return points + noise * torch.randn(points.shape, generator=generator)


def regions() -> torch.Tensor:
    """Labels 0 to 3 on a grid of 16x16 cells: three rectangles on a background."""
    labels = torch.zeros(16, 16, dtype=torch.long)
    labels[2:7, 3:12], labels[9:15, 1:6], labels[9:15, 9:15] = 1, 2, 3
    return labels


def test_k_means_finds_the_regions_at_the_size_of_the_picture():
    labels = regions()
    clusters = mask_at_k.cluster(features_of(labels), 4, 0, SIZE)
    assert clusters.shape == (4, *SIZE)
    assert (clusters.sum(0) == 1).all()
    large = torch.nn.functional.interpolate(labels[None, None].float(), SIZE, mode="nearest")[0, 0]
    truth = {tuple((large == c).flatten().tolist()) for c in range(4)}
    assert {tuple((cluster > 0).flatten().tolist()) for cluster in clusters} == truth


def test_the_seed_fixes_the_clusters():
    features = torch.randn(8, 16, 16, generator=torch.Generator().manual_seed(1))
    first, again = (mask_at_k.cluster(features, 4, 7, SIZE) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, mask_at_k.cluster(features, 4, 8, SIZE))
    assert torch.equal(first, mask_at_k.cluster(features, 4, 7 + 2**32, SIZE))  # any seed is taken


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(3, 40), st.integers(3, 40))
def test_every_pixel_is_in_exactly_one_cluster(count, height, width):
    clusters = mask_at_k.cluster(torch.randn(5, 3, 3), count, 0, (height, width))
    assert clusters.shape == (count, height, width)
    assert (clusters.sum(0) == 1).all()


@pytest.mark.parametrize("count", [0, 17])
def test_more_clusters_than_cells_are_refused(count):
    with pytest.raises(BadInput, match="for 16 cells"):
        mask_at_k.cluster(torch.randn(3, 4, 4), count, 0, SIZE)


def test_features_with_nan_are_refused():
    with pytest.raises(BadInput, match="'features' holds NaN"):
        mask_at_k.cluster(torch.full((3, 4, 4), float("nan")), 2, 0, SIZE)


def test_the_selection_rule_of_the_paper():
    """Keep c where |c and M_modal| > 0.2 |M_modal|. M^k is (kept or M_modal), within M_modal and
    the inpaint mask (section 3.5)."""
    modal, inpaint = mask((10, 10, 30, 20)), mask((10, 20, 30, 40))
    clusters = torch.cat(
        [
            mask((10, 10, 20, 30)),  # half of the modal mask, and half of the hidden part
            mask((20, 10, 30, 17)),  # 0.35 of the modal mask
            mask((20, 17, 30, 60)),  # 0.15 of the modal mask: not enough
            mask((0, 0, 10, 64)),
        ]
    )
    selected, kept = mask_at_k.select(clusters, modal, inpaint, 0.2)
    assert kept == [0, 1]
    assert torch.equal(selected, mask((10, 10, 30, 20), (10, 20, 20, 30)))
    shares = mask_at_k.overlaps(clusters, modal)
    assert shares.tolist() == pytest.approx([0.5, 0.35, 0.15, 0])
    described = mask_at_k.describe(clusters, modal, kept)
    assert described == "kept 0, 1 of 4 (overlap 0.50 0.35 0.15 0.00)"


def test_an_overlap_of_exactly_the_threshold_is_not_enough():
    modal = mask((0, 0, 10, 10))
    clusters = torch.cat([mask((0, 0, 2, 64)), mask((2, 0, 64, 64))])
    assert mask_at_k.select(clusters, modal, mask((0, 0, 64, 64)), 0.2)[1] == [1]


def test_with_no_cluster_kept_the_modal_mask_remains():
    modal, cluster = mask((0, 0, 10, 10)), mask((30, 30, 40, 40))
    selected, kept = mask_at_k.select(cluster, modal, mask((0, 0, 64, 64)))
    assert kept == []
    assert torch.equal(selected, modal)
    assert mask_at_k.describe(cluster, modal, kept) == "kept none of 1 (overlap 0.00)"


def test_an_empty_modal_mask_is_refused():
    with pytest.raises(BadInput, match="'modal_mask' is empty"):
        mask_at_k.select(mask((0, 0, 9, 9)), mask(), mask())


areas = st.lists(st.tuples(*[st.integers(0, 32)] * 2, *[st.integers(33, 64)] * 2), max_size=3)


@settings(max_examples=40, deadline=None)
@given(areas, areas.filter(bool), areas, st.floats(0, 1))
def test_m_k_holds_the_modal_mask_and_stays_within_the_inpaint_mask(parts, modal, inpaint, overlap):
    modal, inpaint = mask(*modal), mask(*inpaint)
    clusters = torch.cat([mask(area) for area in parts] or [mask()])
    selected, _ = mask_at_k.select(clusters, modal, inpaint, overlap)
    assert (selected >= modal).all()
    assert (selected <= torch.maximum(modal, inpaint)).all()


def scene():
    """A red object on gray. The estimate also shows its hidden lower half.

    Returns estimate, synthetic image, modal mask, inpaint mask and the whole object.
    """
    modal, inpaint, whole = mask((20, 10, 44, 30)), mask((10, 30, 54, 60)), mask((20, 10, 44, 50))
    synthetic = torch.full((1, *SIZE, 3), 0.5)
    synthetic[modal > 0] = torch.tensor([0.9, 0.1, 0.1])
    estimate = synthetic.clone()
    estimate[whole > 0] = torch.tensor([0.9, 0.1, 0.1])
    return estimate, synthetic, modal, inpaint, whole


def test_pixels_that_differ_from_the_known_gray_are_the_object():
    estimate, synthetic, modal, inpaint, whole = scene()
    estimate = estimate + 0.02 * torch.randn(estimate.shape)
    mask_k = known_background(estimate, synthetic, modal, inpaint, 0.08)[0]
    assert torch.equal(mask_k, whole)


def test_small_holes_are_filled_and_loose_parts_dropped():
    estimate, synthetic, modal, inpaint, whole = scene()
    estimate[:, 38:41, 30:33] = 0.5
    estimate[:, 54:58, 12:16] = 0.0
    mask_k = known_background(estimate, synthetic, modal, inpaint, 0.08)[0]
    assert torch.equal(mask_k, whole)


def test_large_holes_stay():
    estimate, synthetic, modal, inpaint, whole = scene()
    estimate[:, 35:47, 25:39] = 0.5
    mask_k = known_background(estimate, synthetic, modal, inpaint, 0.08)[0]
    assert torch.equal(mask_k, whole * (1 - mask((25, 35, 39, 47))))


def test_differences_outside_the_inpaint_mask_do_not_count():
    estimate, synthetic, modal, inpaint, _ = scene()
    noise = torch.rand_like(estimate)
    mask_k = known_background(noise, synthetic, modal, inpaint, 0.0)[0]
    assert (mask_k >= modal).all()
    assert (mask_k <= torch.maximum(modal, inpaint)).all()
