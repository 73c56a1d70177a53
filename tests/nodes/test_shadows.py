"""Find Shadows in the host, and the stages that remove what it finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from amodal.core.detections import from_masks
from amodal.core.errors import BadInput
from amodal.core.types import OcclusionReport
from research.applications.shadow_scenes import KINDS, SHADOW
from tools.host.inprocess import Graph


class Names:
    """A segmenter that finds one area under each of the names it is told, and no others."""

    def __init__(self, area, known):
        self.area, self.known = area, known

    def detect(self, image, words=None, threshold=0.5):
        if not {*words} <= {*self.known}:
            raise BadInput("words", "are unknown", "use others")
        return from_masks(self.area, [words[0]])


@pytest.fixture(scope="module")
def scene():
    return KINDS[SHADOW].scene(4, 3)


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
    named = Names(area, ["shadow of owl", "reflection of owl"])
    found = find(host, scene, segmenter=named, occlusion=seen, ground=False)
    given = found["given"]
    assert torch.equal(found["mask"], area * (1 - given["modal"]) * (1 - given["occluders"]))
    assert "shadow of owl" in found["report"]
    refusing = find(host, scene, segmenter=Names(area, []), occlusion=seen, ground=False)
    assert not refusing["mask"].any() and "cannot search" in refusing["report"]
    nothing = find(host, scene, segmenter=named, occlusion=replace(seen, occluders=()), words="")
    assert "by words" not in nothing["report"]


def test_removed_background_and_inpaint_mask_take_the_shadow_along(host, scene):
    graph, given = Graph(), masks_of(scene)
    shadow = torch.from_numpy(scene.on_ground.astype(np.float32))[None]
    places = {name: graph.value(name, value) for name, value in {**given, "shadow": shadow}.items()}
    empty = graph.value("empty", torch.zeros(1, 128, 128))
    masks = {"modal_mask": places["modal"], "occluder_mask": places["occluders"]}
    kept = {}
    for name, more in (("without", {}), ("with", {"shadow_mask": places["shadow"]})):
        removed = graph.add("AmodalRemoveObjects", image=places["image"], **masks, **more)
        check = graph.add("AmodalCheckOcclusion", padding_mask=empty, **masks, **more)
        kept |= {f"removed {name}": removed[1], f"inpaint {name}": check[0]}
        kept |= {f"report {name}": check[2]}
    nothing = {**masks, "occluder_mask": empty, "shadow_mask": places["shadow"]}
    free = graph.add("AmodalCheckOcclusion", padding_mask=empty, **nothing)
    graph.keep(**kept, free=free[1])
    values = host.run(graph).values
    for stage in ("removed", "inpaint"):
        assert not (values[f"{stage} without"] * shadow).sum() >= shadow.sum()
        assert (values[f"{stage} with"] * shadow).sum() == shadow.sum()
    assert values["report with"] == values["report without"]
    assert values["free"] is False  # a shadow alone hides nothing


@pytest.mark.parametrize("choice", ["remove from the ground", "remove from ground and object"])
def test_the_one_node_removes_shadows_only_by_choice(host, scene, choice):
    given = masks_of(scene)

    def overlay(**more):
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
            **{"point": "", "words": scene.word, "prompt": "a photo of a {label}"},
            **{"negative": "", "seed": 1, "count": 1, "steps": 4, "k": 1.0, "cfg": 2.5},
            **{"mask_rule": "known background", "size": 128, "max_passes": 1, **more},
        )
        graph.keep(overlay=done[2], x=done[6], y=done[7])
        values = host.run(graph).values
        x, y = -values["x"], -values["y"]
        return values["overlay"][0][y : y + 128, x : x + 128]

    kept, removed = overlay(), overlay(shadows=choice)
    picture = given["image"][0]
    darkest = torch.from_numpy(scene.on_ground)
    assert (kept[darkest] == picture[darkest]).all(-1).float().mean() > 0.3
    lighter = (removed - picture)[darkest].mean(-1) > 0.1
    assert lighter.float().mean() > 0.7
    surface = torch.from_numpy(scene.on_query)
    relit = (removed - picture)[surface].mean() > 0.05
    assert bool(relit) == choice.endswith("object")
    near = torch.from_numpy(scene.marked).float()[None].maximum(given["occluders"])
    far = torch.nn.functional.max_pool2d(near, 41, 1, 20)[0] == 0
    assert far.any() and torch.equal(removed[far], picture[far])
