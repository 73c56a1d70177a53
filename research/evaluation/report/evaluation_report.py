"""Writes an evaluation: tables in Markdown, JSON, CSV, and the pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from amodal.core.text import csv_text, write_text

from ..hard_scenes import ROBUST
from ..judge import SPURIOUS
from ..runner import SUCCESS
from ..scenarios import CELLS
from ..unseen_art import ART
from . import aims, plots, sheets, stories, tables

COLUMNS = """## What the columns mean

- *success*: the amodal IoU is at least {success}, and no spurious object was painted.
- *spurious object*: share of scenes in which another object was painted. The judge, a network
  trained separately, finds an object other than the query in the painted pixels that is not in the
  true picture. It counts from {spurious:.0%} of the occluded area on.
- *amodal IoU*, *occluded IoU*: of the completed object's mask and the true one; of their occluded
  parts.
- *colour error*: mean absolute difference (0..1) from the truth at occluded pixels where both show
  the object; 1 if there are none. *ST-LPIPS*: of the two occluded parts on black.
- *M^k IoU*: of M^k and the true amodal mask, in pass 1.
- *passes*, *UNet calls*, *seconds*: for each scene, in a worker with one thread.

If nothing was completed, the visible part counts as the result. Brackets hold 95 % intervals:
Wilson's for shares, bootstrapped ones for means."""


def write(records: list[dict], out: Path, about: str) -> None:
    """evaluation.md, .json, .csv and the sheets. about: the command, its date and its commit."""
    if not records:
        return
    write_text(out / "evaluation.json", json.dumps(figures(records), indent=1))
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [[record.get(name) for name in names] for record in records]
    write_text(out / "evaluation.csv", csv_text([names, *rows]))
    for cell in (*CELLS, *ROBUST):
        sheets.draw_cell(records, cell, out)
    sheets.draw_cells(records, out)
    sheets.draw_failures(records, out)
    sheets.draw_methods(records, out)
    sheets.draw_hundred(records, out)
    sheets.draw_unseen(records, out)
    doses, steps = sheets.dose_points(records), sheets.k_points(records)
    plots.draw_curve(out / "dose.png", "probability p of the co-occurring occluder", doses)
    plots.draw_curve(out / "k.png", "step k of 50 at which contexts mix", steps)
    write_text(out / "evaluation.md", markdown(records, about, out))


def figures(records: list[dict]) -> dict:
    """What evaluation.json holds: the tables by cell and method, gains, order, aims."""
    return {
        "cells": tables.table(records),
        "co-occurring gain": tables.co_occurring_gain(records),
        "art": {name: tables.order_share(records, name) for name in ART},
        "aims": [asdict(aim) for aim in aims.aims(records)],
    }


def markdown(records: list[dict], about: str, out: Path) -> str:
    """The report, with links to the sheets in `out`."""
    cells = tables.table(records)
    parts = [
        "# Evaluation",
        f"{about}; sticker models, through the real host's executor.",
        aims.table(records),
        tables.main_table(cells),
        *(tables.cell_table(cell, cells[cell]) for cell in CELLS if cell in cells),
        tables.comparisons(records),
        illustrated(tables.dose_table(records), "gain against p", "dose.png"),
        illustrated(tables.k_table(records), "success against k", "k.png"),
        tables.rules_table(records),
        *(tables.cell_table(cell, cells[cell]) for cell in ROBUST if cell in cells),
        stories.statuses(records),
        tables.unseen_table(records),
        stories.stories(records),
        pictures(out),
        COLUMNS.format(success=SUCCESS, spurious=SPURIOUS),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def pictures(out: Path) -> str:
    """Links to the sheets."""
    known = {
        "cells": "the best, median and worst scene of each kind",
        "hundred": "a hundred scenes, as they come",
        "methods": "all methods side by side",
        "failures": "failures of each kind",
        "unseen": "unseen art",
        **{name: cell.title for name, cell in (CELLS | ROBUST).items()},
    }
    links = [
        f"- [{what}]({name}.png)" for name, what in known.items() if (out / f"{name}.png").exists()
    ]
    return "\n".join(["## Pictures", "", *links]) if links else ""


def illustrated(part: str, title: str, picture: str) -> str:
    return f"{part}\n\n![{title}]({picture})" if part else ""
