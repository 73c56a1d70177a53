"""The evaluation's methods in the real host, and the report of their records."""

import csv
import json

import pytest

from research.evaluation import methods, runner
from research.evaluation.report import evaluation_report

pytestmark = pytest.mark.slow  # every method in the real host


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Every method on one scene, with four steps: the wiring, not the quality."""
    out = tmp_path_factory.mktemp("evaluation")
    tasks = [runner.Task("other-easy", 0, method, steps=4) for method in methods.METHODS]
    made = {task.method: runner.run(task, out / "pictures") for task in tasks}
    evaluation_report.write(list(made.values()), out, "`command` today")
    return out, made


def test_every_method_runs_to_an_outcome(records):
    for method, record in records[1].items():
        assert record["status"] != runner.FAILED, (method, record["report"])
        assert record["passes"] >= 1 and 0 <= record["amodal_iou"] <= 1
        assert ("mask_k" in record) == (
            "true" in method or method in ("mixed", "clusters", "release")
        )


def test_unet_calls_are_those_of_the_method(records):
    made = records[1]
    assert made["removal"]["calls"] == made["ceiling"]["calls"] == 0
    assert made["naive"]["calls"] == 4 and made["naive"]["passes"] == 1
    assert made["without"]["calls"] == 4 * made["without"]["passes"]
    assert made["mixed"]["calls"] == 5 * made["mixed"]["passes"]  # one for the features


def test_oracles_are_what_they_say(records):
    made = records[1]
    assert made["true-mask"]["mask_k"] == 1
    assert made["true-modal"]["amodal_iou"] > made["mixed"]["amodal_iou"]
    others = [record["amodal_iou"] for name, record in made.items() if "true" not in name]
    others.remove(made["ceiling"]["amodal_iou"])
    assert made["ceiling"]["amodal_iou"] > max(0.85, *others) and made["ceiling"]["success"]


def test_the_report_holds_what_was_measured(records):
    out, made = records
    found = json.loads((out / "evaluation.json").read_text())["cells"]["other-easy"]
    assert {m: found[m]["amodal_iou"][0] for m in made} == {m: made[m]["amodal_iou"] for m in made}
    text = (out / "evaluation.md").read_text()
    assert all(title in text for title in methods.METHODS.values())
    with open(out / "evaluation.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["report"] for row in rows] == [record["report"] for record in made.values()]
    assert len(list((out / "pictures").glob("*.webp"))) == len(made)
