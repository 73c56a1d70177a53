"""The evaluation's figures by cell and method, and their tables in Markdown."""

from __future__ import annotations

import numpy as np

from amodal import statistics

from .cells import CELLS, DOSES, EVERY
from .judge import FOREIGN
from .methods import METHODS
from .rules import RULES as RULES_FOR_MASK
from .runner import RULES, SUCCESS

FIGURES = {  # name -> (heading, how it is averaged)
    "success": ("success", "share"),
    "whole": ("whole IoU", "mean"),
    "hidden": ("hidden IoU", "mean"),
    "colour": ("colour error", "mean"),
    "perceptual": ("ST-LPIPS", "mean"),
    "foreign": ("foreign object", "over"),
    "mask_k": ("M^k IoU", "mean"),
    "passes": ("passes", "mean"),
    "calls": ("UNet calls", "mean"),
    "seconds": ("seconds", "mean"),
}


def table(records: list[dict]) -> dict:
    """cells -> methods -> figures: {"n", name: [value, low, high], "median whole"}."""
    found = {}
    for cell in EVERY:
        for method in METHODS:
            rows = select(records, cell, method)
            if rows:
                found.setdefault(cell, {})[method] = of_rows(rows)
    return found


def select(records: list[dict], cell: str, method: str, k: float | None = None) -> list[dict]:
    """Records of a cell and a method in the order of the scenes."""
    rows = [
        r for r in records if r["cell"] == cell and r["method"] == method and r["k"] == k
    ]
    return sorted(rows, key=lambda r: r["number"])


def of_rows(rows: list[dict]) -> dict:
    figures = {"n": len(rows)}
    for name, (_, how) in FIGURES.items():
        values = [r[name] for r in rows if name in r]
        if not values:
            continue
        if how == "share":
            figures[name] = statistics.share(values)
        elif how == "over":
            figures[name] = statistics.share([v >= FOREIGN for v in values])
        else:
            figures[name] = statistics.mean(values)
    figures["median whole"] = float(np.median([r["whole"] for r in rows]))
    return figures


def compared(records: list[dict], cell: str, first: str, second: str) -> dict | None:
    """Paired comparison of two methods on the scenes that both have been run on."""
    a, b = select(records, cell, first), select(records, cell, second)
    both = {r["number"] for r in a} & {r["number"] for r in b}
    if not both:
        return None
    hits = [[r["success"] for r in rows if r["number"] in both] for rows in (a, b)]
    value, low, high = statistics.gain(*hits)
    return {"n": len(both), "gain": [value, low, high], "p": statistics.mcnemar(*hits)}


def percent(values) -> str:
    value, low, high = values
    return f"{value:.0%} ({low:.0%} to {high:.0%})"


def number(values) -> str:
    value, low, high = values
    form = "{:.0f}" if value >= 100 else "{:.1f}" if value >= 10 else "{:.3f}"
    return f"{form.format(value)} ({form.format(low)} to {form.format(high)})"


def markdown(records: list[dict], command: str, date: str) -> str:
    """The whole report."""
    found = table(records)
    parts = [
        "# Evaluation",
        f"`{command}` on {date}; sticker models, through the real host's executor. Success: whole "
        f"IoU at least {SUCCESS} and no foreign object (of at least {FOREIGN:.0%} of the hidden "
        "area, seen by a net trained apart). In brackets: 95 % intervals.",
    ]
    parts += [cell_table(cell, found[cell]) for cell in CELLS if cell in found]
    parts.append(comparisons(records))
    parts.append(dose_table(records))
    parts.append(k_table(records))
    parts.append(rules_table(records))
    return "\n\n".join(part for part in parts if part) + "\n"


def cell_table(cell: str, methods: dict) -> str:
    names = [n for n in FIGURES if any(n in figures for figures in methods.values())]
    count = next(iter(methods.values()))["n"]
    head = ["method", *(FIGURES[n][0] for n in names), "median whole"]
    lines = [f"## {CELLS[cell].title} ({count} scenes)", "", row(head), row(["---"] * len(head))]
    for method, figures in methods.items():
        cells = []
        for name in names:
            form = number if FIGURES[name][1] == "mean" else percent
            cells.append(form(figures[name]) if name in figures else "")
        lines.append(row([METHODS[method], *cells, f"{figures['median whole']:.3f}"]))
    return "\n".join(lines)


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


PAIRS = (("without", "mixed"), ("naive", "mixed"), ("removal", "mixed"), ("mixed", "true-mask"))


def companion_gain(records: list[dict]) -> dict | None:
    """Mixed context over without it on all companion scenes, easy and hard."""
    pooled = [
        {**r, "cell": "companion", "number": (r["cell"], r["number"])}
        for r in records
        if r["cell"].startswith("companion")
    ]
    return compared(pooled, "companion", "without", "mixed")


def comparisons(records: list[dict]) -> str:
    lines, found = [], companion_gain(records)
    if found:
        names = f"{METHODS['mixed']} over {METHODS['without']}"
        gain = percent(found["gain"])
        lines.append(row(["**its companion, both**", names, gain, f"{found['p']:.2g}"]))
    for cell in CELLS:
        for first, second in PAIRS:
            found = compared(records, cell, first, second)
            if found:
                names = f"{METHODS[second]} over {METHODS[first]}"
                gain = percent(found["gain"])
                lines.append(row([CELLS[cell].title, names, gain, f"{found['p']:.2g}"]))
    if not lines:
        return ""
    head = [row(["scenes", "compared", "gain in success", "McNemar p"]), row(["---"] * 4)]
    return "\n".join(["## Paired comparisons", "", *head, *lines])


def dose_table(records: list[dict]) -> str:
    """Gain of mixed context against the companion's probability."""
    lines = []
    for name, cell in DOSES.items():
        found = compared(records, name, "without", "mixed")
        if found:
            foreign = [
                percent(of_rows(select(records, name, method))["foreign"])
                for method in ("without", "mixed")
            ]
            gain = percent(found["gain"])
            lines.append(row([cell.title, str(found["n"]), gain, f"{found['p']:.2g}", *foreign]))
    if not lines:
        return ""
    head = ["companion", "scenes", "gain of mixed context", "McNemar p", "foreign without"]
    head = [row([*head, "foreign with"]), row(["---"] * 6)]
    return "\n".join(["## Dose and response", "", *head, *lines])


def k_table(records: list[dict]) -> str:
    """Success against the step at which the contexts are swapped."""
    steps = sorted({r["k"] for r in records if r["k"] is not None})
    lines = []
    for k in steps:
        for cell in CELLS:
            rows = select(records, cell, "mixed", k)
            if rows:
                figures = of_rows(rows)
                cells = [f"{k:g}", CELLS[cell].title, str(figures["n"])]
                whole = number(figures["whole"])
                lines.append(row([*cells, percent(figures["success"]), whole,
                                  percent(figures["foreign"]),
                                  number(figures["mask_k"]) if "mask_k" in figures else ""]))
    if not lines:
        return ""
    head = ["k", "scenes", "n", "success", "whole IoU", "foreign object", "M^k IoU"]
    return "\n".join(["## The step k of the swap", "", row(head), row(["---"] * 7), *lines])


def rules_table(records: list[dict]) -> str:
    """IoU of M^k with the whole object, rule by rule and level by level, at the shipped k."""
    lines = []
    for cell in CELLS:
        rows = [r for r in select(records, cell, RULES) if set(r["rules"]) == set(RULES_FOR_MASK)]
        for rule, title in RULES_FOR_MASK.items():
            values = [r["rules"][rule] for r in rows]
            if values:
                mean = number(statistics.mean(values))
                lines.append(row([CELLS[cell].title, title, str(len(values)), mean]))
    if not lines:
        return ""
    head = [row(["scenes", "rule for M^k", "n", "IoU with the whole object"]), row(["---"] * 4)]
    return "\n".join(["## The mask at step k", "", *head, *lines])
