"""Takes over trained weights of the sticker world if 60 fixed scenes say that they are better.

    python -m research.evaluation.adopt [NAME ...]          # default: all that were trained
    python -m research.evaluation.adopt --parts FOLDER      # what `research.training` wrote

Each scene is completed with the shipped weights and with the trained ones in their place. They are
taken over if the mean amodal IoU is higher and no fewer scenes succeed. The scenes are those of no
other evaluation, test or training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from amodal.measures import statistics

from ..training import parts
from ..training.run import ROOT, SHIPPED, STATE
from . import runner
from .scenarios import CELLS

SEED, EACH, STEPS = 11, 12, 20  # the scenes' seed, how many of each of five kinds, and N


def main(names: list[str], folder: Path, each: int) -> bool:
    """Measures, prints a table, and copies the weights if they are better. Returns whether."""
    trained = {path.stem: path for path in sorted((STATE / "weights").glob("*.safetensors"))}
    missing = [name for name in names if name not in trained]
    if missing or not trained:
        known = ", ".join(trained) or "nothing"
        raise SystemExit(f"{', '.join(missing) or 'nothing'} was trained; there is: {known}")
    chosen = {name: trained[name] for name in names or trained}
    folder.mkdir(parents=True, exist_ok=True)
    before = measured(SHIPPED, folder, each)
    after = measured(overlaid(chosen, folder), folder, each)
    print(table(before, after))
    if not better(before, after):
        print("The shipped weights stay.")
        return False
    for path in chosen.values():
        shutil.copy2(path, SHIPPED / path.name)
    print(f"Taken over: {', '.join(chosen)}")
    return True


def overlaid(trained: dict[str, Path], folder: Path) -> Path:
    """A folder with the shipped weights, and the trained ones in their place."""
    target = folder / "weights"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SHIPPED, target)
    for path in trained.values():
        shutil.copy2(path, target / path.name)
    return target


def measured(weights: Path, folder: Path, each: int) -> list[dict]:
    """The records of all scenes with the weights in a folder, completed in a process of its own.

    They are kept under a digest of code and weights, so that an interrupted run goes on.
    """
    data = b"".join(path.read_bytes() for path in sorted(weights.glob("*.safetensors")))
    state = hashlib.sha256(runner.state_of_code().encode() + data).hexdigest()[:12]
    kept = folder / f"{state}.jsonl"
    words = ["--measure", str(weights), "--out", str(kept), "--each", str(each)]
    command = [sys.executable, "-m", "research.evaluation.adopt", *words]
    subprocess.run(command, cwd=ROOT, check=True)
    made = [json.loads(line) for line in kept.read_text().splitlines()]
    return made[: each * len(CELLS)]


def measure(weights: Path, kept: Path, each: int) -> None:
    """Completes the scenes that the file lacks, with the weights in a folder."""
    runner.host()
    for name, module in list(sys.modules.items()):
        if name.endswith(".stickers.weight_files"):
            module.FOLDER = weights
    known = kept.read_text().splitlines() if kept.exists() else []
    with kept.open("a") as file:
        for task in scenes(each)[len(known) :]:
            file.write(json.dumps(runner.run(task)) + "\n")
            file.flush()


def scenes(each: int) -> list[runner.Task]:
    """The tasks, kinds in turn, so that fewer scenes are of all kinds too."""
    return [
        runner.Task(cell, number, "mixed", SEED, None, STEPS)
        for number in range(each)
        for cell in CELLS
    ]


def better(before: list[dict], after: list[dict]) -> bool:
    """Is the mean amodal IoU higher, and do no fewer scenes succeed?"""
    iou = [float(np.mean([record["amodal_iou"] for record in each])) for each in (before, after)]
    success = [sum(record["success"] for record in each) for each in (before, after)]
    return iou[1] > iou[0] and success[1] >= success[0]


def table(before: list[dict], after: list[dict]) -> str:
    """For people: amodal IoU and success by kind, and the difference with its 95 % interval."""
    lines = ["kind | scenes | amodal IoU | success"]
    for kind in (*CELLS, "all"):
        pairs = [pair for pair in zip(before, after) if kind in ("all", pair[0]["cell"])]
        if not pairs:
            continue
        iou = [[record["amodal_iou"] for record in each] for each in zip(*pairs)]
        success = [str(sum(record["success"] for record in each)) for each in zip(*pairs)]
        means = " -> ".join(f"{np.mean(each):.3f}" for each in iou)
        lines.append(f"{kind} | {len(pairs)} | {means} | {' -> '.join(success)}")
    change, low, high = statistics.mean(list(np.subtract(*iou[::-1])))
    return "\n".join([*lines, f"change of IoU: {change:.3f} ({low:.3f} to {high:.3f})"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="such as stickers_order")
    parser.add_argument("--parts", type=Path, help="a folder with parts of files, joined first")
    parser.add_argument("--each", type=int, default=EACH, help="scenes of each kind")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "adopt")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.out, options.each)
    else:
        if options.parts:
            parts.join(options.parts, STATE / "weights")
        main(options.names, options.out, options.each)
