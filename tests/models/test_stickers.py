"""The sticker world's words, and the ground truth of its scenes."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from amodal.core.errors import BadInput
from amodal.stickers import catalog, scenes
from amodal.stickers.order_model import meeting, pair_view
from amodal.stickers.scenes import BACKGROUNDS, make_scene
from tools.host.inprocess import Failed

SEEDS = range(8)


def covered(scene) -> np.ndarray:
    """Pixels [S, S] bool on which anything in front of the query has any opacity."""
    nearer = scene.layers[scene.query + 1 :]
    parts = [scene.window(layer.rgba)[..., 3] > 0 for layer in nearer]
    return np.any(parts, axis=0) if parts else np.zeros((scene.size,) * 2, bool)


# --- the catalog -------------------------------------------------------------------------------


def test_catalog_has_forty_words_with_art_and_known_co_occurring_occluders():
    assert len(catalog.WORDS) >= 40
    for word, sticker in catalog.CATALOG.items():
        assert word == sticker.word == word.lower()
        assert sticker.co_occurring in catalog.CATALOG and sticker.co_occurring != word
        with Image.open(sticker.path) as art:
            assert art.size == (256, 256) and art.convert("RGBA").getextrema()[3] == (0, 255), word
    assert {f.stem for f in catalog.ART.glob("*.webp")} == {
        sticker.path.stem for sticker in catalog.CATALOG.values()
    }


def test_every_co_occurrence_probability_has_a_fair_share_of_the_words():
    shares = [sticker.p for sticker in catalog.CATALOG.values()]
    assert set(shares) == {0.0, 0.25, 0.5, 0.75, 0.95}
    assert min(shares.count(p) for p in set(shares)) >= 8


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a photo of a teddy bear", ["teddy bear"]),
        ("A Teddy-Bear, riding a (bicycle:1.2)!", ["teddy bear", "bicycle"]),
        ("soccer ball dog", ["soccer ball", "dog"]),
        ("alarm  clock\nbus", ["alarm clock", "bus"]),
        ("a bear on a ball", []),
        ("catalog of carpets", []),
        ("", []),
    ],
)
def test_known_words_of_a_prompt(prompt, words):
    assert catalog.known_words(prompt) == words


def test_each_word_is_found_in_its_own_prompt():
    assert [catalog.known_words(f"a photo of a {w}") for w in catalog.WORDS] == [
        [w] for w in catalog.WORDS
    ]


def test_art_is_cut_to_its_box_and_cannot_be_written_to():
    art = catalog.picture("dog")
    alpha = art[..., 3] > 8
    assert alpha[0].any() and alpha[-1].any() and alpha[:, 0].any() and alpha[:, -1].any()
    with pytest.raises(ValueError, match="read-only"):
        art[0, 0] = 0


# --- scenes ------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_scene_and_another_seed_another():
    one, again, other = make_scene(5), make_scene(5), make_scene(6)
    assert np.array_equal(one.image, again.image) and np.array_equal(one.modal(), again.modal())
    assert one.words == again.words
    assert not np.array_equal(one.image, other.image)


@pytest.mark.parametrize(
    ("arguments", "digest"),
    [
        ({"seed": 1}, "8737e39ac8fceb9e"),
        ({"seed": 2, "occluder": "co-occurring"}, "38289d04399fbe7f"),
        (
            {"seed": 3, "occluder": "co-occurring", "background": "gray", "size": 96},
            "4f34fad8e32a8b1b",
        ),
        ({"seed": 4, "occluder": "other", "behind": 2}, "af90bdfa624ebd98"),
        ({"seed": 5, "cut": "left"}, "60021367e643279f"),
        ({"seed": 6, "query": "dog", "background": "texture"}, "ba2699cc2c2c06f6"),
    ],
)
def test_scenes_are_the_same_to_the_bit_in_every_version(arguments, digest):
    scene = make_scene(**arguments)
    found = hashlib.sha256()
    for array in (scene.image, scene.truth, scene.modal(), scene.amodal()):
        found.update(np.ascontiguousarray(array).tobytes())
    assert found.hexdigest()[:16] == digest


@pytest.mark.parametrize("seed", SEEDS)
def test_masks_agree_with_each_other(seed):
    scene = make_scene(seed, behind=2)
    taken = np.zeros((scene.size,) * 2, int)
    for index in range(len(scene.layers)):
        nearer = [scene.amodal(other) for other in range(index + 1, len(scene.layers))]
        over = np.any(nearer, axis=0) if nearer else np.zeros_like(taken, bool)
        assert np.array_equal(scene.modal(index), scene.amodal(index) & ~over)
        assert index < scene.query or scene.modal(index).any()  # what is behind may be hidden
        taken += scene.modal(index)
    assert taken.max() == 1  # no pixel shows two objects


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_pictures_are_in_range_and_of_the_size_asked_for(background):
    scene = make_scene(3, size=96, background=background)
    for picture in (scene.image, scene.truth):
        assert picture.shape == (96, 96, 3) and picture.dtype == np.float32
        assert picture.min() >= 0 and picture.max() <= 1
    assert scene.truth_sheet.shape == (192, 192, 3)
    assert scene.modal().shape == scene.amodal().shape == (96, 96)


def test_studio_gray_is_exact():
    scene = make_scene(1, background="gray", occluder=None)
    empty = scene.window(scene.layers[0].rgba)[..., 3] == 0
    assert (scene.image[empty] == 0.5).all() and empty.any()


@pytest.mark.parametrize("low_high", [(0.1, 0.25), (0.3, 0.5), (0.5, 0.7)])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_hidden_fraction_is_in_the_requested_range(seed, low_high):
    scene = make_scene(seed, occluder="watermelon", hidden=low_high)
    whole = scene.amodal_sheet().sum()
    assert low_high[0] <= 1 - scene.modal().sum() / whole <= low_high[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_truth_differs_from_the_picture_only_on_the_hidden_part(seed):
    scene = make_scene(seed)
    front = covered(scene)
    assert np.array_equal(scene.truth[~front], scene.image[~front])
    gone = scene.amodal() & ~scene.modal()
    assert gone.any() and np.abs(scene.truth - scene.image)[gone].mean() > 0.05


@pytest.mark.parametrize("side", scenes.SIDES)
@pytest.mark.parametrize("seed", range(3))
def test_only_the_requested_border_cuts_the_object(seed, side):
    scene = make_scene(seed, cut=side, occluder=None, hidden=(0.15, 0.5))
    sheet, edge = scene.amodal_sheet(), scene.size // 2
    beyond = {
        "left": sheet[:, :edge],
        "right": sheet[:, -edge:],
        "top": sheet[:edge],
        "bottom": sheet[-edge:],
    }
    assert {name for name, part in beyond.items() if part.any()} == {side}
    border = {
        "left": scene.amodal()[:, 0],
        "right": scene.amodal()[:, -1],
        "top": scene.amodal()[0],
        "bottom": scene.amodal()[-1],
    }[side]
    assert border.any()
    assert 0.15 <= beyond[side].sum() / sheet.sum() <= 0.5


@pytest.mark.parametrize("occluder", ["co-occurring", "key"])
def test_the_occluder_is_the_one_asked_for(occluder):
    scene = make_scene(2, query="cat", occluder=occluder)
    assert scene.words == ["cat", "yarn" if occluder == "co-occurring" else "key"]
    assert scene.word == "cat"


def test_co_occurring_occluders_come_as_often_as_the_catalog_says_and_never_on_gray():
    def share(word, background):
        rng = np.random.default_rng(1)
        draw = [scenes._occluder_word(rng, word, "world", background) for _ in range(400)]
        return draw.count(catalog.CATALOG[word].co_occurring) / len(draw)

    for word, p in (("dog", 0.95), ("bus", 0.75), ("pizza", 0.5), ("cow", 0.25), ("yarn", 0.0)):
        assert catalog.CATALOG[word].p == p
        assert share(word, "plain") == pytest.approx(p, abs=0.08)
        assert share(word, "gray") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_order_is_the_true_occlusion_order(seed):
    scene = make_scene(seed, behind=2)
    order = scene.order()
    assert np.isnan(np.diagonal(order)).all()
    for i in range(len(order)):
        for j in range(len(order)):
            if i != j:
                meet = (scene.amodal(i) & scene.amodal(j)).any()
                assert order[i, j] == float(meet and i > j)
    assert order[scene.query + 1, scene.query] == 1  # the occluder hides the query


@pytest.mark.parametrize(
    ("name", "value"),
    [("query", "walrus"), ("occluder", "walrus"), ("background", "jungle"), ("cut", "up")],
)
def test_an_unknown_word_is_named(name, value):
    with pytest.raises(BadInput, match=f"{name}.*{value}.*use one of"):
        make_scene(1, **{name: value})


def test_an_impossible_placement_raises_an_error():
    with pytest.raises(ValueError, match="no placement hides"):
        make_scene(1, query="dog", occluder="key", hidden=(0.94, 0.95))


# --- the order model's input -------------------------------------------------------------------


def test_a_pairs_view_holds_both_objects():
    scene = make_scene(4, occluder="co-occurring")
    one, two = (torch.from_numpy(scene.modal(i)).float() for i in (0, 1))
    x1, y1, x2, y2 = meeting(one > 0.5, two > 0.5)
    inside = torch.zeros_like(one, dtype=torch.bool)
    inside[y1:y2, x1:x2] = True
    assert not ((one + two).bool() & ~inside).any()
    view = pair_view(torch.from_numpy(scene.image), one, two)
    assert view.shape == (5, 64, 64)
    assert view[0].mean() > 0.02 and view[1].mean() > 0.02
    assert not torch.equal(view[0], view[1])


def test_a_pair_of_nothing_is_the_whole_picture():
    nothing = torch.zeros(20, 30, dtype=torch.bool)
    assert meeting(nothing, nothing) == (0, 0, 30, 20)


# --- ranges the wrong way round ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["hidden", "scale"])
@pytest.mark.parametrize("ends", [(0.6, 0.2), (0.31, 0.3), (float("nan"), 0.5)])
def test_a_range_the_wrong_way_round_is_named(name, ends):
    with pytest.raises(BadInput, match=f"'{name}'.*Remedy"):
        make_scene(1, **{name: ends})


@pytest.mark.parametrize("cut", ["none", "left"])
@pytest.mark.parametrize("occluder", ["none", "co-occurring"])
def test_the_node_names_a_range_the_wrong_way_round(host, graph, cut, occluder):
    choices = {"query": "any", "occluder": occluder, "cut": cut, "background": "any"}
    scene = graph.add(
        "AmodalStickerScene", seed=1, hidden_from=0.9, hidden_to=0.2, size=64, **choices
    )
    with pytest.raises(Failed, match="Sticker Scene.*'hidden_from' is 0.9.*0.2.*Remedy"):
        host.run(graph.keep(image=scene[0]))
