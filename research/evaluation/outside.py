"""Results of other programs: a folder of cut-outs, scored as our own methods are.

FOLDER/NAME.png       the completed object, RGBA with straight alpha; alpha above 0.5 is the object
FOLDER/offsets.json   {NAME: [x, y]}: where a cut-out's top left corner lies in the picture, in
                      pixels, below 0 beyond the left or upper border. A cut-out that is not named
                      there has the picture's size and covers it. The file may be missing.
                      A program that found nothing gives the visible part.

`--results NAME=FOLDER` of `nox -s paper` adds a row to its tables. The folder holds one cut-out for
each item and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.core.errors import BadInput
from amodal.core.files import file_inside, parsed
from amodal.measures import dataset_item
from research.dataset import builder

from . import figures, instructed, methods, pasted

OFFSETS = "offsets.json"
NAME = re.compile(r"[^\s=|/\\-][^=|/\\\n]{0,59}")  # a heading of a table
SHOWN = 5  # names that a message lists


@dataclass(frozen=True)
class Results:
    """One program's results: its name in the tables, its folder, and where its cut-outs lie."""

    name: str
    folder: Path
    offsets: dict[str, tuple[int, int]]

    def cut_out(self, item: str) -> tuple[np.ndarray, tuple[int, int]]:
        """(RGBA [h, w, 4] in 0..1, (x, y) of its corner in the picture). Raises BadInput."""
        with opened(self, item) as file:
            try:
                pixels = np.asarray(file, np.float32) / 255
            except (OSError, ValueError, SyntaxError) as error:
                raise bad(self, f"holds {item}.png, which cannot be read ({error})") from None
        return pixels, self.offsets.get(item, (0, 0))

    def digest(self, item: str) -> str:
        """Changes with the cut-out and its place."""
        content = (self.folder / f"{item}.png").read_bytes()
        place = str(self.offsets.get(item)).encode()
        return hashlib.sha256(content + place).hexdigest()[:16]


def read(words: list[str], sizes: dict[str, tuple[int, int]]) -> list[Results]:
    """The results of words NAME=FOLDER, all checked. sizes: (width, height) of each item's picture.

    Raises BadInput, with the files' names, for missing, superfluous, unreadable or misplaced ones.
    """
    found = [read_one(word, sizes) for word in words]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1 or name in (*methods.REWIRE, *instructed.TITLES):
            raise BadInput("results", f"use the name '{name}' twice", "choose another name")
    return found


def read_one(word: str, sizes: dict[str, tuple[int, int]]) -> Results:
    name, sign, path = word.partition("=")
    if not (sign and path and NAME.fullmatch(name)):
        raise BadInput("results", f"are '{word}'", "give NAME=FOLDER, such as pix2gestalt=results")
    folder = Path(path)
    if not folder.is_dir():
        raise BadInput("results", f"name {folder}, which is no folder", "check the path")
    result = Results(name, folder, offsets_of(folder))
    compare(result, set(sizes))
    for item, size in sizes.items():
        check(result, item, size)
    return result


def offsets_of(folder: Path) -> dict[str, tuple[int, int]]:
    """The corners in offsets.json; none without the file. Raises BadInput."""
    empty = Results("", folder, {})
    if OFFSETS not in {one.name for one in folder.iterdir()}:
        return {}
    path = file_inside(folder, OFFSETS)
    if path is None:
        raise bad(empty, f"has an {OFFSETS} that is no file of it")
    try:
        entries = parsed(path.read_bytes())
    except (OSError, ValueError) as error:
        raise bad(empty, f"has an {OFFSETS} that cannot be read ({error})") from None
    if not isinstance(entries, dict):
        raise bad(empty, f"has an {OFFSETS} that is no object of names")
    for item, corner in entries.items():
        pair = isinstance(corner, list) and len(corner) == 2
        if not (pair and all(type(value) is int and abs(value) < 2**20 for value in corner)):
            raise bad(empty, f"has a corner of {item} in {OFFSETS} that is not [x, y]")
    return {item: (corner[0], corner[1]) for item, corner in entries.items()}


def compare(result: Results, items: set[str]) -> None:
    """Raises BadInput with the names of missing and superfluous files."""
    files = {one.name for one in result.folder.iterdir() if not one.name.startswith(".")}
    wanted = {f"{item}.png" for item in items}
    problems = [
        f"{what} {listed(names)}"
        for what, names in (
            ("lacks", wanted - files),
            ("has too many:", files - wanted - {OFFSETS}),
            (f"names unknown ones in {OFFSETS}:", set(result.offsets) - items),
        )
        if names
    ]
    if problems:
        raise bad(result, " and ".join(problems))


def listed(names: set[str]) -> str:
    shown = sorted(names)[:SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def check(result: Results, item: str, size: tuple[int, int]) -> None:
    """Raises BadInput unless the cut-out is RGBA and lies on the picture, of (width, height)."""
    with opened(result, item) as file:
        if file.mode != "RGBA":
            raise bad(result, f"holds {item}.png of the mode {file.mode}, not RGBA")
        corner = result.offsets.get(item)
        if corner is None and file.size != size:
            found, wanted = ("{}x{}".format(*sides) for sides in (file.size, size))
            raise bad(
                result,
                f"holds {item}.png of {found}, without a corner in {OFFSETS}, for a picture of "
                f"{wanted}",
            )
        if corner is not None and not meets(corner, file.size, size):
            raise bad(result, f"places {item}.png at {list(corner)}, outside the picture")
    if not (result.cut_out(item)[0][..., 3] > 0.5).any():
        raise bad(result, f"holds {item}.png, which is empty: nothing found is the visible part")


def meets(corner: tuple[int, int], part: tuple[int, int], whole: tuple[int, int]) -> bool:
    """Does a cut-out of (width, height) at a corner share a pixel with a picture?"""
    return all(-part[axis] < corner[axis] < whole[axis] for axis in (0, 1))


def opened(result: Results, item: str) -> Image.Image:
    path = file_inside(result.folder, f"{item}.png")
    if path is None:
        raise bad(result, f"holds {item}.png, which is no file of it")
    try:
        return Image.open(path, formats=["PNG"])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise bad(result, f"holds {item}.png, which cannot be read ({error})") from None


def bad(result: Results, problem: str) -> BadInput:
    return BadInput(
        "results",
        f"name {result.folder}, which {problem}",
        "give one RGBA file NAME.png for each item, of the picture's size or with its corner in "
        f"{OFFSETS}",
    )


def on_item(item: pasted.Item, rgba: np.ndarray, corner: tuple[int, int]):
    """(completed object, the item) on the smallest canvas that holds the picture and a cut-out."""
    height, width = item.amodal.shape
    x, y = corner
    box = (
        min(0, x),
        min(0, y),
        max(width, x + rgba.shape[1]),
        max(height, y + rgba.shape[0]),
    )
    moved = (box[0] - x, box[1] - y, box[2] - x, box[3] - y)
    known = pasted.Item(*(figures.cut(part, box) for part in vars(item).values()))
    return figures.cut(rgba, moved), known


def make_set(out: Path) -> None:
    """Makes the folders of a data set for another program. Raises BadInput if there is one."""
    if (out / dataset_item.MANIFEST).exists():
        raise BadInput("inputs", f"name {out}, which holds a set", "choose an empty folder")
    for folder in builder.FOLDERS:
        (out / folder).mkdir(parents=True, exist_ok=True)


def write_manifest(out: Path, lines: list[dict]) -> int:
    """Writes the lines of a data set's items, and returns how many."""
    (out / dataset_item.MANIFEST).write_bytes(b"".join(map(builder.as_line, lines)))
    return len(lines)
