"""Whole objects of Open Images (V5 to V7), from its CSV of segmentations, masks and pictures.

    Segmentations("train-annotations-object-segmentation.csv", "masks", "pictures",
                  "class-descriptions-boxable.csv", "train-annotations-bbox.csv")

The millions of rows go through a temporary SQLite database, which moves to disk when it grows. Only
whole objects whose files exist are kept. A mask may differ in size from its picture.
"""

from __future__ import annotations

import csv
import hashlib
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.core.errors import BadInput
from amodal.core.files import finite, stays_below

from .wholes import (
    LEAST_AREA,
    MARGIN,
    MOST_AREA,
    Entry,
    Whole,
    commonest,
)

SCALE = 10_000  # coordinates of 0..1 as integers, which match masks with boxes
RIM = round(SCALE * MARGIN / 1024)  # Open Images' pictures are 1024 at their larger side
LARGEST_PART = 0.97  # of a mask; an object in several parts is hidden in between
SIDES = ("XMin", "XMax", "YMin", "YMax")
SEGMENT = ("MaskPath", "ImageID", "LabelName", *(f"Box{side}" for side in SIDES))
FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf")
BOX = ("ImageID", "LabelName", *SIDES, *FLAGS)
TABLES = """
create table segment (mask, picture, label, x0, x1, y0, y1);
create table whole (picture, label, x0, x1, y0, y1, primary key (picture, label, x0, x1, y0, y1))
    without rowid;
"""
ALONE = """select s.rowid, s.mask, s.picture, s.label, s.x0, s.x1, s.y0, s.y1 from segment s
where not exists (select 1 from segment o where o.picture = s.picture and o.rowid != s.rowid
    and o.x0 < s.x1 and s.x0 < o.x1 and o.y0 < s.y1 and s.y0 < o.y1) order by s.rowid"""
FLAGGED = """select s.rowid, s.mask, s.picture, s.label, s.x0, s.x1, s.y0, s.y1
from segment s join whole using (picture, label, x0, x1, y0, y1) order by s.rowid"""
TOGETHER = """with seen as (select distinct picture, label from segment)
select a.label, b.label, count(*) from seen a join seen b using (picture)
where a.label != b.label group by 1, 2"""


class Segmentations:
    """Objects with a mask, away from the border, neither too small nor too large.

    With the CSV of boxes, these are objects not flagged as occluded, truncated or a group. Without
    it, no other segmented object reaches into their box. Raises BadInput for unusable files.
    """

    def __init__(self, segmentations, masks, pictures, classes, boxes=None):
        self.masks_folder, self.folder = Path(masks), Path(pictures)
        self.names = names_of(Path(classes))
        with closing(sqlite3.connect("")) as base:  # temporary; moves to disk when it grows
            fill(base, Path(segmentations), boxes and Path(boxes))
            self.masks = {}
            self.objects = list(self.whole(base.execute(FLAGGED if boxes else ALONE)))
            together = defaultdict(Counter)
            for label, neighbour, count in base.execute(TOGETHER):
                together[self.name(label)][self.name(neighbour)] = count
        if not self.objects:
            raise BadInput(
                "segmentations",
                f"hold no whole object with its mask in {self.masks_folder} "
                f"and its picture in {self.folder}",
                "unpack the masks and pictures of these segmentations there",
            )
        self.co_occurring = commonest(together)
        self.about = {
            "source": "open images",
            "files": {Path(p).name: digest(p) for p in (segmentations, boxes, classes) if p},
        }

    def whole(self, rows) -> Iterator[Entry]:
        for key, mask, picture, label, *box in rows:
            file = self.picture(picture)
            if fits(*box) and file and is_file(self.masks_folder, mask):
                self.masks[key] = mask
                yield Entry(self.name(label), file, key)

    def picture(self, key: str) -> str | None:
        """The name of the picture's file; None if it is missing."""
        names = (f"{key}{ending}" for ending in (".jpg", ".png"))
        return next((name for name in names if is_file(self.folder, name)), None)

    def name(self, label: str) -> str:
        try:
            return self.names[label]
        except KeyError:
            raise BadInput(
                "classes",
                f"lack {label}",
                "give class-descriptions-boxable.csv of the same release as the segmentations",
            ) from None

    def load(self, entry: Entry) -> Whole:
        """The object. Its alpha is empty if its mask has several parts, so it matches no pair."""
        picture = opened(self.folder / entry.picture, "pictures").convert("RGB")
        mask = opened(self.masks_folder / self.masks[entry.id], "masks").convert("L")
        mask = np.asarray(mask.resize(picture.size, Image.Resampling.NEAREST)) > 0
        alpha = mask & in_one_part(mask)
        return Whole(np.asarray(picture), np.dstack([picture, alpha.astype(np.uint8) * 255]))


def is_file(folder: Path, name: str) -> bool:
    """Whether the folder has a file of this name, which comes from a .csv."""
    return stays_below(name) and os.path.isfile(folder / name)


def fill(base: sqlite3.Connection, segmentations: Path, boxes: Path | None) -> None:
    base.executescript(TABLES)
    base.executemany(
        "insert into segment values (?, ?, ?, ?, ?, ?, ?)",
        rows(segmentations, "segmentations", SEGMENT, lambda row: (*row[:3], *box_of(row[3:]))),
    )
    base.execute("create index picture on segment (picture)")
    if boxes:
        whole = rows(
            boxes,
            "boxes",
            BOX,
            lambda row: None if any(map(finite, row[6:])) else (*row[:2], *box_of(row[2:6])),
        )
        base.executemany("insert or ignore into whole values (?, ?, ?, ?, ?, ?)", whole)


def rows(path: Path, name: str, columns: tuple, made) -> Iterator[tuple]:
    """made(values of those columns) for each row, without None. Raises BadInput."""
    with opened_text(path, name) as file:
        table = csv.reader(file)
        try:
            head = next(table, [])
            missing = [column for column in columns if column not in head]
            if missing:
                raise ValueError(f"it lacks the columns {', '.join(missing)}")
            places = [head.index(column) for column in columns]
            for row in filter(None, table):
                values = made([row[place] for place in places])
                if values is not None:
                    yield values
        except (ValueError, IndexError, csv.Error) as error:
            raise BadInput(
                name,
                f"{path.name}, line {table.line_num}: {error}",
                "give the .csv as Open Images publishes it",
            ) from None


def box_of(sides: list[str]) -> tuple[int, ...]:
    return tuple(map(coordinate, sides))


def coordinate(text: str) -> int:
    """A share of the picture's side, in units of 1 / SCALE. Raises ValueError."""
    value = finite(text)
    if not -1 <= value <= 2:
        raise ValueError(f"the coordinate {text} is no share of the picture's side")
    return round(value * SCALE)


def fits(x0: int, x1: int, y0: int, y1: int) -> bool:
    """True if the box is away from the border and of a usable size."""
    share = (x1 - x0) * (y1 - y0) / SCALE**2
    inside = min(x0, y0) >= RIM and max(x1, y1) <= SCALE - RIM
    return inside and LEAST_AREA <= share <= MOST_AREA


def in_one_part(mask: np.ndarray) -> bool:
    """True if nearly all of a mask [H, W] is one connected part."""
    from scipy.ndimage import label

    sizes = np.bincount(label(mask, structure=np.ones((3, 3)))[0].ravel())[1:]
    return bool(len(sizes)) and sizes.max() >= LARGEST_PART * sizes.sum()


def names_of(path: Path) -> dict[str, str]:
    """{label: lower-case name}; V7's file has a header, earlier ones have none."""
    with opened_text(path, "classes") as file:
        try:
            pairs = [row[:2] for row in csv.reader(file) if len(row) >= 2]
        except (ValueError, csv.Error):
            pairs = []
    names = {label: name.lower() for label, name in pairs if label.startswith("/")}
    if not names:
        raise BadInput(
            "classes", f"{path.name} names no class", "give class-descriptions-boxable.csv"
        )
    return names


def opened_text(path: Path, name: str):
    try:
        return open(path, newline="", encoding="utf-8")
    except OSError as error:
        raise BadInput(name, f"cannot be read ({error})", "check the path") from None


def opened(path: Path, name: str) -> Image.Image:
    try:
        picture = Image.open(path)
        picture.load()
        return picture
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(name, f"{path.name} cannot be read ({error})", "unpack it again") from None


def digest(path) -> str:
    sha256 = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            sha256.update(block)
    return sha256.hexdigest()
