"""The evaluation as pictures: best and worst scenes, failures of each kind, curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .cells import CELLS, DOSES, EVERY
from .judge import FOREIGN
from .runner import Task
from .tables import compared, of_rows, select

STRIP = ("picture", "completed picture", "object", "truth")


def draw_cell(records: list[dict], cell: str, out: Path) -> None:
    """<cell>.png: best, median and worst scenes of mixed context, three of each."""
    rows = sorted(select(records, cell, "mixed"), key=lambda r: (r["success"], r["whole"]))
    if len(rows) < 3:
        return
    few = min(3, len(rows) // 3)
    middle = len(rows) // 2 - few // 2
    chosen = {
        "best": rows[-few:][::-1], "median": rows[middle : middle + few], "worst": rows[:few]
    }
    strips = []
    for name, group in chosen.items():
        for record in group:
            path = out / "pictures" / f"{task_of(record).name}.webp"
            if path.exists():
                strips.append((f"{name}: {line(record)}", Image.open(path).convert("RGB")))
    if strips:
        draw_strips(strips, out / f"{cell}.png", EVERY[cell].title)


FAILURES = {  # kind -> is it this record's?
    "a foreign object": lambda r: r["foreign"] >= FOREIGN,
    "nothing was found to complete": lambda r: r["passes"] == 0,
    "too little was completed": lambda r: r["hidden"] < 0.3,
    "too much or at the wrong place": lambda r: r["hidden"] < 0.7,
    "the wrong colours": lambda r: r["colour"] > 0.12,
}


def draw_failures(records: list[dict], out: Path) -> None:
    """failures.png: of mixed context, two failures of each kind, the worst of it first."""
    rows = [r for cell in CELLS for r in select(records, cell, "mixed") if not r["success"]]
    strips, used = [], set()
    for kind, fits in FAILURES.items():
        found = [r for r in rows if fits(r) and r["key"] not in used]
        for record in sorted(found, key=lambda r: r["whole"])[:2]:
            used.add(record["key"])
            path = out / "pictures" / f"{task_of(record).name}.webp"
            if path.exists():
                strips.append((f"{kind}: {line(record)}", Image.open(path).convert("RGB")))
    if strips:
        draw_strips(strips, out / "failures.png", "What goes wrong")


def dose_points(records: list[dict]) -> dict[str, list]:
    """{curve: [(x, (value, low, high)), ...]}: the gain of mixed context at each p."""
    found = [
        (cell.likely[0], compared(records, name, "without", "mixed"))
        for name, cell in DOSES.items()
    ]
    return {"gain in success": [(p, tuple(c["gain"])) for p, c in found if c]}


def k_points(records: list[dict]) -> dict[str, list]:
    """Success and the share of foreign objects at each k, on scenes with a hard companion."""
    steps = sorted({r["k"] for r in records if r["k"] is not None})
    found = [(k, of_rows(select(records, "companion-hard", "mixed", k))) for k in steps]
    names = {"success": "success", "foreign": "a foreign object"}
    return {title: [(k, f[name]) for k, f in found] for name, title in names.items()}


def draw_curve(path: Path, axis: str, curves: dict[str, list]) -> None:
    """Curves with their 95 % intervals; nothing where there are no points."""
    if not any(curves.values()):
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panel = plt.subplots(figsize=(5.2, 3.6))
    for title, points in curves.items():
        x = [at for at, _ in points]
        value, low, high = np.array([values for _, values in points]).T
        panel.errorbar(x, value, [value - low, high - value], label=title, capsize=3, marker="o")
    panel.axhline(0, color="gray", linewidth=0.8)
    panel.set_xlabel(axis)
    panel.yaxis.set_major_formatter("{x:.0%}")
    panel.legend()
    panel.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


def task_of(record: dict) -> Task:
    return Task(**{name: record[name] for name in Task.__dataclass_fields__})


def line(record: dict) -> str:
    """A record in a few words."""
    return (
        f"{record['word']} behind {record['occluder'] or 'the border'} "
        f"({record['hidden_share']:.0%} hidden): whole {record['whole']:.2f}, hidden "
        f"{record['hidden']:.2f}, colour {record['colour']:.3f}, foreign {record['foreign']:.0%}, "
        f"{record['passes']} passes, {record['status']}"
    )


def draw_strips(strips: list, path: Path, title: str, columns: int = 2) -> None:
    """Strips of pictures with a line under each."""
    font, large = ImageFont.load_default(13), ImageFont.load_default(20)
    width, height = max(s.width for _, s in strips) + 16, max(s.height for _, s in strips) + 26
    rows = -(-len(strips) // columns)
    page = Image.new("RGB", (columns * width + 16, rows * height + 60), "white")
    draw = ImageDraw.Draw(page)
    draw.text((16, 10), f"{title}: {', '.join(STRIP)}", "black", font=large)
    for at, (words, strip) in enumerate(strips):
        x, y = 16 + at % columns * width, 50 + at // columns * height
        page.paste(strip, (x, y))
        while draw.textlength(words, font) > width - 16:
            words = words[:-2]
        draw.text((x, y + strip.height + 3), words, "black", font=font)
    page.save(path)
