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
import sys
import time
from pathlib import Path

from .cells import CELLS, DOSES
from .methods import METHODS
from .runner import RULES, Task

ROOT = Path(__file__).resolve().parents[1]
K_CURVE = (1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 49)


def tasks(options) -> list[Task]:
    """Scene by scene, so that what is there after a while is balanced."""
    found = []
    for number in range(options.per_cell):
        for cell in options.cells:
            found += [
                Task(cell, number, method, options.seed, steps=options.steps)
                for method in options.methods
            ]
        for cell in DOSES if options.doses and number < options.doses else ():
            found += [
                Task(cell, number, method, options.seed, steps=options.steps)
                for method in ("without", "mixed")
            ]
        if number < options.ks:
            found += [
                Task("companion-hard", number, "mixed", options.seed, k * options.steps / 50,
                     options.steps)
                for k in K_CURVE
            ]
        if number < options.rules:
            found += [
                Task(cell, number, RULES, options.seed, steps=options.steps)
                for cell in ("companion-hard", "other-easy")
            ]
    return found


def work(queue, results, pictures: Path) -> None:
    """One worker: takes tasks until there are none."""
    import torch

    torch.set_num_threads(1)
    sys.argv = sys.argv[:1]
    from . import runner

    runner.host()
    for task in iter(queue.get, None):
        try:
            results.put(runner.run(task, pictures))
        except Exception as error:  # the evaluation goes on; the record says what happened
            results.put({"failed": f"{task.name}: {type(error).__name__}: {error}"})


def evaluate(options) -> list[dict]:
    """Runs what has not been run yet; returns all records."""
    path = options.out / "records.jsonl"
    wanted = {task.key: task for task in tasks(options)}
    records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    records = [record for record in records if record["key"] in wanted]
    todo = [task for key, task in wanted.items() if key not in {r["key"] for r in records}]
    if not todo:
        return records
    context = multiprocessing.get_context("spawn")
    queue, results = context.Queue(), context.Queue()
    for task in [*todo, *[None] * options.workers]:
        queue.put(task)
    workers = [
        context.Process(target=work, args=(queue, results, options.out / "pictures"), daemon=True)
        for _ in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    with open(path, "a") as file:
        for done in range(1, len(todo) + 1):
            record = results.get()
            if "failed" in record:
                print(f"\n{record['failed']}", flush=True)
                continue
            records.append(record)
            file.write(json.dumps(record) + "\n")
            file.flush()
            left = (time.monotonic() - began) / done * (len(todo) - done)
            if done % 10 == 0 or done == len(todo):
                print(f"{done} of {len(todo)}, {left / 60:.0f} min left", flush=True)
    for worker in workers:
        worker.join()
    return records


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
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "evaluation")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    records = evaluate(options)
    from . import report

    command = f"nox -s evaluate -- {words}".strip()
    report.write(records, options.out, command, str(datetime.date.today()))
    print(f"\n{options.out / 'evaluation.md'}")


if __name__ == "__main__":
    main()
