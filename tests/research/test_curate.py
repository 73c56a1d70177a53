"""Fitting thresholds, Table 3, and the records from which an interrupted run resumes."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from amodal.core.errors import BadInput
from amodal.method import curation
from research import records
from research.evaluation import counterfactuals
from research.evaluation.report import best, curate

# --- thresholds --------------------------------------------------------------------------------


def test_fitted_thresholds_lie_in_the_middle_of_the_gap():
    gained = [0.0, 0.1, 0.2, 0.6, 0.9, 0.05]
    distance = [0.2, 0.2, 0.2, 0.2, 0.2, 0.0]
    complete = [True, True, True, False, False, False]
    found = curation.fit(gained, distance, complete)
    assert found.extension == pytest.approx(0.4) and found.border == pytest.approx(0.1)


def test_fitting_finds_the_best_there_is():
    rng = np.random.default_rng(2)
    gained, distance = rng.random(30), rng.random(30) / 2
    complete = list(gained + rng.normal(0, 0.2, 30) < 0.5)
    found = curation.fit(gained, distance, complete)

    def right(limits):
        said = [
            curation.decided(g, d, limits.extension, limits.border).complete
            for g, d in zip(gained, distance)
        ]
        return np.sum(np.equal(said, complete))

    tried = [curation.Thresholds(a, b) for a in rng.random(40) for b in rng.random(40) / 2]
    assert right(found) >= max(map(right, tried))


def test_one_class_alone_is_refused():
    with pytest.raises(BadInput, match="complete and incomplete"):
        curation.fit([0.1, 0.2], [0.1, 0.1], [True, True])


def test_thresholds_go_to_a_file_and_back(tmp_path):
    path = tmp_path / "mine.json"
    curation.write_thresholds(path, curation.Thresholds(0.3, 0.05), model="mine")
    assert curation.read_thresholds(path) == curation.Thresholds(0.3, 0.05)
    assert json.loads(path.read_text())["model"] == "mine"


@pytest.mark.parametrize(
    "text",
    ["{", "{}", '{"extension": "a", "border": 0}', "[1, 2]", '{"extension": -1, "border": 0.1}'],
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="thresholds.*bad.json"):
        curation.read_thresholds(path)


def test_shipped_thresholds_are_read_and_the_papers_extension_is_its_own():
    files = sorted(curation.SHIPPED.glob("*.json"))
    assert len(files) == 2
    assert all(curation.read_thresholds(path).extension > 0 for path in files)
    paper = curation.read_thresholds(curation.SHIPPED / "stable_diffusion_2.json")
    assert paper.extension == 0.2


# --- records -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_an_interrupted_run_resumes_and_failures_are_tried_again(tmp_path, capsys, workers):
    path = tmp_path / "records.jsonl"
    todo = {str(n): ([("twice", 2 * n)],) for n in range(6)} | {"3": (["three"],)}
    made = records.complete({k: todo[k] for k in "01"}, dict, path, workers, "")
    assert made["1"] == {"key": "1", "twice": 2}
    with open(path, "a") as file:
        file.write('{"key": "2", "tw')  # killed while writing
    made = records.complete(todo, dict, path, workers, "")
    assert sorted(made) == ["0", "1", "2", "4", "5"]
    assert "3: ValueError" in capsys.readouterr().out
    assert {r["key"] for r in records.read(path)[:2]} == {"0", "1"}
    assert len(records.read(path)) == 5


ODD_LINES = {
    "cut short": '{"key": "9", "tw',
    "doubled": '{"key": "0", "twice": 7}\n',
    "no object": "[1, 2]\n",
    "no key": '{"twice": 1}\n',
    "a key of another kind": '{"key": ["0"], "twice": 1}\n',
    "no JSON": "\x00\udcff nonsense\n",
    "an empty line": "\n\n",
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("odd", ODD_LINES)
def test_odd_lines_are_removed_and_each_task_has_one(tmp_path, odd, first):
    """Wherever they stand; a doubled line is the later one. What other tasks made stays."""
    path, todo = tmp_path / "records.jsonl", {str(n): ([("twice", 2 * n)],) for n in range(3)}
    records.complete({k: todo[k] for k in "01"}, dict, path, 0, "")
    before, line = path.read_bytes(), ODD_LINES[odd].encode("utf-8", "surrogateescape")
    front = first and odd != "doubled"
    path.write_bytes(line.rstrip(b"\n") + b"\n" + before if front else before + line)
    made = records.complete({"2": todo["2"]}, dict, path, 0, "")
    assert made == {"2": {"key": "2", "twice": 4}}
    lines = [json.loads(text) for text in path.read_bytes().splitlines()]
    assert lines == [{"key": str(n), "twice": 2 * n} for n in range(3)]


def test_a_file_in_use_is_refused_and_a_killed_user_does_not_block(tmp_path):
    script, pid_file = tmp_path / "killed.py", tmp_path / "worker"
    script.write_text(KILLED)
    path, todo = tmp_path / "records.jsonl", {"1": ([("twice", 2)],)}
    root = str(Path(records.__file__).parents[1])
    words = [sys.executable, script, pid_file, path]
    other = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": root})
    waited_for(lambda: pid_file.exists() and pid_file.read_text(), 60)
    with pytest.raises(BadInput, match="records.jsonl.*in use|in use.*records.jsonl"):
        records.complete(todo, dict, path, 0, "")
    other.kill()
    other.wait()
    assert records.complete(todo, dict, path, 0, "") == {"1": {"key": "1", "twice": 2}}


KILLED = """
import os, sys, time
from research import records

def work(path, title):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    records.complete({"0": (sys.argv[1], "")}, work, records.Path(sys.argv[2]), 1, "")
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    script, pid_file = tmp_path / "killed.py", tmp_path / "worker"
    script.write_text(KILLED)
    words = [sys.executable, script, pid_file, tmp_path / "records.jsonl"]
    root = str(Path(records.__file__).parents[1])
    parent = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": root})
    worker = int(waited_for(lambda: pid_file.exists() and pid_file.read_text(), 60))
    os.kill(worker, 0)
    parent.kill()
    parent.wait()
    assert waited_for(lambda: not alive(worker), 10)


def alive(process: int) -> bool:
    """True if it runs; a zombie does not."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def waited_for(found, seconds: float):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


# --- Table 3 -----------------------------------------------------------------------------------


def test_a_completion_is_complete_incomplete_or_neither():
    assert counterfactuals.labelled(0.0, 1.0) is True
    assert counterfactuals.labelled(0.3, 0.7) is False
    assert counterfactuals.labelled(0.1, 0.88) is None  # lacks a little
    assert counterfactuals.labelled(0.0, 0.5) is None  # whole, but with something added


def test_accuracy_precision_and_recall():
    said_complete = [0.1, 0.1, 0.1, 0.9]  # at a threshold of 0.5
    found = curate.rated(
        said_complete, [0.5] * 4, [True, True, False, True], curation.Thresholds(0.5, 0.0)
    )
    assert found == {
        "accuracy": 0.5,
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
    }
    none = curate.rated([0.9], [0.5], [True], curation.Thresholds(0.5, 0.0))
    assert none == {"accuracy": 0, "precision": 0, "recall": 0}


def test_more_counterfactuals_average_out_what_one_says():
    one = {"extensions": [1.0, 0.0, 0.2, 0.0], "distances": [0.0, 0.2, 0.2, 0.2]}
    group = [{"trials": [one], "complete": True}]
    assert curate.scores(group, 0, 1) == ([1.0], [0.0], [True])
    assert curate.scores(group, 0, 4) == ([pytest.approx(0.3)], [pytest.approx(0.15)], [True])


def test_objects_are_what_their_kind_says(tmp_path):
    for kind, complete in (("whole", True), ("cut", False)):
        at = counterfactuals.given(kind, 1, 101)
        record = counterfactuals.make(at.__dict__, str(tmp_path))
        rgba = np.asarray(Image.open(tmp_path / f"{at.name}.png"))
        scene = at.scene()
        mask = rgba[..., 3] > 127
        assert record["complete"] is complete and record["calls"] == 0
        assert mask.sum() == (scene.amodal_sheet().sum() if complete else scene.modal().sum())
        assert record["missing"] == pytest.approx(0 if complete else scene.hidden(), abs=1e-4)


@pytest.mark.slow
def test_the_command_measures_and_resumes(tmp_path, real_host):
    words = [
        "--objects",
        "4",
        "--trials",
        "1",
        "--counterfactuals",
        "2",
        "--steps",
        "6",
        "--made-steps",
        "10",
        "--workers",
        "0",
        "--out",
        str(tmp_path),
    ]
    curate.main(words)
    text = (tmp_path / "curation.md").read_text()
    assert "people (the paper's) | 0.83 | 0.75 | 0.99" in text
    assert "our rule, 2 counterfactuals" in text
    table = json.loads((tmp_path / "curation.json").read_text())
    assert set(table) == {"1", "2"}
    limits = curation.read_thresholds(tmp_path / "thresholds.json")
    assert limits.extension == pytest.approx(table["2"]["thresholds"]["extension"], abs=1e-4)
    kept = {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
    for record in records.read(tmp_path / "counterfactuals.jsonl"):
        assert record["calls"] == 6 and len(record["extensions"]) == 2
    curate.main(words)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.jsonl")} == kept


def test_results_of_known_measures():
    def objects(complete_grow, others_grow):
        return [
            {
                "complete": complete,
                "origin": {"kind": "whole" if complete else "cut"},
                "trials": [{"extensions": [grow], "distances": [0.2]}],
            }
            for complete, values in ((True, complete_grow), (False, others_grow))
            for grow in values
        ]

    found = {"validation": objects([0.1, 0.2], [0.5, 0.6]), "test": objects([0.1, 0.4], [0.3, 2.0])}
    table = curate.results(found, 1, 1)
    assert table[1]["validation"]["accuracy"] == 1 and table[1]["test"]["accuracy"] == 0.5
    assert table[1]["thresholds"]["extension"] == pytest.approx(0.35)
    options = argparse.Namespace(trials=1)
    text = curate.markdown(found, table, options)
    assert "| whole | 1 of 2 |" in text and "| cut | 1 of 2 |" in text


def test_the_best_by_score_lies_between_one_seed_and_the_oracle():
    def scene(*pairs):
        return [{"success": success, "score": score} for success, score in pairs]

    scenes = [
        scene((False, 0.2), (True, 0.9)),
        scene((True, 0.3), (False, 0.8)),
        scene((False, 0.1), (True, 0.5)),
        scene((False, 0.9), (True, 0.1)),
    ]
    found = best.outcome(scenes)
    assert found["one seed"] == [False, True, False, False]
    assert found["best by score"] == [True, False, True, False]
    assert found["oracle"] == [True] * 4
    assert "gains +25 points: 33% of the oracle's gain" in best.markdown(scenes, 2)


@pytest.mark.slow
def test_seeds_are_completed_judged_and_chosen(tmp_path, real_host):
    best.main(
        [
            "--scenes",
            "2",
            "--seeds",
            "2",
            "--counterfactuals",
            "1",
            "--steps",
            "6",
            "--workers",
            "0",
            "--out",
            str(tmp_path),
        ]
    )
    made = records.read(tmp_path / "objects.jsonl")
    assert len(made) == 4 and {r["origin"]["noise"] for r in made} == {1, 2}
    assert (tmp_path / "best.md").read_text().startswith("# Best of several seeds")
