"""The whole method on the sticker models: the shipped workflow and Amodal Completion."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from amodal.app.workflow import fill, trust_edges
from amodal.stickers.scenes import make_scene
from tools.host.inprocess import VALUES, Graph

ROOT = Path(__file__).parents[2]
API = ROOT / "workflows" / "api" / "amodal_completion_stickers.json"
SAMPLING = ("AmodalSampleToStep", "AmodalResumeFromStep", "AmodalCompositeAtStep")
BEFORE = (
    "AmodalLoopStart",
    "AmodalCropToObject",
    "AmodalDetectObjects",
    "AmodalOrderObjects",
    "AmodalSwapBackground",
    "AmodalRemoveObjects",
    "InpaintModelConditioning",
)
STEPS = 10


@pytest.fixture(scope="module")
def scene():
    return make_scene(4, query="rabbit", occluder="co-occurring", hidden=(0.2, 0.4))


def prompt_for(scene, seed=1, **changes) -> dict:
    """The shipped workflow with fewer steps, for a scene's picture."""
    import folder_paths

    folder = Path(folder_paths.get_input_directory())
    folder.mkdir(parents=True, exist_ok=True)
    pixels = (scene.image * 255).round().astype(np.uint8)
    name = f"{scene.word}-{scene.size}-{int(pixels.sum())}.png"
    Image.fromarray(pixels).save(folder / name)
    prompt = fill(json.loads(API.read_text()), name, words=scene.word, seed=seed)
    for node in prompt.values():
        for key, value in {"steps": STEPS, "k": 4.0, **changes}.items():
            if key in node["inputs"] and not isinstance(node["inputs"][key], list):
                node["inputs"][key] = value
    give_mask(prompt, f"{name} mask", scene.modal())
    keep_results(prompt)
    return prompt


def give_mask(prompt: dict, name: str, mask):
    """Gives Pick Object the true modal mask [H, W] in place of a detection."""
    VALUES[name] = torch.from_numpy(mask.copy())[None].float()
    prompt["given"] = {"class_type": "TestValue", "inputs": {"name": name}}
    prompt[id_of(prompt, "AmodalPickObject")]["inputs"]["modal_mask"] = ["given", 0]
    trust_edges(prompt)


def keep_results(prompt: dict):
    result = id_of(prompt, "AmodalTrimAndOverlay")
    end = id_of(prompt, "AmodalLoopEnd")
    for name, link in {
        "object": [result, 0],
        "mask": [result, 2],
        "overlay": [result, 3],
        "offset": [result, 6],
        "status": [end, 3],
        "passes": [end, 4],
        "warnings": [end, 6],
        "canvas": [end, 0],
    }.items():
        prompt[f"keep {name}"] = {"class_type": "TestKeep", "inputs": {"name": name, "value": link}}


def id_of(prompt: dict, kind: str) -> str:
    return next(key for key, node in prompt.items() if node["class_type"] == kind)


def kinds(run, prompt: dict) -> list[str]:
    """(class, is it in a later pass?) of each executed node."""
    names = [(node.split(".")[-1], "." in node) for node in run.executed]
    return [(prompt[name]["class_type"], later) for name, later in names if name in prompt]


def within_picture(values: dict, array):
    """The part of a canvas array [H, W, ...] that holds the original picture of 128x128."""
    x, y = map(int, values["offset"].split(","))
    return array[-y : 128 - y, -x : 128 - x]


def iou(mask, truth) -> float:
    mask, truth = np.asarray(mask) > 0.5, np.asarray(truth) > 0.5
    return (mask & truth).sum() / (mask | truth).sum()


def test_the_object_grows_into_the_occluded_area(host, scene):
    values = host.run(prompt_for(scene)).values
    assert values["passes"] >= 1
    assert values["status"] in ("completed", "stopped at cap", "unchanged")
    visible = scene.modal()
    mask = values["mask"][0].numpy()
    assert within_picture(values, mask)[visible].all()
    assert mask.sum() > visible.sum()
    assert values["object"].shape == (1, *mask.shape, 4)
    assert torch.equal(values["object"][..., 3] > 0.5, values["mask"] > 0.5)


def test_visible_pixels_stay_equal_to_the_bit(host, scene):
    """Far from the inpainted area, the canvas equals the picture."""
    values = host.run(prompt_for(scene)).values
    hidden = (np.abs(scene.image - scene.truth).max(-1) > 0) | scene.amodal(scene.query + 1)
    far = ~ndimage.binary_dilation(hidden, iterations=24)
    picture = torch.from_numpy((scene.image * 255).round().astype(np.uint8)).float() / 255
    assert far.sum() > 500
    assert torch.equal(within_picture(values, values["canvas"][0])[far], picture[far])


def test_the_same_seed_gives_the_same_bits(host, scene):
    one = host.run(prompt_for(scene, seed=7)).values
    host.forget()
    two = host.run(prompt_for(scene, seed=7)).values
    assert torch.equal(one["canvas"], two["canvas"])
    other = host.run(prompt_for(scene, seed=8)).values
    assert not torch.equal(one["canvas"], other["canvas"])


def test_a_rerun_runs_no_node(host, scene):
    prompt = prompt_for(scene)
    assert host.run(prompt).values["passes"] >= 1
    assert not {*host.run(prompt).executed_classes()} - {"TestKeep"}


@pytest.mark.parametrize("change", [{"k": 5.0}, {"seed": 2}])
def test_another_k_or_seed_runs_nothing_before_the_sampling(host, scene, change):
    host.run(prompt_for(scene))
    prompt = prompt_for(scene, **change)
    ran = kinds(host.run(prompt), prompt)
    first = {kind for kind, later in ran if not later}
    assert set(SAMPLING) <= first
    assert not first & set(BEFORE)


def test_a_free_object_is_not_painted(host):
    free = make_scene(2, query="elephant", occluder=None, background="plain", scale=(0.4, 0.45))
    assert not ndimage.binary_dilation(free.amodal(), iterations=4)[[0, -1]].any()
    prompt = prompt_for(free)
    run = host.run(prompt)
    assert (run.values["status"], run.values["warnings"]) == ("nothing to complete", "")
    assert run.values["passes"] == 0
    assert iou(run.values["mask"][0], free.amodal()) == 1
    title = {key: node.get("_meta", {}).get("title") for key, node in prompt.items()}
    assert "Pass" not in {title.get(node.split(".")[-1]) for node in run.ui}


@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_an_object_cut_by_the_border_grows_beyond_it(host, side):
    cut = make_scene(6, query="bus", occluder=None, cut=side, hidden=(0.2, 0.5), background="plain")
    values = host.run(prompt_for(cut)).values
    height, width = values["mask"].shape[-2:]
    x, y = map(int, values["offset"].split(","))
    grown = {"left": -x, "top": -y, "right": width + x - 128, "bottom": height + y - 128}
    assert grown[side] > 0
    assert values["passes"] >= 1


def one_node(scene, images=1, **settings) -> Graph:
    graph = Graph()
    checkpoint = graph.add("AmodalStickerCheckpoint")
    picture = torch.from_numpy((scene.image * 255).round().astype(np.uint8))[None].float() / 255
    batch = torch.cat([picture, *[picture.flip(2)] * (images - 1)])
    made = graph.add(
        "AmodalCompletion",
        "one",
        model=checkpoint,
        clip=checkpoint[1],
        vae=checkpoint[2],
        segmenter=graph.add("AmodalStickerSegmenter"),
        order_model=graph.add("AmodalStickerOrder"),
        image=graph.value(f"pictures {images}", batch),
        words=scene.word,
        point="",
        negative="",
        prompt="a photo of a {label}",
        size=128,
        mask_rule=settings.pop("mask_rule", "automatic"),
        **{
            "seed": 1,
            "count": 1,
            "cfg": 3.5,
            "max_passes": 2,
            "steps": STEPS,
            "k": 4.0,
            **settings,
        },
    )
    for name, slot in (("object", 0), ("mask", 1), ("status", 3), ("passes", 4), ("warnings", 8)):
        graph.add("TestCollect", name=name, value=made[slot])
    return graph


class TestCollect:
    """Keeps a whole list of results, which Amodal Completion gives out."""

    RETURN_TYPES, FUNCTION, CATEGORY, OUTPUT_NODE = (), "keep", "test", True
    INPUT_IS_LIST = True
    __test__ = False

    @classmethod
    def INPUT_TYPES(cls):
        from tools.host.inprocess import Anything

        return {"required": {"name": ("STRING", {}), "value": (Anything("*"), {})}}

    def keep(self, name, value):
        VALUES["kept"][name[0]] = value
        return ()


@pytest.fixture
def collecting(host):
    host.classes["TestCollect"] = TestCollect
    return host


EVENTS = ("loops", "pass", "completion", "stage")

RULES = {  # rule -> the kinds of nodes that make M^k
    "known background": {"KnownBackgroundMask"},
    "clusters": {"CaptureFeatures", "ClusterFeatures", "SelectClusters"},
    "seeded": {"CaptureFeatures", "SeededMask"},
    "automatic": {"KnownBackgroundMask", "CaptureFeatures", "SeededMask", "ChooseMask"},
}


@pytest.mark.parametrize("rule", RULES)
def test_amodal_completion_completes_by_every_mask_rule(collecting, scene, rule):
    run = collecting.run(one_node(scene, mask_rule=rule))
    values, every = run.values, set().union(*RULES.values())
    assert {node.split(".")[-1].split("-")[-1] for node in run.executed} & every == RULES[rule]
    assert len(values["object"]) == 1
    assert values["object"][0].shape[-1] == 4
    assert values["passes"][0] >= 1


def test_amodal_completion_gives_the_result_of_the_workflow(collecting, scene):
    workflow = collecting.run(prompt_for(scene)).values
    modal_mask = torch.from_numpy(scene.modal().copy())[None].float()
    graph = one_node(scene, cfg=2.5, max_passes=6, context=0.5)
    graph.prompt["one"]["inputs"]["modal_mask"] = graph.value("modal", modal_mask).first
    values = collecting.run(graph).values
    for name in ("status", "passes", "warnings"):
        assert values[name] == [workflow[name]]
    assert values["passes"][0] >= 1
    assert torch.equal(values["object"][0], workflow["object"])


def test_one_loop_for_each_picture_and_seed(collecting, scene):
    """Two pictures and two seeds give four results. The nodes before the sampling run once for
    each picture."""
    run = collecting.run(one_node(scene, images=2, count=2))
    assert {name: len(values) for name, values in run.values.items()} == dict.fromkeys(
        ("object", "mask", "status", "passes", "warnings"), 4
    )
    masks = run.values["mask"]
    assert all(mask.sum() >= scene.modal().sum() * 0.8 for mask in masks)
    assert not torch.equal(run.values["object"][0], run.values["object"][1])
    ran = [node.split(".")[-1] for node in run.executed if node.startswith("one.0.0.")]
    firsts = [
        n
        for n in run.executed
        if n.startswith("one.0.0.")
        and n.endswith("CropToObject")
        and "Recurse" not in n
        and "LoopEnd" not in n
    ]
    assert ran and len(firsts) == 2


def test_it_says_which_loops_there_are_and_names_their_objects_and_seeds(collecting, scene):
    graph = one_node(scene, images=2, count=2, seed=7, steps=2, k=1.0, max_passes=1)
    run = collecting.run(graph)
    told = {name: [d for n, d in run.events if n == f"amodal.{name}"] for name in EVENTS}
    (listed,) = told["loops"]
    named = [(1, 7), (1, 8), (2, 7), (2, 8)]
    assert listed["node"] == "one"
    assert [(loop["object"], loop["seed"]) for loop in listed["loops"]] == named
    for name in ("pass", "completion"):
        assert {(d["object"], d["seed"]) for d in told[name]} == set(named)
        assert {d["node"] for d in told[name]} == {"one"}
    loops = {(d["object"], d["seed"]): d["loop"] for d in told["pass"]}
    place = {d["loop"]: d["completion"] for d in told["stage"]}
    assert [place[loops[one]] for one in named] == [1, 2, 3, 4]
    assert {d["loops"] for d in told["stage"]} == {4}
    kept = [d for shown in run.ui.values() for d in shown.get("amodal_completion", [])]
    assert kept == told["completion"] and all(d["status"] and d["cutout"] for d in kept)


def test_one_loop_for_each_mask_of_a_picture(collecting, scene):
    """Two objects of one picture: each result covers the object of its own mask."""
    modal_masks = torch.from_numpy(
        np.stack([scene.modal(), scene.modal(len(scene.layers) - 1)]).copy()
    )
    graph = one_node(scene)
    graph.prompt["one"]["inputs"].update(
        modal_mask=graph.value("both", modal_masks.float()).first, words=""
    )
    run = collecting.run(graph)
    first, second = run.values["mask"]
    assert len(run.values["object"]) == 2
    assert (first > 0.5).sum() >= modal_masks[0].sum() * 0.8
    assert (second > 0.5).sum() >= modal_masks[1].sum() * 0.8
    assert not torch.equal(first, second)


def test_automatic_asks_no_features_of_a_model_that_shows_none(real_host):
    """Capture Features refuses such a model; the known background works with any."""
    from comfy_execution.graph_utils import GraphBuilder

    assembly = importlib.import_module(f"{pack_of(real_host)}.nodes.assembly")
    unet_features = importlib.import_module(f"{pack_of(real_host)}.nodes.unet_features")
    names = "model clip vae segmenter order_model image modal_mask label prompt negative seed"
    source = dict.fromkeys(f"{names} steps k cfg size max_passes".split(), 1)

    def kinds(**changes):
        graph = GraphBuilder()
        assembly.completion(graph, {**source, "mask_rule": "automatic", **changes})
        return {node["class_type"] for node in graph.finalize().values()}

    assert {"AmodalCaptureFeatures", "AmodalChooseMask"} <= kinds(features=True)
    without = kinds(features=False)
    assert "AmodalKnownBackgroundMask" in without
    assert not {"AmodalCaptureFeatures", "AmodalSeededMask", "AmodalChooseMask"} & without

    class Model:
        def __init__(self, net):
            self.get_model_object = {"diffusion_model": net}.get

    assert not unet_features.shows_features(Model(torch.nn.Linear(1, 1)))


def test_the_sticker_model_shows_features(real_host, graph):
    unet_features = importlib.import_module(f"{pack_of(real_host)}.nodes.unet_features")
    model = real_host.run(graph.keep(model=graph.add("AmodalStickerCheckpoint"))).values["model"]
    assert unet_features.shows_features(model)


def pack_of(real_host) -> str:
    return next(iter(real_host.pack.values())).__module__.split(".nodes.")[0]
