"""`python -m amodal complete` and `serve`, as processes, with a real ComfyUI."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
from graphs import node, toy
from PIL import Image

from amodal.app.host import ROOT
from amodal.app.workflow import STICKERS


@pytest.fixture
def amodal(running, tmp_path):
    """Runs the command line; returns (exit status, stdout + stderr)."""

    def run(*words, server=True):
        where = ["--server", running.url] if server else []
        done = subprocess.run(
            [sys.executable, "-m", "amodal", *map(str, words), *where],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ},
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def workflow(tmp_path):
    def write(status="completed"):
        place = tmp_path / "toy.json"
        place.write_text(json.dumps(toy(status)))
        return place

    return write


def test_writes_pictures_and_a_result(amodal, workflow, picture, mask, tmp_path):
    out = tmp_path / "out"
    status, said = amodal(
        "complete",
        picture,
        "--mask",
        mask,
        "--seed",
        5,
        "--prompt",
        "one {label}",
        "--workflow",
        workflow(),
        "--out",
        out,
    )
    assert status == 0, said
    result = json.loads((out / "result.json").read_text())
    assert result["status"] == "completed" and result["seed"] == 5
    assert result["statuses"] == ["completed"] and result["warnings"] == []
    assert result["passes"] == 5 and result["report"] == ["one dog"]
    assert result["workflow"] == "toy.json" and result["host"].startswith("ComfyUI 0")
    assert result["seconds"]["total"] >= sum(result["seconds"]["by_stage"].values()) - 0.01
    assert "AmodalSwapBackground" in result["seconds"]["by_stage"]
    assert np.array_equal(np.asarray(Image.open(out / "completed.png"))[30, 30], (200, 30, 30))
    seen = np.asarray(Image.open(out / "amodal_mask.png").convert("L"))
    assert np.array_equal(seen, np.asarray(Image.open(mask)))
    assert Image.open(out / "overlay.png").size == (128, 96)


def test_count_gives_a_folder_for_each_seed(amodal, workflow, picture, mask, tmp_path):
    out = tmp_path / "out"
    status, said = amodal(
        "complete",
        picture,
        "--mask",
        mask,
        "--seed",
        8,
        "--count",
        3,
        "--workflow",
        workflow(),
        "--out",
        out,
    )
    assert status == 0, said
    seeds = [json.loads((out / n / "result.json").read_text())["seed"] for n in "123"]
    assert seeds == [8, 9, 10]
    first, second = ((out / n / "completed.png").read_bytes() for n in "12")
    assert first != second


@pytest.mark.parametrize(
    "outcome, expected",
    [
        ("nothing to complete", 0),
        ("stopped at cap", 3),
        ("unchanged", 3),
    ],
)
def test_exit_status_follows_the_outcome(
    amodal, workflow, picture, mask, tmp_path, outcome, expected
):
    status, said = amodal(
        "complete",
        picture,
        "--mask",
        mask,
        "--workflow",
        workflow(outcome),
        "--out",
        tmp_path / "out",
    )
    assert status == expected, said
    assert json.loads((tmp_path / "out" / "result.json").read_text())["status"] == outcome


@pytest.mark.parametrize(
    "words, said",
    [
        (["nowhere.png"], "nowhere.png is not a file"),
        (["PICTURE", "--mask", "nowhere.png"], "nowhere.png is not a file"),
        (["PICTURE", "--point", "here"], "X,Y"),
        (["PICTURE", "--point", "1,1", "--object", "dog"], "not allowed with"),
        (["PICTURE", "--count", "0"], "1 or more"),
        (["PICTURE", "--workflow", "nowhere.json"], "nowhere.json cannot be read"),
    ],
)
def test_bad_input_is_status_2_with_a_remedy(amodal, picture, tmp_path, words, said):
    words = [picture if word == "PICTURE" else word for word in words]
    status, output = amodal("complete", *words, "--out", tmp_path / "out")
    assert status == 2 and said in output and "Traceback" not in output


def test_a_photograph_without_its_models_is_refused_with_what_is_missing(
    amodal, running, picture, tmp_path
):
    """The sticker models would find a teddy bear in a flower; they run by name alone."""
    if any((running.base / "models" / "sams").glob("*")):
        pytest.skip("this ComfyUI has models")
    out = tmp_path / "out"
    status, said = amodal("complete", picture, "--out", out)
    assert status == 2 and list(out.iterdir()) == []
    for words in (
        "amodal_completion lacks",
        "512-inpainting-ema.safetensors (models/checkpoints)",
        "sam_vit_h_4b8939.pth (models/sams)",
        "big-lama.pt (models/inpaint)",
        "docs/models.md",
        "--workflow",
        "--stickers",
    ):
        assert words in said


@pytest.mark.parametrize(
    "which", [["--stickers"], ["--workflow", "amodal_completion_stickers"]], ids=lambda w: w[0][2:]
)
def test_the_sticker_models_run_by_name_and_fail_with_a_status(amodal, picture, tmp_path, which):
    """Squares hold no sticker called zebra."""
    status, said = amodal("complete", picture, "--object", "zebra", *which, "--out", tmp_path / "o")
    assert status == 2 and "Pick Object" in said and "Remedy" in said


def test_a_workflow_and_the_sticker_models_exclude_each_other(amodal, picture, workflow, tmp_path):
    words = ("--stickers", "--workflow", workflow(), "--out", tmp_path / "o")
    status, said = amodal("complete", picture, *words)
    assert status == 2 and "not allowed with" in said


def test_a_black_mask_is_refused(amodal, picture, tmp_path):
    """A black mask of 64 x 64 is what Load Image gives for a picture without a mask."""
    Image.new("L", (64, 64)).save(tmp_path / "black.png")
    status, said = amodal(
        "complete", picture, "--mask", tmp_path / "black.png", "--out", tmp_path / "out"
    )
    assert status == 2 and "is black" in said and "visible pixels white" in said


def test_an_object_cannot_be_chosen_if_the_workflow_supplies_the_masks(amodal, picture, tmp_path):
    status, said = amodal(
        "complete",
        picture,
        "--object",
        "cat",
        "--out",
        tmp_path / "out",
        "--workflow",
        STICKERS.with_name("all_objects.json"),
    )
    assert status == 2 and "all_objects.json supplies the masks" in said


def test_a_workflow_without_a_status_stores_its_pictures(amodal, tmp_path, picture, mask):
    prompt = toy()
    del prompt["12"], prompt["13"], prompt["9"]
    prompt["14"] = node("SaveImage", "Side by side: picture", images=["6", 0], filename_prefix="c")
    place = tmp_path / "small.json"
    place.write_text(json.dumps(prompt))
    out = tmp_path / "out"
    status, said = amodal("complete", picture, "--mask", mask, "--workflow", place, "--out", out)
    assert status == 0 and "no node titled Status" in said
    files = ["amodal_mask.png", "completed.png", "side_by_side.png"]
    assert sorted(path.name for path in out.glob("*.png")) == files
    assert json.loads((out / "result.json").read_text())["files"] == files


def test_a_file_that_is_not_a_picture_or_folder_is_status_2(amodal, picture, tmp_path):
    words = tmp_path / "words.png"
    words.write_text("no picture")
    status, said = amodal("complete", words, "--out", tmp_path / "out")
    assert status == 2 and "words.png is not a picture" in said and "Remedy" in said
    status, said = amodal("complete", picture, "--out", words)
    assert status == 2 and "words.png" in said and "Traceback" not in said


def test_files_of_an_earlier_completion_are_removed(amodal, workflow, picture, mask, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("result.json", "pass_1.png", "pass_12.png", "hides_2.png", "completed.png"):
        (out / name).write_text("old")
    (out / "notes.txt").write_text("mine")
    status, said = amodal(
        "complete", picture, "--object", "dog", "--workflow", workflow(), "--out", out
    )
    assert status == 2, said
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_the_same_picture_is_stored_once(client, picture, running):
    names = {client.upload(picture) for _ in range(2)}
    assert len(names) == 1 and names.pop().startswith("amodal/")
    assert len(list((running.base / "input" / "amodal").glob("*squares.png"))) == 1


def test_bad_input_of_a_node_is_status_2_and_names_the_node(amodal, workflow, picture, tmp_path):
    """No mask and no detected objects: Pick Object cannot choose."""
    status, said = amodal(
        "complete",
        picture,
        "--object",
        "dog",
        "--workflow",
        workflow(),
        "--out",
        tmp_path / "out",
    )
    assert status == 2 and "Pick Object" in said and "Remedy" in said


def test_a_workflow_that_saves_nothing_is_refused(amodal, workflow, picture, mask, tmp_path):
    place = workflow()
    prompt = json.loads(place.read_text())
    del prompt["7"], prompt["8"], prompt["9"]
    place.write_text(json.dumps(prompt))
    status, said = amodal(
        "complete", picture, "--mask", mask, "--workflow", place, "--out", tmp_path / "out"
    )
    assert status == 2 and "saves no picture" in said and "Save Image" in said


def test_results_whose_files_are_gone_are_made_anew(
    amodal, workflow, picture, mask, running, tmp_path
):
    """The host has every node of the second run in its cache, but not the files they saved."""
    words = ("complete", picture, "--mask", mask, "--seed", 4711, "--workflow", workflow())
    assert amodal(*words, "--out", tmp_path / "a")[0] == 0
    for folder in ("output", "temp"):
        for file in (running.base / folder).rglob("*.png"):
            file.unlink()
    status, said = amodal(*words, "--out", tmp_path / "b")
    assert status == 0, said
    first, second = (json.loads((tmp_path / at / "result.json").read_text()) for at in "ab")
    assert first["files"] == second["files"] and second["messages"] == []
    for name in first["files"]:
        assert np.array_equal(*(np.asarray(Image.open(tmp_path / at / name)) for at in "ab"))


def test_no_host_at_the_address_is_status_3(amodal, picture, workflow, tmp_path):
    status, said = amodal(
        "complete",
        picture,
        "--workflow",
        workflow(),
        "--out",
        tmp_path / "out",
        "--server",
        "http://127.0.0.1:9",
        server=False,
    )
    assert status == 3 and "No ComfyUI answers" in said


@pytest.mark.slow
def test_the_readmes_command_starts_a_host_and_completes_the_cat(tmp_path):
    """The workflow with the sticker models, without a server, the object by name."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "amodal",
            "complete",
            "workflows/inputs/amodal_example_cat.png",
            "--object",
            "cat",
            "--stickers",
            "--out",
            str(tmp_path),
            "--quiet",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "completed" and result["passes"] >= 1
    assert [len(pair) for pair in result["offset"]] == [2]
    completed = np.asarray(Image.open(tmp_path / "completed.png"))
    assert completed.shape[2] == 4 and 0 < (completed[..., 3] > 127).mean() < 1
    assert {"amodal_mask.png", "overlay.png", "pass_1.png"} <= set(result["files"])


def test_serve_prints_its_address_turns_the_study_on_and_ends_when_interrupted(tmp_path):
    words = [sys.executable, "-u", "-m", "amodal", "serve", "--study"]
    words += ["--base", str(tmp_path)]
    # in a terminal, Ctrl+C interrupts the process; a test runner may ignore the signal
    heeds = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, **heeds) as served:
        try:
            line = next(line for line in served.stdout if "Ctrl+C" in line)
            address = re.search(r"http://127\.0\.0\.1:\d+", line)[0]
            with urllib.request.urlopen(f"{address}/object_info/AmodalLoopStart") as answer:
                assert "AmodalLoopStart" in json.load(answer)
            page = f"{address}/amodal/study/"
            assert page in served.stdout.readline()
            with urllib.request.urlopen(page) as answer:
                assert answer.status == 200 and b"User studies" in answer.read()
            served.send_signal(signal.SIGINT)
            assert served.wait(timeout=60) == 0
        finally:
            served.terminate()  # otherwise a failed test waits forever


def test_doctor_says_what_runs_and_what_each_other_workflow_lacks(amodal):
    status, said = amodal("doctor")
    assert status == 0, said
    runs, _, lacks = said.partition("\n\namodal_completion lacks")
    assert "ComfyUI 0" in runs and "free: memory" in runs
    assert "\n  amodal_completion_stickers\n" in runs
    assert "sam_vit_h_4b8939.pth (2.6 GB), into models/sams: https://" in lacks
