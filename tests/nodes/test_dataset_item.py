"""Datasets of pseudo-occluded objects: the node, and the workflow that shows the shipped one."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch

from amodal.app import workflow
from amodal.core.errors import BadInput
from amodal.measures import dataset_item
from tools.host.inprocess import Failed

FIELDS = ("image", "modal_mask", "amodal_mask", "occluder_mask", "true_image")
SHIPPED = workflow.FOLDER.parent / "inputs" / "amodal_example_items"


@pytest.fixture
def folder(host) -> Path:
    """The shipped dataset in ComfyUI's input folder."""
    import folder_paths

    place = Path(folder_paths.get_input_directory()) / SHIPPED.name
    shutil.copytree(SHIPPED, place)
    yield place
    shutil.rmtree(place)


def test_the_shipped_items_agree_with_the_manifest():
    lines = dataset_item.manifest(SHIPPED)
    assert [line["level"] for line in lines] == ["easy", "hard"] * 2
    for line in lines:
        item = dataset_item.read(SHIPPED, line)
        assert item.image.shape == item.true_image.shape == (1, 128, 128, 3)
        hidden = 1 - float(item.modal_mask.sum() / item.amodal_mask.sum())
        assert hidden == pytest.approx(line["hidden"], abs=1e-3)
        assert torch.equal(item.modal_mask, item.amodal_mask * (1 - item.occluder_mask))
        same = (item.image == item.true_image).all(-1)
        assert same[item.occluder_mask == 0].float().mean() > 0.9
        assert f"{line['category']} behind {line['occluder']['category']}" in item.about()
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*.*")) < 400_000


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda folder: (folder / "manifest.jsonl").unlink(), "has no manifest.jsonl"),
        (lambda folder: (folder / "manifest.jsonl").write_text("{"), "an invalid manifest.jsonl"),
        (lambda folder: (folder / "manifest.jsonl").write_text("{}"), "lacks part of an item"),
        (lambda folder: shutil.rmtree(folder / "truth"), "lacks part of an item"),
    ],
)
def test_a_damaged_dataset_gives_an_error(tmp_path, spoil, said):
    folder = tmp_path / "set"
    shutil.copytree(SHIPPED, folder)
    spoil(folder)
    with pytest.raises(BadInput, match=said):
        dataset_item.read(folder, dataset_item.manifest(folder)[0])


def loaded(graph, **inputs):
    item = graph.add("AmodalLoadItem", **{"folder": SHIPPED.name, "index": 0, **inputs})
    names = (*FIELDS, "overlay", "label", "about")
    kept = {name: item[slot] for slot, name in enumerate(names)}
    return graph.keep(**kept, count=item[len(names)])


def test_the_node_gives_an_item_and_starts_over_after_the_last(host, graph, folder):
    lines = dataset_item.manifest(SHIPPED)
    values = host.run(loaded(graph, index=5)).values
    item = dataset_item.read(SHIPPED, lines[1])
    for name in FIELDS:
        assert torch.equal(values[name], getattr(item, name))
    assert (values["label"], values["count"]) == (lines[1]["category"], 4)
    assert values["about"] == item.about()
    occluded = (item.amodal_mask - item.modal_mask)[0] > 0
    red, green, _ = values["overlay"][0][occluded].mean(0) - item.image[0][occluded].mean(0)
    assert red > green


def test_the_node_reads_a_changed_dataset_again(host, graph, folder):
    prompt = loaded(graph).prompt

    def run():
        return host.run(copy.deepcopy(prompt))  # ComfyUI writes into a prompt

    assert run().values["count"] == 4
    assert "AmodalLoadItem" not in run().executed_classes()
    with open(folder / "manifest.jsonl", "a") as file:
        file.write((folder / "manifest.jsonl").read_text().splitlines()[0] + "\n")
    assert run().values["count"] == 5


@pytest.mark.parametrize("name", ["elsewhere", "..", "/", "../../etc"])
def test_other_folders_are_refused(host, graph, folder, name):
    with pytest.raises(Failed, match="Load Pseudo-Occluded Item.*folder.*nox -s dataset"):
        host.run(loaded(graph, folder=name))


def test_a_dataset_outside_comfyuis_folders_is_refused(host, graph, tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "set")
    with pytest.raises(Failed, match="not in ComfyUI's input or output folder"):
        host.run(loaded(graph, folder=str(tmp_path / "set")))


def test_the_viewer_runs_as_it_ships(host, folder):
    prompt = json.loads((workflow.FOLDER / "dataset_viewer.json").read_text())
    run = host.run(prompt)
    shown = {prompt[node]["_meta"]["title"]: out for node, out in run.ui.items() if node in prompt}
    pictures = {"Picture", "Truth", "Overlay", "Modal mask", "Amodal mask", "Occluder"}
    assert pictures - {"Overlay"} | {"About", "Visible and hidden part"} == set(shown)
    assert all(len(out["images"]) == 1 for title, out in shown.items() if title != "About")
    assert "behind" in str(shown["About"])
