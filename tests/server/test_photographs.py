"""`nox -s photographs`, on the embedded models: pictures, statuses, seconds and memory."""

import json
import shutil

import pytest

from amodal.app import workflow
from tools.photographs import __main__ as photographs

INPUTS = workflow.FOLDER.parent / "inputs"
STICKERS = "amodal_completion_stickers"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "photographs"
    place.mkdir()
    shutil.copy(INPUTS / "amodal_example_cat.png", place / "a cat.png")
    (place / "broken.jpg").write_bytes(b"no picture")
    (place / "notes.txt").write_text("not looked at")
    return place


def run(running, folder, out, *words):
    options = [str(folder), "--server", running.url, "--out", str(out), *words]
    return photographs.main(options)


@pytest.mark.slow
def test_each_photograph_has_a_row_and_a_failure_is_one_too(running, folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "records.jsonl").write_text('{"of": "an earlier run"}\n')
    assert run(running, folder, out, "--workflow", STICKERS, "--object", "cat") == 0
    lines = (out / "records.jsonl").read_text().splitlines()
    cat, broken = map(json.loads, lines)
    assert cat["status"] == "completed" and cat["seconds"] > 0.5
    assert cat["by_stage"]["AmodalSampleToStep"] > 0 and cat["peaks"]
    for file in (cat["picture"], cat["overlay"], cat["completed"]):
        assert (out / file).is_file()
    assert broken["status"] == "failed" and "broken.jpg" in broken["words"]
    report = (out / "report.md").read_text()
    assert "2 photographs: 1 completed, 1 failed" in report
    assert "| AmodalSampleToStep |" in report and "memory, GB at most" in report
    assert all(file in report for file in (cat["picture"], cat["overlay"], cat["completed"]))


def test_without_models_it_says_what_each_workflow_lacks(running, folder, tmp_path, capsys):
    assert run(running, folder, tmp_path / "out") == 2
    told = capsys.readouterr()
    assert "amodal_completion cannot run: it lacks" in told.out
    assert "sam_vit_h_4b8939.pth" in told.out and "doctor" in told.err


def test_a_folder_without_pictures_and_an_unknown_workflow_are_refused(running, folder, tmp_path):
    assert run(running, tmp_path, tmp_path / "out") == 2
    assert run(running, folder, tmp_path / "out", "--workflow", "nothing") == 2
