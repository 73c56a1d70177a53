"""Datasets of pseudo-occluded objects: the node, and the workflow that shows the shipped one."""

import contextlib
import copy
import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from amodal.app import workflow
from amodal.core.errors import BadInput
from amodal.measures import dataset_item
from tools.host.inprocess import Failed

FIELDS = ("image", "modal_mask", "amodal_mask", "occluder_mask", "true_image")
FOLDERS = dataset_item.PICTURES + dataset_item.MASKS
LEVELS = ("easy", "hard")
BYTES = [  # of manifests that hold no item
    b"\xff\xfe\x00",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[]",
    b"3",
    b"null",
    b'{"hidden": NaN}',
    b'{"hidden": -Infinity}',
    b'{"hidden": 1e400}',
    b"9" * 10_000,
    b"\0" * 50,
    b"{}\n\n{}",
    "{}\u2028".encode(),
    b"{}",
]
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


@pytest.fixture
def spoilt(tmp_path) -> Path:
    """A copy of the shipped dataset, beside a picture and a dataset that are none of its own."""
    shutil.copytree(SHIPPED, tmp_path / "set")
    shutil.copytree(SHIPPED, tmp_path / "outside")
    return tmp_path / "set"


def first(folder: Path) -> dataset_item.Item:
    return dataset_item.read(folder, dataset_item.manifest(folder)[0])


def refused(folder: Path, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        first(folder)
    assert caught.value.input == "folder" and "nox -s dataset" in caught.value.remedy


@pytest.mark.parametrize("content", [None, *BYTES], ids=lambda content: ascii(content)[:20])
def test_any_bytes_may_be_the_manifest(spoilt, content):
    (spoilt / "manifest.jsonl").unlink()
    if content is not None:
        (spoilt / "manifest.jsonl").write_bytes(content)
    refused(spoilt, "manifest.jsonl")


@given(st.binary(max_size=40))
def test_random_bytes_are_no_manifest(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("set")
    (folder / "manifest.jsonl").write_bytes(content)
    with contextlib.suppress(BadInput, IndexError):  # no line at all is a dataset of no items
        first(folder)


@pytest.mark.parametrize("name", ["item", "category", "level", "hidden", "occluder"])
@pytest.mark.parametrize("value", [..., None, 3, [], {}, "", True, 1e300, 10**400], ids=str)
def test_an_entry_that_is_missing_or_of_another_type_is_named(spoilt, name, value):
    line = dataset_item.manifest(spoilt)[0]
    line = {key: kept for key, kept in line.items() if key != name or value is not ...}
    if value is not ...:
        line[name] = value
    (spoilt / "manifest.jsonl").write_text(json.dumps(line))
    refused(spoilt, f"no valid {name}")


@pytest.mark.parametrize(
    "item",
    ["../../outside/picture/easy-00000", "/etc/passwd", "..", "a/../../x", "a\0b", "x" * 5000],
)
def test_the_name_of_an_item_cannot_lead_outside(spoilt, item):
    if item.startswith("../.."):
        assert (spoilt / "picture" / f"{item}.png").resolve().is_file()  # there to be found
    line = dataset_item.manifest(spoilt)[0] | {"item": item}
    (spoilt / "manifest.jsonl").write_text(json.dumps(line))
    refused(spoilt, "leads out of the folder")


@pytest.mark.parametrize(
    "part", ["manifest.jsonl", *FOLDERS, *(f"{folder}/easy-00000.png" for folder in FOLDERS)]
)
def test_a_link_cannot_lead_outside(spoilt, part):
    path = spoilt / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(spoilt.parent / "outside" / part)
    assert path.exists()
    refused(spoilt, "no manifest" if part == "manifest.jsonl" else "leads out of the folder")
    path.unlink()
    path.symlink_to(path)  # a circle
    refused(spoilt, "no manifest" if part == "manifest.jsonl" else "leads out of the folder")


def test_a_link_within_the_dataset_is_read(spoilt):
    first_picture, second = (spoilt / "picture" / f"{level}-00000.png" for level in LEVELS)
    second.unlink()
    second.symlink_to(first_picture.name)
    item = dataset_item.read(spoilt, dataset_item.manifest(spoilt)[1])
    assert torch.equal(item.image, first(spoilt).image)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("part", ["manifest.jsonl", "picture/easy-00000.png"])
def test_a_pipe_is_refused_without_waiting(spoilt, part):
    (spoilt / part).unlink()
    os.mkfifo(spoilt / part)
    refused(spoilt, "no manifest.jsonl|is missing")


PICTURES = {
    "another size": lambda picture: picture.resize((64, 128)),
    "RGBA": lambda picture: picture.convert("RGBA"),
    "palette": lambda picture: picture.convert("P"),
    "16 bits": lambda picture: picture.convert("I").convert("I;16"),
    "1 bit": lambda picture: picture.convert("1"),
    "the other mode": lambda picture: picture.convert("L" if picture.mode == "RGB" else "RGB"),
}


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("change", PICTURES)
def test_a_picture_of_another_size_or_mode_is_named(spoilt, kind, change):
    path = spoilt / kind / "easy-00000.png"
    with Image.open(path) as picture:
        PICTURES[change](picture.copy()).save(path)
    refused(spoilt, "different sizes" if change == "another size" else f"{kind}/easy-00000.png")


def with_size(png: bytes, side: int) -> bytes:
    """The bytes of a PNG whose head promises another size."""
    head = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + head + struct.pack(">I", zlib.crc32(head)) + png[33:]


@pytest.mark.parametrize("side", [0, 20_000, 2**31 - 1])
@pytest.mark.parametrize("kind", ["truth", "occluder"])
def test_a_picture_of_no_or_too_many_pixels_is_named(spoilt, kind, side):
    path = spoilt / kind / "easy-00000.png"
    path.write_bytes(with_size(path.read_bytes(), side))
    refused(spoilt, f"{kind}/easy-00000.png")


@pytest.mark.parametrize("kind", ["picture", "modal"])
@pytest.mark.parametrize("content", ["", "cut", "text", "gif"])
def test_a_file_that_is_no_png_is_named(spoilt, kind, content):
    path = spoilt / kind / "easy-00000.png"
    whole = path.read_bytes()
    if content == "gif":
        Image.new("L", (128, 128)).save(path, "GIF")
    else:
        path.write_bytes({"": b"", "cut": whole[: len(whole) // 2], "text": b"x" * 99}[content])
    refused(spoilt, f"{kind}/easy-00000.png cannot be read")


def test_a_missing_folder_is_named(spoilt):
    shutil.rmtree(spoilt / "truth")
    refused(spoilt, "truth/easy-00000.png is missing")


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


@pytest.mark.parametrize(
    "name", ["elsewhere", "..", "/", "../../etc", f"x/../{SHIPPED.name}", "a\0b", "x" * 5000]
)
def test_other_folders_are_refused(host, graph, folder, name):
    with pytest.raises(Failed, match="Load Pseudo-Occluded Item.*folder.*nox -s dataset"):
        host.run(loaded(graph, folder=name))


def test_a_dataset_outside_comfyuis_folders_is_refused(host, graph, tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "set")
    with pytest.raises(Failed, match="not in ComfyUI's input or output folder"):
        host.run(loaded(graph, folder=str(tmp_path / "set")))


def test_a_link_out_of_comfyuis_folders_is_refused(host, graph, folder, tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "set")
    link = folder.with_name("linked")
    link.symlink_to(tmp_path / "set", target_is_directory=True)
    try:
        with pytest.raises(Failed, match="Load Pseudo-Occluded Item.*'folder'.*Remedy"):
            host.run(loaded(graph, folder="linked"))
    finally:
        link.unlink()


def test_a_label_of_a_lone_surrogate_can_be_shown(host, graph, folder):
    path = folder / "manifest.jsonl"
    path.write_text(json.dumps(dataset_item.manifest(folder)[0] | {"category": "\ud800"}))
    values = host.run(loaded(graph)).values
    assert values["label"] == "\\ud800" and "\\ud800 behind" in values["about"]


def test_the_viewer_runs_as_it_ships(host, folder):
    prompt = json.loads((workflow.FOLDER / "dataset_viewer.json").read_text())
    run = host.run(prompt)
    shown = {prompt[node]["_meta"]["title"]: out for node, out in run.ui.items() if node in prompt}
    pictures = {"Picture", "Truth", "Overlay", "Modal mask", "Amodal mask", "Occluder"}
    assert pictures - {"Overlay"} | {"About", "Visible and hidden part"} == set(shown)
    assert all(len(out["images"]) == 1 for title, out in shown.items() if title != "About")
    assert "behind" in str(shown["About"])
