"""A file of JSON lines, one for each key: locked while it is written, and synced to disk."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from ..core.errors import BadInput
from . import locks


def as_line(record: dict) -> bytes:
    return (json.dumps(record) + "\n").encode()


def parsed(content: bytes | IO[bytes]) -> Iterator[dict]:
    """The records in a file, without lines that were cut short or damaged."""
    for line in content.splitlines() if isinstance(content, bytes) else content:
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict):
                yield record


def read(path: Path) -> list[dict]:
    """The records of a file, in order; none without the file."""
    return list(parsed(path.read_bytes())) if path.exists() else []


def repaired(path: Path) -> dict[str, dict]:
    """The records of a file by their keys, the first of each.

    Lines that were cut short or damaged, doubled lines and lines without a key are removed from the
    file.
    """
    found: dict[str, dict] = {}
    for record in read(path):
        if isinstance(record.get("key"), str):
            found.setdefault(record["key"], record)
    text = b"".join(map(as_line, found.values()))
    if path.exists() and path.read_bytes() != text:
        whole = path.with_suffix(".whole")
        with open(whole, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(path)
    return found


class Appender:
    """Adds records to the end of a file. What `add` has returned from is on the disk."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115  closed by `close`

    def add(self, records: Iterable[dict]) -> None:
        """Raises OSError if the disk is full; then none of these records is in the file."""
        before = os.fstat(self._file.fileno()).st_size
        left = b"".join(map(as_line, records))
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), before)
            raise

    def close(self) -> None:
        self._file.close()


@contextlib.contextmanager
def alone_with(path: Path, what: str = "") -> Iterator[None]:
    """Holds a file. Raises BadInput if another process does.

    The lock is a file of its own, because a repair replaces the file. It ends with the process.
    what: what the file is to people; its name if empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "ab") as lock:
        try:
            locks.hold(lock)
        except OSError:
            raise BadInput(
                "out",
                f"{path.parent} is in use: another process writes {what or path.name} there",
                "wait until it is done, or choose another folder",
            ) from None
        yield
