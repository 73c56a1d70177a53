"""Writes an evaluation: tables in Markdown, JSON and CSV, and the pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from .cells import CELLS
from .sheets import dose_points, draw_cell, draw_curve, draw_failures, k_points
from .tables import companion_gain, markdown, table


def write(records: list[dict], out: Path, command: str, date: str) -> None:
    """evaluation.md, .json and .csv, and the sheets, of what there is so far."""
    if not records:
        return
    (out / "evaluation.md").write_text(markdown(records, command, date))
    figures = {"cells": table(records), "companion gain": companion_gain(records)}
    (out / "evaluation.json").write_text(json.dumps(figures, indent=1))
    names = list(dict.fromkeys(name for record in records for name in record))
    with open(out / "evaluation.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(records)
    for cell in CELLS:
        draw_cell(records, cell, out)
    draw_failures(records, out)
    draw_curve(out / "dose.png", "probability p of the companion", dose_points(records))
    draw_curve(out / "k.png", "step k of 50 at which the contexts are swapped", k_points(records))
