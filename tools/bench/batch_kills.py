"""kill -9 of workers, nodes and drivers in a batch of stand-ins; then the books are checked.

The driver runs in a process of its own and is started again, with the same command, when it was
killed. On Ray, the cluster has a head without workers and two nodes; a killed node is replaced.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amodal.batch import crews, journal, manifest
from amodal.batch.driver import Batch
from amodal.batch.items import Keys
from amodal.batch.places import PART, place_of
from amodal.batch.report import FAILED

from . import stand_ins

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 4
FINISHES_WITHIN = 120.0  # seconds after the last kill


@dataclass
class Found:
    """What the books say after all kills. rows: of the manifest. twice: items that were worked on
    to the end more than once."""

    items: int
    kills: Counter = field(default_factory=Counter)
    drivers: int = 0
    rows: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    leftovers: int = 0
    set_aside: int = 0
    twice: int = 0
    seconds: float = 0.0

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.doubled or self.torn) and self.rows == self.items


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--moments", type=int, default=20, help="kills")
    parser.add_argument("--seconds", type=float, default=0.4, help="that a stand-in takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", action="store_true", help="local processes, without Ray")
    parser.set_defaults(does=measure)


def measure(options: argparse.Namespace) -> Found:
    """Runs the kills, prints what was found; gives it."""
    with tempfile.TemporaryDirectory(prefix="amodal-kills-") as folder:
        trial = Trial(Path(folder), options)
        with local_nodes() if options.processes else cluster() as nodes:
            found = trial.run(nodes)
    kills = ", ".join(f"{what}: {count}" for what, count in sorted(found.kills.items()))
    print(
        f"{found.items} items, kill -9 of {kills}; {found.drivers} drivers, {found.seconds:.0f} s: "
        f"{found.rows} rows, {found.lost} lost, {found.doubled} doubled, {found.torn} torn files, "
        f"{found.leftovers} leftovers, {found.set_aside} set aside, {found.twice} done twice",
        flush=True,
    )
    if not found.is_sound:
        raise SystemExit("the books are wrong")
    return found


class Trial:
    """One batch with kills at random moments."""

    def __init__(self, folder: Path, options: argparse.Namespace):
        self.dest, self.log = folder / "out", folder / "log"
        self.log.mkdir()
        self._options = options
        self._random = random.Random(options.seed)
        self._driver: subprocess.Popen | None = None
        self._found = Found(options.items)

    def run(self, nodes: Any) -> Found:
        began, options = time.monotonic(), self._options
        kinds = ["worker", "driver", *(["node"] if nodes.address else [])]
        kills = [kinds[n % len(kinds)] for n in range(options.moments)]
        self._random.shuffle(kills)
        last = options.items - 2 * WORKERS
        moments = sorted(self._random.sample(range(2, last), options.moments))
        self._start(nodes.address)
        try:
            for moment, what in zip(moments, kills):
                self._wait_for(moment, nodes.address)
                time.sleep(self._random.uniform(0, options.seconds))
                self._kill(what, nodes)
            self._wait_for(options.items, nodes.address)
            assert self._driver is not None
            assert self._driver.wait(FINISHES_WITHIN) == 0
        finally:
            self._end()
        self._found.seconds = time.monotonic() - began
        return self._checked()

    def _start(self, address: str) -> None:
        options = self._options
        words = [self.dest, self.log, options.items, options.seconds, address]
        command = [sys.executable, "-m", "tools.bench.batch_kills", *map(str, words)]
        with open(self.log / "driver.txt", "ab") as said:
            self._driver = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)
        self._found.drivers += 1

    def _end(self) -> None:
        if self._driver is not None and self._driver.poll() is None:
            self._driver.kill()
            self._driver.wait()

    def _wait_for(self, count: int, address: str) -> None:
        """Until the journal has so many lines. A driver that gave up is an error."""
        give_up = time.monotonic() + FINISHES_WITHIN
        while self._lines() < count:
            assert self._driver is not None
            if self._driver.poll() not in (None, 0) or time.monotonic() > give_up:
                said = (self.log / "driver.txt").read_text(errors="replace")[-2000:]
                raise SystemExit(f"the driver stands at {self._lines()} items:\n{said}")
            time.sleep(0.02)

    def _lines(self) -> int:
        place = self.dest / journal.segment(0)
        return place.read_bytes().count(b"\n") if place.exists() else 0

    def _kill(self, what: str, nodes: Any) -> None:
        if what == "driver":
            self._end()
            self._start(nodes.address)
        elif what == "node":
            nodes.replace_one(self._random)
        else:
            os.kill(self._random.choice(self._living()), signal.SIGKILL)
        self._found.kills[what] += 1

    def _living(self) -> list[int]:
        """The processes of workers that are alive; waits for the first."""
        give_up = time.monotonic() + FINISHES_WITHIN
        while time.monotonic() < give_up:
            every = [int(path.stem) for path in sorted(self.log.glob("*.pid"))]
            if living := [pid for pid in every if is_alive(pid)]:
                return living
            time.sleep(0.05)
        raise SystemExit("no worker is alive")

    def _checked(self) -> Found:
        found, place = self._found, place_of(self.dest)
        rows = list(manifest.records(place))
        found.rows = len(rows)
        keys = Keys("kills")
        wanted = {keys(item) for item in stand_ins.numbered(found.items)}
        found.lost = len(wanted - {row["key"] for row in rows})
        found.doubled = len(rows) - len({row["key"] for row in rows})
        found.set_aside = sum(row["status"] == FAILED for row in rows)
        files = [name for row in rows for name in row.get("files", [])]
        found.torn = sum(not stand_ins.is_whole(place.read(name)) for name in files)
        found.leftovers = sum(1 for name in place.names() if name.endswith(PART))
        ends = Counter(
            line for log in self.log.glob("*.log") for line in log.read_text().splitlines()
        )
        found.twice = sum(count > 1 for count in ends.values())
        return found


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


class Local:
    """No cluster: workers are processes of the driver."""

    address = ""


@contextlib.contextmanager
def local_nodes():
    yield Local()


@contextlib.contextmanager
def cluster():
    """A Ray cluster on loopback: a head and two nodes."""
    from amodal.batch.ray_crew import CLUSTERS, LOOPBACK, ray_module

    os.environ[CLUSTERS] = "0"
    ray_module()
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": LOOPBACK}
    running = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield Nodes(running)
    finally:
        running.shutdown()


class Nodes:
    """The nodes of a cluster that have workers; each has room for all, so none waits for long."""

    def __init__(self, running: Any):
        self._cluster, self.address = running, running.address
        self._nodes = [self._new() for _ in range(2)]

    def _new(self) -> Any:
        return self._cluster.add_node(num_cpus=WORKERS, node_ip_address="127.0.0.1")

    def replace_one(self, chance: random.Random) -> None:
        """kill -9 of all processes of a node; then another one joins."""
        node = self._nodes.pop(chance.randrange(len(self._nodes)))
        self._cluster.remove_node(node, allow_graceful=False)
        self._nodes.append(self._new())


def drive(dest: str, log: str, items: int, seconds: float, address: str) -> None:
    """The driver's process."""
    make = stand_ins.making(dest, seconds, log=log)

    def crew():
        if not address:
            return crews.Processes(WORKERS, make)
        from amodal.batch.ray_crew import RayActors

        return RayActors(WORKERS, make, address)

    source = stand_ins.numbered(items)
    Batch(place_of(dest), source, Keys("kills"), crew, quiet=True).run()


if __name__ == "__main__":
    drive(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
