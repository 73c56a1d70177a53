"""Workers for tests of the batch, importable in every process. None completes anything."""

from __future__ import annotations

import functools
import os
import signal
import time
from pathlib import Path

from amodal.batch.faults import OutOfMemory, WorkerLost
from amodal.core.errors import BadInput


def doubled(slot: int):
    return lambda number: 2 * number


class Faulty:
    """Gives what an instruction says; `once` names a file that a first try leaves behind."""

    def __init__(self, slot: int):
        self.name = f"faulty {os.getpid()}"

    def __call__(self, what: str, once: str = ""):
        if once and Path(once).exists():
            return f"{what}, then well"
        if once:
            Path(once).touch()
        if what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "leaves":
            os._exit(3)
        if what == "lost":
            raise WorkerLost("its ComfyUI has ended")
        if what == "input":
            raise BadInput("picture", "is no picture", "save it as PNG")
        if what == "memory":
            raise OutOfMemory("Allocation on device")
        if what == "full":
            raise OSError(28, "No space left on device")
        if what == "storage":
            raise OSError(5, "Input/output error")
        if what == "sleeps":
            time.sleep(600)
        return what


class Greedy:
    """Needs memory for as many seeds as it is given; has enough for two, or one small crop."""

    def __init__(self, slot: int):
        pass

    def __call__(self, seeds: int, small: bool = False):
        if seeds > 2 or (seeds < 2 and not small):
            raise OutOfMemory("Allocation on device")
        return seeds, small


def broken(slot: int):
    raise RuntimeError("there is no ComfyUI")


class Recorder:
    """A worker of a whole batch: a record for each item, by the name of its picture.

    of: the number of objects of every picture. Names with "bad" are bad input.
    """

    def __init__(self, log: str, of: int, slot: int):
        self._log, self._of = log, of

    def __call__(self, words: dict, key: str, less: dict) -> dict:
        if self._log:
            with open(self._log, "a") as log:
                log.write(f"{words['name']} {words.get('index', '')}\n")
        if "bad" in words["name"]:
            raise BadInput("picture", "is no picture", "save it as PNG")
        status = "unchanged" if "unchanged" in words["name"] else "completed"
        record = {"status": status, "passes": 1, "scores": [0.5], "seconds": 0.0}
        return {**record, "of": self._of} if self._of else record


def recording(log: str = "", of: int = 0):
    return functools.partial(Recorder, log, of)
