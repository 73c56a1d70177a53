"""The hard scenes of the evaluation are what their kinds promise."""

import numpy as np
import pytest
from scipy import ndimage

from amodal.stickers import scenes
from amodal.stickers.catalog import WORDS, picture
from research.evaluation import hard_scenes
from research.evaluation.hard_scenes import ROBUST
from research.evaluation.scenarios import CO_OCCURRING

FEW = 4


@pytest.fixture(scope="module")
def drawn():
    return {name: [kind.scene(n) for n in range(FEW)] for name, kind in ROBUST.items()}


@pytest.mark.parametrize("name", list(ROBUST))
def test_a_scene_is_drawn_again_by_its_number_and_seed(name, drawn):
    again = ROBUST[name].scene(1)
    assert again.words == drawn[name][1].words
    assert np.array_equal(again.image, drawn[name][1].image)
    assert not np.array_equal(drawn[name][0].image, again.image)
    assert not np.array_equal(ROBUST[name].scene(1, seed=1).image, again.image)


@pytest.mark.parametrize("name", list(ROBUST))
def test_the_query_is_hidden_in_part_and_known_whole(name, drawn):
    for scene in drawn[name]:
        assert scene.query == 0 and scene.word in ROBUST[name].words
        assert scene.background != "gray"
        assert 0.1 <= scene.hidden() <= 0.8
        whole = scene.window(scene.truth_sheet)
        assert np.abs(whole - scene.image)[scene.modal()].mean() < 0.02  # soft edges only
        missing = scene.amodal() & ~scene.modal()
        assert not missing.any() or np.abs(whole - scene.image)[missing].mean() > 0.02


@pytest.mark.parametrize("count, name", [(2, "two"), (3, "three"), (4, "four")])
def test_each_of_several_occluders_hides_a_part_alone(count, name, drawn):
    for scene in drawn[f"{name}-occluders"]:
        assert len(set(scene.words)) == 1 + count
        for i in range(1, 1 + count):
            rest = scenes.Scene(scene.size, scene.background_sheet, list(scene.layers))
            del rest.layers[i]
            more = rest.modal().sum() - scene.modal().sum()
            assert more >= hard_scenes.OWN * scene.amodal().sum()


def test_an_enclosing_occluder_encloses(drawn):
    """From what is seen of the object no way leads out but over the occluder, nor does the object
    reach beyond it."""
    for scene in drawn["enclosed"]:
        parts, _ = ndimage.label(~scene.amodal_sheet(1))
        seen = np.zeros_like(parts, bool)
        scene.window(seen)[:] = scene.modal()
        assert seen.any() and parts[0, 0] not in parts[seen]
        silhouette = ndimage.binary_fill_holes(scene.amodal_sheet(1))
        assert not (scene.amodal_sheet() & ~silhouette).any()


def test_a_co_occurring_occluder_beside_it_does_not_enclose():
    assert not hard_scenes.is_enclosed(
        scenes.make_scene(60_000_001, query="dog", occluder=CO_OCCURRING)
    )


def thickness(word: str) -> float:
    """Of an object's parts, as a fraction of its larger side: half of it is no thicker."""
    solid = np.pad(picture(word)[..., 3] > 127, 1)
    return float(np.median(ndimage.distance_transform_edt(solid)[solid]) / max(solid.shape))


def test_thin_things_are_thin(drawn):
    thin = [thickness(word) for word in hard_scenes.THIN]
    rest = sorted(thickness(word) for word in WORDS if word not in hard_scenes.THIN)
    assert max(thin) < np.median(rest)
    assert np.mean(thin) < 0.6 * np.mean(rest)
    assert all(scene.words[1] in hard_scenes.THIN for scene in drawn["thin-occluder"])
    assert all(scene.word in hard_scenes.THIN for scene in drawn["thin-object"])


def test_two_layers_need_two_passes(drawn):
    for scene in drawn["two-layers"]:
        start, after_one, after_two = hard_scenes.freed(scene)
        assert np.array_equal(start, scene.modal())
        assert np.array_equal(after_two, scene.amodal())
        left = after_two & ~after_one
        assert left.any() and not (left & ~scene.modal(1)).any()  # the second layer hides it
        assert (scene.amodal(1) & scene.amodal(2)).any()  # and is itself hidden in part
        far = ndimage.distance_transform_edt(~start)[scene.modal(1)].min()
        assert far > hard_scenes.NEAR * scene.size  # no neighbour of what is seen at first


def test_one_layer_needs_one_pass():
    for n in range(3):
        assert len(hard_scenes.freed(scenes.make_scene(60_000_100 + n, occluder="other"))) == 2


def test_two_borders_cut_it(drawn):
    for scene in drawn["two-borders"]:
        sides = set(hard_scenes.cut_sides(scene))
        assert sides in ({"left", "top"}, {"top", "right"}, {"right", "bottom"}, {"bottom", "left"})
        assert len(scene.layers) == 1


def test_larger_pictures_have_twice_the_side(drawn):
    for scene in drawn["larger"]:
        assert scene.image.shape == (256, 256, 3)
        rows, columns = (np.flatnonzero(scene.amodal_sheet().any(axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) > 100
