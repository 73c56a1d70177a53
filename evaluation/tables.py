"""The evaluation's figures by cell and method, and their tables in Markdown."""

from __future__ import annotations

import numpy as np

from amodal import statistics
from amodal.stickers.scenes import BACKGROUNDS

from .cells import CELLS, DOSES, EVERY
from .judge import FOREIGN
from .methods import METHODS
from .rules import RULES as RULES_FOR_MASK
from .runner import ANALYSIS, RULES
from .unseen import ART

SHIPPED_K = 20  # of 50 steps, in the shipped workflow

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


def pooled(records: list[dict], method: str) -> list[dict]:
    """Records of a method from all cells."""
    return [r for cell in CELLS for r in select(records, cell, method)]


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


def cell_table(cell: str, methods: dict) -> str:
    names = [n for n in FIGURES if any(n in figures for figures in methods.values())]
    count = next(iter(methods.values()))["n"]
    head = ["method", *(FIGURES[n][0] for n in names), "median whole"]
    lines = [f"## {EVERY[cell].title} ({count} scenes)", "", row(head), row(["---"] * len(head))]
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


def k_rows(records: list[dict], cell: str) -> dict[float, list[dict]]:
    """{k: records of mixed context}, rising, with the shipped k on the same scenes."""
    steps = sorted({r["k"] for r in records if r["k"] is not None and r["cell"] == cell})
    found = {k: select(records, cell, "mixed", k) for k in steps}
    numbers = {r["number"] for rows in found.values() for r in rows}
    shipped = [r for r in select(records, cell, "mixed") if r["number"] in numbers]
    if shipped:
        found[SHIPPED_K * shipped[0]["steps"] / 50] = shipped
    return dict(sorted(found.items()))


def k_table(records: list[dict]) -> str:
    """Success against the step at which the contexts are swapped."""
    lines = []
    for cell in CELLS:
        for k, rows in k_rows(records, cell).items():
            figures = of_rows(rows)
            cells = [f"{k:g}", CELLS[cell].title, str(figures["n"]), percent(figures["success"])]
            cells += [number(figures["whole"]), percent(figures["foreign"])]
            lines.append(row([*cells, number(figures["mask_k"]) if "mask_k" in figures else ""]))
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


def order_share(records: list[dict], art: str) -> dict | None:
    """right: neighbours whose order is told rightly; front: of two of which one hides the other,
    the nearer one told."""
    rows = select(records, art, ANALYSIS)
    total = {name: sum(r[name] for r in rows) for name in ("pairs", "right", "over", "front")}
    if not total["pairs"]:
        return None
    found = {"title": ART[art].title, "n": total["pairs"]}
    for name, of in (("right", "pairs"), ("front", "over")):
        hits = [True] * total[name] + [False] * (total[of] - total[name])
        found[name] = statistics.share(hits) if hits else None
    return found


def unseen_table(records: list[dict]) -> str:
    """The stages that need no words, on art that was trained on and art that was not."""
    lines = []
    for name, art in ART.items():
        rows, order = select(records, name, ANALYSIS), order_share(records, name)
        if not rows or order is None:
            continue
        ious = [iou for r in rows for iou in r["objects"]]
        emptied = [
            f"{np.mean([r['removal'] for r in rows if r['background'] == kind] or [np.nan]):.4f}"
            for kind in BACKGROUNDS[1:]
        ]
        lines.append(row([
            art.title, str(len(rows)), number(statistics.mean(ious)),
            percent(statistics.share([iou >= 0.5 for iou in ious])), percent(order["right"]),
            percent(order["front"]) if order["front"] else "", " / ".join(emptied),
        ]))
    if not lines:
        return ""
    head = ["art", "scenes", "mask IoU of objects", "found (IoU 0.5)", "order right",
            "nearer one told", f"removal's error: {' / '.join(BACKGROUNDS[1:])}"]
    about = (
        "Three objects over each other. Masks: the best detection, whatever it is called. Order: "
        "of neighbours, both answers right (who hides whom, or neither), given the true masks. "
        "Removal: mean difference (0..1) from the truth where the object and its occluders were."
    )
    return "\n".join(
        ["## Art that was not trained on", "", about, "", row(head), row(["---"] * 7), *lines]
    )
