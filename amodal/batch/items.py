"""What is to be completed, and its key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .places import Place, place_of

RULES = 1  # part of every key; to be raised when an item's files or record change their meaning
SAMPLES, SAMPLE = 64, 2**16  # of a weight file


@dataclass(frozen=True)
class Item:
    """An object of a picture.

    place: address of the folder. name: of the picture below it. mask: name of its modal mask there.
    index: the object's number among those that the segmenter finds. Without mask, point, words and
    index, it is the largest object. prompt, seed: None for those of the command.
    """

    place: str
    name: str
    mask: str | None = None
    point: str | None = None
    words: str | None = None
    index: int | None = None
    prompt: str | None = None
    seed: int | None = None

    @property
    def object(self) -> str:
        """What tells the object from others of the picture, for people."""
        if self.mask:
            return Path(self.mask).name
        number = None if self.index is None else f"object {self.index + 1}"
        return self.point or self.words or number or "largest"

    @property
    def source(self) -> str:
        """The picture's address."""
        folder, mark, query = (
            self.place.partition("?") if "://" in self.place else (self.place,) * 3
        )
        return (
            f"{folder}/{self.name}{mark}{query}"
            if "://" in self.place
            else str(Path(self.place) / self.name)
        )

    def words_of(self) -> dict[str, Any]:
        """The fields that are given, as plain values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def digest(value: Any) -> str:
    """A digest of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class Keys:
    """Gives items their keys. settings: a digest of workflow, options and weights."""

    def __init__(self, settings: str):
        self._settings = settings
        self._places: dict[str, Place] = {}
        self._last: tuple[str, str, str] = ("", "", "")  # several objects of one picture

    def __call__(self, item: Item) -> str:
        """The key: 32 characters. A missing picture has a key too, for the record of its fault."""
        about = item.words_of()
        about.pop("place")
        files = [self._picture(item)]
        if item.mask:
            files.append(self._digest(item.place, item.mask))
        return digest([RULES, self._settings, files, about])[:32]

    def _picture(self, item: Item) -> str:
        if self._last[:2] != (item.place, item.name):
            self._last = (item.place, item.name, self._digest(item.place, item.name))
        return self._last[2]

    def _digest(self, place: str, name: str) -> str:
        if place not in self._places:
            self._places[place] = place_of(place)
        try:
            return self._places[place].digest(name)
        except (OSError, ValueError):
            return "missing"


def weights(files: list[Path]) -> str:
    """A digest of weight files: their sizes and samples of their content, so that it is quick."""
    found = []
    for path in sorted(files):
        size = path.stat().st_size
        part = hashlib.sha256()
        with open(path, "rb") as file:
            for number in range(SAMPLES):
                file.seek(number * max(0, size - SAMPLE) // (SAMPLES - 1))
                part.update(file.read(SAMPLE))
        found.append([path.name, size, part.hexdigest()])
    return digest(found)
