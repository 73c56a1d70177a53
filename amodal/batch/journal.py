"""The journal of a batch: a line of JSON for each finished item, in segments of bounded length.

    DEST/journal/00000.jsonl, 00001.jsonl, ...

In a folder of this machine, lines are added to the last segment and synced to disk. A bucket cannot
add to an object, so there the last segment is written anew; its length bounds what that costs.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.errors import BadInput
from . import lines
from .places import Folder, Place

FOLDER = "journal"
SEGMENT = 5000  # lines
LEASE = 60.0  # seconds after which a driver that wrote no sign of life counts as gone
RENEW = 15.0  # seconds between signs of life


def segment(number: int) -> str:
    """The name of a segment below DEST."""
    return f"{FOLDER}/{number:05d}.jsonl"


def segments(place: Place) -> list[int]:
    """The numbers of the segments that a place has, in order."""
    names = (name.removeprefix(f"{FOLDER}/") for name in place.names(FOLDER))
    stems = [name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl")]
    return sorted(int(stem) for stem in stems if stem.isdigit())


def records_of(place: Place, number: int) -> list[dict]:
    """The records of a segment, in order, without lines that were cut short."""
    records = lines.parsed(place.read(segment(number)))
    return [record for record in records if isinstance(record.get("key"), str)]


class Journal:
    """Adds records to the journal of a place. One driver at a time: see `alone_with`.

    Opening it removes what a killed driver left of its last line.
    """

    def __init__(self, place: Place):
        self._place = place
        known = segments(place)
        self.number = known[-1] if known else 0
        self._tail: list[dict] = []
        if known:
            self._tail = list(self._repaired().values())
        self._file: lines.Appender | None = None

    def add(self, records: list[dict]) -> list[int]:
        """Writes records; they are on the disk or in the bucket when this returns.

        Returns the numbers of the segments that became full. Raises OSError if there is no room.
        """
        full = []
        while records:
            part, records = (
                records[: SEGMENT - len(self._tail)],
                records[SEGMENT - len(self._tail) :],
            )
            self._write(part)
            self._tail += part
            if len(self._tail) >= SEGMENT:
                full.append(self.number)
                self.close()
                self.number, self._tail = self.number + 1, []
        return full

    def close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _write(self, records: list[dict]) -> None:
        if not isinstance(self._place, Folder):
            text = b"".join(map(lines.as_line, [*self._tail, *records]))
            self._place.write(segment(self.number), text)
            return
        self._file = self._file or lines.Appender(self._place.path / segment(self.number))
        self._file.add(records)

    def _repaired(self) -> dict[str, dict]:
        if isinstance(self._place, Folder):
            return lines.repaired(self._place.path / segment(self.number))
        return {record["key"]: record for record in records_of(self._place, self.number)}


def forget(place: Place, unwanted: Callable[[dict], bool]) -> list[int]:
    """Takes records out of the journal; gives the numbers of the segments that had any."""
    changed = []
    for number in segments(place):
        every = records_of(place, number)
        kept = [record for record in every if not unwanted(record)]
        if len(kept) < len(every):
            place.write(segment(number), b"".join(map(lines.as_line, kept)))
            changed.append(number)
    return changed


@contextlib.contextmanager
def alone_with(place: Place) -> Iterator[Lease | None]:
    """Holds a place for one driver. Raises BadInput if another driver holds it.

    Locally it is the system's lock, which ends with the process. In a bucket it is a lease, on
    which the driver must call `renew`.
    """
    if isinstance(place, Folder):
        with lines.alone_with(place.path / FOLDER / "driver", "its journal"):
            yield None
        return
    lease = Lease(place)
    lease.take()
    try:
        yield lease
    finally:
        lease.give_back()


class Lease:
    """An object in a bucket that says which driver is at work there."""

    NAME = f"{FOLDER}/driver.json"

    def __init__(self, place: Place):
        self._place, self._id, self._written = place, uuid.uuid4().hex, 0.0

    def take(self) -> None:
        """Raises BadInput if another driver holds it."""
        held = self._held()
        if held and not is_gone(held):
            self._refuse(held)
        self._write()
        time.sleep(0.5)  # of two that begin at once, the later one wins, and the first one sees it
        self.check()

    def renew(self) -> None:
        """Writes a sign of life if one is due. Raises BadInput if another driver took over."""
        if time.time() - self._written > RENEW:
            self.check()
            self._write()

    def check(self) -> None:
        held = self._held()
        if held and held.get("id") != self._id:
            self._refuse(held)

    def give_back(self) -> None:
        with contextlib.suppress(OSError):
            if self._held().get("id") == self._id:
                self._place.remove(self.NAME)

    def _held(self) -> dict:
        try:
            held = json.loads(self._place.read(self.NAME))
            return held if isinstance(held, dict) else {}
        except (FileNotFoundError, ValueError):
            return {}

    def _write(self) -> None:
        self._written = time.time()
        about = {
            "id": self._id,
            "machine": socket.gethostname(),
            "process": os.getpid(),
            "time": self._written,
        }
        self._place.write(self.NAME, json.dumps(about).encode())

    def _refuse(self, held: dict) -> None:
        raise BadInput(
            "out",
            f"{self._place.address} is in use: a driver on {held.get('machine')} (process "
            f"{held.get('process')}) writes its journal there",
            f"wait until it is done; if it was killed, wait {LEASE:.0f} seconds",
        )


def is_gone(held: dict) -> bool:
    """Has the driver ended? It shows no life, or was a process of this machine that has ended."""
    if time.time() - float(held.get("time") or 0) > LEASE:
        return True
    here = held.get("machine") == socket.gethostname()
    return here and not Path(f"/proc/{held.get('process')}").exists() and Path("/proc/1").exists()
