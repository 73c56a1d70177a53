"""The workflow amodal_completion: its errors without its models, and a run of its graph.

Its models are files of several GB that are not part of the pack. Its graph runs here on small
random models in the layouts of the published files. The sticker checkpoint takes the place of
Stable Diffusion.
"""

import json
import shutil
import urllib.request
from pathlib import Path

import pytest
import torch
from model_files import small_models

from amodal.app import workflow
from amodal.models import pretrained
from tools.host.inprocess import Failed
from tools.workflows.drawings import editor_file

ROOT = Path(__file__).resolve().parents[2]
NAME = "amodal_completion.json"
LOADERS = {
    "CheckpointLoaderSimple": ["512-inpainting-ema.safetensors"],
    "AmodalLoadSegmenter": ["groundingdino_swint_ogc.pth", "vocab.txt", "sam_vit_h_4b8939.pth"],
    "AmodalLoadOrderModel": ["InstaOrder_InstaOrderNet_od.pth.tar"],
    "AmodalLoadInpaintModel": ["big-lama.pt"],
}


def test_loader_nodes_give_the_editor_the_addresses_of_their_models():
    saved = json.loads(editor_file(NAME.removesuffix(".json")).read_text())
    models_of = {
        node["type"]: node["properties"]["amodal_models"]
        for node in saved["nodes"]
        if "amodal_models" in node["properties"]
    }
    names = {kind: [file["name"] for file in files] for kind, files in models_of.items()}
    assert names == LOADERS
    for file in (file for files in models_of.values() for file in files):
        assert file["url"].startswith("https://")
        assert file["directory"] == pretrained.named(file["name"]).folder


def test_each_missing_model_is_an_error_with_its_remedy_and_nothing_runs(host, prompt):
    with pytest.raises(Failed) as error:
        host.run(prompt)
    messages = {
        details["class_type"]: " ".join(error["details"] for error in details["errors"])
        for details in error.value.details.values()
    }
    assert set(messages) == set(LOADERS)  # no other node has an error
    for kind, files in LOADERS.items():
        assert files[0] in messages[kind]
        if kind != "CheckpointLoaderSimple":  # that one belongs to the host
            file = pretrained.named(files[0])
            for word in (f"models/{file.folder}", file.size, file.url, "Remedy", file.without):
                assert word in messages[kind]
    assert "sam_vit_h_4b8939.pth" in messages["AmodalLoadSegmenter"]


def test_the_page_of_models_has_their_table():
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    section = text.split("## Where the files go")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    for known in pretrained.KNOWN:
        (row,) = [row for row in rows if f"`{known.file}`" in row]
        for word in (f"`{known.folder}`", known.size, known.licence, known.url, known.needed):
            assert word in row, (known.file, word)


def test_its_loaders_open_no_connection(host, prompt, models, monkeypatch, no_network):
    small_models(models, monkeypatch)
    loaders = {
        key: node
        for key, node in prompt.items()
        if node["class_type"] in LOADERS and node["class_type"] != "CheckpointLoaderSimple"
    }
    for key in [*loaders]:
        loaders[f"keep {key}"] = {
            "class_type": "TestKeep",
            "inputs": {"name": key, "value": [key, 0]},
        }
    run = host.run(loaders)
    assert len(run.values) == 3 and all(value is not None for value in run.values.values())
    for folder in ("instaorder", "inpaint"):
        shutil.rmtree(models / folder)


def test_the_no_network_fixture_notices_a_connection(no_network):
    with pytest.raises(OSError, match="the network was asked"):
        urllib.request.urlopen("http://192.0.2.1/", timeout=1)  # TEST-NET-1: unassigned
    assert len(no_network) == 1
    no_network.clear()


@pytest.mark.slow
def test_its_graph_runs_on_small_files_in_the_published_layouts(
    host,
    prompt,
    models,
    monkeypatch,
    no_network,
):
    small_models(models, monkeypatch)
    for node in prompt.values():
        if node["class_type"] == "CheckpointLoaderSimple":
            node.update(class_type="AmodalStickerCheckpoint", inputs={})
        if node["class_type"] == "AmodalLoadSegmenter":
            node["inputs"]["vocabulary"] = "cat, traffic light"
        for name, value in {"size": 128, "steps": 4, "k": 2.0, "max_passes": 1}.items():
            if name in node["inputs"] and not isinstance(node["inputs"][name], list):
                node["inputs"][name] = value
    pick = prompt[workflow.need(prompt, "Pick the object")]["inputs"]
    mask = torch.zeros(1, 128, 128)
    mask[:, 40:90, 30:80] = 1
    from tools.host.inprocess import VALUES

    VALUES["the object"] = mask
    prompt["mask"] = {"class_type": "TestValue", "inputs": {"name": "the object"}}
    pick["modal_mask"] = ["mask", 0]
    run = host.run(prompt)
    ran = set(run.executed_classes())
    assert set(LOADERS) - {"CheckpointLoaderSimple"} <= ran
    assert {"AmodalDetectObjects", "AmodalOrderObjects"} <= ran
    for folder in ("instaorder", "inpaint"):
        shutil.rmtree(models / folder)
