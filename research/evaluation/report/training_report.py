"""Training curves, and a contact sheet of random scenes completed by the shipped weights.

    nox -s curves -- --out output/training --scenes 30

Writes curves.png, completions.png and completions.txt. The curves come from the training's state in
.training/ if there is one, otherwise from research/training/curves.json. `--export` rewrites that
file from the state.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.core.text import encodable, write_text

from ...training import curves
from .. import runner
from ..runner import Task
from ..scenarios import CELLS
from . import sheets
from .stories import line

SEED = 9  # other scenes than those of the evaluation


def complete(count: int, out: Path) -> None:
    """Completes `count` scenes with the shipped workflow, one of each cell in turn."""
    records = []
    for at, cell in zip(range(count), itertools.cycle(CELLS)):
        task = Task(cell, at // len(CELLS), "mixed", SEED)
        records.append(runner.run(task, out / "pictures"))
        print(line(records[-1]), flush=True)
        write(records, out)
    print(summary(records))


def write(records: list[dict], out: Path) -> None:
    """Writes the sheet and the figures so far, so that an interrupted run leaves both."""
    lines = [line(record) for record in records]
    write_text(out / "completions.txt", "\n".join([summary(records), "", *lines]) + "\n")
    names = [out / "pictures" / f"{sheets.task_of(record).name}.webp" for record in records]
    strips = [(words, Image.open(name).convert("RGB")) for words, name in zip(lines, names)]
    sheets.draw_strips(strips, out / "completions.png", "Random scenes")


def summary(records: list[dict]) -> str:
    """Mean, median and worst of every figure."""
    lines = [f"{'':14}   mean median  worst"]
    for name in ("amodal_iou", "occluded_iou", "mask_k", "colour", "perceptual", "spurious"):
        values = np.array([record[name] for record in records if name in record])
        if len(values):
            worst = (
                values.min() if name in ("amodal_iou", "occluded_iou", "mask_k") else values.max()
            )
            lines.append(f"{name:14} {values.mean():6.3f} {np.median(values):6.3f} {worst:6.3f}")
    good = sum(record["success"] for record in records)
    return "\n".join([f"{good} of {len(records)} are successes", *lines])


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="nox -s curves --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=runner.ROOT / "output" / "training")
    parser.add_argument("--scenes", type=int, default=30, help="0 draws only the curves")
    parser.add_argument(
        "--export", action="store_true", help="rewrite research/training/curves.json"
    )
    options = parser.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)
    logs = curves.logs()
    if options.export:
        curves.export(logs)
    if logs:
        curves.draw(logs, options.out / "curves.png")
    if options.scenes:
        complete(options.scenes, options.out)
    print(encodable(f"The pictures are in {options.out}"))
