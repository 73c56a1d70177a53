"""Training curves, and a contact sheet of random scenes completed by the shipped weights.

    python -m research.evaluation.training_report --out output/training [--scenes 30]

Writes curves.png, completions.png and completions.txt. The curves come from the training's own
state in .training/ where there is one, else from research/training/curves.json (`--export` rewrites that
file from the state).
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from research.evaluation import runner, sheets
from research.evaluation.runner import Task
from research.evaluation.scenarios import CELLS

from ..training.run import ROOT, STATE

CURVES = Path(__file__).with_name("curves.json")
RUNS = ("autoencoder", "diffusion", "segmenter", "order")
SEED = 9  # of the scenes: others than those of the evaluation


def logs() -> dict[str, list[dict]]:
    """What each run noted: {run: [{"step", "minute", figure: value, ...}]}."""
    found = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    found = {name: found[name] for name in RUNS if name in found}
    for path in (STATE / f"{name}.pt" for name in RUNS):
        if not path.exists():
            continue
        log = torch.load(path, weights_only=True, mmap=True, map_location="cpu").get("log")
        if log:
            found[path.stem] = log
    return found


def export(found: dict[str, list[dict]]) -> None:
    rows = ",\n".join(
        f' "{name}": [\n  ' + ",\n  ".join(json.dumps(entry) for entry in log) + "\n ]"
        for name, log in found.items()
    )
    CURVES.write_text("{\n" + rows + "\n}\n")


def draw_curves(found: dict[str, list[dict]], path: Path) -> None:
    """One panel for each run; its figures over minutes of training."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(4.2 * len(found), 3.4), squeeze=False)
    for panel, (name, log) in zip(panels[0], found.items()):
        for key in (k for k in log[-1] if k not in ("step", "minute", "items")):
            points = [(entry["minute"], entry[key]) for entry in log if key in entry]
            panel.plot(*zip(*points), label=key)
        panel.set_title(f"{name}, {log[-1]['step']} steps")
        panel.set_xlabel("minutes")
        panel.legend()
        panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)


def complete(count: int, out: Path) -> None:
    """The evaluation's scenes, one of each cell in turn, through the shipped workflow."""
    records = []
    for at, cell in zip(range(count), itertools.cycle(CELLS)):
        task = Task(cell, at // len(CELLS), "mixed", SEED)
        records.append(runner.run(task, out / "pictures"))
        print(sheets.line(records[-1]), flush=True)
        write(records, out)
    print(summary(records))


def write(records: list[dict], out: Path) -> None:
    """The sheet and the figures so far: a run that is stopped leaves what it has."""
    lines = [sheets.line(record) for record in records]
    (out / "completions.txt").write_text("\n".join([summary(records), "", *lines]) + "\n")
    names = [out / "pictures" / f"{sheets.task_of(record).name}.webp" for record in records]
    strips = [(words, Image.open(name).convert("RGB")) for words, name in zip(lines, names)]
    sheets.draw_strips(strips, out / "completions.png", "Random scenes")


def summary(records: list[dict]) -> str:
    """Mean, median and worst of every figure."""
    lines = [f"{'':14}   mean median  worst"]
    for name in ("whole", "hidden", "mask_k", "colour", "perceptual", "foreign"):
        values = np.array([record[name] for record in records if name in record])
        if len(values):
            worst = values.min() if name in ("whole", "hidden", "mask_k") else values.max()
            lines.append(f"{name:14} {values.mean():6.3f} {np.median(values):6.3f} {worst:6.3f}")
    good = sum(record["success"] for record in records)
    return "\n".join([f"{good} of {len(records)} are successes", *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "training")
    parser.add_argument("--scenes", type=int, default=30, help="0: only the curves")
    parser.add_argument(
        "--export", action="store_true", help="rewrite research/training/curves.json"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = logs()
    if options.export:
        export(found)
    if found:
        draw_curves(found, options.out / "curves.png")
    if options.scenes:
        complete(options.scenes, options.out)
    print(f"The pictures are in {options.out}")
