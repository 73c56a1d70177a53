"""A contact sheet of the worst results of a batch, so that a person sees what to look into."""

from __future__ import annotations

import heapq
import io
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from .places import Place, parent_and_name, place_of
from .report import DONE, FAILED

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

NAME = "worst.jpg"
MOST = 24  # results on the sheet
SIDE, COLUMNS, CAPTION, GAP = 256, 3, 40, 12  # pixels, but for the columns
PAPER, INK, BAD = "#fbfaf7", "#22262b", "#e5484d"
SHOWN = ("overlay.png", "completed.png")  # the first that there is


class Worst:
    """Keeps the worst of all records it is shown."""

    def __init__(self, most: int = MOST):
        self._most = most
        self._heap: list[tuple[tuple, int, dict]] = []
        self._count = 0

    def add(self, record: dict) -> None:
        self._count += 1
        entry = (badness(record), -self._count, record)  # of two alike, the earlier one
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def records(self) -> list[dict]:
        """Worst first; without those that have nothing wrong."""
        ordered = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        return [record for bad, _, record in ordered if bad > (0, 0.0, 1)]


def badness(record: dict) -> tuple[int, float, int]:
    """Failed before not completed before warnings; then low scores, then many passes."""
    status = record.get("status")
    kind = 3 if status == FAILED else 2 if status not in DONE else 1 if is_warned(record) else 0
    scores = record.get("scores") or [1.0]
    return kind, round(max(0.0, 1.0 - max(scores)), 6), int(record.get("passes") or 0)


def is_warned(record: dict) -> bool:
    return any(record.get("warnings") or [])


def write(dest: Place, records: list[dict]) -> bool:
    """Writes the sheet to DEST; False if there is nothing to show."""
    if not records:
        return False
    file = io.BytesIO()
    drawn(dest, records).save(file, "JPEG", quality=88)
    dest.write(NAME, file.getvalue())
    return True


def drawn(dest: Place, records: list[dict]) -> Picture:
    """The sheet: of each record the source picture, its result, and what is wrong."""
    from PIL import Image, ImageDraw

    columns = min(COLUMNS, len(records))
    rows = -(-len(records) // columns)
    wide, high = 2 * SIDE + GAP, SIDE + CAPTION + GAP
    sheet = Image.new("RGB", (columns * (wide + GAP) + GAP, rows * high + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, record in enumerate(records):
        left = GAP + number % columns * (wide + GAP)
        top = GAP + number // columns * high
        for at, picture in enumerate((source_of(record), result_of(dest, record))):
            if picture:
                sheet.paste(picture, (left + at * (SIDE + 4), top))
            else:
                x = left + at * (SIDE + 4)
                draw.rectangle((x, top, x + SIDE - 1, top + SIDE - 1), outline=BAD)
        name = PurePosixPath(record.get("source", "")).name
        draw.text((left, top + SIDE + 4), f"{name}: {record.get('object', '')}"[:80], INK)
        draw.text((left, top + SIDE + 20), what_is_wrong(record)[:84], BAD)
    return sheet


def what_is_wrong(record: dict) -> str:
    """One line of ASCII for the sheet."""
    warnings = {code for codes in record.get("warnings") or [] for code in codes}
    text = record.get("error") or "; ".join([record.get("status", ""), *sorted(warnings)])
    return text.encode("ascii", "replace").decode()


def source_of(record: dict) -> Picture | None:
    folder, name = parent_and_name(record.get("source", ""))
    return loaded(folder, name)


def result_of(dest: Place, record: dict) -> Picture | None:
    files = record.get("files") or []
    for ending in SHOWN:
        for name in files:
            if PurePosixPath(name).name == ending:
                return loaded(dest.address, name)
    return None


def loaded(place: str, name: str) -> Picture | None:
    """The picture at SIDE, on white where it is transparent; None if it cannot be read."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(place_of(place).read(name))) as file:
            picture = ImageOps.contain(file.convert("RGBA"), (SIDE, SIDE))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    tile = Image.new("RGB", (SIDE, SIDE), PAPER)
    tile.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2), picture)
    return tile
