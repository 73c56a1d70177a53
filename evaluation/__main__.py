"""Evaluate the pack in the sticker world.

    nox -s evaluate -- --per-cell 100 --methods mixed,without --out results/evaluation

Every finished scene is a line in OUT/records.jsonl; a second run goes on where the first stopped,
unless the weights have changed since.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import queue as queues
import sys
import time
from pathlib import Path

from . import runner, unseen
from .cells import CELLS, DOSES
from .methods import METHODS
from .records import read
from .robust import ROBUST
from .runner import ANALYSIS, RULES, Task, state_of_code

ROOT = Path(__file__).resolve().parents[1]
K_CURVE = (1, 5, 10, 15, 25, 30, 35, 40, 45, 49)  # of 50 steps; 20 is the shipped one


def tasks(options) -> list[Task]:
    """Scene by scene, so that what is there after a while is balanced."""
    found = []

    def add(cells, methods, k=None):
        for cell in cells:
            for method in methods:
                found.append(Task(cell, number, method, options.seed, k, options.steps))

    counts = ("per_cell", "doses", "ks", "rules", "robust", "unseen")
    for number in range(max(getattr(options, name) for name in counts)):
        if number < options.per_cell:
            add(options.cells, options.methods)
        if number < options.doses:
            add(DOSES, ("without", "mixed"))
        if number < options.ks:
            for k in K_CURVE:
                add(("companion-hard",), ("mixed",), max(1, round(k * options.steps / 50)))
        if number < options.rules:
            add(("companion-hard", "other-easy"), (RULES,))
        if number < options.robust:
            add(ROBUST, ("mixed", "ceiling"))
        if number < options.unseen:
            add(unseen.ART, (ANALYSIS,))
    return found


def evaluate(options) -> list[dict]:
    """Runs what has not been run yet; returns all records of this state of the code."""
    path, state = options.out / "records.jsonl", state_of_code()
    records = [record for record in read(path) if json.loads(record["key"])[0] == state]
    done = {record["key"] for record in records}
    todo = [task for task in tasks(options) if task.key(state) not in done]
    if not todo:
        return records
    context = multiprocessing.get_context("spawn")
    queue, results = context.Queue(), context.Queue()
    for task in [*todo, *[None] * options.workers]:
        queue.put(task)
    words = (queue, results, options.out / "pictures", state)
    workers = [
        context.Process(target=runner.work, args=words, daemon=True) for _ in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    with open(path, "a") as file:
        for number in range(1, len(todo) + 1):
            record = next_of(results, workers)
            if "failed" in record:
                print(record["failed"], flush=True)
                continue
            records.append(record)
            file.write(json.dumps(record) + "\n")
            file.flush()
            left = (time.monotonic() - began) / number * (len(todo) - number)
            if number % 10 == 0 or number == len(todo):
                print(f"{number} of {len(todo)}, {left / 60:.0f} min left", flush=True)
    return records


def next_of(results, workers) -> dict:
    """The next result; SystemExit where a worker has died, whose task would never come."""
    while True:
        try:
            return results.get(timeout=5)
        except queues.Empty:
            if any(worker.exitcode not in (None, 0) for worker in workers):
                raise SystemExit(
                    "a worker has died (memory?); start again to go on, with fewer --workers"
                ) from None


def names(known: dict):
    def parse(text: str) -> list[str]:
        found = text.split(",")
        for name in found:
            if name not in known:
                raise argparse.ArgumentTypeError(f"'{name}': use {', '.join(known)}")
        return found

    return parse


def main() -> None:
    words = " ".join(sys.argv[1:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--per-cell", type=int, default=100, help="scenes of each cell")
    parser.add_argument("--seed", type=int, default=0, help="of the scenes")
    parser.add_argument("--steps", type=int, default=50, help="N; k follows")
    parser.add_argument("--cells", type=names(CELLS), default=list(CELLS))
    parser.add_argument("--methods", type=names(METHODS), default=list(METHODS))
    parser.add_argument("--doses", type=int, default=0, help="scenes a point of the dose curve")
    parser.add_argument("--ks", type=int, default=0, help="scenes a point of the k curve")
    parser.add_argument("--rules", type=int, default=0, help="scenes for the rules for M^k")
    parser.add_argument("--robust", type=int, default=0, help="scenes of each kind of hard scene")
    parser.add_argument("--unseen", type=int, default=0, help="scenes of each kind of art")
    parser.add_argument("--art", type=Path, help="where the packages with unseen art are unpacked")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "evaluation")
    options = parser.parse_args()
    if options.art:
        os.environ[unseen.FOLDER] = str(options.art.resolve())
    missing = [art.missing() for art in unseen.ART.values() if options.unseen and art.missing()]
    if missing:
        raise SystemExit("\n".join(missing))
    options.out.mkdir(parents=True, exist_ok=True)
    records = evaluate(options)
    from . import report

    command = f"nox -s evaluate -- {words}".strip()
    report.write(records, options.out, command, str(datetime.date.today()))
    print(f"\n{options.out / 'evaluation.md'}")


if __name__ == "__main__":
    main()
