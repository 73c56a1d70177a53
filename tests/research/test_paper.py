"""`nox -s paper`: its report of known records, and a small run."""

import json

import numpy as np
import pytest
from PIL import Image

from research import records
from research.evaluation import methods, outside_scenes, runner
from research.evaluation.report import claims, paper


def made_up(success) -> list[dict]:
    """A record of every task of a small plan; success(method, cell, k, number) says how it went."""
    options = paper.parser().parse_args(["--per-cell", "24", "--sweep", "24", "--steps", "50"])
    found = []
    for task in paper.tasks(options):
        right = success(task.method, task.cell, task.k, task.number)
        record = {
            "key": task.key("x"),
            **task.__dict__,
            "success": right,
            "spurious": 0.0 if right else 0.5,
            "perceptual": 0.1 if right else 0.3,
            "amodal_iou": 0.9,
            "occluded_iou": 0.8,
            "colour": 0.05,
        }
        if task.method == runner.RULES:
            record["rules"] = {
                name: 0.9 if name == "level 3" else 0.5 + task.number / 1000
                for name in paper.rules.RULES
            }
        found.append(record)
    return found


def as_the_paper(method, cell, k, number) -> bool:
    if method == "mixed" and k is not None:
        return 10 <= k <= 30
    if method.startswith("ground-"):
        return method == "ground-gray" or number % 3 == 0
    if method == "without":
        return cell.startswith("other") or number % 2 == 0
    return method == "mixed"


def test_records_like_the_papers_agree():
    held = claims.of_records(made_up(as_the_paper))
    verdicts = {(c.where, c.paper): c.verdict for c in held}
    assert len(verdicts) == 12
    chance = [c for c in held if c.verdict != "agrees"]
    assert [(c.where, c.gain) for c in chance] == [
        ("Table 2, occluder not top co-occurring", 0),  # mixed context over none: both succeed
    ]
    assert chance[0].verdict == "no difference, may be chance"


def test_records_of_the_contrary_do_not_agree():
    def contrary(*task):
        return not as_the_paper(*task)

    held = claims.of_records(made_up(contrary))
    assert all(c.verdict != "agrees" for c in held if not c.where.startswith("Figure 9"))
    assert [c.verdict for c in held].count("does not agree") == 8
    shares = {c.paper: c.gain for c in held if c.where.startswith("Table 2, occluder top")}
    assert shares["mixed context over none: +18 points"] == -0.5


def test_scenes_in_which_nothing_was_painted_have_no_mask_at_k():
    found = made_up(as_the_paper)
    of_rules = [record for record in found if record["method"] == runner.RULES]
    before = paper.levels(found), claims.layers(found)
    of_rules[0]["rules"] = {"modal": 0.1}
    after = paper.levels(found), claims.layers(found)
    assert set(after[0]) == set(before[0])
    assert f"{len(of_rules) - 1} scenes" in after[1][0].ours
    assert f"{len(of_rules)} scenes" in before[1][0].ours


def test_few_scenes_may_be_chance_and_no_scenes_are_not_measured():
    few = [r for r in made_up(as_the_paper) if r["number"] < 2]
    held = claims.of_records(few)
    assert {c.verdict for c in held if c.where.startswith("Table 2")} == {
        "same direction, may be chance",
        "no difference, may be chance",
    }
    assert {c.verdict for c in claims.of_records([])} == {"not measured"}


def test_only_scenes_that_both_have_are_compared():
    rows = made_up(as_the_paper)
    rows = [r for r in rows if not (r["method"] == "without" and r["number"] < 10)]
    held = {c.paper: c for c in claims.of_records(rows) if "top co-occ" in c.where}
    assert held["mixed context over none: +18 points"].ours.endswith("28 scenes")


def test_a_gain_where_the_paper_has_none_does_not_agree():
    def gaining(method, cell, k, number):
        return method == "mixed" or (method == "without" and number % 2 == 0)

    held = {c.where: c for c in claims.of_records(made_up(gaining)) if "over none" in c.paper}
    other, top = (held[f"Table 2, occluder {words}top co-occurring"] for words in ("not ", ""))
    assert "-2 points" in other.paper and other.verdict == "does not agree"
    assert "+18 points" in top.paper and top.verdict == "agrees"


def test_table_3_is_held_against_chance():
    def verdicts(accuracy, objects=100):
        rated = {"accuracy": accuracy, "precision": 0.8, "recall": 0.8}
        table = {"1": {"test": rated | {"accuracy": 0.1}}, "10": {"test": rated}}
        for figures in table.values():
            figures["objects"] = objects
        return [claim.verdict for claim in claims.of_curation(table)]

    assert verdicts(0.7) == ["agrees"]
    assert verdicts(0.3) == ["does not agree"]
    assert verdicts(0.75, 4) == ["same direction, may be chance"]
    assert claims.of_curation(None)[0].verdict == "not measured"


def test_the_report_holds_both_sides(tmp_path):
    (tmp_path / "curation").mkdir()
    (tmp_path / "curation" / "curation.md").write_text("# Table 3: counterfactual curation\n")
    options = paper.parser().parse_args(["--out", str(tmp_path)])
    paper.write(made_up(as_the_paper), {}, options, "command", "today")
    text = (tmp_path / "paper.md").read_text()
    assert "| theirs | 0.290 | 0.096 | 0.054 | 0.290 | 0.184 | 0.110 |" in text
    assert "| with mixed context | 88% | 100%" in text and "## Table 3" in text
    assert "| 20 | 24 | 100%" in text and "| gray | 24 | 100%" in text
    for name in ("figure_8_steps.png", "figure_8_backgrounds.png", "figure_9.png"):
        assert (tmp_path / name).stat().st_size > 5000 and name in text


@pytest.mark.slow
def test_a_small_run_writes_everything_and_resumes(tmp_path, real_host):
    results = tmp_path / "results"
    results.mkdir()
    for task in paper.scenes(paper.parser().parse_args(["--per-cell", "1"])):
        scene = outside_scenes.scene_of(task)
        rgba = np.dstack([scene.truth, scene.amodal()])
        pixels = (np.clip(rgba, 0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(results / f"{outside_scenes.name_of(task)}.png")
    words = [
        "--results",
        f"truth={results}",
        "--per-cell",
        "1",
        "--sweep",
        "1",
        "--objects",
        "4",
        "--trials",
        "1",
        "--steps",
        "4",
        "--counterfactuals",
        "1",
        "--workers",
        "0",
        "--out",
        str(tmp_path),
    ]
    paper.main(words)
    text = (tmp_path / "paper.md").read_text()
    for title in ("Table 1", "Table 2", "Table 3", "Figure 8, left", "Figure 8, right", "Figure 9"):
        assert f"## {title}" in text
    assert text.count("| truth (outside results) |") == 3
    assert "| removal inpainting alone (smooth fill, no net) |" in text
    assert str(tmp_path) not in text
    held = json.loads((tmp_path / "paper.json").read_text())
    assert len(held) == 13 and "not measured" not in {claim["verdict"] for claim in held}
    rows = records.read(tmp_path / "records.jsonl")
    assert {r["method"] for r in rows} == {
        *claims.RIVALS,
        *claims.TABLES,
        runner.RULES,
        *(f"ground-{name}" for name in methods.GROUNDS),
    }
    before = (tmp_path / "records.jsonl").read_bytes()
    options = paper.parser().parse_args(words)
    assert len(runner.run_all(paper.tasks(options), options)) == len(rows)
    assert (tmp_path / "records.jsonl").read_bytes() == before
    assert (tmp_path / "curation" / "thresholds.json").exists()
