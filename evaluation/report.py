"""Writes an evaluation: tables in Markdown, JSON and CSV, and the pictures."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

from . import aims, plots, sheets, stories, tables
from .cells import CELLS
from .judge import FOREIGN
from .robust import ROBUST
from .runner import SUCCESS
from .unseen import ART


def write(records: list[dict], out: Path, command: str, date: str) -> None:
    """evaluation.md, .json and .csv, and the sheets, of what there is so far."""
    if not records:
        return
    (out / "evaluation.md").write_text(markdown(records, command, date))
    (out / "evaluation.json").write_text(json.dumps(figures(records), indent=1))
    names = list(dict.fromkeys(name for record in records for name in record))
    with open(out / "evaluation.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(records)
    for cell in (*CELLS, *ROBUST):
        sheets.draw_cell(records, cell, out)
    sheets.draw_cells(records, out)
    sheets.draw_failures(records, out)
    sheets.draw_methods(records, out)
    sheets.draw_hundred(records, out)
    sheets.draw_unseen(records, out)
    doses, steps = sheets.dose_points(records), sheets.k_points(records)
    plots.draw_curve(out / "dose.png", "probability p of the companion", doses)
    plots.draw_curve(out / "k.png", "step k of 50 at which the contexts are swapped", steps)


def figures(records: list[dict]) -> dict:
    """What evaluation.json holds: cells -> methods -> figures, and what was made of them."""
    return {
        "cells": tables.table(records),
        "companion gain": tables.companion_gain(records),
        "art": {name: tables.order_share(records, name) for name in ART},
        "aims": [asdict(aim) for aim in aims.aims(records)],
    }


def markdown(records: list[dict], command: str, date: str) -> str:
    """The whole report."""
    found = tables.table(records)
    parts = [
        "# Evaluation",
        f"`{command}` on {date}; sticker models, through the real host's executor. Success: whole "
        f"IoU at least {SUCCESS} and no foreign object (of at least {FOREIGN:.0%} of the hidden "
        "area, seen by a net trained apart). In brackets: 95 % intervals.",
        aims.table(records),
        tables.main_table(found),
        *(tables.cell_table(cell, found[cell]) for cell in CELLS if cell in found),
        tables.comparisons(records),
        illustrated(tables.dose_table(records), "gain against p", "dose.png"),
        illustrated(tables.k_table(records), "success against k", "k.png"),
        tables.rules_table(records),
        *(tables.cell_table(cell, found[cell]) for cell in ROBUST if cell in found),
        stories.statuses(records),
        tables.unseen_table(records),
        stories.stories(records),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def illustrated(part: str, title: str, picture: str) -> str:
    return f"{part}\n\n![{title}]({picture})" if part else ""
