"""What the command line stores of a run: files by titles, state as data, no old files."""

import io
import json

import pytest

from amodal.app import headless, workflow
from amodal.app.client import Run
from amodal.app.run import Event

SHIPPED = sorted(workflow.STICKERS.parent.glob("*.json"))
TEXTS = dict.fromkeys(headless.TEXTS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_workflow_that_takes_a_picture_saves_something(path):
    prompt = workflow.load(path, dict)
    if path.stem == "dataset_viewer":
        pytest.skip("shows a data set, takes no picture")
    saved = headless.saved(prompt)
    assert saved and all(prompt[node]["class_type"] == "SaveImage" for node in saved.values())
    assert all(name == name.lower() and " " not in name for name in saved)
    savers = [i for i, node in prompt.items() if node["class_type"] == "SaveImage"]
    assert sorted(saved.values()) == sorted(savers)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_workflow_completes_the_chosen_object(path):
    """The object and the prompt that the file was saved with are replaced."""
    prompt = workflow.load(path, dict)
    if path.stem == "dataset_viewer":
        pytest.skip("shows a data set, takes no picture")
    filled = workflow.fill(prompt, "photo.png", words="llama", text="an old {label}", seed=77)
    painters = [n["inputs"] for n in filled.values() if n["class_type"] == "AmodalCompletion"]
    stages = workflow.titled(filled, "Prompt")
    assert painters or stages, "nothing takes the prompt"
    assert all(inputs["prompt"] == "an old {label}" for inputs in painters)
    assert stages is None or filled[stages]["inputs"]["string"] == "an old {label}"
    named = [
        n["inputs"]["words"]
        for n in filled.values()
        if n["class_type"] in ("AmodalPickObject", "AmodalCompletion")
    ]
    assert "llama" in named and all(name == "llama" or isinstance(name, list) for name in named)


def summary_of(status=(), blocked=(), **shown):
    """The summary of a run whose nodes with the titles of TEXTS showed these texts.

    status: None if the workflow has no node titled Status; () if that node did not run.
    """
    texts = {name: list(value) for name, value in {"status": status, **shown}.items() if value}
    run = Run("id", {name: [{"text": text}] for name, text in texts.items()}, {}, list(blocked))
    nodes = TEXTS | {name: name for name in texts}
    return headless.summary(run, {}, nodes if status is None else {**nodes, "status": "status"})


def completion(summary, files=("completed.png",)):
    return headless.Completion(summary, dict.fromkeys(files), [], [])


@pytest.mark.parametrize(
    "statuses, ok",
    [
        (["completed"], True),
        (["completed", "nothing to complete"], True),
        (["completed", "stopped at cap"], False),
        (["unchanged", "completed"], False),
        (["not found again"], False),
    ],
)
def test_all_of_several_objects_must_be_completed(statuses, ok):
    summary = summary_of(statuses)
    assert summary["status"] == "; ".join(statuses) and summary["statuses"] == statuses
    assert completion(summary).ok == ok and summary["messages"] == []


def test_a_status_must_be_one_of_the_codes():
    summary = summary_of(["completed: nothing hides it"])
    assert not completion(summary).ok
    (message,) = summary["messages"]
    assert "'completed: nothing hides it'" in message and "nothing to complete" in message


def test_warnings_and_offsets_have_one_entry_for_each_object():
    summary = summary_of(
        ["completed", "stopped at cap", "completed"],
        warnings=["", "enclosed, nothing left to paint", "enclosed"],
        offset=["-10,-16", "0,0", "no pair"],
    )
    assert summary["warnings"] == [[], ["enclosed", "nothing left to paint"], ["enclosed"]]
    assert summary["offset"] == [[-10, -16], [0, 0], None]


def test_rankings_and_labels_become_lists():
    """As Pick Best and Detect Objects write them; a label may be empty."""
    shown = summary_of(
        ["completed"], ranking=["2: score 0.81, fit 0.93\n1: score -0.20"], detected=["cat\n\nmug"]
    )
    assert shown["ranking"] == [(2, 0.81), (1, -0.2)] and shown["detected"] == ["cat", "", "mug"]
    assert summary_of()["ranking"] == summary_of()["detected"] == []


def test_a_run_that_detected_nothing_is_an_outcome_with_a_message():
    why = "No object was detected"
    for status in (None, ()):
        summary = summary_of(status, blocked=[why])
        assert summary["status"] == why and summary["messages"] == [why]
        assert summary["statuses"] == [] and not completion(summary).ok


def test_a_workflow_without_a_status_is_done_if_it_saved_pictures():
    summary = summary_of(None)
    assert summary["statuses"] is None and "no node titled Status" in summary["status"]
    assert completion(summary).ok and not completion(summary, ()).ok


def test_a_status_node_that_did_not_run_means_not_completed():
    summary = summary_of()
    assert summary["statuses"] == [] and summary["status"] == "not completed"
    assert not completion(summary).ok


def test_only_files_of_an_earlier_run_are_removed(tmp_path):
    for name in ("ranking.png", "completed_2.png", "pass_3.png", "mine.png"):
        (tmp_path / name).write_text("old")
    inside = tmp_path / "out"
    inside.mkdir()
    (inside / "six_seeds.png").write_text("old")
    listed = ["six_seeds.png", "../mine.png", "..", ""]  # no name may lead outside the folder
    (inside / "result.json").write_text(json.dumps({"files": listed}))
    headless.clear(inside)
    assert list(inside.iterdir()) == [] and (tmp_path / "mine.png").exists()
    (tmp_path / "result.json").write_text(json.dumps({"files": ["ranking.png", "completed_2.png"]}))
    headless.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.png", "out"]


@pytest.mark.parametrize(
    ("seconds", "files", "lacks", "cached"),
    [
        ({}, {}, None, True),  # nothing ran, nothing was shown
        ({"3": 0.1}, {}, None, False),
        ({}, {"completed.png": 1}, None, False),  # cached, and shown again
        ({}, {"completed.png": 1}, "7", True),  # of the passes, only the first was shown
        ({"7": 0.1}, {"completed.png": 1}, "7", False),  # a preview outside the loop
    ],
)
def test_a_run_is_repeated_only_if_the_cache_kept_pictures_back(seconds, files, lacks, cached):
    assert headless.is_cached(Run("id", seconds=seconds), files, lacks) is cached


def test_a_prompt_made_anew_differs_in_its_pictures_alone():
    prompt = workflow.load(workflow.STICKERS, dict)
    again = workflow.anew(prompt)
    changed = [node for node in prompt if again[node] != prompt[node]]
    assert changed and all(prompt[i]["class_type"].startswith("LoadImage") for i in changed)
    other = workflow.anew(prompt)
    assert all(other[node]["inputs"] != again[node]["inputs"] for node in changed)
    for node in changed:
        assert {**again[node]["inputs"], **prompt[node]["inputs"]} == again[node]["inputs"]


class Stream(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, terminal: bool):
        super().__init__()
        self.isatty = lambda: terminal


@pytest.mark.parametrize("terminal, quiet, shows", [(1, 0, True), (1, 1, False), (0, 0, False)])
def test_only_a_terminal_is_shown_a_progress_bar(monkeypatch, terminal, quiet, shows):
    stream = Stream(bool(terminal))
    monkeypatch.setattr("sys.stderr", stream)
    with headless.Bar("title", {}, bool(quiet)) as bar:
        for step in range(50):
            bar(Event("progress", {"value": step + 1, "max": 50, "node": "9"}, 0.0))
    assert ("title" in stream.getvalue()) is shows
    assert shows or stream.getvalue() == ""
