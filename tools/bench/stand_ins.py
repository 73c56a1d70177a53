"""Stand-in workers for the batch: they complete nothing, so that the engine alone is measured.

Each takes its time for an item, writes one small file as a real worker writes its pictures, and
notes in a log that it did.
"""

from __future__ import annotations

import functools
import hashlib
import os
import time
from pathlib import Path

from amodal.batch.items import Item
from amodal.batch.places import place_of
from amodal.batch.results import Results
from amodal.batch.source import Source

SIZE = 20_000  # bytes of the file of an item


class StandIn:
    """A worker. writes: whether items have files. log: a folder, or "" for none."""

    def __init__(self, dest: str, seconds: float, writes: bool, log: str, slot: int):
        self._dest, self._seconds, self._writes = place_of(dest), seconds, writes
        self._log = Path(log) / f"{os.getpid()}.log" if log else None
        self.name = f"{slot}-{os.getpid()}"
        if self._log:
            (Path(log) / f"{os.getpid()}.pid").touch()

    def __call__(self, words: dict, key: str, less: dict) -> dict:
        if not self._writes:
            time.sleep(self._seconds)
            return {"status": "completed", "seconds": self._seconds}
        kept = Results(self._dest, Item(**words), key)
        earlier = kept.earlier()
        if earlier:
            return earlier
        time.sleep(self._seconds)
        record = {"status": "completed", "seconds": self._seconds}
        record = kept.keep({"content.bin": content_of(key)}, record)
        if self._log:
            with open(self._log, "a") as log:
                log.write(f"{key}\n")
        return record


def content_of(key: str) -> bytes:
    """The content of an item's file: its own digest is at its end."""
    body = key.encode() * (SIZE // len(key))
    return body + hashlib.sha256(body).digest()


def is_whole(content: bytes) -> bool:
    return hashlib.sha256(content[:-32]).digest() == content[-32:]


def making(dest: str, seconds: float, writes: bool = True, log: str = ""):
    """`make` of a crew of stand-ins."""
    return functools.partial(StandIn, dest, seconds, writes, log)


def numbered(count: int) -> Source:
    """Items without pictures, by number."""
    return Source(lambda: (Item("nowhere", f"{n // 1000:04d}/{n:07d}.png") for n in range(count)))
