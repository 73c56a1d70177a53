"""Results in words: a line for each record, and the course of one failure of each kind."""

from __future__ import annotations

from ..hard_scenes import ROBUST
from ..judge import SPURIOUS
from ..scenarios import CELLS
from .tables import section, select

FAILURES = {  # kind -> test of a record; the first that holds is its kind
    "nothing was found to complete": lambda r: r["passes"] == 0,
    "a spurious object": lambda r: r["spurious"] >= SPURIOUS,
    "too little was completed": lambda r: r["occluded_iou"] < 0.3,
    "too much or at the wrong place": lambda r: r["occluded_iou"] < 0.7,
    "the wrong colours": lambda r: r["colour"] > 0.12,
    "nearly right": lambda r: r["amodal_iou"] > 0.8,
    "visible pixels are missing": lambda r: True,  # everything else is correct
}


def failures(records: list[dict], each: int = 2) -> dict[str, list[dict]]:
    """Failures of mixed context in the main cells by kind, up to `each`, the worst first."""
    rows = [r for cell in CELLS for r in select(records, cell, "mixed") if not r["success"]]
    kinds = {kind: [] for kind in FAILURES}
    for record in sorted(rows, key=lambda r: r["amodal_iou"]):
        kind = next((kind for kind, fits in FAILURES.items() if fits(record)), None)
        if kind and len(kinds[kind]) < each:
            kinds[kind].append(record)
    return {kind: own for kind, own in kinds.items() if own}


def line(record: dict) -> str:
    """A record in a few words."""
    return (
        f"{named(record)} ({record['hidden_share']:.0%} hidden), {outcome(record)}, "
        f"{record['passes']} passes: amodal IoU {record['amodal_iou']:.2f}, "
        f"occluded IoU {record['occluded_iou']:.2f}, "
        f"colour {record['colour']:.3f}, spurious {record['spurious']:.0%}"
    )


def named(record: dict) -> str:
    """The object and what hides it."""
    return f"{record['word']} behind {record['occluder'] or 'the border'}"


def outcome(record: dict) -> str:
    """The status, with its warnings in parentheses."""
    warnings = record["warnings"]
    return f"{record['status']} ({warnings})" if warnings else record["status"]


def stories(records: list[dict]) -> str:
    """The worst failure of each kind, with the loop's report of each pass."""
    lines = []
    for kind, (record, *_) in failures(records, each=1).items():
        lines.append(f"- **{kind}**: {line(record)}")
        lines += [f"  - {said}" for said in record.get("report", "").splitlines()]
    if not lines:
        return ""
    about = "The worst failure of each kind, with mixed context in the main cells:"
    return "\n".join(["## Failures", "", about, "", *lines])


def statuses(records: list[dict]) -> str:
    """How the loop ended and after how many passes, cell by cell."""
    lines = []
    for cell in (*CELLS.values(), *ROBUST.values()):
        for method in ("mixed", "ceiling"):
            rows = select(records, cell.name, method)
            if rows:
                ends = counted(map(outcome, rows))
                passes = counted(r["passes"] for r in rows)
                lines.append([cell.title, method, str(len(rows)), ends, passes])
    head = ["scenes", "method", "n", "status: how often", "passes: how often"]
    return section("How the loop ended", head, lines)


def counted(values) -> str:
    """'completed: 12, unchanged: 3', the most frequent first."""
    from collections import Counter

    return ", ".join(f"{value}: {count}" for value, count in Counter(values).most_common())
