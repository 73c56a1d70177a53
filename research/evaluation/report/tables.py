"""The evaluation's figures by cell and method, and their tables in Markdown."""

from __future__ import annotations

import numpy as np

from amodal.measures import statistics
from amodal.stickers.scenes import BACKGROUNDS

from ..judge import SPURIOUS
from ..methods import METHODS
from ..rules import RULES as RULES_FOR_MASK
from ..runner import ANALYSIS, RULES
from ..scenarios import CELLS, DOSES, EVERY
from ..unseen_art import ART

SHIPPED_K = 20  # of 50 steps, in the shipped workflow
K_CURVE = (1, 5, 10, 15, 25, 30, 35, 40, 45, 49)  # the other steps of the k curve
CO_OCCURRING = ("companion-easy", "companion-hard")

FIGURES = {  # name -> (heading, how to average it)
    "success": ("success", "share"),
    "amodal_iou": ("amodal IoU", "mean"),
    "occluded_iou": ("occluded IoU", "mean"),
    "colour": ("colour error", "mean"),
    "perceptual": ("ST-LPIPS", "mean"),
    "spurious": ("spurious object", "over"),
    "mask_k": ("M^k IoU", "mean"),
    "passes": ("passes", "mean"),
    "calls": ("UNet calls", "mean"),
    "seconds": ("seconds", "mean"),
}


def table(records: list[dict]) -> dict:
    """cells -> methods -> figures: {"n", name: [value, low, high], "median amodal IoU"}."""
    cells = {}
    for cell in EVERY:
        for method in METHODS:
            rows = select(records, cell, method)
            if rows:
                cells.setdefault(cell, {})[method] = of_rows(rows)
    return cells


def pool(records: list[dict], cells, method: str, k: float | None = None) -> list[dict]:
    """Records of a method on some cells, in the same order of scenes for every method."""
    rows = [r for r in records if r["cell"] in cells and r["method"] == method and r["k"] == k]
    return sorted(rows, key=lambda r: (r["cell"], r["number"]))


def select(records: list[dict], cell: str, method: str, k: float | None = None) -> list[dict]:
    """Records of a method on one cell, in the order of the scenes."""
    return pool(records, (cell,), method, k)


def shared(*groups: list[dict]) -> list[list[dict]]:
    """The records of the scenes that all groups have, a list for each group."""
    common = set.intersection(*({(r["cell"], r["number"]) for r in rows} for rows in groups))
    return [[r for r in rows if (r["cell"], r["number"]) in common] for rows in groups]


def of_rows(rows: list[dict]) -> dict:
    figures = {"n": len(rows)}
    for name, (_, how) in FIGURES.items():
        values = [r[name] for r in rows if name in r]
        if not values:
            continue
        if how == "share":
            figures[name] = statistics.share(values)
        elif how == "over":
            figures[name] = statistics.share([v >= SPURIOUS for v in values])
        else:
            figures[name] = statistics.mean(values)
    figures["median amodal IoU"] = float(np.median([r["amodal_iou"] for r in rows]))
    return figures


def gained(first: list[dict], second: list[dict]) -> dict | None:
    """The second's gain in success over the first on their common scenes; None without any."""
    hits = [[r["success"] for r in rows] for rows in shared(first, second)]
    if not hits[0]:
        return None
    gain = list(statistics.gain(*hits))
    return {"n": len(hits[0]), "gain": gain, "p": statistics.mcnemar(*hits)}


def compared(records: list[dict], cell: str, first: str, second: str) -> dict | None:
    """The second method's gain over the first on a cell."""
    return gained(select(records, cell, first), select(records, cell, second))


def percent(values) -> str:
    value, low, high = values
    return f"{value:.0%} ({low:.0%} to {high:.0%})"


def number(values) -> str:
    value, low, high = values
    form = "{:.0f}" if value >= 100 else "{:.1f}" if value >= 10 else "{:.3f}"
    return f"{form.format(value)} ({form.format(low)} to {form.format(high)})"


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def headed(*cells: str) -> list[str]:
    """The two first lines of a table."""
    return [row(list(cells)), row(["---"] * len(cells))]


def section(title: str, head: list[str], rows: list[list[str]], about: str = "") -> str:
    """A table under its title; "" without rows."""
    if not rows:
        return ""
    lines = [f"## {title}", "", *([about, ""] if about else []), *headed(*head), *map(row, rows)]
    return "\n".join(lines)


def cell_table(cell: str, methods: dict) -> str:
    names = [n for n in FIGURES if any(n in figures for figures in methods.values())]
    count = next(iter(methods.values()))["n"]
    rows = []
    for method, figures in methods.items():
        cells = []
        for name in names:
            form = number if FIGURES[name][1] == "mean" else percent
            cells.append(form(figures[name]) if name in figures else "")
        rows.append([METHODS[method], *cells, f"{figures['median amodal IoU']:.3f}"])
    head = ["method", *(FIGURES[n][0] for n in names), "median amodal IoU"]
    return section(f"{EVERY[cell].title} ({count} scenes)", head, rows)


def main_table(figures: dict) -> str:
    """Every method in every cell, and in all cells with equal weight for each scene."""
    cells = [cell for cell in CELLS if cell in figures]
    methods = [m for m in METHODS if all(m in figures[cell] for cell in cells)]
    rows = [[EVERY[c].title, *(short([figures[c][m]]) for m in methods)] for c in cells]
    if len(cells) > 1:
        rows.append(["**all**", *(short([figures[c][m] for c in cells]) for m in methods)])
    about = "Success, and mean amodal IoU."
    return section("Main table", ["scenes", *(METHODS[m] for m in methods)], rows, about)


def short(figures: list[dict]) -> str:
    """Success and mean amodal IoU over the scenes of several cells."""
    count = sum(cell["n"] for cell in figures)
    both = (
        sum(cell[name][0] * cell["n"] for cell in figures) for name in ("success", "amodal_iou")
    )
    return "{:.0%}, {:.2f}".format(*(value / count for value in both))


PAIRS = (
    ("without", "mixed"),
    ("clusters", "mixed"),
    ("naive", "mixed"),
    ("removal", "mixed"),
    ("naive", "without"),
    ("mixed", "true-mask"),
    ("mixed", "true-modal"),
    ("mixed", "ceiling"),
)


def co_occurring_gain(records: list[dict]) -> dict | None:
    """Mixed context over without it on all scenes with a co-occurring occluder, easy and hard."""
    return gained(*(pool(records, CO_OCCURRING, method) for method in ("without", "mixed")))


def comparisons(records: list[dict]) -> str:
    gains = [
        ("**its co-occurring occluder, both**", "without", "mixed", co_occurring_gain(records))
    ]
    groups = {"**all**": tuple(CELLS), **{cell.title: (name,) for name, cell in CELLS.items()}}
    for title, group in groups.items():
        for pair in PAIRS:
            rows = (pool(records, group, method) for method in pair)
            gains.append((title, *pair, gained(*rows)))
    rows = [
        [
            title,
            f"{METHODS[second]} over {METHODS[first]}",
            percent(gain["gain"]),
            f"{gain['p']:.2g}",
        ]
        for title, first, second, gain in gains
        if gain
    ]
    head = ["scenes", "compared", "gain in success", "McNemar p"]
    return section(
        "Paired comparisons",
        head,
        rows,
        "On the same scenes. Intervals: Newcombe's for paired shares (method 10); p: McNemar's "
        "exact test that both succeed equally often.",
    )


def dose_table(records: list[dict]) -> str:
    """Gain of mixed context against the co-occurring occluder's probability."""
    rows = []
    for name, cell in DOSES.items():
        measured = compared(records, name, "without", "mixed")
        if measured:
            spurious = [
                percent(of_rows(select(records, name, method))["spurious"])
                for method in ("without", "mixed")
            ]
            gain = percent(measured["gain"])
            rows.append([cell.title, str(measured["n"]), gain, f"{measured['p']:.2g}", *spurious])
    return section(
        "The co-occurring occluder's probability",
        [
            "co-occurring occluder",
            "scenes",
            "gain of mixed context",
            "McNemar p",
            "spurious object without",
            "spurious object with",
        ],
        rows,
        "p: how often the co-occurring occluder stands in front of the object in training. Each p "
        "has other objects, so p is not the only difference.",
    )


def k_rows(records: list[dict], cell: str) -> dict[float, list[dict]]:
    """{k: records of mixed context on the same scenes}, with the shipped k, in rising order.

    k = 0 stands for the records without mixed context: the original context from the start.
    """
    steps = sorted({r["k"] for r in records if r["k"] is not None and r["cell"] == cell})
    by_k = {k: select(records, cell, "mixed", k) for k in steps}
    numbers = {r["number"] for rows in by_k.values() for r in rows}
    shipped = [r for r in select(records, cell, "mixed") if r["number"] in numbers]
    if shipped:
        by_k[SHIPPED_K * shipped[0]["steps"] / 50] = shipped
    plain = [r for r in select(records, cell, "without") if r["number"] in numbers]
    if plain:
        by_k[0] = plain
    return dict(sorted(by_k.items()))


def k_table(records: list[dict]) -> str:
    """Success against the step at which the contexts are swapped."""
    rows = []
    for cell in CELLS:
        for k, chosen in k_rows(records, cell).items():
            figures = of_rows(chosen)
            rows.append(
                [
                    f"{k:g}",
                    CELLS[cell].title,
                    str(figures["n"]),
                    percent(figures["success"]),
                    number(figures["amodal_iou"]),
                    percent(figures["spurious"]),
                    number(figures["mask_k"]) if "mask_k" in figures else "",
                ]
            )
    head = ["k", "scenes", "n", "success", "amodal IoU", "spurious object", "M^k IoU"]
    return section(
        "The step k of the swap",
        head,
        rows,
        "k = 0 is inpainting without mixed context. k = N would be the object on gray to the end, "
        "which the node refuses; N - 1 is the last k.",
    )


def rules_table(records: list[dict]) -> str:
    """IoU of M^k with the true amodal mask, rule by rule and level by level, at the shipped k."""
    rows = []
    for cell in CELLS:
        chosen = [r for r in select(records, cell, RULES) if set(r["rules"]) == set(RULES_FOR_MASK)]
        for rule, title in RULES_FOR_MASK.items():
            values = [r["rules"][rule] for r in chosen]
            if values:
                mean = number(statistics.mean(values))
                rows.append([CELLS[cell].title, title, str(len(values)), mean])
    head = ["scenes", "rule for M^k", "n", "IoU with the true amodal mask"]
    return section("The mask at step k", head, rows)


def order_share(records: list[dict], art: str) -> dict | None:
    """Shares of correctly ordered neighbours on a source of art; None without neighbours.

    right: both answers correct. front: the nearer one recognised, of pairs in which one hides the
    other. None if there are no such pairs.
    """
    rows = select(records, art, ANALYSIS)
    counts = {name: [r[name] for r in rows] for name in ("pairs", "right", "over", "front")}
    if not sum(counts["pairs"]):
        return None
    shares = {"title": ART[art].title, "n": sum(counts["pairs"])}
    for name, of in (("right", "pairs"), ("front", "over")):
        shares[name] = statistics.ratio(counts[name], counts[of]) if sum(counts[of]) else None
    return shares


def unseen_table(records: list[dict]) -> str:
    """The stages that need no words, on art of the training and on unseen art."""
    rows = []
    for name, art in ART.items():
        chosen, order = select(records, name, ANALYSIS), order_share(records, name)
        if order is None:
            continue
        ious, counts = [r["objects"] for r in chosen], [len(r["objects"]) for r in chosen]
        right = [sum(iou >= 0.5 for iou in some) for some in ious]
        emptied = [
            f"{np.mean([r['removal'] for r in chosen if r['background'] == kind] or [np.nan]):.4f}"
            for kind in BACKGROUNDS[1:]
        ]
        rows.append(
            [
                art.title,
                str(len(chosen)),
                number(statistics.ratio([sum(i) for i in ious], counts)),
                percent(statistics.ratio(right, counts)),
                percent(order["right"]),
                percent(order["front"]) if order["front"] else "",
                " / ".join(emptied),
            ]
        )
    head = [
        "art",
        "scenes",
        "mask IoU of objects",
        "found (IoU 0.5)",
        "order right",
        "nearer one recognised",
        f"removal's error: {' / '.join(BACKGROUNDS[1:])}",
    ]
    return section(
        "Unseen art",
        head,
        rows,
        "Three overlapping objects. Masks: the best detection, whatever its label. Order: "
        "neighbours with both answers correct (who hides whom, or neither), given the true masks. "
        "Removal: mean difference (0..1) from the truth where the object and its occluders were. "
        "Intervals are bootstrapped over scenes.",
    )
