r"""Measures the batch: its driver's own cost, and how much a second worker gains.

    python -m tools.bench.batch driver --items 100000     # 20 stand-ins of 10 ms, 6 minutes
    python -m tools.bench.batch driver --items 20000 --ray auto
    python -m tools.bench.batch scaling --pictures 12     # sticker models, 1 worker, then 2
    python -m tools.bench.batch kills --moments 20        # kill -9 of actor, node and driver

Stand-ins complete nothing (tools/bench/stand_ins.py). `scaling` runs the real command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.batch import crews, manifest
from amodal.batch.driver import Batch
from amodal.batch.engine import Crew
from amodal.batch.items import Keys
from amodal.batch.places import place_of
from amodal.stickers import scenes

from . import batch_kills, stand_ins

ROOT = Path(__file__).resolve().parents[2]


def main(words: list[str] | None = None) -> None:
    options = parser().parse_args(words)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs; load before: {load:.1f}", flush=True)
    options.does(options)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m tools.bench.batch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True)
    driver = commands.add_parser("driver", help="the driver's own cost, with stand-ins")
    driver.set_defaults(does=measure_driver)
    driver.add_argument("--items", type=int, default=100_000)
    driver.add_argument("--workers", type=int, default=20)
    driver.add_argument("--seconds", type=float, default=0.01, help="that a stand-in takes")
    driver.add_argument("--ray", metavar="auto|local|ADDRESS")
    scaling = commands.add_parser("scaling", help="1 and 2 workers with the sticker models")
    scaling.set_defaults(does=measure_scaling)
    scaling.add_argument("--pictures", type=int, default=12)
    scaling.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    scaling.add_argument("--ray", metavar="auto|local|ADDRESS")
    batch_kills.add_options(commands.add_parser("kills", help="kill -9, again and again"))
    return top


def crew_of(options: argparse.Namespace, make, cpus: float = 0.01) -> Crew:
    if options.ray:
        from amodal.batch.ray_crew import RayActors

        return RayActors(options.workers, make, options.ray, cpus=cpus)
    return crews.Processes(options.workers, make)


def measure_driver(options: argparse.Namespace) -> list[tuple[int, float, float]]:
    """Prints (items, items a second, resident megabytes) ten times; gives them."""
    with tempfile.TemporaryDirectory(prefix="amodal-batch-") as folder:
        dest = place_of(folder)
        make = stand_ins.making(folder, options.seconds, writes=False)
        measured: list[tuple[int, float, float]] = []
        batch = Batch(
            dest,
            stand_ins.numbered(options.items),
            Keys("bench"),
            lambda: Watched(crew_of(options, make), options.items, measured),
            quiet=True,
        )
        batch.run()
        rows = sum(1 for _ in manifest.records(dest))
    assert rows == options.items == batch.tally.total, (rows, batch.tally.total)
    first, last = measured[0], measured[-1]
    rate = (last[0] - first[0]) / (last[1] - first[1])
    print("items, megabytes: " + ", ".join(f"{n}: {mb:.0f}" for n, _, mb in measured))
    how = "Ray actors" if options.ray else "processes"
    print(f"{rows} items by {options.workers} {how} of {options.seconds * 1000:.0f} ms: ", end="")
    print(f"{rate:.0f} items a second with the journal synced; {rows} rows in the journal")
    return measured


class Watched:
    """A crew that notes time and memory of this process after every tenth of the items."""

    def __init__(self, crew: Crew, items: int, measured: list[tuple[int, float, float]]):
        self._crew, self._step, self._measured = crew, max(1, items // 10), measured
        self._done, self.size = 0, crew.size
        self.open, self.give, self.replace = crew.open, crew.give, crew.replace
        self.close = crew.close

    def wait(self, seconds: float):
        events = self._crew.wait(seconds)
        for event in events:
            if event.kind == "done":
                if self._done % self._step == 0:
                    self._measured.append((self._done, time.monotonic(), resident()))
                self._done += 1
        if self._done and self._done // self._step >= 10 and len(self._measured) == 10:
            self._measured.append((self._done, time.monotonic(), resident()))
        return events


def resident() -> float:
    """Megabytes of memory that this process holds."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def measure_scaling(options: argparse.Namespace) -> dict[int, float]:
    """Items a minute by number of workers, each with one thread."""
    rates = {}
    with tempfile.TemporaryDirectory(prefix="amodal-batch-") as folder:
        draw(Path(folder), options.pictures)
        for workers in options.workers:
            out = Path(folder) / f"out-{workers}"
            command = [sys.executable, "-m", "amodal", "batch", f"{folder}/items.jsonl"]
            command += ["--out", str(out), "--stickers", "--workers", str(workers)]
            command += [
                "--threads",
                "1",
                "--quiet",
                *(["--ray", options.ray] if options.ray else []),
            ]
            began = time.time()
            subprocess.run(command, cwd=ROOT, check=False)
            rates[workers] = rate_of(out)
            print(
                f"{workers} workers: {rates[workers]:.2f} items a minute; "
                f"{time.time() - began:.0f} s with the start; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    least = min(rates)
    for workers, rate in rates.items():
        print(f"{workers} workers: {rate / rates[least]:.2f} times the rate of {least}")
    return rates


def rate_of(out: Path) -> float:
    """Items a minute, from the moment when the first worker began to the last result."""
    records = list(manifest.records(place_of(out)))
    begins = min(record["time"] - record["seconds"] for record in records)
    return 60 * len(records) / (max(record["time"] for record in records) - begins)


def draw(folder: Path, count: int) -> None:
    """Scenes in which another sticker hides a part of the named one, and their manifest."""
    lines = []
    for number in range(count):
        scene = scenes.make_scene(number, occluder="other", hidden=(0.2, 0.5))
        pixels = (scene.image * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
        lines.append(
            json.dumps({"picture": f"{number:03d}.png", "words": scene.words[scene.query]})
        )
    (folder / "items.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
