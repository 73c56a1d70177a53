"""The evaluation as pictures: best and worst scenes, failures of each kind, curves."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..methods import METHODS
from ..runner import ANALYSIS, Task
from ..scenarios import CELLS, DOSES, EVERY
from ..unseen_art import ART
from .stories import failures, line, outcome
from .tables import compared, k_rows, of_rows, select

TILE = 192  # the most pixels of a picture's side on a sheet
STRIP = ("picture", "completed picture", "object", "truth")


def draw_cell(records: list[dict], cell: str, out: Path) -> None:
    """<cell>.png: best, median and worst scenes of mixed context, three of each."""
    rows = ranked(records, cell)
    if len(rows) < 3:
        return
    few = min(3, len(rows) // 3)
    middle = len(rows) // 2 - few // 2
    chosen = {"best": rows[-few:][::-1], "median": rows[middle : middle + few], "worst": rows[:few]}
    strips = [
        (f"{name}: {line(record)}", strip)
        for name, group in chosen.items()
        for record, strip in kept(group, out)
    ]
    draw_strips(strips, out / f"{cell}.png", EVERY[cell].title)


def ranked(records: list[dict], cell: str) -> list[dict]:
    """Records of mixed context, the worst first."""
    return sorted(select(records, cell, "mixed"), key=lambda r: (r["success"], r["amodal_iou"]))


def draw_cells(records: list[dict], out: Path) -> None:
    """cells.png: the best, the median and the worst scene of each cell, side by side."""
    strips = []
    for cell in CELLS:
        rows = ranked(records, cell)
        if len(rows) >= 3:
            chosen = {"best": rows[-1], "median": rows[len(rows) // 2], "worst": rows[0]}
            found = kept(list(chosen.values()), out)
            strips += [(f"{n}: {line(r)}", strip) for n, (r, strip) in zip(chosen, found)]
    draw_strips(strips, out / "cells.png", "Best, median and worst", columns=3)


def draw_failures(records: list[dict], out: Path) -> None:
    """failures.png: two failures of each kind with mixed context, the worst first."""
    strips = [
        (f"{kind}: {line(record)}", strip)
        for kind, rows in failures(records).items()
        for record, strip in kept(rows, out)
    ]
    draw_strips(strips, out / "failures.png", "What goes wrong")


def draw_methods(records: list[dict], out: Path) -> None:
    """methods.png: two scenes of each cell, completed by every method."""
    strips, shown = [], list(dict.fromkeys(r["method"] for r in records if r["method"] in METHODS))
    for cell in CELLS:
        for record in select(records, cell, "mixed")[:2]:
            made = [strip for _, strip in kept([record | {"method": m} for m in shown], out)]
            if len(made) == len(shown):
                strips.append((line(record), side_by_side(made)))
    if len(shown) > 1:
        tiles = ("picture", *shown, "truth")
        draw_strips(strips, out / "methods.png", "Methods", columns=1, tiles=tiles)


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """The picture, the result of each method, and the truth, from their strips."""
    strips = [np.asarray(picture) for picture in pictures]
    side = strips[0].shape[0]
    tiles = [strips[0][:, :side], *(s[:, side : 2 * side] for s in strips), strips[0][:, -side:]]
    return Image.fromarray(np.concatenate(tiles, 1))


def draw_hundred(records: list[dict], out: Path, count: int = 100) -> None:
    """hundred.png: results of mixed context as they come, equally many of each cell."""
    cells = [select(records, cell, "mixed") for cell in CELLS]
    rows = [r for group in itertools.zip_longest(*cells) for r in group if r is not None]
    strips = []
    for number, (record, strip) in enumerate(kept(rows[:count], out), 1):
        words = (
            f"{number}  {record['word']}  {record['amodal_iou']:.2f}  "
            f"{outcome(record)}{'' if record['success'] else '  x'}"
        )
        half = (strip.width // 2, strip.height // 2)
        strips.append((words, strip.resize(half, Image.Resampling.LANCZOS)))
    title = "Results as they come (word, amodal IoU, status, x: no success)"
    draw_strips(strips, out / "hundred.png", title, columns=4)


def draw_unseen(records: list[dict], out: Path, each: int = 8) -> None:
    """unseen.png: scenes of every source of art, and their results."""
    strips = []
    for art in ART.values():
        for record, strip in kept(select(records, art.name, ANALYSIS)[:each], out):
            ious = ", ".join(f"{iou:.2f}" for iou in record["objects"])
            words = (
                f"{art.title}: masks {ious}; order {record['right']} of {record['pairs']}; "
                f"removal {record['removal']:.3f}"
            )
            strips.append((words, strip))
    tiles = ("picture", "true masks", "found", "emptied")
    draw_strips(strips, out / "unseen.png", "Unseen art", tiles=tiles)


def dose_points(records: list[dict]) -> dict[str, list]:
    """{curve: [(x, (value, low, high)), ...]}: the gain of mixed context at each p."""
    gains = [
        (cell.likely[0], compared(records, name, "without", "mixed"))
        for name, cell in DOSES.items()
    ]
    return {"gain in success": [(p, tuple(c["gain"])) for p, c in gains if c]}


def k_points(records: list[dict]) -> dict[str, list]:
    """Success and the share of spurious objects at each k, on the cell companion-hard."""
    figures = [(k, of_rows(rows)) for k, rows in k_rows(records, "companion-hard").items()]
    names = {"success": "success", "spurious": "a spurious object"}
    return {title: [(k, f[name]) for k, f in figures] for name, title in names.items()}


def kept(records: list[dict], out: Path) -> list[tuple[dict, Image.Image]]:
    """(record, its strip of pictures) for each record whose strip was kept."""
    strips = []
    for record in records:
        path = out / "pictures" / f"{task_of(record).name}.webp"
        if path.exists():
            strip = Image.open(path).convert("RGB")
            strip.thumbnail((strip.width, TILE), Image.Resampling.LANCZOS)
            strips.append((record, strip))
    return strips


def task_of(record: dict) -> Task:
    return Task(**{name: record[name] for name in Task.__dataclass_fields__})


def draw_strips(
    strips: list, path: Path, title: str, columns: int = 2, tiles: tuple[str, ...] = STRIP
) -> None:
    """Writes strips of pictures with a line under each; nothing without strips.

    strips: (line, picture) each; tiles: names of the pictures in a strip.
    """
    if not strips:
        return
    font, large = ImageFont.load_default(13), ImageFont.load_default(20)
    width, height = max(s.width for _, s in strips) + 16, max(s.height for _, s in strips) + 26
    rows = -(-len(strips) // columns)
    page = Image.new("RGB", (columns * width + 16, rows * height + 60), "white")
    draw = ImageDraw.Draw(page)
    draw.text((16, 10), f"{title}: {', '.join(tiles)}", "black", font=large)
    for at, (words, strip) in enumerate(strips):
        x, y = 16 + at % columns * width, 50 + at // columns * height
        page.paste(strip, (x, y))
        while draw.textlength(words, font) > width - 16:
            words = words[:-2]
        draw.text((x, y + strip.height + 3), words, "black", font=font)
    page.save(path)
