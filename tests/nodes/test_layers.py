"""Scene Layers, Compose Layers and Save Layers in the real host, and with its own compositor."""

import errno
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from amodal.stickers.scenes import make_scene
from tools.host.inprocess import Failed

SEED = 31_000


def rounded(array) -> torch.Tensor:
    return (torch.as_tensor(array).float() * 255).round() / 255


@pytest.fixture(scope="module")
def scene():
    return make_scene(SEED, behind=1, background="plain")


def scene_layers(graph, scene, **changes):
    """The node on a scene's truth: three objects, each on a canvas of the whole sheet."""
    size, edge = scene.size, scene.size // 2
    objects = [rounded(layer.rgba)[None] for layer in scene.layers]
    modal = torch.stack([torch.from_numpy(scene.modal(i)) for i in range(len(objects))]).float()
    inputs = {
        "image": graph.value("picture", rounded(scene.image)[None]),
        "background": graph.value("plate", rounded(scene.window(scene.background_sheet))[None]),
        "objects": graph.add("TestEach", name=graph_list("objects", objects)),
        "modal_masks": graph.value("modal", modal),
        "x": graph.value("x", -edge),
        "y": graph.value("y", -edge),
        "names": graph.value("names", "\n".join(scene.words)),
    }
    assert size == 128
    return graph.add("AmodalSceneLayers", **{**inputs, **changes})


def graph_list(name, values):
    from tools.host import inprocess

    inprocess.VALUES[name] = values
    return name


def test_layers_give_the_picture_back_and_name_their_objects(host, graph, scene):
    made = scene_layers(graph, scene)
    graph.keep(layers=made[0], image=made[1], report=made[2])
    found = host.run(graph).values
    assert (found["image"][0] - rounded(scene.image)).abs().max() <= 1 / 255
    names = [layer["name"] for layer in found["layers"]["layers"]]
    assert names == ["background", *scene.words]
    assert [layer["z_index"] for layer in found["layers"]["layers"]] == [0, 1, 2, 3]
    assert found["layers"]["canvas"] == (128, 128)
    assert found["report"].splitlines()[0].startswith(f"1. {scene.words[-1]}: ")


def test_the_order_decides_what_lies_in_front(host, graph, scene):
    table = torch.full((3, 3), float("nan"))
    table[0, 1], table[1, 2] = 1, 1  # the other way round
    made = scene_layers(graph, scene, order=graph.value("order", table))
    graph.keep(layers=made[0])
    names = [layer["name"] for layer in host.run(graph).values["layers"]["layers"]]
    assert names == ["background", *scene.words[::-1]]


def test_a_layer_moved_away_shows_what_it_hid(host, graph, scene):
    made = scene_layers(graph, scene)
    moved = graph.add("AmodalComposeLayers", layers=made[0], layer="1", x=500, y=0)
    named = graph.add("AmodalComposeLayers", layers=made[0], layer=scene.words[-1], x=500, y=0)
    still = graph.add("AmodalComposeLayers", layers=made[0], layer="", x=500, y=0)
    graph.keep(moved=moved[0], layers=moved[1], named=named[0], still=still[0])
    found = host.run(graph).values
    picture, truth = rounded(scene.image), rounded(scene.truth)
    assert (found["still"][0] - picture).abs().max() <= 1 / 255
    hidden = torch.from_numpy(scene.amodal() & ~scene.modal())
    hidden &= torch.from_numpy(scene.window(scene.layers[scene.query].rgba)[..., 3] == 1)
    assert hidden.sum() > 100
    assert (found["moved"][0] - truth)[hidden].abs().max() <= 1.5 / 255
    assert torch.equal(found["moved"], found["named"])
    assert found["layers"]["layers"][-1]["x"] >= 400


def test_more_layers_than_the_compositor_takes_are_merged(host, graph):
    count, side = 60, 128
    modal, objects = torch.zeros(count, side, side), torch.zeros(count, side, side, 4)
    for number in range(count):
        y, x = 12 * (number // 10), 12 * (number % 10)
        length = 4 + number % 7
        modal[number, y : y + length, x : x + length] = 1
    picture = torch.rand(1, side, side, 3, generator=torch.Generator().manual_seed(0))
    objects = torch.cat([picture.expand(count, -1, -1, -1), modal[..., None]], -1)
    made = graph.add(
        "AmodalSceneLayers",
        image=graph.value("many", picture),
        background=graph.value("gray", picture * 0 + 0.5),
        objects=graph.value("batch", objects),
        modal_masks=graph.value("masks", modal),
        x=graph.value("zero", 0),
        y=graph.value("nil", 0),
    )
    graph.keep(layers=made[0], image=made[1], report=made[2])
    found = host.run(graph).values
    assert len(found["layers"]["layers"]) == 50
    assert torch.equal(found["image"], picture)
    last = found["report"].splitlines()[-1]
    assert "50 layers" in last and last.count("object") >= 11
    assert "object 1," in last and "object 7," not in last  # the smallest ones


@pytest.mark.parametrize(
    "change, named",
    [
        ({"modal_masks": torch.ones(2, 128, 128)}, "modal_masks"),
        ({"background": torch.zeros(1, 64, 128, 3)}, "background"),
        ({"image": torch.zeros(2, 128, 128, 3)}, "image"),
        ({"order": torch.zeros(2, 2)}, "order"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "-",
)
def test_what_does_not_fit_is_refused_by_name(host, graph, scene, change, named):
    changes = {name: graph.value(f"wrong {name}", value) for name, value in change.items()}
    graph.keep(layers=scene_layers(graph, scene, **changes)[0])
    with pytest.raises(Failed, match=f"Scene Layers.*{named}"):
        host.run(graph)


def test_layers_are_saved_for_editors(host, graph, scene):
    import folder_paths

    made = scene_layers(graph, scene)
    saved = graph.add(
        "AmodalSaveLayers", layers=made[0], filename_prefix="deep/scene", format="both"
    )
    graph.keep(files=saved[0])
    first = [Path(line) for line in host.run(graph).values["files"].splitlines()]
    assert [path.name for path in first] == [
        "scene_00001_.ora",
        *(f"scene_00001_layer_{number:02}.png" for number in range(4)),
        "scene_00001_layers.json",
    ]
    output = Path(folder_paths.get_output_directory())
    assert all(path.is_file() and path.is_relative_to(output / "deep") for path in first)
    assert not list((output / "deep").glob("*.part"))
    about = json.loads(first[-1].read_text("utf-8"))
    assert about["canvas"] == [128, 128]
    assert [entry["name"] for entry in about["layers"]] == ["background", *scene.words]
    with zipfile.ZipFile(first[0]) as archive:
        assert archive.testzip() is None
    host.forget()
    again = host.run(graph).values["files"].splitlines()
    assert Path(again[0]).name == "scene_00002_.ora" and first[0].exists()


@pytest.mark.parametrize(
    "prefix",
    ["../outside", "/etc/outside", "a/../../outside", "a" * 300, "a/" + "b" * 5000, "a\0b"],
)
def test_a_prefix_that_names_no_file_in_the_output_folder_is_refused(host, graph, scene, prefix):
    made = scene_layers(graph, scene)
    graph.add("AmodalSaveLayers", layers=made[0], filename_prefix=prefix, format="both")
    with pytest.raises(Failed, match="Save Layers.*filename_prefix.*no file that can be.*Remedy"):
        host.run(graph)


def test_a_full_disk_is_told_of(host, graph, scene, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    made = scene_layers(graph, scene)
    graph.add("AmodalSaveLayers", layers=made[0], filename_prefix="full", format="both")
    with pytest.raises(Failed, match="No space left on device.*Remedy"):
        host.run(graph)


def foreign(**changes) -> dict:
    """LAYERS as the host's own nodes make them."""
    item = {"type": "raster", "image": torch.full((1, 4, 4, 3), 0.25), "x": 1, "y": 2, **changes}
    back = {"type": "raster", "image": torch.ones(1, 8, 8, 3), "z_index": -1}
    return {"version": 1, "layers": [item, back], "canvas": (8, 8)}


def test_layers_of_other_nodes_are_composed(host, graph):
    mask = torch.zeros(1, 4, 4)
    mask[:, 0] = 1  # transparent
    made = graph.add(
        "AmodalComposeLayers",
        layers=graph.value("foreign", foreign(mask=mask)),
        layer="1",
        x=2,
        y=0,
    )
    graph.keep(image=made[0])
    expected = torch.ones(8, 8, 3)
    expected[3:6, 3:7] = 0.25
    assert torch.equal(host.run(graph).values["image"][0], expected)


@pytest.mark.parametrize(
    "change", [{"rotation": 30.0}, {"w": 9}, {"flip_h": True}, {"blend_mode": "multiply"}]
)
def test_what_only_the_compositor_can_do_is_refused(host, graph, change):
    made = graph.add(
        "AmodalComposeLayers", layers=graph.value("odd", foreign(**change)), layer="", x=0, y=0
    )
    graph.keep(image=made[0])
    with pytest.raises(Failed, match=f"{next(iter(change))}.*Image Compositor"):
        host.run(graph)


COMPOSITOR = """
import sys, torch
sys.path[:0] = [sys.argv[1]]
import comfy.options
from comfy.cli_args import args
args.cpu = True
from comfy_extras import nodes_compositor as host
layers, picture = torch.load(sys.argv[2], weights_only=True)
items = host.document_items(layers)
frames = host.expand_item_frames(items)
alphas = [host.frame_alpha(frame["tensor"], frame["mask"]) for frame in frames]
state = host.state_from_items(frames, host.document_canvas(layers))
made = host.composite_from_state([frame["tensor"] for frame in frames], state, alphas)
image, transparent = host.composite_outputs(made)
assert image.shape == picture.shape and not transparent.any(), image.shape
soft = torch.zeros(picture.shape[1:3], dtype=torch.bool)
for layer in layers["layers"]:
    page = torch.zeros(1000, 1000)
    alpha = layer["image"][0, ..., 3]
    y, x = layer["y"] + 400, layer["x"] + 400
    page[y : y + len(alpha), x : x + alpha.shape[1]] = alpha
    alpha = page[400:528, 400:528]
    soft |= (alpha > 0) & (alpha < 1)
steps = ((image[..., :3] * 255).round() - (picture * 255).round()).abs().amax(-1)[0]
print(int(steps[~soft].max()), int(steps.max()), float(steps[soft].mean()))
"""


def test_the_hosts_compositor_gives_the_picture_back(host, graph, scene, tmp_path):
    """Image Compositor of a newer host, which the variable AMODAL_COMFYUI names."""
    folder = Path(os.environ.get("AMODAL_COMFYUI", ""))
    if not (folder / "comfy_extras" / "nodes_compositor.py").is_file():
        pytest.skip("needs a host with Image Compositor (0.31 or newer) in AMODAL_COMFYUI")
    made = scene_layers(graph, scene, blend="Image Compositor")
    graph.keep(layers=made[0])
    layers = host.run(graph).values["layers"]
    torch.save((layers, rounded(scene.image)[None]), tmp_path / "layers.pt")
    command = [sys.executable, "-c", COMPOSITOR, str(folder), str(tmp_path / "layers.pt")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    hard, most, _ = map(float, ran.stdout.split()[-3:])
    assert hard == 0 and most <= 1
