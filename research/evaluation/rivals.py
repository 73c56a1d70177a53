"""Rivals of Table 1 against the pack's method, on the same scenes.

    python -m research.evaluation.rivals --scenes 12

Records are kept in OUT as each run ends, so an interrupted run resumes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from amodal.batch import lines
from amodal.core.text import write_text
from amodal.measures import statistics

from . import methods, runner, scenarios

OUT = Path(".cache") / "rivals"
RIVALS = ("mixed", "sssd")


def completed(tasks: list[runner.Task], out: Path) -> list[dict]:
    """The records of the tasks, in order; those missing from `out` are run in this process."""
    path = out / "records.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {record["task"]: record for record in lines.read(path)}
    for task in tasks:
        if task.name in made:
            continue
        state = runner.state_of_code()
        record = {"task": task.name, **runner.run(task, out / "pictures", state)}
        made[task.name] = record
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
    return [made[task.name] for task in tasks]


def table(records: list[dict]) -> str:
    """Success and mean amodal IoU of each method, with 95 % intervals, for each kind of scene."""
    names = list(dict.fromkeys(record["method"] for record in records))
    titles = ["scenes", *(methods.METHODS[name] for name in names)]
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for cell, title in [*((c.name, c.title) for c in scenarios.CELLS.values()), (None, "all")]:
        group = [r for r in records if cell in (None, r["cell"])]
        cells = [figures([r for r in group if r["method"] == name]) for name in names]
        rows.append(f"| {' | '.join([title, *cells])} |")
    return "\n".join(rows)


def figures(records: list[dict]) -> str:
    if not records:
        return ""
    share = statistics.share([record["success"] for record in records])
    iou = statistics.mean([record["amodal_iou"] for record in records])
    return "{:.0%} ({:.0%} to {:.0%}), ".format(*share) + "{:.2f} ({:.2f} to {:.2f})".format(*iou)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=12, help="scenes of each kind")
    parser.add_argument("--methods", nargs="+", default=RIVALS)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    tasks = [
        runner.Task(cell, number, method)
        for number in range(options.scenes)
        for cell in scenarios.CELLS
        for method in options.methods
    ]
    text = table(completed(tasks, options.out))
    write_text(options.out / "rivals.md", text + "\n")
    print(text)


if __name__ == "__main__":
    main()
