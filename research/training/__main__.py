"""Trains the sticker world's UNet, segmenter and order model in one go.

    python -m research.training --device cuda --minutes 10 --out FOLDER

It is meant for a machine with an accelerator, many cores and no network: the bank and the pools are
drawn by all cores. What is trained goes to FOLDER, in parts of at most 16 MiB, with the curves.
`research.evaluation.adopt` joins the parts, and takes the weights over if they are better.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from amodal.core.text import write_text

from . import parts
from .run import ROOT, STATE

CURVES = ("diffusion", "segmenter", "order")


@dataclass(frozen=True)
class Step:
    """A command of this folder. share: its part of the time. size: how many items it draws, by
    default; `count` names the option for that."""

    module: str
    share: float
    options: tuple[str, ...] = ()
    count: str = ""
    size: int = 0

    def command(self, minutes: float, scale: float, workers: int) -> list[str]:
        words = [sys.executable, "-m", f"research.training.{self.module}", *self.options]
        if self.count:
            words += [self.count, str(max(1, round(self.size * scale))), "--workers", str(workers)]
        return [*words, "--minutes", f"{minutes:.3f}"]


STEPS = (
    Step("bank", 0.18, count="--items", size=100_000),
    Step("diffusion", 0.40, ("--warm", "--batch", "128")),
    Step("pool", 0.12, count="--pictures", size=20_000),
    Step("segmenter", 0.18, ("--warm", "--soft", "1")),
    Step("pool", 0.06, ("--name", "pairs", "--holes", "0.3"), "--pictures", 5_000),
    Step("order", 0.06, ("--warm",)),
)


def run_all(device: str, minutes: float, scale: float, out: Path) -> None:
    """Runs STEPS within `minutes`, and writes the weights and curves to `out`.

    A step gets its share of the time that is left. scale: of the numbers of items. Raises
    SystemExit if there is no such device, or if a step fails; what was trained before is kept.
    """
    check(device)
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    ends, workers = time.monotonic() + 60 * minutes, os.cpu_count() or 1
    try:
        for number, step in enumerate(STEPS):
            left = (ends - time.monotonic()) / 60
            part = left * step.share / sum(later.share for later in STEPS[number:])
            command = step.command(max(part, 0.01), scale, workers)
            print(f"{step.module}: {part:.1f} minutes", flush=True)
            if subprocess.run(command, cwd=ROOT, env={**os.environ, **hidden}).returncode:
                raise SystemExit(f"{step.module} failed; what was trained before is in {out}")
    finally:
        write(out)


def check(device: str) -> None:
    """Raises SystemExit if torch does not see the device."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no CUDA device here: use --device cpu, or another machine")


def write(out: Path) -> None:
    """Copies the trained weights, in parts, and the curves of the runs to a folder."""
    import torch

    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((STATE / "weights").glob("*.safetensors")):
        parts.split(path, out)
    for name in CURVES:
        if (STATE / f"{name}.pt").exists():
            log = torch.load(STATE / f"{name}.pt", weights_only=True, map_location="cpu")["log"]
            write_text(out / f"{name}.json", json.dumps(log))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--scale", type=float, default=1, help="of the numbers of items drawn")
    parser.add_argument("--out", type=Path, default=ROOT / "output" / "trained")
    options = parser.parse_args()
    run_all(options.device, options.minutes, options.scale, options.out)
