"""The evaluation's plots, with 95 % intervals. Without data no file is written."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import numpy as np


@contextmanager
def panel_of(path: Path, size: tuple[float, float]):
    """A panel to draw on, size in inches; the file is written at the end of the block."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=size)
    yield panel
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_curve(path: Path, axis: str, curves: dict[str, list]) -> None:
    """curves: {title: [(x, (value, low, high)), ...]}."""
    if not any(curves.values()):
        return
    with panel_of(path, (5.2, 3.6)) as panel:
        for title, points in curves.items():
            x = [at for at, _ in points]
            value, low, high = np.array([values for _, values in points]).T
            errors = [value - low, high - value]
            panel.errorbar(x, value, errors, label=title, capsize=3, marker="o")
        panel.axhline(0, color="gray", linewidth=0.8)
        panel.set_xlabel(axis)
        panel.yaxis.set_major_formatter("{x:.0%}")
        panel.legend()
        panel.grid(alpha=0.3)


def draw_bars(path: Path, axis: str, bars: dict[str, tuple]) -> None:
    """bars: {title: (value, low, high)}, from top to bottom."""
    if not bars:
        return
    with panel_of(path, (5.6, 0.8 + 0.4 * len(bars))) as panel:
        names = list(bars)[::-1]
        value, low, high = np.array([bars[name] for name in names]).T
        panel.barh(names, value, xerr=[value - low, high - value], capsize=3, color="#7a9cc6")
        panel.set_xlabel(axis)
        panel.set_xlim(0, 1)
        panel.grid(axis="x", alpha=0.3)
