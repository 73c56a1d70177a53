"""An upper bound and occluders' names through the nodes and the whole method."""

import numpy as np
import pytest
import torch

from amodal.core.types import OcclusionReport
from amodal.stickers.scenes import make_scene
from research.applications.limits import drawn
from research.evaluation.hard_scenes import ROBUST
from tools.host.inprocess import Failed, Graph

SHIPPED = {
    "point": "",
    "prompt": "a photo of a {label}",
    "negative": "",
    "seed": 1,
    "count": 1,
    "steps": 4,
    "k": 1.0,
    "cfg": 2.5,
    "mask_rule": "known background",
    "size": 128,
    "max_passes": 2,
    "context": 0.5,
}


@pytest.fixture(scope="module")
def scene():
    return make_scene(4, query="rabbit", occluder="co-occurring", hidden=(0.2, 0.4))


def complete(host, scene, bound=None, masks=None, **changes):
    """Amodal Completion on a scene; each of its outputs as a list."""
    graph = Graph()
    host.forget()
    checkpoint = graph.add("AmodalStickerCheckpoint")
    masks = torch.from_numpy(scene.modal())[None].float() if masks is None else masks
    if bound is not None:
        changes["upper_bound"] = graph.value("bound", bound)
    done = graph.add(
        "AmodalCompletion",
        model=checkpoint[0],
        clip=checkpoint[1],
        vae=checkpoint[2],
        segmenter=graph.add("AmodalStickerSegmenter"),
        order_model=graph.add("AmodalStickerOrder"),
        image=graph.value("picture", torch.from_numpy(scene.image)[None].float()),
        modal_mask=graph.value("modal", masks),
        **{**SHIPPED, "words": scene.word, **changes},
    )
    names = ("object", "mask", "overlay", "status", "passes", "report", "x", "y", "warnings")
    graph.keep(**{name: done[number] for number, name in enumerate(names)})
    return host.run(graph).values


def test_the_object_stays_within_its_bound(host, scene):
    whole = torch.from_numpy(scene.amodal())
    rows = torch.from_numpy(np.nonzero(scene.amodal())[0])
    bound = torch.zeros(1, 128, 128)
    bound[:, : int(rows.float().median())] = 1  # the upper half
    modal = torch.from_numpy(scene.modal())
    bounded = complete(host, scene, bound, max_passes=1)
    x, y = -bounded["x"], -bounded["y"]
    inside = (slice(y, y + 128), slice(x, x + 128))
    mask, overlay = bounded["mask"][0][inside] > 0.5, bounded["overlay"][0][inside]
    allowed = torch.maximum(bound, modal[None].float())
    forbidden = torch.nn.functional.max_pool2d(allowed, 5, 1, 2)[0] == 0  # crops are resized
    assert (forbidden & whole).sum() > 20  # there it would grow
    assert not (mask & forbidden).any()
    assert mask[modal].float().mean() > 0.95
    far = torch.nn.functional.max_pool2d(allowed, 25, 1, 12)[0] == 0
    picture = torch.from_numpy(scene.image).float()
    assert far.any() and torch.equal(overlay[far], picture[far])


def test_each_object_may_have_its_own_bound(host, scene):
    masks = torch.from_numpy(scene.modal())[None].float().repeat(2, 1, 1)
    with pytest.raises(Failed, match="upper_bound"):
        complete(host, scene, torch.ones(3, 128, 128), masks)


def test_a_bound_without_the_hidden_part_leaves_nothing_to_paint(host, scene):
    modal = torch.from_numpy(scene.modal())[None].float()
    graph = Graph()
    hidden = torch.from_numpy(scene.amodal())[None].float() * (1 - modal)
    check = graph.add(
        "AmodalCheckOcclusion",
        occluder_mask=graph.value("hides", hidden),
        padding_mask=graph.value("no padding", modal * 0),
        modal_mask=graph.value("seen", modal),
        dilate=0.0,
        upper_bound=graph.value("bound of the seen", modal),
    )
    graph.keep(occluded=check[1], occlusion=check[2])
    values = host.run(graph).values
    assert values["occluded"] is False and values["occlusion"].nothing_left


def test_an_enclosing_occluder_is_painted_once_within_the_bound(host):
    """It stays around the bound, so its edge is found again in every further pass."""
    scene = ROBUST["enclosed"].scene(1, 3)
    bound = torch.from_numpy(drawn(scene.amodal()))[None].float()
    done = complete(host, scene, bound, steps=12, k=0.4, max_passes=3)
    assert (done["status"], done["passes"]) == ("completed", 1), done["report"]
    assert "nothing left to paint" in done["warnings"]


@pytest.mark.parametrize(
    "given, names, label, expected",
    [
        ("", ("yarn", "ball"), "", "yarn, ball"),
        ("blurry", ("yarn", "yarn"), "", "blurry, yarn"),
        ("", ("cat", "yarn", ""), "cat", "yarn"),
        (" blurry ", (), "", "blurry"),
    ],
)
def test_occluders_names_join_the_negative_prompt(host, graph, given, names, label, expected):
    host.forget()
    node = graph.add(
        "AmodalNegativeFromOccluders",
        negative=given,
        occlusion=graph.value("occlusion", OcclusionReport(occluders=names)),
        label=label,
    )
    graph.keep(negative=node[0])
    assert host.run(graph).values["negative"] == expected


def test_the_one_node_puts_them_there_only_by_choice(host, scene):
    free = complete(host, scene, max_passes=1)
    chosen = complete(host, scene, max_passes=1, avoid_occluders=True)
    assert not torch.equal(free["object"], chosen["object"])


@pytest.mark.parametrize("bounded", [True, False])
def test_a_mask_grows_within_its_bound_or_freely_without_one(host, graph, bounded):
    host.forget()
    before, mask, bound = torch.zeros(3, 1, 24, 32)
    before[:, 4:8, 4:8] = mask[:, 2:12, 2:12] = bound[:, :, 6:] = 1
    given = {"upper_bound": graph.value("bound", bound)} if bounded else {}
    kept = graph.add(
        "AmodalKeepInBound",
        mask=graph.value("mask", mask),
        before=graph.value("before", before),
        **given,
    )
    graph.keep(mask=kept[0])
    expected = mask * torch.maximum(bound, before) if bounded else mask
    assert torch.equal(host.run(graph).values["mask"], expected)


def test_a_size_prior_bounds_an_object(host, graph):
    masks = torch.zeros(2, 64, 64)
    masks[0, 20:24, 20:24] = masks[1, 40:52, 40:60] = 1
    objects = graph.add(
        "AmodalObjectsFromMasks", masks=graph.value("two", masks), labels="cat, cat"
    )
    prior = graph.add(
        "AmodalSizePrior",
        objects=objects[0],
        modal_mask=graph.value("first", masks[:1]),
        label="cat",
        tolerance=0.0,
    )
    graph.keep(bound=prior[0], others=prior[1])
    values = host.run(graph).values
    assert values["others"] == 1
    assert float(values["bound"].sum()) == (2 * 20 - 4) * (2 * 12 - 4)


def drawn_round(x0, y0, x1, y1) -> str:
    """The outline of a box in pixels."""
    return f"{x0},{y0}; {x1},{y0}; {x1},{y1}; {x0},{y1}"


def pick(host, **inputs) -> torch.Tensor:
    """The upper bound that Pick Object gives, on a picture of 48 by 64 pixels."""
    graph = Graph()
    host.forget()
    if "upper_bound" in inputs:
        inputs["upper_bound"] = graph.value("linked", inputs["upper_bound"])
    seen = torch.zeros(1, 48, 64)
    seen[:, 20:30, 20:30] = 1
    graph.keep(bound=graph.add("AmodalPickObject", modal_mask=graph.value("m", seen), **inputs)[5])
    return host.run(graph).values["bound"]


def test_pick_object_gives_what_was_drawn_and_what_is_linked(host):
    assert bool(pick(host).all()) and pick(host).shape == (1, 48, 64)
    drawn = pick(host, drawn_bound=drawn_round(10, 8, 40, 32))
    expected = torch.zeros(1, 48, 64)
    expected[:, 8:32, 10:40] = 1
    assert torch.equal(drawn, expected)
    linked = torch.zeros(1, 48, 64)
    linked[:, :, 16:] = 1
    assert torch.equal(pick(host, upper_bound=linked), linked)
    both = pick(host, drawn_bound=drawn_round(10, 8, 40, 32), upper_bound=linked)
    assert torch.equal(both, expected * linked)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"drawn_bound": '[{"x": 3}]'}, "drawn_bound"),
        ({"drawn_bound": "0.5,0.5"}, "drawn_bound"),
        ({"drawn_bound": drawn_round(900, 900, 950, 950)}, "drawn_bound"),
        ({"drawn_bound": drawn_round(0, 0, 9, 9), "upper_bound": "far"}, "upper_bound"),
    ],
)
def test_a_bound_that_cannot_be_is_told_by_node_and_input(host, given, said):
    if given.get("upper_bound"):
        far = torch.zeros(1, 48, 64)
        far[:, 40:, 40:] = 1
        given = {**given, "upper_bound": far}
    with pytest.raises(Failed, match=f"Pick Object.*{said}.*Remedy"):
        pick(host, **given)


def test_a_drawn_bound_on_the_one_node_is_the_same_as_a_linked_one(host, scene):
    box = torch.zeros(1, 128, 128)
    rows = np.nonzero(scene.amodal())[0]
    below = int(np.median(rows))
    box[:, :below] = 1
    fast = {"max_passes": 1, "steps": 2}
    linked = complete(host, scene, box, **fast)
    drawn = complete(host, scene, drawn_bound=drawn_round(0, 0, 128, below), **fast)
    assert torch.equal(drawn["object"], linked["object"])
    left = torch.zeros(1, 128, 128)
    left[:, :, : int(np.median(np.nonzero(scene.amodal())[1]))] = 1
    both = complete(host, scene, left, drawn_bound=drawn_round(0, 0, 128, below), **fast)
    one = complete(host, scene, box * left, **fast)
    assert torch.equal(both["object"], one["object"])
    assert not torch.equal(both["mask"], linked["mask"])
