"""Text that leaves the pack: always encodable, and never a formula in a spreadsheet.

Also what people type: lists, and plain ASCII numbers.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable
from numbers import Real
from pathlib import Path

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet's formula may begin with


def encodable(text: str) -> str:
    """The text with lone surrogates, which no encoding takes, as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whatever the text holds."""
    path.write_text(encodable(text), encoding="utf-8")


def listed(text: str) -> list[str]:
    """['a', 'b c', '0.5'] from 'a, b c, 0.5', or from one entry in each line."""
    return [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]


def csv_cell(text: str) -> str:
    """A text for a cell of a CSV file. A quote keeps spreadsheets from reading it as a formula."""
    text = encodable(text)
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_text(rows: Iterable[Iterable]) -> str:
    """Rows as CSV text: numbers as they are, None as an empty cell, all else by `csv_cell`."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for row in rows:
        writer.writerow(
            [cell if isinstance(cell, Real | None) else csv_cell(str(cell)) for cell in row]
        )
    return file.getvalue()


def whole_number(text: str) -> int | None:
    """The number of up to 20 ASCII digits, with a sign or none; None for any other text."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,20}", text) else None


def number(text: str) -> float | None:
    """The finite number of a text such as 1, -0.5 or 2e-3 in ASCII; None for any other text."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None
