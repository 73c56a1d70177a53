"""`python -m amodal batch` with a real ComfyUI: objects, seeds, faults, and going on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from graphs import toy
from PIL import Image

from amodal.app import batch, completing, outcomes, template
from amodal.app import workflow as workflows
from amodal.app.client import Client
from amodal.app.host import ROOT, free_port
from amodal.app.run import RunError
from amodal.batch import manifest
from amodal.batch.faults import WorkerLost
from amodal.batch.items import Item
from amodal.batch.places import place_of
from amodal.core.errors import BadInput


@pytest.fixture
def amodal(running):
    """Runs the command at a running ComfyUI; returns (exit status, stdout + stderr)."""

    def run(*words):
        done = subprocess.run(
            command(running.url, *words), capture_output=True, text=True, cwd=ROOT
        )
        return done.returncode, done.stdout + done.stderr

    return run


def command(url, *words):
    return [sys.executable, "-m", "amodal", "batch", *map(str, words), "--servers", url]


@pytest.fixture
def folder(tmp_path, picture, mask):
    """Two pictures with a mask each, and a file that is no picture."""
    place = tmp_path / "in"
    place.mkdir()
    for name in ("one", "two"):
        shutil.copy(picture, place / f"{name}.png")
        shutil.copy(mask, place / f"{name}_mask.png")
    (place / "wrong.png").write_text("no picture")
    (place / "wrong_mask.png").write_text("no mask")
    return place


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(toy()))
    return path


def rows(out) -> dict[str, dict]:
    records = list(manifest.records(place_of(out)))
    assert len({record["key"] for record in records}) == len(records)
    return {record["source"].rsplit("/", 1)[-1]: record for record in records}


def test_a_folder_with_masks(amodal, folder, graph, mask, tmp_path):
    out = tmp_path / "out"
    words = (folder, "--out", out, "--workflow", graph, "--objects", "masks", "--seed", 4)
    status, said = amodal(*words)
    assert status == 3 and "completed: 2" in said and "failed: 1 (bad input: 1)" in said
    made = rows(out)
    assert made["wrong.png"]["status"] == "failed" and "not a picture" in made["wrong.png"]["error"]
    assert made["one.png"]["status"] == "completed" and made["one.png"]["passes"] == 4
    for name in made["one.png"]["files"]:
        assert (out / name).is_file()
    kept = next(name for name in made["one.png"]["files"] if name.endswith("amodal_mask.png"))
    seen = np.asarray(Image.open(out / kept).convert("L"))
    assert np.array_equal(seen, np.asarray(Image.open(mask)))
    assert (out / "worst.jpg").is_file()
    changed = {path: path.stat().st_mtime_ns for path in out.rglob("completed.png")}
    assert len(changed) == 2
    status, said = amodal(*words)  # again: nothing is left to do
    assert status == 3 and "completed: 2" in said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("completed.png")} == changed


def test_a_manifest_with_seeds_one_after_the_other(amodal, folder, graph, tmp_path):
    """A workflow without a counter runs once for each seed; the row's seed comes first."""
    lines = [
        {"picture": "one.png", "mask": "one_mask.png", "seed": 9, "prompt": "an old {label}"},
        {"picture": "missing.png", "mask": "one_mask.png"},
    ]
    rows_file = folder / "rows.jsonl"
    rows_file.write_text("\n".join(map(json.dumps, lines)))
    out = tmp_path / "out"
    status, said = amodal(rows_file, "--out", out, "--workflow", graph, "--seeds", 2)
    made = rows(out)
    assert status == 3 and made["missing.png"]["reason"] == "bad input", said
    record = made["one.png"]
    assert record["statuses"] == ["completed", "completed"]
    about = json.loads((out / record["files"][0]).parents[1].joinpath("result.json").read_text())
    assert [run["seed"] for run in about["runs"]] == [9, 10]
    assert about["runs"][0]["report"] == ["an old dog"]
    first, second = (
        (out / name).read_bytes() for name in record["files"] if name.endswith("completed.png")
    )
    assert first != second


def test_ctrl_c_ends_in_seconds_and_the_same_command_goes_on(running, tmp_path, folder, graph):
    for number in range(60):
        for ending in (".png", "_mask.png"):
            shutil.copy(folder / f"one{ending}", folder / f"x{number:02d}{ending}")
    (folder / "wrong.png").unlink()
    out = tmp_path / "out"
    words = command(running.url, folder, "--out", out, "--workflow", graph, "--objects", "masks")
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    path, give_up = out / "journal" / "00000.jsonl", time.monotonic() + 100
    while not path.exists() or path.read_bytes().count(b"\n") < 5:
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.02)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 3 and time.monotonic() - began < 15
    assert "The same command goes on" in said
    assert 5 <= len(rows(out)) < 62
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and len(rows(out)) == 62, done.stderr


@pytest.mark.slow
def test_every_object_by_workers_of_its_own(tmp_path):
    """The shipped workflow with the embedded models; one of two ComfyUIs is killed meanwhile."""
    place, out = tmp_path / "in", tmp_path / "out"
    place.mkdir()
    shutil.copy(ROOT / "workflows" / "inputs" / "amodal_example_several.png", place / "several.png")
    words = [sys.executable, "-m", "amodal", "batch", place, "--out", out, "--stickers"]
    words += ["--objects", "all", "--workers", "2", "--threads", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.Popen([*map(str, words)], **pipes, text=True, cwd=ROOT)
    path, give_up = out / "journal" / "00000.jsonl", time.monotonic() + 400
    while not path.exists() or not path.read_bytes().count(b"\n"):
        assert done.poll() is None and time.monotonic() < give_up
        time.sleep(0.05)
    hosts = [
        process
        for process in psutil.Process(done.pid).children(recursive=True)
        if any(word.endswith("main.py") for word in process.cmdline())
    ]
    hosts[0].kill()
    said = done.communicate(timeout=400)[0]
    records = list(manifest.records(place_of(out)))
    assert records[0]["of"] == len(records) > 1, said
    assert {r["object"] for r in records} == {f"object {n + 1}" for n in range(len(records))}
    assert all(r["status"] in ("completed", "nothing to complete") for r in records), records
    assert done.returncode == 0 and "workers replaced: 1" in said, said


def test_what_a_workflow_cannot_do_is_said_before_anything_runs():
    stickers = workflows.load(workflows.STICKERS, dict)
    best = workflows.load(workflows.FOLDER / "best_of_seeds.json", dict)
    one_node = workflows.load(workflows.FOLDER / "amodal_one_node.json", dict)
    template.check(stickers, objects="all", seeds=3, best=False)
    template.check(best, objects=None, seeds=4, best=True)
    for prompt, options, word in [
        (stickers, {"objects": None, "seeds": 4, "best": True}, "best_of_seeds"),
        (best, {"objects": None, "seeds": 1, "best": True}, "--seeds"),
        (one_node, {"objects": "all", "seeds": 1, "best": False}, "Pick Object"),
    ]:
        with pytest.raises(BadInput, match=word):
            template.check(prompt, **options)


def test_less_memory_means_fewer_seeds_then_a_smaller_crop_then_nothing():
    prompt = workflows.load(workflows.FOLDER / "several_seeds.json", dict)
    job = completing.Job("nowhere", prompt, "w", seeds=6)
    words, less = (Item("p", "n").words_of(), "key", {}), []
    while found := completing.lighter(job, words):
        words, what = found
        less.append(what)
    assert less == ["3 seeds at once", "1 seeds at once", "smaller crop"]
    smaller = template.smaller(prompt)
    sizes = [node["inputs"]["size"] for node in smaller.values() if "size" in node["inputs"]]
    assert sizes == [96] and template.smaller(smaller) != smaller
    assert workflows.load(workflows.FOLDER / "several_seeds.json", dict) == prompt


def test_a_size_that_comes_by_a_link_stays():
    crop = {"1": {"class_type": "AmodalCropToObject", "inputs": {"size": ["2", 0]}}}
    assert template.smaller(crop) == crop


def test_a_host_that_ended_is_told_from_one_that_refuses(running):
    """A connection that a killed host breaks off looks like one that it hangs up on."""
    refusal = RunError("The host does not take 0.0 MB at once", kind="refused")
    prompt = workflows.load(workflows.STICKERS, dict)
    worker = completing.Completer(completing.Job("nowhere", prompt, "w"), running.url)
    with pytest.raises(BadInput, match="0.0 MB"):
        worker._of_failure(refusal)
    picked = RunError("nothing was detected", f"Pick ({workflows.titled(prompt, *template.PICK)})")
    picked.kind = "amodal.core.errors.BadInput"
    assert worker._of_failure(picked)["status"] == "not found"
    worker._client = Client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(WorkerLost):
        worker._of_failure(refusal)


def result(statuses, ranking=(), **more):
    about = {"messages": [], "passes": 2, "warnings": [[]], "files": ["completed.png"]}
    about |= {"status": "; ".join(statuses or []), "statuses": statuses, "ranking": ranking}
    return {**about, **more}


@pytest.mark.parametrize(
    "results, best, expected",
    [
        ([result(["completed", "unchanged"])], False, "unchanged"),
        ([result(["completed"]), result(["nothing to complete"])], False, "completed"),
        ([result(["nothing to complete"])], False, "nothing to complete"),
        ([result([], status="not found")], False, "not found"),
        ([result([])], False, "not completed"),
        ([result(None)], False, "completed"),
        ([result(None, files=[])], False, "not completed"),
        ([result(["unchanged", "completed"], [(2, 0.9), (1, 0.1)])], True, "completed"),
        ([result(["unchanged", "completed"], [(1, 0.9), (2, 0.1)])], True, "unchanged"),
        (
            [
                result(["unchanged", "unchanged"], [(1, 0.4), (2, 0.1)]),
                result(["completed", "unchanged"], [(1, 0.8), (2, 0.2)]),
            ],
            True,
            "completed",
        ),
    ],
)
def test_the_status_of_an_item_is_that_of_what_is_kept(results, best, expected):
    record = outcomes.record_of(results, best)
    assert record["status"] == expected
    kept = outcomes.kept_files(Path("out"), results, best)
    if best:
        assert kept == {"completed.png": Path("out") / str(len(results)) / "completed.png"}
        assert record["scores"] == sorted((s for r in results for _, s in r["ranking"]))[::-1]


@pytest.mark.parametrize(
    "message, kind",
    [
        ("Allocation on device", "torch.OutOfMemoryError"),
        ("CUDA out of memory. Tried to allocate", "RuntimeError"),
        ("DefaultCPUAllocator: can't allocate memory", "RuntimeError"),
    ],
)
def test_errors_of_memory_are_told_from_others(message, kind):
    assert completing.NO_MEMORY.search(f"{kind} {message}")
    assert not completing.NO_MEMORY.search("RuntimeError shapes do not fit")


@pytest.mark.parametrize(
    "words, size, shares",
    [
        (["--workers", "4"], 4, ["0", "1", "0", "1"]),
        (["--gpus-per-worker", "0.5"], 4, ["0", "0", "1", "1"]),
        (["--gpus-per-worker", "2"], 1, ["0,1"]),
        (["--gpus-per-worker", "0"], 2, [None, None]),
    ],
)
def test_local_workers_share_the_gpus(monkeypatch, words, size, shares):
    from amodal.app import cli

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    options = cli.parser().parse_args(["batch", "in", "--out", "out", *words])
    found = batch.environments(options, size)
    assert [one.get("CUDA_VISIBLE_DEVICES") for one in found] == shares
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert batch.gpus() == []


@pytest.mark.parametrize(
    "words, wrong",
    [
        (["--seeds", "0"], "seeds"),
        (["--workers", "0"], "workers"),
        (["--seed", "-1"], "seed"),
        (["--servers", "x", "--workers", "2"], "servers"),
        (["--workflow", "missing.json"], "workflow"),
        (["--gpus-per-worker", "-1"], "gpus-per-worker"),
        (["--stickers", "--best"], "best"),
        (["--stickers"], "source"),
    ],
)
def test_wrong_options_are_bad_input(capsys, tmp_path, words, wrong):
    from amodal.app import cli

    assert cli.main(["batch", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *words]) == 2
    assert f"input '{wrong}'" in capsys.readouterr().err
