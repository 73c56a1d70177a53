"""What the command line makes of a run: files by titles, statuses, what old runs have left."""

import json

import pytest

from amodal.app import headless, workflow
from amodal.app.client import Run

SHIPPED = sorted(workflow.DEFAULT.parent.glob("*.json"))
TEXTS = dict.fromkeys(headless.TEXTS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_workflow_that_takes_a_picture_saves_something(path):
    prompt = workflow.load(path, dict)
    if path.stem == "dataset_viewer":
        pytest.skip("shows a data set, takes no picture")
    found = headless.saved(prompt)
    assert found and all(prompt[node]["class_type"] == "SaveImage" for node in found.values())
    assert all(name == name.lower() and " " not in name for name in found)
    kept = [n for n, one in prompt.items() if one["class_type"] == "SaveImage"]
    assert sorted(found.values()) == sorted(kept)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_workflow_completes_what_it_is_asked_for(path):
    """Nothing of its own picture is left: not its object's name, nor its prompt."""
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


def told(*statuses, node="12"):
    run = Run("id", outputs={"12": [{"text": list(statuses)}]} if statuses else {})
    return headless.summary(run, {}, TEXTS | {"status": node})


def completion(summary, files=("completed.png",)):
    return headless.Completion(summary, dict.fromkeys(files), [], [])


@pytest.mark.parametrize(
    "statuses, ok",
    [
        (["completed: nothing hides it"], True),
        (["completed", "nothing to complete"], True),
        (["completed", "stopped at cap: 6 passes"], False),
        (["unchanged", "completed"], False),
    ],
)
def test_all_of_several_objects_must_be_completed(statuses, ok):
    summary = told(*statuses)
    assert summary["status"] == "; ".join(statuses) and summary["statuses"] == statuses
    assert completion(summary).ok == ok


def test_a_workflow_that_does_not_tell_is_done_when_it_has_saved():
    summary = told(node=None)
    assert summary["statuses"] == [] and "no node titled Status" in summary["status"]
    assert completion(summary).ok and not completion(summary, ()).ok
    assert not completion(told()).ok  # it has such a node, which was not reached


def test_only_what_an_earlier_run_has_written_is_removed(tmp_path):
    for name in ("ranking.png", "completed_2.png", "pass_3.png", "mine.png"):
        (tmp_path / name).write_text("old")
    inside = tmp_path / "out"
    inside.mkdir()
    (inside / "six_seeds.png").write_text("old")
    listed = ["six_seeds.png", "../mine.png", "..", ""]  # a name must not lead out of the folder
    (inside / "result.json").write_text(json.dumps({"files": listed}))
    headless.clear(inside)
    assert list(inside.iterdir()) == [] and (tmp_path / "mine.png").exists()
    (tmp_path / "result.json").write_text(json.dumps({"files": ["ranking.png", "completed_2.png"]}))
    headless.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.png", "out"]
