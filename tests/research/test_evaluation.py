"""The evaluation: its scenes, its figures against known truths, its statistics."""

import numpy as np
import pytest

from amodal.core.types import Canvas, Crop
from amodal.measures import statistics
from amodal.stickers.catalog import CATALOG
from amodal.stickers.closeness import Closeness, closeness, seen_on_sheet
from research.evaluation import figures, scenarios


@pytest.fixture(scope="module")
def scene():
    return scenarios.CELLS["other-easy"].scene(0)


# --- scenes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*scenarios.CELLS, *scenarios.DOSES])
def test_scenes_are_as_their_cell_says(name):
    cell = scenarios.EVERY[name]
    for number in range(6):
        scene = cell.scene(number)
        low, high = cell.share
        assert low <= scene.hidden() <= high
        assert cell.likely[0] <= CATALOG[scene.word].p <= cell.likely[1]
        nearer = scene.words[scene.query + 1 :]
        co_occurring = CATALOG[scene.word].co_occurring
        if cell.cut:
            assert nearer == [] and scene.amodal().sum() < scene.amodal_sheet().sum()
        elif cell.occluder == scenarios.CO_OCCURRING:
            assert nearer == [co_occurring]
        else:
            assert len(nearer) == 1 and nearer[0] not in (co_occurring, scene.word)


def test_scenes_can_be_drawn_again_and_differ():
    cell = scenarios.CELLS["border"]
    pictures = [cell.scene(n).image for n in (0, 1, 0)]
    assert np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(cell.scene(0, seed=1).image, pictures[0])


def test_each_cell_takes_its_words_in_turn():
    cell = scenarios.CELLS["companion-easy"]
    words = [cell.scene(n).word for n in range(len(cell.words))]
    assert sorted(words) == sorted(cell.words)


# --- figures -----------------------------------------------------------------------------------


def rgba(scene):
    return np.dstack([scene.truth_sheet, scene.amodal_sheet()])


def test_the_truth_scores_perfectly_and_the_visible_part_hides_nothing(scene):
    assert closeness(scene, rgba(scene)) == Closeness(1, 1, 0)
    assert figures.unlikeness(scene, rgba(scene)) == pytest.approx(0, abs=1e-6)
    seen = np.dstack([scene.truth_sheet, seen_on_sheet(scene)])
    nothing = closeness(scene, seen)
    assert nothing.occluded_iou == 0 and nothing.colour == 1
    assert nothing.amodal_iou == pytest.approx(1 - scene.hidden())
    assert figures.unlikeness(scene, seen) > 0.01


def test_colour_error_is_that_of_the_hidden_part_alone(scene):
    wrong = rgba(scene)
    wrong[..., :3] = np.where(seen_on_sheet(scene)[..., None], 0, wrong[..., :3] + 0.1)
    assert closeness(scene, wrong).colour == pytest.approx(0.1, abs=1e-6)


def test_a_canvas_lies_where_its_offset_says(scene):
    x, y = -10, -3
    half = scene.size // 2
    canvas = scene.truth_sheet[half + y : half + 100, half + x : half + 90]
    back = figures.on_sheet(canvas, scene, x, y)
    assert np.array_equal(back[half + y : half + 100, half + x : half + 90], canvas)
    assert not back[: half + y].any()


def test_the_truth_of_a_crop_is_the_sheet_there(scene):
    canvas = Canvas((128, 128), (160, 128), (32, 0))
    crop = Crop(canvas, (16, 0, 144, 128), (128, 128))
    image, mask = figures.truth_in_crop(scene, crop)
    half = scene.size // 2
    window = (slice(half, half + 128), slice(half - 16, half + 112))
    assert np.allclose(image[0].numpy(), scene.truth_sheet[window], atol=1e-6)
    assert np.array_equal(mask[0].numpy() > 0.5, scene.amodal_sheet()[window])
    assert figures.mask_at_k(scene, crop, mask) == 1


# --- statistics --------------------------------------------------------------------------------


def test_intervals_and_tests_give_textbook_values():
    value, low, high = statistics.share([True] * 8 + [False] * 2)
    assert (value, low, high) == pytest.approx((0.8, 0.490, 0.943), abs=1e-3)
    first = [True] * 1 + [False] * 8 + [True] * 5
    second = [False] * 1 + [True] * 8 + [True] * 5
    assert statistics.mcnemar(first, second) == pytest.approx(0.0390625)
    assert statistics.mcnemar(first, first) == 1
    gain, low, high = statistics.gain(first, second)
    assert gain == pytest.approx(0.5) and 0 < low < gain < high < 1


def test_a_gain_of_nothing_is_not_sure():
    """24 scenes with the same outcome: Newcombe's method 10 corrects phi (18 and 6: .83 for 1)."""
    hits = [True] * 18 + [False] * 6
    assert statistics.corrected_phi(hits, hits) == pytest.approx((18 * 6 - 12) / (18 * 6))
    gain, low, high = statistics.gain(hits, hits)
    assert gain == 0 and low == -high and 0.06 < high < 0.11
    assert statistics.corrected_phi(hits, hits[::-1]) == pytest.approx(-1 / 3)  # not corrected
    assert statistics.corrected_phi(hits, [True] * 24) == 0


def test_the_share_of_what_is_alike_in_each_scene_is_less_sure():
    """Ten scenes of three pairs, all right or all wrong, are ten of a kind, not thirty."""
    hits, of = [3] * 8 + [0] * 2, [3] * 10
    value, low, high = statistics.ratio(hits, of)
    assert value == 0.8 and low <= 0.55 and high == 1
    single = statistics.share([True] * 24 + [False] * 6)
    assert single[1] > low and single[0] == value
    assert statistics.ratio([1, 2], [1, 2]) == (1, 1, 1)


def test_a_bootstrapped_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = [
        low <= 3 <= high
        for _, low, high in (statistics.mean(rng.normal(3, 1, 40)) for _ in range(100))
    ]
    assert 85 <= sum(hits) <= 100
