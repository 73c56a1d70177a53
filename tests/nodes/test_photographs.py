"""workflows/amodal_completion.json: what it says where its models are missing, and its graph run.

Its models are several GB and come from elsewhere; so its graph runs here on small random ones, in
the published files' layouts, with the sticker world's checkpoint in the place of Stable Diffusion.
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

ROOT = Path(__file__).resolve().parents[2]
NAME = "amodal_completion.json"
LOADERS = {
    "CheckpointLoaderSimple": ["512-inpainting-ema.safetensors"],
    "AmodalLoadSegmenter": ["groundingdino_swint_ogc.pth", "vocab.txt", "sam_vit_h_4b8939.pth"],
    "AmodalLoadOrderModel": ["InstaOrder_InstaOrderNet_od.pth.tar"],
    "AmodalLoadInpaintModel": ["big-lama.pt"],
}


def test_loader_nodes_tell_the_editor_where_their_models_come_from():
    saved = json.loads((workflow.FOLDER.parent / NAME).read_text())
    said = {
        node["type"]: node["properties"]["models"]
        for node in saved["nodes"]
        if "models" in node["properties"]
    }
    assert {kind: [one["name"] for one in files] for kind, files in said.items()} == LOADERS
    for one in (one for files in said.values() for one in files):
        assert one["url"].startswith("https://")
        assert one["directory"] == pretrained.named(one["name"]).folder


def test_without_its_models_nothing_runs_and_each_is_told_with_its_remedy(host, prompt):
    with pytest.raises(Failed) as error:
        host.run(prompt)
    said = {
        details["class_type"]: " ".join(one["details"] for one in details["errors"])
        for details in error.value.details.values()
    }
    assert set(said) == set(LOADERS)  # and no other node is to blame
    for kind, files in LOADERS.items():
        assert files[0] in said[kind]
        if kind != "CheckpointLoaderSimple":  # that one is the host's
            one = pretrained.named(files[0])
            for word in (f"models/{one.folder}", one.size, one.url, "Remedy", one.without):
                assert word in said[kind]
    assert "sam_vit_h_4b8939.pth" in said["AmodalLoadSegmenter"]


def test_the_page_of_models_has_their_table():
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    section = text.split("## Where the files go")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    for one in pretrained.KNOWN:
        (row,) = [row for row in rows if f"`{one.file}`" in row]
        for word in (f"`{one.folder}`", one.size, one.licence, one.url, one.needed):
            assert word in row, (one.file, word)


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


def test_a_connection_would_be_noticed(no_network):
    with pytest.raises(OSError, match="the network was asked"):
        urllib.request.urlopen("http://192.0.2.1/", timeout=1)  # an address that nobody has
    assert len(no_network) == 1
    no_network.clear()


@pytest.mark.slow
def test_its_graph_runs_on_files_in_the_published_layouts(
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
    pick["mask"] = ["mask", 0]
    run = host.run(prompt)
    ran = set(run.executed_classes())
    assert set(LOADERS) - {"CheckpointLoaderSimple"} <= ran
    assert {"AmodalDetectObjects", "AmodalOrderObjects"} <= ran
    for folder in ("instaorder", "inpaint"):
        shutil.rmtree(models / folder)
