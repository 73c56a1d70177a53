"""Evaluate the pack in the sticker world.

    nox -s evaluate -- --per-cell 100 --methods mixed,without --out output/evaluation

Every finished scene is a line in OUT/records.jsonl. An interrupted evaluation resumes, unless the
weights or the code that produces the figures have changed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from pathlib import Path

from amodal.core.text import encodable

from ...records import read
from .. import runner, unseen_art
from ..hard_scenes import ROBUST
from ..methods import METHODS
from ..runner import ANALYSIS, RULES, Task, step_of
from ..scenarios import CELLS, DOSES
from . import commands, evaluation_report
from .tables import K_CURVE, SHIPPED_K


def tasks(options) -> list[Task]:
    """Scene by scene, so that the records are balanced at any time."""
    wanted = []

    def add(cells, methods, k=None):
        for cell in cells:
            for method in methods:
                wanted.append(Task(cell, number, method, options.seed, k, options.steps))

    shipped = round(SHIPPED_K * options.steps / 50)
    counts = ("per_cell", "doses", "ks", "rules", "robust", "unseen")
    for number in range(max(getattr(options, name) for name in counts)):
        if number < options.per_cell:
            add(options.cells, options.methods)
        if number < options.doses:
            add(DOSES, ("without", "mixed"))
        if number < options.ks:
            add(("companion-hard",), ("without", "mixed"))
            for k in {step_of(k, options.steps) for k in K_CURVE} - {shipped}:
                add(("companion-hard",), ("mixed",), k)
        if number < options.rules:
            add(("companion-hard", "other-easy"), (RULES,))
        if number < options.robust:
            add(ROBUST, ("mixed", "ceiling"))
        if number < options.unseen:
            add(unseen_art.ART, (ANALYSIS,))
    return list(dict.fromkeys(wanted))


def evaluate(options) -> tuple[list[dict], int]:
    """Runs the missing tasks; gives all records of this state of the code, seed and N.

    The second value is the number of tasks without a record, because they broke off.
    """
    wanted = tasks(options)
    missing = len(wanted) - len(runner.run_all(wanted, options))
    state = runner.state_of_code()
    return [
        r
        for r in read(options.out / "records.jsonl")
        if json.loads(r["key"])[0] == state
        and (r["seed"], r["steps"]) == (options.seed, options.steps)
    ], missing


def names(known: dict):
    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}': use {', '.join(known)}")
        return chosen

    return parse


def begun(options) -> list[str]:
    """This command and earlier ones whose records are in the report."""
    return commands.history(
        options.out,
        commands.for_report("nox -s evaluate --", sys.argv[1:]),
        f"{datetime.date.today()}, {commands.commit()}",
        f"state of the code {runner.state_of_code()}, seed {options.seed}, N = {options.steps}",
    )


def main() -> None:
    parser = commands.parser("nox -s evaluate --", __doc__, "evaluation")
    parser.add_argument("--per-cell", type=int, default=100, help="scenes of each cell")
    parser.add_argument("--steps", type=int, default=50, help="N; k follows")
    parser.add_argument("--cells", type=names(CELLS), default=list(CELLS))
    parser.add_argument("--methods", type=names(METHODS), default=list(METHODS))
    parser.add_argument(
        "--doses", type=int, default=0, help="scenes for each point of the co-occurrence curve"
    )
    parser.add_argument(
        "--ks", type=int, default=0, help="scenes for each point of the curve over k"
    )
    parser.add_argument(
        "--rules", type=int, default=0, help="scenes to compare the rules for M^k on"
    )
    parser.add_argument("--robust", type=int, default=0, help="scenes of each kind of hard scene")
    parser.add_argument("--unseen", type=int, default=0, help="scenes of each source of art")
    parser.add_argument("--art", type=Path, help="folder with the unpacked packages of unseen art")
    options = parser.parse_args()
    if options.art:
        os.environ[unseen_art.FOLDER] = str(options.art.resolve())
    missing = [art.missing() for art in unseen_art.ART.values() if options.unseen and art.missing()]
    if missing:
        raise SystemExit("\n".join(missing))
    options.out.mkdir(parents=True, exist_ok=True)
    about = "; ".join(begun(options))
    records, missing = evaluate(options)
    if missing:
        about += f"; {missing} scenes broke off and are not included"
    evaluation_report.write(records, options.out, about)
    print(encodable(f"\n{options.out / 'evaluation.md'}"))


if __name__ == "__main__":
    main()
