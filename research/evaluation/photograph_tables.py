"""Tables 1 and 2 of `photographs`' records, beside the paper's own."""

from __future__ import annotations

from amodal.measures import metrics, statistics

from . import claims, paper
from .methods import METHODS
from .pasted import ALWAYS
from .photographs import Settings
from .tables import number, percent, row

TAKEN = ("CLIP", "DreamSim", "LPIPS")  # by the paper
ALSO = ("perceptual", "whole", "hidden", "colour")


def markdown(found: list[dict], settings: Settings, command: str, date: str) -> str:
    missing = [name for name in metrics.MODELS if name not in settings.measures]
    left_out = f" Not measured, for want of package or weights: {', '.join(missing)}."
    failed = sum(record["status"].startswith("failed") for record in found)
    return (
        "\n\n".join(
            [
                "# The paper's tables 1 and 2 on photographs",
                f"`{command}` on {date}; through the real host's executor. A success is an IoU of the "
                "whole object of at least 0.85 (in the paper people decided); painted foreign objects are "
                "not looked for. In brackets: 95 % intervals."
                f"{left_out if missing else ''} Of {len(found)} runs {failed} failed; they count as "
                "their visible part.",
                paper.agreement(claims.of_tables(found)),
                table_1(found),
                table_2(found),
            ]
        )
        + "\n"
    )


def table_1(found: list[dict]) -> str:
    """The removal's row is by what Remove Objects has in that workflow."""
    lines = ["## Table 1: methods", "", *paper.headed("the paper (COCO)", "hidden", *TAKEN)]
    for name, both in claims.PAPER_1.items():
        for title, values in zip(("20-50 %", "50-80 %"), both):
            lines.append(row([name, title, *(f"{value:.3f}" for value in values)]))
    lines += [
        "",
        *paper.headed(
            "ours",
            "hidden",
            "n",
            *TAKEN,
            ALWAYS,
            "whole IoU",
            "hidden IoU",
            "colour error",
            "success",
        ),
    ]
    for title, cells in (("20-50 %", claims.EASY), ("50-80 %", claims.HARD)):
        for method in paper.TABLES:
            rows = claims.pool(found, cells, method)
            if rows:
                means = [mean(rows, name) for name in (*TAKEN, *ALSO)]
                success = percent(claims.success(rows))
                lines.append(row([METHODS[method], title, str(len(rows)), *means, success]))
    return "\n".join(lines)


def mean(rows: list[dict], name: str) -> str:
    return number(statistics.mean([r[name] for r in rows])) if name in rows[0] else "-"


def table_2(found: list[dict]) -> str:
    lines = [
        "## Table 2: successes",
        "",
        *paper.headed(
            "",
            "occluder not top co-occurring: paper",
            "ours",
            "n",
            "top co-occurring: paper",
            "ours",
            "n",
        ),
    ]
    for method, theirs in claims.PAPER_2.items():
        cells = [METHODS[method]]
        for share, names in zip(theirs, (claims.OTHER, claims.COMPANION)):
            rows = claims.pool(found, names, method)
            ours = percent(claims.success(rows)) if rows else "-"
            cells += [f"{share:.0%}", ours, str(len(rows))]
        lines.append(row(cells))
    return "\n".join(lines)
