"""The files of one item at DEST. The last one written, result.json, says that all are there."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import PurePosixPath

from .items import Item
from .places import PART, Folder, Place

RESULT = "result.json"
LONGEST = 60  # characters of an object's name in the name of a folder


class Results:
    """The results of an item in DEST/PICTURE/OBJECT-KEY/."""

    def __init__(self, dest: Place, item: Item, key: str):
        self._dest, self._key = dest, key
        plain = re.sub(r"[^\w.-]+", "_", item.object, flags=re.ASCII).strip("._") or "object"
        parts = [part for part in PurePosixPath(item.name).parts if part not in ("..", "/")]
        self.folder = f"{'/'.join(parts)}/{plain[:LONGEST]}-{key[:8]}"

    def earlier(self) -> dict | None:
        """The record of the same item from a driver that was killed before it wrote it down.

        Removes what such a driver's worker left unfinished.
        """
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
            whole = json.loads(self._dest.read(f"{self.folder}/{RESULT}"))
            if whole["key"] == self._key:
                return dict(whole["record"])
        if isinstance(self._dest, Folder):
            for path in (self._dest.path / self.folder).rglob(f".*{PART}"):
                path.unlink(missing_ok=True)
        return None

    def keep(self, files: dict[str, bytes], record: dict, about: object = None) -> dict:
        """Writes the files, then the record with their names; returns that record."""
        record = {**record, "files": [f"{self.folder}/{name}" for name in files]}
        for name, content in files.items():
            self._dest.write(f"{self.folder}/{name}", content)
        whole = {"key": self._key, "record": record, "runs": about}
        text = json.dumps(whole, indent=1) + "\n"
        self._dest.write(f"{self.folder}/{RESULT}", text.encode())
        return record
