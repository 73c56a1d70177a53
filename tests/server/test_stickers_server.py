"""The shipped workflow with the sticker models, over HTTP and websocket."""

import json

import numpy as np
import pytest
from PIL import Image

from amodal.app import headless, workflow
from amodal.app.client import RunError
from amodal.stickers.scenes import make_scene
from tools.host.browser import plain
from tools.workflows.drawings import editor_file

EDITOR = editor_file(workflow.STICKERS.stem)


@pytest.fixture
def filled(client, tmp_path):
    """Fills the shipped workflow with a scene's picture and its query's modal mask."""

    def fill(seed: int, **arguments) -> dict:
        scene = make_scene(seed, **arguments)
        Image.fromarray((scene.image * 255).round().astype(np.uint8)).save(tmp_path / "input.png")
        Image.fromarray(scene.modal().astype(np.uint8) * 255).save(tmp_path / "mask.png")
        picture, mask = (client.upload(tmp_path / name) for name in ("input.png", "mask.png"))
        return workflow.fill(workflow.load(workflow.STICKERS, dict), picture, mask=mask, seed=1)

    return fill


@pytest.fixture
def train(filled):
    return filled(0, query="train", occluder="other", hidden=(0.25, 0.4))


@pytest.fixture
def bus(filled):
    """Cut off by the border, so that there is something to paint whatever the models find."""
    return filled(7, query="bus", occluder=None, cut="right", hidden=(0.25, 0.4))


def test_both_formats_of_the_shipped_workflow_are_one_graph(client):
    api = workflow.load(workflow.STICKERS, dict)
    editor = workflow.load(EDITOR, lambda: client.get("/object_info"))
    assert len(api) > 40
    assert plain(editor) == plain(api)


def test_completes_and_shows_each_pass(client, train, tmp_path):
    done = headless.complete(client, train, tmp_path, {"seed": 1})
    result = json.loads((tmp_path / "result.json").read_text())
    assert done.ok and result["status"] == "completed", result
    assert result["passes"] == len(done.passes) >= 1
    assert len(result["report"]) == result["passes"] + 1
    assert result["report"][0].startswith("pass 1: hidden by cup")
    completed = np.asarray(Image.open(tmp_path / "completed.png"))
    mask = np.asarray(Image.open(tmp_path / "amodal_mask.png").convert("L"))
    assert completed.shape[2] == 4 and completed.shape[:2] == mask.shape
    assert np.array_equal(completed[..., 3] > 127, mask > 127)


def test_a_rerun_runs_nothing_and_another_seed_nothing_before_the_sampling(client, bus):
    client.run(bus)
    assert client.run(bus).seconds == {}
    seed = workflow.need(bus, "Seed")
    bus[seed]["inputs"]["value"] += 1
    first_pass = []

    def note(event):
        if event.kind == "executing" and "." not in (event.data.get("node") or "."):
            first_pass.append(bus[event.data["node"]]["class_type"])

    client.run(bus, note)
    assert "AmodalSampleToStep" in first_pass
    before = {"LoadImage", "AmodalDetectObjects", "AmodalCropToObject", "AmodalOrderObjects"}
    assert not before & set(first_pass)


@pytest.mark.parametrize("later", [False, True], ids=["in pass 1", "in pass 2"])
def test_cancel_in_mid_loop_stops_within_a_step_and_the_next_prompt_runs(client, bus, later):
    """The nodes of a later pass are clones, whose ids contain a dot."""
    bus[workflow.need(bus, "Seed")]["inputs"]["value"] = 77
    # Check Occlusion counts every side as touched, so that pass 2 paints too
    pad = bus[workflow.need(bus, "Pad If Touching (Amodal)")]
    bus["touching"] = {**pad, "inputs": {**pad["inputs"], "margin": 256}}
    check = bus[workflow.need(bus, "Check Occlusion (Amodal)")]
    check["inputs"]["padding"] = ["touching", 0]
    steps = []

    def cancel(event):
        ours = event.kind == "progress" and event.data["max"] >= 20
        if ours and ("." in event.data["node"]) == later:
            steps.append(event.data["value"])
            if len(steps) == 5:
                client.cancel(event.data["prompt_id"])

    with pytest.raises(RunError) as caught:
        client.run(bus, cancel)
    assert caught.value.kind == "interrupted"
    assert 5 <= len(steps) <= 7  # one or two steps run before the request arrives
    bus[workflow.need(bus, "Seed")]["inputs"]["value"] = 1
    assert client.run(bus).texts(workflow.need(bus, "Status"))
