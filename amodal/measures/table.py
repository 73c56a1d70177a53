"""Tables of measures by method, as Markdown, CSV and a picture (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core import interrupts
from ..core.errors import BadInput
from ..core.text import csv_text, number
from . import statistics


@dataclass
class Table:
    """Rows of (method, {measure: value}), one for each completion, in the given order."""

    rows: list[tuple[str, dict[str, float]]]

    @classmethod
    def of(cls, texts: list[str], methods: list[str]) -> Table:
        """A table from texts with lines "measure: value", and the method of each text.

        Raises BadInput for different numbers of texts and methods, and for a text without values.
        """
        if len(texts) != len(methods):
            raise BadInput(
                "methods",
                f"are {len(methods)} for {len(texts)} completions",
                "give one method for each completion, in the same order",
            )
        return cls(
            [(method.strip() or "ours", values_of(text)) for text, method in zip(texts, methods)]
        )

    @property
    def methods(self) -> list[str]:
        """The distinct methods, in order."""
        return list(dict.fromkeys(method for method, _ in self.rows))

    @property
    def measures(self) -> list[str]:
        """The distinct measures, in order."""
        return list(dict.fromkeys(name for _, values in self.rows for name in values))

    def values(self, method: str, measure: str) -> list[float]:
        """The values of a measure for all completions of a method."""
        return [
            values[measure]
            for row_method, values in self.rows
            if row_method == method and measure in values
        ]

    def cells(self) -> list[list[str]]:
        """The header and one row for each method: its name, number of completions, and measures."""
        first = self.methods[0]
        lines = [["method", "n", *self.measures]]
        for method in self.methods:
            counts = [len(self.values(method, name)) for name in self.measures]
            line = [method, str(max(counts))]
            for name in self.measures:
                line.append(self.cell(first, method, name))
            lines.append(line)
        return lines

    def cell(self, first: str, method: str, measure: str) -> str:
        """Mean and 95 % interval, and the p value against the first method.

        The p value needs equally many completions of both methods, which are paired in order.
        """
        interrupts.check()
        values, reference = self.values(method, measure), self.values(first, measure)
        if not values:
            return ""
        value, low, high = statistics.mean(values)
        text = f"{value:.3f} ({low:.3f} to {high:.3f})"
        if method != first and len(values) == len(reference):
            text += f", p {statistics.paired(reference, values)[1]:.2g}"
        return text

    def markdown(self) -> str:
        """The table in Markdown."""
        head, *lines = (f"| {' | '.join(line)} |" for line in self.cells())
        rule = "| " + " | ".join(["---"] * (2 + len(self.measures))) + " |"
        return "\n".join([head, rule, *lines]) + "\n"

    def csv(self) -> str:
        """All values as CSV, one row for each completion."""
        head = ("method", *self.measures)
        rows = ((method, *map(values.get, self.measures)) for method, values in self.rows)
        return csv_text([head, *rows])

    def picture(self, size: int = 16) -> np.ndarray:
        """The table drawn, [H, W, 3] float32 in 0..1; `size` is the font's size in pixels."""
        from PIL import Image, ImageDraw, ImageFont

        font, cells = ImageFont.load_default(size), self.cells()
        pad, row_height = size, 2 * size
        widths = [
            int(max(font.getlength(line[i]) for line in cells)) + 2 * pad
            for i in range(len(cells[0]))
        ]
        page = Image.new("RGB", (sum(widths), row_height * len(cells) + 1), "white")
        draw = ImageDraw.Draw(page)
        for row, line in enumerate(cells):
            for column, text in enumerate(line):
                at = (sum(widths[:column]) + pad, row * row_height + row_height // 2)
                draw.text(at, text, "black", font=font, anchor="lm")
            y = (row + 1) * row_height
            draw.line([(0, y), (page.width, y)], "black" if row == 0 else (220, 220, 220))
        return np.asarray(page, np.float32) / 255


def lines_of(values: dict[str, float]) -> str:
    """Measures as text: a line "measure: value" for each, which `values_of` reads."""
    return "\n".join(f"{name}: {value:.6f}" for name, value in values.items())


def values_of(text: str) -> dict[str, float]:
    """{measure: value} of lines "measure: value". Raises BadInput if there are none."""
    values: dict[str, float] = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, written = line.rpartition(":")
        value = number(written.strip())
        if value is None or not name:
            values.clear()
            break
        values[name.strip()] = value
    if not values:
        raise BadInput(
            "measures",
            f"contain '{text[:40]}'",
            "connect Completion Metrics, or give lines such as 'amodal IoU: 0.9'",
        )
    return values
