"""Find Shadows in the host, and the stages that remove what it finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from amodal.core import mask_ops
from amodal.core.detections import from_masks
from amodal.core.types import OcclusionReport
from research.applications.shadow_scenes import KINDS, SHADOW
from tools.host.inprocess import Graph


class Names:
    """A segmenter that finds one area under the first name it is told."""

    def __init__(self, area):
        self.area = area

    def detect(self, image, words=None, threshold=0.5):
        return from_masks(self.area, [words[0]])

    def segment(self, image, **given):
        return torch.zeros(image.shape[:2])


@pytest.fixture(scope="module")
def scene():
    return KINDS[SHADOW].scene(7, 3)


def masks_of(scene) -> dict:
    nearer = [scene.modal(i) for i in range(scene.query + 1, len(scene.layers))]
    arrays = {"image": scene.image, "modal": scene.modal(), "occluders": np.any(nearer, 0)}
    return {k: torch.from_numpy(np.asarray(v, np.float32))[None] for k, v in arrays.items()}


def find(host, scene, **more) -> dict:
    graph, given = Graph(), masks_of(scene)
    host.forget()
    more = {k: graph.value(k, v) if not isinstance(v, (str, bool)) else v for k, v in more.items()}
    node = graph.add(
        "AmodalFindShadows",
        image=graph.value("picture", given["image"]),
        modal_mask=graph.value("modal", given["modal"]),
        occluder_mask=graph.value("occluders", given["occluders"]),
        **more,
    )
    names = ("mask", "shade", "image", "overlay", "report")
    graph.keep(**{name: node[number] for number, name in enumerate(names)})
    return host.run(graph).values | {"given": given}


def test_the_node_keeps_visible_pixels_visible_and_relights_only_by_choice(host, scene):
    plain, relit = find(host, scene), find(host, scene, relight=True)
    given = plain["given"]
    assert plain["mask"].any() and plain["shade"].any()
    assert not (plain["mask"] * (given["modal"] + given["occluders"])).any()
    assert torch.equal(plain["image"], given["image"])
    inside = plain["shade"] > 0.5
    assert not torch.equal(relit["image"], given["image"])
    assert torch.equal(relit["image"][~inside], given["image"][~inside])


def test_what_the_segmenter_finds_by_words_joins(host, scene):
    area = torch.zeros(1, 128, 128)
    area[:, 100:, :20] = 1
    seen = OcclusionReport(occluders=("owl",))
    named = Names(area)
    found = find(host, scene, segmenter=named, occlusion=seen, ground=False)
    given = found["given"]
    assert torch.equal(found["mask"], area * (1 - given["modal"]) * (1 - given["occluders"]))
    assert "shadow of owl" in found["report"]
    nothing = find(host, scene, segmenter=named, occlusion=replace(seen, occluders=()), words="")
    assert "by words" not in nothing["report"]


def test_removed_background_and_inpaint_mask_take_the_shadow_along(host, scene):
    graph, given = Graph(), masks_of(scene)
    shadow = torch.from_numpy(scene.on_ground.astype(np.float32))[None]
    places = {name: graph.value(name, value) for name, value in {**given, "shadow": shadow}.items()}
    empty = graph.value("empty", torch.zeros(1, 128, 128))
    unpadded = {"padding_mask": empty, "dilate": 0.03}
    masks = {"modal_mask": places["modal"], "occluder_mask": places["occluders"]}
    kept = {}
    for name, more in (("without", {}), ("with", {"shadow_mask": places["shadow"]})):
        removed = graph.add("AmodalRemoveObjects", image=places["image"], **masks, **more)
        check = graph.add("AmodalCheckOcclusion", **unpadded, **masks, **more)
        kept |= {f"removed {name}": removed[1], f"inpaint {name}": check[0]}
        kept |= {f"report {name}": check[2]}
    nothing = {**masks, "occluder_mask": empty, "shadow_mask": places["shadow"]}
    free = graph.add("AmodalCheckOcclusion", **unpadded, **nothing)
    graph.keep(**kept, free=free[1])
    values = host.run(graph).values
    for stage in ("removed", "inpaint"):
        assert not (values[f"{stage} without"] * shadow).sum() >= shadow.sum()
        assert (values[f"{stage} with"] * shadow).sum() == shadow.sum()
    assert values["report with"] == values["report without"]
    assert values["free"] is False  # a shadow alone hides nothing


def test_a_segmenter_of_other_names_finds_nothing_by_words(host, scene):
    graph, given = Graph(), masks_of(scene)
    node = graph.add(
        "AmodalFindShadows",
        image=graph.value("picture", given["image"]),
        modal_mask=graph.value("modal", given["modal"]),
        occluder_mask=graph.value("occluders", given["occluders"]),
        segmenter=graph.add("AmodalStickerSegmenter")[0],
        occlusion=graph.value("occlusion", OcclusionReport(occluders=("owl",))),
        ground=False,
    )
    graph.keep(mask=node[0], report=node[4])
    values = host.run(graph).values
    assert not values["mask"].any() and "cannot search" in values["report"]


def completed(host, scene, given, **more) -> torch.Tensor:
    """The object [128, 128, 4] of Amodal Completion in one pass, in the picture's pixels."""
    graph = Graph()
    host.forget()
    checkpoint = graph.add("AmodalStickerCheckpoint")
    done = graph.add(
        "AmodalCompletion",
        model=checkpoint[0],
        clip=checkpoint[1],
        vae=checkpoint[2],
        segmenter=graph.add("AmodalStickerSegmenter"),
        order_model=graph.add("AmodalStickerOrder"),
        image=graph.value("picture", given["image"]),
        modal_mask=graph.value("modal", given["modal"]),
        **{"point": "", "words": scene.word, "prompt": "a photo of a {label}", "negative": ""},
        **{"seed": 1, "count": 1, "steps": 4, "k": 1.0, "cfg": 2.5, "size": 128},
        **{"mask_rule": "known background", "max_passes": 1, **more},
    )
    graph.keep(object=done[0], x=done[6], y=done[7])
    values = host.run(graph).values
    whole = torch.zeros(128, 128, 4)
    x, y = values["x"], values["y"]
    part = values["object"][0][max(0, -y) :, max(0, -x) :]
    part = part[: 128 - max(0, y), : 128 - max(0, x)]
    whole[max(0, y) : max(0, y) + len(part), max(0, x) : max(0, x) + part.shape[1]] = part
    return whole


def test_the_one_node_removes_shadows_only_by_choice(host, scene):
    given = masks_of(scene)
    kept, ground, both = (
        completed(host, scene, given, **more)
        for more in (
            {},
            {"shadows": "remove from the ground"},
            {"shadows": "remove from ground and object"},
        )
    )
    assert not torch.equal(kept, ground)
    near = torch.from_numpy(scene.marked).float()[None].maximum(given["occluders"])
    near = near.maximum(1 - mask_ops.erode(given["modal"], 3))  # and the fading edge
    far = torch.nn.functional.max_pool2d(near, 7, 1, 3)[0] == 0
    visible = far & (given["modal"][0] > 0)
    picture = given["image"][0]
    assert visible.sum() > 10
    for result in (ground, both):
        assert torch.equal(result[visible][:, :3], picture[visible])
    surface = torch.from_numpy(scene.on_query)
    dark = surface & (ground[..., :3] == picture).all(-1)  # not painted over
    assert dark.any() and (both[..., :3] - picture)[dark].mean() > 0.05
