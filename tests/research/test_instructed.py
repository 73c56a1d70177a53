"""Removal by instruction, and removal by LaMa, as methods of `nox -s paper` for photographs.

The graphs run in the real host, with small nets of random weights in the published architectures.
"""

import json
import sys
from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from amodal.app import workflow
from amodal.core.errors import BadInput
from amodal.stickers.scenes import make_scene
from research.evaluation import instructed, pasted, photographs, removers, runner, truth
from research.evaluation.report import claims, paper
from tools.host import inprocess

SIZE = 128


@pytest.fixture(scope="module")
def scene():
    return make_scene(4, query="rabbit", occluder="co-occurring", hidden=(0.2, 0.4))


@pytest.fixture
def line(scene, tmp_path) -> dict:
    """The scene as an item of a data set."""
    nearer = scene.amodal(scene.query + 1)
    parts = {
        "picture": scene.image,
        "truth": scene.truth,
        "modal": scene.modal(),
        "amodal": scene.amodal(),
        "occluder": nearer,
    }
    files = {name: tmp_path / f"{name}.png" for name in parts}
    for name, part in parts.items():
        Image.fromarray((np.asarray(part) * 255).round().astype(np.uint8)).save(files[name])
    occluder = {"category": scene.words[scene.query + 1]}
    return {
        "name": f"item-{tmp_path.name}",
        "item": "item",
        "number": 0,
        "level": "easy",
        "category": scene.word,
        "occluder": occluder,
        "hidden": 0.3,
        "files": files,
    }


@pytest.fixture
def settings(tmp_path) -> photographs.Settings:
    return photographs.Settings(
        str(workflow.STICKERS), 3, (), str(tmp_path), str(tmp_path), str(tmp_path / "pictures")
    )


class Words:
    """In the place of text encoders, which are recognised at full size only. Keeps the texts."""

    def __init__(self, small):
        self.small, self.said = small, []

    def tokenize(self, text, **_options):
        return text

    def encode_from_tokens_scheduled(self, tokens):
        self.said.append(tokens)
        pooled = {"pooled_output": self.small.tensor(1, self.small.CONTEXT, seed=len(tokens))}
        return [[self.small.tensor(1, 7, self.small.CONTEXT, seed=len(tokens)), pooled]]


def in_place_of(prompt: dict, loader: str, outputs: list) -> None:
    """Gives objects in the place of a loader's outputs."""
    for number, value in enumerate(outputs):
        name = f"{loader} {number}"
        inprocess.VALUES[name] = value
        prompt[name] = {"class_type": "TestValue", "inputs": {"name": name}}
        for node in prompt.values():
            for key, link in node["inputs"].items():
                if link == [loader, number]:
                    node["inputs"][key] = [name, 0]
    del prompt[loader]


class Given:
    """A method's prompt with small nets: for each loader what it gives, and a text encoder."""

    def __init__(self, small, method: str, prompt: dict):
        self.clip = Words(small)
        if method == "instruct":
            self.net = small.instruct()
            loaders = {"evaluation_instruct": [self.net, self.clip, small.vae()]}
        else:
            self.net = small.transformer("flux")
            kinds = {
                "UNETLoader": self.net,
                "DualCLIPLoader": self.clip,
                "VAELoader": small.vae(channels=16),
            }
            loaders = {
                key: [kinds[node["class_type"]]]
                for key, node in prompt.items()
                if node["class_type"] in kinds
            }
            assert len(loaders) == 3
        for loader, outputs in loaders.items():
            in_place_of(prompt, loader, outputs)


@pytest.fixture
def wired(host, small, line, settings, monkeypatch):
    """The photographs' runner with small nets in the place of the loaders: (run, nets given)."""
    runner.host()
    made = []
    plain = photographs.prompt_of

    def prompt_of(line, method, settings):
        prompt = plain(line, method, settings)
        made.append(Given(small, method, prompt))
        return prompt

    monkeypatch.setattr(photographs, "prompt_of", prompt_of)

    def run(method: str) -> dict:
        return photographs.run(line, method, asdict(settings))

    return run, made


@pytest.mark.parametrize("method", instructed.TITLES)
def test_a_small_net_is_told_to_remove_the_occluder_and_its_answer_is_scored(
    wired, line, scene, method
):
    """Random weights draw noise. The object is segmented in it, pasted back, and scored."""
    run, made = wired
    record = run(method)
    assert record["status"] != runner.FAILED, record["report"]
    assert record["passes"] == 1 and record["calls"] >= 3
    assert f"remove the {scene.words[scene.query + 1]}" in made[0].clip.said
    assert 0 <= record["amodal_iou"] <= 1 and "success" in record
    (picture,) = Path(record_folder(line)).glob(f"*-{method}.webp")
    assert picture.stat().st_size > 1000


def record_folder(line) -> Path:
    return Path(line["files"]["picture"]).parent / "pictures"


def test_the_net_sees_the_picture_with_the_occluder(wired, monkeypatch):
    """Two of the three predictions of a step are given the crop's latent, the third none."""
    seen = []

    from comfy.model_base import IP2P

    plain = IP2P.concat_cond

    def concat_cond(self, **inputs):
        found = plain(self, **inputs)
        seen.append(float(found.abs().sum()))
        return found

    monkeypatch.setattr(IP2P, "concat_cond", concat_cond)
    run, _ = wired
    run("instruct")
    assert len(seen) == 3 and seen.count(0) == 1


@pytest.mark.parametrize("method", instructed.TITLES)
def test_the_object_is_segmented_in_the_answer(host, small, line, settings, scene, method):
    """With the truth as the net's answer, the object found in it is the true one: no other part of
    the graph decides."""
    runner.host()
    truth.Truth.scene = scene
    prompt = photographs.prompt_of(line, method, settings)
    crop = prompt_input(prompt, "AmodalPasteBack", "crop")
    prompt["truth"] = {"class_type": "EvaluationTruth", "inputs": {"crop": crop}}
    answers = {"instruct": "evaluation_instruct_answer", "edit": "evaluation_registered"}
    for node in prompt.values():
        for key, link in node["inputs"].items():
            if link == [answers[method], 0]:
                node["inputs"][key] = ["truth", 0]
    values = host.run(prompt).values
    item = pasted.read(line)
    completed, _, known = pasted.on_canvas(item, values)
    found = pasted.compared(known, completed, line["category"], (), Path())
    plain = 1 - float(scene.hidden())
    assert found["amodal_iou"] > max(0.85, plain) and found["success"]


def prompt_input(prompt: dict, kind: str, name: str):
    return next(node for node in prompt.values() if node["class_type"] == kind)["inputs"][name]


def test_the_edit_models_own_settings_are_kept(line, settings, real_host):
    """Guidance and sampling come from its workflow; picture, words and noise from ours."""
    ours = photographs.prompt_of(line, "edit", settings)
    theirs = json.loads(instructed.EDITOR.read_text())
    for kind, name in (("FluxGuidance", "guidance"), ("DualCLIPLoader", "type")):
        assert prompt_input(ours, kind, name) == prompt_input(theirs, kind, name)
    edited = {key: node for key, node in ours.items() if key.startswith("edit_")}
    kinds = [node["class_type"] for node in edited.values()]
    assert "AmodalSwapBackground" not in kinds and "RandomNoise" not in kinds
    encoded = next(node for node in edited.values() if node["class_type"] == "VAEEncode")
    assert ours[encoded["inputs"]["pixels"][0]]["class_type"] == "AmodalCropToObject"
    links = [
        value[0]
        for node in ours.values()
        for value in node["inputs"].values()
        if isinstance(value, list)
    ]
    assert set(links) <= set(ours)


def test_another_workflow_than_an_edit_models_is_refused_by_its_node(line, settings, real_host):
    other = replace(settings, edit=str(workflow.STICKERS))
    with pytest.raises(BadInput, match="Decode the answer"):
        photographs.prompt_of(line, "edit", other)


def test_methods_without_their_nets_are_left_out_unless_they_were_asked_for(
    real_host, line, settings
):
    found, left_out = photographs.runnable(line, Namespace(methods=None), settings)
    assert tuple(found) == photographs.METHODS and left_out == photographs.BY_CHOICE
    with pytest.raises(BadInput, match="instruct-pix2pix-00-22000.safetensors"):
        photographs.runnable(line, Namespace(methods=["instruct"]), settings)
    with pytest.raises(BadInput, match="flux1-dev-kontext"):
        photographs.runnable(line, Namespace(methods=["edit"]), settings)


def test_on_stickers_the_table_says_that_there_is_no_such_net():
    assert "| removal by instruction | no such net for stickers | - |" in paper.table_1([])


# What fills the hole of removal


def removal_record(line, settings, fill: str | None, monkeypatch) -> dict:
    if fill:
        plain = photographs.methods.wire

        def wire(method, prompt):
            wiring = plain(method, prompt)
            prompt["lama"] = {"class_type": "TestValue", "inputs": {"name": "lama"}}
            wiring.inputs("remove")["inpaint_model"] = ["lama", 0]
            return wiring

        monkeypatch.setattr(photographs.methods, "wire", wire)
    return photographs.run(line, "removal", asdict(settings))


def test_removal_is_called_by_the_net_that_filled(host, line, settings, monkeypatch):
    """spandrel's LaMa with random weights, as Load Inpaint Model gives it."""
    from spandrel.architectures.LaMa import LaMa

    torch.manual_seed(0)
    loaders = sys.modules[host.pack["AmodalLoadInpaintModel"].__module__]
    inprocess.VALUES["lama"] = loaders.described(LaMa(in_nc=4, out_nc=3).state_dict(), "lama.pt")
    plain = removal_record(line, settings, None, monkeypatch)
    net = removal_record(line, settings, "lama", monkeypatch)
    assert (plain["fill"], net["fill"]) == ("smooth", "LaMa")
    assert claims.title("removal", [net]) == "LaMa"
    assert "smooth fill, no net" in claims.title("removal", [plain])
    assert claims.title("removal", [net, plain]).startswith("LaMa / removal inpainting alone")


class Named:
    def __init__(self, name=None):
        self.model = torch.nn.Identity()
        if name:
            self.architecture = type("Architecture", (), {"name": name})


@pytest.mark.parametrize(
    "model, name", [(Named("MAT"), "MAT"), (Named(), "Identity"), (torch.nn.Conv2d(1, 1, 1),) * 2]
)
def test_nets_of_other_packs_have_a_name(model, name):
    assert removers.name_of(model) == (name if isinstance(name, str) else "Conv2d")


def test_records_of_before_have_the_plain_title():
    assert claims.title("removal", [{"method": "removal"}]) == removers.UNKNOWN
    failed = {"method": "removal", "fill": ""}
    assert claims.title("removal", [failed, {**failed, "fill": "LaMa"}]) == "LaMa"
