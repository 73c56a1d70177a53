"""Tables of measures by method: Markdown, CSV, and a picture (section 4.1)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np

from ..core.errors import BadInput
from . import statistics


@dataclass
class Table:
    """rows: (method, {measure: value}), in the order they were measured in."""

    rows: list[tuple[str, dict[str, float]]]

    @classmethod
    def of(cls, texts: list[str], methods: list[str]) -> Table:
        """From texts of lines "measure: value". Raises BadInput."""
        if len(texts) != len(methods):
            raise BadInput(
                "methods",
                f"are {len(methods)} for {len(texts)} completions",
                "give one for each, in the same order",
            )
        return cls(
            [(method.strip() or "ours", values_of(text)) for text, method in zip(texts, methods)]
        )

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(method for method, _ in self.rows))

    @property
    def measures(self) -> list[str]:
        return list(dict.fromkeys(name for _, values in self.rows for name in values))

    def values(self, method: str, measure: str) -> list[float]:
        return [v[measure] for m, v in self.rows if m == method and measure in v]

    def cells(self) -> list[list[str]]:
        """Head and rows: mean, its interval; and p against the first method, where as many
        completions of both are paired in order."""
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
        values, others = self.values(method, measure), self.values(first, measure)
        if not values:
            return ""
        value, low, high = statistics.mean(values)
        text = f"{value:.3f} ({low:.3f} to {high:.3f})"
        if method != first and len(values) == len(others):
            text += f", p {statistics.paired(others, values)[1]:.2g}"
        return text

    def markdown(self) -> str:
        head, *lines = (f"| {' | '.join(line)} |" for line in self.cells())
        rule = "| " + " | ".join(["---"] * (2 + len(self.measures))) + " |"
        return "\n".join([head, rule, *lines]) + "\n"

    def csv(self) -> str:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["method", *self.measures])
        for method, values in self.rows:
            writer.writerow([method, *(values.get(name, "") for name in self.measures)])
        return file.getvalue()

    def picture(self, size: int = 16) -> np.ndarray:
        """[H, W, 3] float32 in 0..1: the table drawn."""
        from PIL import Image, ImageDraw, ImageFont

        font, cells = ImageFont.load_default(size), self.cells()
        pad, tall = size, 2 * size
        widths = [
            int(max(font.getlength(line[i]) for line in cells)) + 2 * pad
            for i in range(len(cells[0]))
        ]
        page = Image.new("RGB", (sum(widths), tall * len(cells) + 1), "white")
        draw = ImageDraw.Draw(page)
        for row, line in enumerate(cells):
            for column, text in enumerate(line):
                at = (sum(widths[:column]) + pad, row * tall + tall // 2)
                draw.text(at, text, "black", font=font, anchor="lm")
            y = (row + 1) * tall
            draw.line([(0, y), (page.width, y)], "black" if row == 0 else (220, 220, 220))
        return np.asarray(page, np.float32) / 255


def values_of(text: str) -> dict[str, float]:
    try:
        pairs = [line.rsplit(":", 1) for line in text.splitlines() if line.strip()]
        found = {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        found = {}
    if not found:
        raise BadInput(
            "measures",
            f"hold '{text[:40]}'",
            "connect Completion Metrics, or give lines like 'whole IoU: 0.9'",
        )
    return found
