"""The evaluation's report of known records: comparisons, aims, stories, sheets."""

import argparse
import itertools

import numpy as np
import pytest

from research.evaluation import runner, scenarios
from research.evaluation.report import aims, commands, evaluate, sheets, stories, tables


def made_up(cell="companion-easy", method="mixed", number=0, **changes) -> dict:
    """A record of a perfect completion, with changes."""
    task = runner.Task(cell, number, method)
    record = {"key": task.key("x"), **vars(task), "word": "cat", "occluder": "yarn", "p": 0.95}
    record |= {
        "hidden_share": 0.3,
        "status": "completed",
        "warnings": "",
        "passes": 1,
        "report": "pass 1: well",
    }
    record |= {
        "amodal_iou": 1.0,
        "occluded_iou": 1.0,
        "colour": 0.0,
        "perceptual": 0.0,
        "spurious": 0.0,
    }
    record |= {"calls": 50, "seconds": 1.0, "mask_k": 0.9, "success": True}
    return record | changes


def series(hits: list[bool], **words) -> list[dict]:
    return [made_up(number=n, success=hit, **words) for n, hit in enumerate(hits)]


def test_paired_comparison_takes_the_scenes_both_have():
    rows = [
        {"cell": "border", "method": method, "k": None, "number": n, "success": n % 2 == hit}
        for (method, hit), n in itertools.product((("without", 1), ("mixed", 0)), range(10))
        if not (method == "mixed" and n == 9)
    ]
    found = tables.compared(rows, "border", "without", "mixed")
    assert found["n"] == 9 and found["gain"][0] == pytest.approx(1 / 9)


def test_the_main_table_weighs_every_scene_alike():
    records = [
        *series([True] * 3 + [False], amodal_iou=0.9),
        *series([False] * 4, method="without", amodal_iou=0.5),
        *series([False], cell="border", amodal_iou=0.4),
        *series([True], cell="border", method="without", amodal_iou=1.0),
    ]
    lines = tables.main_table(tables.table(records)).splitlines()
    assert lines[4] == "| scenes | without mixed context | with mixed context |"
    assert lines[6].endswith("| 0%, 0.50 | 75%, 0.90 |")
    assert lines[7].endswith("| 100%, 1.00 | 0%, 0.40 |")
    assert lines[8] == "| **all** | 20%, 0.60 | 60%, 0.80 |"


def aim(records, start: str) -> aims.Aim:
    (found,) = [a for a in aims.aims(records) if a.what.startswith(start)]
    return found


@pytest.mark.parametrize(
    "worst, others, all_reached, weakest_reached",
    [(7, 9, True, True), (7, 8, False, True), (6, 10, True, False)],
)
def test_success_over_all_kinds_and_in_the_weakest(worst, others, all_reached, weakest_reached):
    hits = dict.fromkeys(scenarios.CELLS, others) | {"other-hard": worst}
    records = [r for cell, n in hits.items() for r in series([i < n for i in range(10)], cell=cell)]
    assert aim(records, "success with mixed context, all 5").reached == all_reached
    weakest = aim(records, "success with mixed context, the weakest")
    assert weakest.reached == weakest_reached
    assert weakest.found == f"{worst / 10:.0%} (another object hides 50-80 %)"


def test_success_over_all_kinds_needs_all_kinds():
    assert not [a for a in aims.aims(series([True])) if "kind" in a.what]


def test_scenes_left_as_they_were_are_named():
    records = series([True, False, False])
    assert aim(records, "scenes left").found == "0 of 3"
    records[1] |= {"passes": 0, "word": "giraffe", "occluder": "elephant"}
    found = aim(records, "scenes left")
    assert not found.reached and found.found == "1 of 3: giraffe behind elephant"


@pytest.mark.parametrize("good, reached", [(9, True), (8, False)])
def test_the_share_of_the_oracle_is_that_of_the_same_scenes(good, reached):
    mixed = series([True] * good + [False] * (10 - good))
    ceiling = series([True] * 10 + [False] * 5, method="ceiling")  # of five more scenes
    found = aim(
        mixed + ceiling, "success with mixed context, its co-occurring occluder hides 20-50 %"
    )
    assert found.reached == reached
    assert found.found == f"{good / 10:.2f} ({good / 10:.0%} of 100%)"


@pytest.mark.parametrize("without, count, reached", [(0, 20, True), (17, 20, False), (3, 4, False)])
def test_the_gain_must_be_large_and_sure(without, count, reached):
    mixed = series([True] * count)
    plain = series([n < without for n in range(count)], method="without")
    assert aim(mixed + plain, "gain over no mixed context").reached == reached


def test_baselines_must_lie_below():
    mixed, plain = series([True] * 10), series([True] * 5 + [False] * 5, method="without")
    naive = [series([n < hits for n in range(10)], method="naive") for hits in (4, 6)]
    assert aim(mixed + plain + naive[0], "naive").reached
    assert not aim(mixed + plain + naive[1], "naive").reached
    removal = [series([n < hits for n in range(10)], method="removal") for hits in (8, 9)]
    assert aim(mixed + removal[0], "removal").reached
    assert not aim(mixed + removal[1], "removal").reached


@pytest.mark.parametrize(
    "hits, best, reached",
    [
        ((0, 9, 2), 20, True),
        ((9, 2, 1), 0, False),
        ((5, 9, 8), 20, False),  # by one or four scenes: may be chance
    ],
)
def test_the_k_curve_holds_the_shipped_k_and_none_on_the_same_scenes(hits, best, reached):
    records = series([n < hits[1] for n in range(9)], cell="companion-hard")
    records += series([n < hits[0] for n in range(9)], cell="companion-hard", method="without")
    records += [made_up("companion-hard", number=9)]  # on a scene without other k
    for k, good in ((5, 1), (40, hits[2])):
        records += series([n < good for n in range(9)], cell="companion-hard", k=k)
    rows = tables.k_rows(records, "companion-hard")
    assert {k: len(found) for k, found in rows.items()} == {0: 9, 5: 9, 20: 9, 40: 9}
    found = aim(records, "success against the step k")
    assert found.reached == reached and f" at {best};" in found.found
    assert [k for k, _ in sheets.k_points(records)["success"]] == [0, 5, 20, 40]


@pytest.mark.parametrize("last, reached", [(0.86, True), (0.895, False)])
def test_an_inner_peak_of_the_iou_is_tested_scene_by_scene(last, reached):
    """The shipped k is above the end on every scene, or above on some and below on others."""

    def at(level, **words):
        off = np.linspace(-0.02, 0.02, 9) if level == 0.895 else np.zeros(9)
        return [
            made_up("companion-hard", number=n, amodal_iou=level + off[n], **words)
            for n in range(9)
        ]

    records = [*at(0.9), *at(0.6, method="without"), *at(0.88, k=5), *at(last, k=49)]
    found = aim(records, "amodal IoU against the step k")
    assert found.reached == reached
    assert found.found.startswith(f"0.900 at 20; 0.600 at 0 (p 0.0039), {last:.3f} at 49 (p ")


def test_methods_are_compared_in_every_cell_and_in_all():
    records = series([True] * 4) + series([False] * 4, method="naive")
    records += series([True] * 4, cell="border") + series([True] * 4, cell="border", method="naive")
    rows = [line for line in tables.comparisons(records).splitlines() if "naive" in line]
    assert [line.split(" | ")[0] for line in rows] == [
        "| **all**",
        "| its co-occurring occluder hides 20-50 %",
        "| the border cuts off 20-50 %",
    ]
    assert "| 50% (" in rows[0] and "| 100% (" in rows[1] and "| 0% (" in rows[2]


def test_order_is_told_for_each_art_by_its_own_measure():
    rows = [
        made_up(
            art,
            runner.ANALYSIS,
            pairs=100,
            right=right,
            over=50,
            front=50,
            objects=[0.5],
            removal=0.01,
            background="plain",
        )
        for art, right in (("art-seen", 90), ("art-noto", 90))
    ]
    assert not aim(rows, "order network, the stickers").reached
    assert aim(rows, "order network, Noto's emoji").reached
    assert "90%" in tables.unseen_table(rows)


def test_warnings_of_enclosed_objects_are_counted():
    warned = [made_up("enclosed", number=n, warnings="enclosed") for n in range(9)]
    silent = [made_up("enclosed", number=n) for n in (9, 10)]
    assert aim(warned + silent[:1], "a warning says").reached
    assert not aim(warned + silent, "a warning says").reached
    words = stories.statuses(warned + silent)
    assert "completed (enclosed): 9, completed: 2" in words and "| 1: 11 |" in words


@pytest.mark.parametrize("passes, reached", [(2, True), (1, False)])
def test_two_layers_are_to_take_more_than_one_pass(passes, reached):
    assert aim([made_up("two-layers", passes=passes)], "more than one").reached == reached


def test_each_kind_of_failure_has_its_story():
    bad = {"success": False, "amodal_iou": 0.5}
    rows = [
        made_up(number=1, spurious=0.5, report="pass 1: hidden by yarn", **bad),
        made_up(number=2, occluded_iou=0.1, **bad),
        made_up(number=3, occluded_iou=0.1, success=False, amodal_iou=0),
        made_up(number=4),
        made_up(number=8, occluded_iou=0.8, success=False, amodal_iou=0.84),
        made_up(number=9, occluded_iou=0.8, success=False, amodal_iou=0.7),
        *(made_up(number=n, passes=0, occluded_iou=0.0, colour=1.0, **bad) for n in (5, 6, 7)),
    ]
    found = stories.failures(rows)
    assert {k: [r["number"] for r in v] for k, v in found.items()} == {
        "nothing was found to complete": [5, 6],
        "a spurious object": [1],
        "too little was completed": [3, 2],
        "nearly right": [8],
        "visible pixels are missing": [9],
    }
    words = stories.stories(rows)
    assert "**a spurious object**: cat behind yarn" in words and "  - pass 1: hidden by" in words


def test_kept_reports_link_the_pictures_where_they_are_kept():
    from research import keep_results

    assert keep_results.placed("cells.png", "evaluation") == "../../docs/images/evaluation.jpg"
    assert keep_results.placed("two-layers.png", "evaluation") == "evaluation/two-layers.jpg"
    assert keep_results.placed("k.png", "evaluation") == "evaluation/k.png"


def test_the_hundred_are_as_many_of_each_cell_as_they_come(tmp_path):
    from PIL import Image

    rows = [made_up(cell, number=n) for cell in scenarios.CELLS for n in range(3)]
    (tmp_path / "pictures").mkdir()
    for row in rows:
        path = tmp_path / "pictures" / f"{sheets.task_of(row).name}.webp"
        colour = (40 * row["number"], 50 * list(scenarios.CELLS).index(row["cell"]), 200)
        Image.new("RGB", (64, 16), colour).save(path, lossless=True)
    sheets.draw_hundred(rows, tmp_path, count=10)
    page = np.asarray(Image.open(tmp_path / "hundred.png"))
    shown = {tuple(c) for c in page.reshape(-1, 3) if c[2] == 200 and c[0] != 200}  # no letters
    assert shown == {(40 * n, 50 * c, 200) for n in (0, 1) for c in range(5)}


def test_a_report_gives_its_command_without_paths_of_this_machine():
    words = ["--per-cell", "20", "--out", "/there", "--art=/somewhere", "--workers", "2"]
    command = commands.for_report("nox -s evaluate --", words)
    assert command == "nox -s evaluate -- --per-cell 20 --art FOLDER"


def test_a_report_names_every_command_of_its_state_of_the_code(tmp_path):
    for day, (name, state) in enumerate(("a1", "b2", "c2", "a2", "b2")):  # b once more
        found = commands.history(tmp_path, name, f"day {day}, ", f"state {state}")
    wanted = ((2, "c"), (3, "a"), (4, "b"))
    assert found == [f"`{name}` on day {day}, state 2" for day, name in wanted]


def test_fewer_steps_give_no_step_twice_and_none_at_the_end():
    """Of 4 steps the shipped k is 1.6, which is sampled as 2."""
    options = argparse.Namespace(
        per_cell=0,
        doses=0,
        ks=2,
        rules=0,
        robust=0,
        unseen=0,
        seed=0,
        steps=4,
        cells=list(scenarios.CELLS),
        methods=["mixed"],
    )
    found = evaluate.tasks(options)
    assert len(found) == len(set(found))
    assert {task.k for task in found} == {None, 1, 3}  # None: the shipped one
    assert {task.method for task in found if task.k is None} == {"without", "mixed"}


def test_remarks_in_a_kept_report_stay():
    from research import keep_results

    kept = "# Evaluation\n\nOld.\n\nLooked at:\nall.\n\n## Aims\n\nold\n"
    found = keep_results.with_remarks(
        "# Evaluation\n\nNew.\n\n## Aims\n\nnew\n", keep_results.remarks(kept)
    )
    assert found == "# Evaluation\n\nNew.\n\nLooked at:\nall.\n\n## Aims\n\nnew\n"
    assert keep_results.remarks("# Evaluation\n\nNew.\n\n## Aims\n\nnew\n") == ""


def test_only_files_that_make_figures_are_in_the_digest(tmp_path):
    kept = {
        "amodal/core/canvas.py",
        "amodal/stickers/weights/vae.safetensors",
        "nodes/assembly/analysis.py",
        "workflows/api/a.json",
        "research/evaluation/figures.py",
    }
    left_out = {
        "amodal/app/cli.py",
        "amodal/measures/statistics.py",
        "amodal/study/votes.py",
        "amodal/method/thresholds/stickers.json",
        "amodal/core/notes.md",
        "research/evaluation/report/tables.py",
        "research/training/run.py",
    }
    for name in kept | left_out:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    found = runner.files_that_make_figures(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in found} == kept


def test_folders_of_the_digest_are_there():
    for folder in (*runner.MAKES_FIGURES, *runner.SHOWS_FIGURES):
        assert (runner.ROOT / folder).is_dir(), folder
    files = runner.files_that_make_figures()
    assert runner.ROOT / "research/evaluation/judge.safetensors" in files


def test_a_record_holds_one_status_and_its_warnings():
    values = {"status": "completed", "warnings": "enclosed", "passes": 2, "report": "pass 1"}
    assert runner.outcome_of({**values, "image": None}) == values
    assert runner.outcome_of(runner.failed(ValueError("no\nobject"))) == {
        "status": "failed",
        "warnings": "",
        "passes": 0,
        "report": "no object",
    }


def test_a_command_of_any_words_is_kept_once(tmp_path):
    """Names of files may hold bytes that are no text, which Python reads as lone surrogates."""
    for _ in range(2):
        lines = commands.history(tmp_path, "nox -s paper -- \udcff", "today, ", "seed 0")
        assert lines == ["`nox -s paper -- \\udcff` on today, seed 0"]
