"""A study's folder: settings, methods, and trials in a different order for each rater (4.1).

NAME/original/*.png       the original pictures, shown beside the completions; optional
NAME/METHOD/*.png         one folder for each method, with the same file names
NAME/study.json           optional: {"question": ..., "show": "rows" | "pairs", "seed": 0}
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..core.files import parsed
from ..core.text import encodable

T = TypeVar("T")
ORIGINAL = "original"
SETTINGS = "study.json"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
SHOWN = ("rows", "pairs")  # all methods of a picture at once, or every pair of methods
QUESTION = "Which completed object looks most complete and realistic?"
NAME = re.compile(r"\w(?:[\w .()+=-]{0,62}[\w()+=-])?")  # no separator, no dot at either end
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # reserved names on Windows


class StudyError(ValueError):
    """A study that cannot be shown, or a vote that cannot be stored; the message says why."""


def is_name(text: str) -> bool:
    """Whether a study, method or picture may have this name: a valid file name on every system."""
    return bool(NAME.fullmatch(text)) and not DEVICES.fullmatch(text)


@dataclass(frozen=True)
class Trial:
    """The completions that are judged together: of picture `item`, by `methods` (sorted)."""

    item: str
    methods: tuple[str, ...]

    @property
    def key(self) -> str:
        """Identifies the trial in votes: 20 hex digits."""
        return hashlib.sha256(json.dumps([self.item, *self.methods]).encode()).hexdigest()[:20]


class Study:
    """The current contents of a study's folder.

    `files[method][item]` are its pictures, with "original" as one of the methods if that folder
    exists. `left_out` counts the pictures that are missing in some folder.

    Raises StudyError if the settings are invalid, or if there are fewer than two methods or no
    picture in all folders.
    """

    def __init__(self, folder: Path):
        self.name = folder.name
        self.question, self.show, self.seed = settings(folder)
        self.files = {
            entry.name: pictures(Path(entry.path))
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
            if entry.is_dir(follow_symlinks=False) and is_name(entry.name)
        }
        self.methods = tuple(name for name in self.files if name != ORIGINAL)
        if len(self.methods) < 2:
            raise StudyError(
                f"The study '{self.name}' has {len(self.methods)} methods to compare. "
                "Put the pictures of each method into a separate folder"
            )
        items = [set(by_item) for by_item in self.files.values()]
        self.items = sorted(set.intersection(*items))
        self.left_out = len(set.union(*items)) - len(self.items)
        if not self.items:
            raise StudyError(
                f"No picture of the study '{self.name}' is in all of its folders "
                f"({', '.join(self.files)}). Use the same file name for a picture in every folder"
            )

    def trials(self) -> list[Trial]:
        """All trials, in a fixed order."""
        size = 2 if self.show == "pairs" else len(self.methods)
        return [
            Trial(item, methods)
            for item in self.items
            for methods in itertools.combinations(self.methods, size)
        ]

    def trials_for(self, rater: str) -> list[Trial]:
        """All trials, shuffled by the study's seed and the rater's name only."""
        return shuffled(self.trials(), f"{self.seed}/{rater}")

    def methods_for(self, rater: str, trial: Trial) -> list[str]:
        """The trial's methods from left to right, as this rater sees them."""
        return shuffled(trial.methods, f"{self.seed}/{rater}/{trial.key}")


def shuffled(values: Iterable[T], seed: str) -> list[T]:
    """The values in an order that depends on `seed` only."""
    order = list(values)
    random.Random(seed).shuffle(order)
    return order


def pictures(folder: Path) -> dict[str, Path]:
    """A folder's pictures by file name without suffix. Links are ignored: they may lead outside."""
    with os.scandir(folder) as entries:
        paths = [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    return {
        path.stem: path
        for path in sorted(paths)
        if path.suffix.lower() in SUFFIXES and is_name(path.stem)
    }


def settings(folder: Path) -> tuple[str, str, int]:
    """(question, "rows" or "pairs", seed) of a study's folder.

    Raises StudyError if study.json is not valid.
    """
    file = folder / SETTINGS
    if file.is_symlink():
        raise StudyError(f"{folder.name}/{SETTINGS} is a link. Put the file itself there")
    try:
        given = parsed(file.read_bytes()) if file.is_file() else {}
    except ValueError as error:
        raise StudyError(f"{folder.name}/{SETTINGS} is not valid JSON: {error}") from None
    known = {"question": QUESTION, "show": SHOWN[0], "seed": 0}
    if not isinstance(given, dict) or set(given) - set(known):
        raise StudyError(f"{folder.name}/{SETTINGS} may contain only {', '.join(known)}")
    question, show, seed = (known | given).values()
    if show not in SHOWN:
        raise StudyError(f"{folder.name}/{SETTINGS}: 'show' must be one of {', '.join(SHOWN)}")
    if not isinstance(question, str) or type(seed) is not int:
        raise StudyError(f"{folder.name}/{SETTINGS}: 'question' must be text, 'seed' an integer")
    return encodable(question), show, seed


def studies(root: Path) -> list[str]:
    """The names of the studies in a folder. Links are ignored, here and within a study."""
    if root.is_symlink() or not root.is_dir():
        return []
    with os.scandir(root) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(filter(is_name, names))


def open_study(root: Path, name: str) -> Study:
    """The study of that name in the folder `root`.

    Raises LookupError if there is none, and StudyError if it cannot be shown.
    """
    if name not in studies(root):
        raise LookupError("There is no study of this name")
    try:
        return Study(root / name)
    except OSError as error:  # without its path, which raters need not know
        raise StudyError(f"The study '{name}' cannot be read: {error.strerror}") from None
