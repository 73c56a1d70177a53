"""The published records give the published figures, and what is published can be read."""

import ast
import csv
import json
from pathlib import Path

import pytest

from amodal.stickers.closeness import Closeness
from research import keep_results
from research.evaluation import methods, scenarios, unseen_art
from research.evaluation.report import evaluation_report, paper, stories
from research.training import curves

RESULTS = keep_results.RESULTS
STATUSES = {
    "completed",
    "nothing to complete",
    "unchanged",
    "not found again",
    "stopped at cap",
    "failed",
}
TEXTS = (
    "cell",
    "method",
    "word",
    "occluder",
    "background",
    "status",
    "warnings",
    "report",
    "key",
    "fill",
)


def parsed(row: dict[str, str]) -> dict:
    """A record from a line of the CSV: empty fields are left out, but for k and the texts."""
    record = {"k": None}
    for name, text in row.items():
        if name in TEXTS:
            record[name] = text
        elif text:
            record[name] = ast.literal_eval(text)
    return record


@pytest.fixture(scope="module")
def records() -> list[dict]:
    with open(RESULTS / "evaluation" / "evaluation.csv", newline="") as file:
        return [parsed(row) for row in csv.DictReader(file)]


def test_the_published_figures_follow_from_the_published_records(records):
    made = json.loads(json.dumps(evaluation_report.figures(records)))
    assert made == json.loads((RESULTS / "evaluation" / "evaluation.json").read_text())


def test_published_records_are_of_known_cells_methods_and_statuses(records):
    assert {r["cell"] for r in records} <= {*scenarios.EVERY, *unseen_art.ART}
    runs = [r for r in records if r["method"] in methods.METHODS]
    assert len(runs) > 1000 and {r["status"] for r in runs} <= STATUSES
    told = {warning for r in runs for warning in r["warnings"].split(", ")}
    assert told <= {"", "enclosed", "nothing left to paint", "joined"}
    assert all(set(Closeness.__dataclass_fields__) <= set(r) for r in runs)
    assert any(stories.outcome(r) == "completed (enclosed)" for r in runs)


def test_published_claims_have_their_verdict():
    claims = json.loads((RESULTS / "paper" / "paper.json").read_text())
    assert len(claims) == 13 and all(claim["verdict"] for claim in claims)


def test_the_published_table_1_has_the_row_of_what_no_net_does_on_stickers():
    published = (RESULTS / "paper.md").read_text(encoding="utf-8").split("## Table ")[1]
    made = paper.table_1([]).splitlines()[-1]
    assert published.startswith("1: methods") and made in published.splitlines()
    assert "| SSSD, a small pair | 50-80 % |" in published  # the paper's other rival


def test_training_curves_are_published_beside_the_training():
    logs = json.loads(Path(curves.CURVES).read_text())
    assert set(logs) == set(curves.RUNS)
    assert all({"step", "minute"} <= set(entry) for log in logs.values() for entry in log)
