"""A study's folder: settings, methods, and trials in an order of each rater's own (section 4.1).

NAME/original/*.png       what every completion is to be judged against; may be missing
NAME/METHOD/*.png         a folder for each method, with the same file names
NAME/study.json           may be missing: {"question": ..., "show": "rows" | "pairs", "seed": 0}
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path

ORIGINAL = "original"
SETTINGS = "study.json"
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
SHOWN = ("rows", "pairs")  # all methods of a picture at once, or each two of them
QUESTION = "Which completed object looks most complete and realistic?"
NAME = re.compile(r"\w(?:[\w .()+=-]{0,62}[\w()+=-])?")  # no separator, no dot at either end
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # no file may be called so


class StudyError(ValueError):
    """A study that cannot be shown, or a vote that cannot be taken; the message says why."""


def is_name(text: str) -> bool:
    """Whether a study, a method or a picture may be called so: one part of a path, everywhere."""
    return bool(NAME.fullmatch(text)) and not DEVICES.fullmatch(text)


@dataclass(frozen=True)
class Trial:
    """What is judged at once: the completions of picture `item` by `methods`, which are sorted."""

    item: str
    methods: tuple[str, ...]

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps([self.item, *self.methods]).encode()).hexdigest()[:20]


class Study:
    """A folder as it is now. `files[method][item]` are its pictures, `original` among the methods
    where there is one; `left_out` counts the pictures that are not in every folder.

    Raises StudyError where nothing can be compared.
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
                "Put the pictures of each method into a folder of its own"
            )
        items = [set(found) for found in self.files.values()]
        self.items = sorted(set.intersection(*items))
        self.left_out = len(set.union(*items)) - len(self.items)
        if not self.items:
            raise StudyError(
                f"No picture of the study '{self.name}' is in all of its folders "
                f"({', '.join(self.files)}). Give the same picture the same file name in each"
            )

    def trials(self) -> list[Trial]:
        size = 2 if self.show == "pairs" else len(self.methods)
        return [
            Trial(item, methods)
            for item in self.items
            for methods in itertools.combinations(self.methods, size)
        ]

    def trials_for(self, rater: str) -> list[Trial]:
        """All trials, in an order that seed and rater alone decide."""
        return shuffled(self.trials(), f"{self.seed}/{rater}")

    def methods_for(self, rater: str, trial: Trial) -> list[str]:
        """The trial's methods from left to right, as this rater sees them."""
        return shuffled(trial.methods, f"{self.seed}/{rater}/{trial.key}")


def shuffled(values, seed: str) -> list:
    values = list(values)
    random.Random(seed).shuffle(values)
    return values


def pictures(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by name without suffix. Links are left out: they lead elsewhere."""
    with os.scandir(folder) as entries:
        found = [Path(one.path) for one in entries if one.is_file(follow_symlinks=False)]
    return {
        path.stem: path
        for path in sorted(found)
        if path.suffix.lower() in SUFFIXES and is_name(path.stem)
    }


def settings(folder: Path) -> tuple[str, str, int]:
    """(question, rows or pairs, seed) of a study's folder."""
    file = folder / SETTINGS
    try:
        given = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise StudyError(f"{folder.name}/{SETTINGS} is not valid JSON: {error}") from None
    known = {"question": QUESTION, "show": SHOWN[0], "seed": 0}
    if not isinstance(given, dict) or set(given) - set(known):
        raise StudyError(f"{folder.name}/{SETTINGS} may hold {', '.join(known)}, and no more")
    question, show, seed = (known | given).values()
    if show not in SHOWN:
        raise StudyError(f"{folder.name}/{SETTINGS}: 'show' is one of {', '.join(SHOWN)}")
    if not isinstance(question, str) or type(seed) is not int:
        raise StudyError(f"{folder.name}/{SETTINGS}: 'question' is text, 'seed' a whole number")
    return question, show, seed


def studies(root: Path) -> list[str]:
    """The names of the studies in a folder."""
    found = (entry.name for entry in os.scandir(root) if entry.is_dir()) if root.is_dir() else ()
    return sorted(filter(is_name, found))


def open_study(root: Path, name: str) -> Study:
    """The study of that name in a folder. Raises StudyError, LookupError where there is none."""
    if name not in studies(root):
        raise LookupError(f"There is no study '{name}'")
    return Study(root / name)
