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
