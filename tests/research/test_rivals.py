"""The table of rivals: it follows from the published records, and reads the kept ones."""

from pathlib import Path

from amodal.batch import lines
from research.evaluation import instructed, methods, rivals, scenarios, sssd

RESULTS = Path(rivals.KEPT).parents[1]


def test_the_kept_records_are_of_the_same_scenes_for_each_method():
    found = rivals.kept(3)
    scenes = {
        name: {(r["cell"], r["number"]) for r in found if r["method"] == name}
        for name in rivals.OTHERS
    }
    every = {(cell, number) for cell in scenarios.CELLS for number in range(3)}
    assert all(group == every for group in scenes.values())


def test_the_published_table_follows_from_the_published_records():
    records = lines.read(RESULTS / "rivals.jsonl")
    numbers = {record["number"] for record in records}
    assert {(r["cell"], r["number"]) for r in records} == {
        (cell, number) for cell in scenarios.CELLS for number in range(len(numbers))
    }
    made = rivals.table(rivals.kept(len(numbers)) + records)
    assert made in (RESULTS / "rivals.md").read_text(encoding="utf-8")
    assert methods.METHODS["sssd"] in made and len(made.splitlines()) == 3 + len(scenarios.CELLS)


def test_a_part_of_the_scenes_without_records_leaves_its_cell_empty():
    text = rivals.table([{"cell": "border", "method": "sssd", "success": True, "amodal_iou": 0.9}])
    assert text.splitlines()[2].endswith("|  | - |") and "100%" in text.splitlines()[6]


def test_the_table_says_that_no_net_on_stickers_removes_by_instruction():
    cells = [line.strip("| ").split(" | ") for line in rivals.table([]).splitlines()]
    assert cells[0][-1] == ": ".join(instructed.NOT_ON_STICKERS)
    assert {row[-1] for row in cells[2:]} == {"-"}  # and no number


def test_the_small_pair_is_small():
    for name in (sssd.MASKS, sssd.CONTENT):
        assert 1000 < (sssd.FOLDER / name).stat().st_size <= 2_000_000
