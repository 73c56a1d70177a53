"""What became of an item: its record, and the files that are kept of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import headless


def record_of(results: list[dict], best: bool) -> dict[str, Any]:
    """What the journal says of an item's results. Of several groups, best takes the best one's."""
    chosen = [results[best_of(results)]] if best else results
    statuses = [status for result in chosen for status in statuses_of(result)]
    scores = [score for result in results for _, score in result.get("ranking") or []]
    passes = [result["passes"] for result in chosen if result.get("passes") is not None]
    record = {
        "status": worst_of(statuses),
        "statuses": statuses if len(statuses) > 1 else None,
        "passes": max(passes, default=None),
        "scores": sorted(scores, reverse=True) or None,
        "warnings": [codes for result in chosen for codes in result.get("warnings") or []] or None,
        "error": "; ".join(text for result in chosen for text in result["messages"]) or None,
        "of": max(len(result.get("detected") or []) for result in results) or None,
    }
    return {name: value for name, value in record.items() if value is not None}


def best_of(results: list[dict]) -> int:
    """The number of the group whose best completion has the highest score."""
    tops = [max((s for _, s in r.get("ranking") or []), default=-1.0) for r in results]
    return max(range(len(results)), key=tops.__getitem__)


def statuses_of(result: dict) -> list[str]:
    """The statuses of what a run kept: of a ranked one, that of the best alone."""
    statuses = result["statuses"]
    if statuses is None:
        return ["completed" if result["files"] else "not completed"]
    ranking = result.get("ranking")
    if ranking and len(statuses) == len(ranking):
        return [statuses[ranking[0][0] - 1]]
    return statuses or [result["status"] if result["status"] == "not found" else "not completed"]


def worst_of(statuses: list[str]) -> str:
    """One status for all: the first that is not done, else "completed" if anything was."""
    bad = [status for status in statuses if status not in headless.DONE]
    if bad:
        return bad[0]
    return headless.DONE[0] if headless.DONE[0] in statuses else headless.DONE[-1]


def kept_files(out: Path, results: list[dict], best: bool) -> dict[str, Path]:
    """{name below the item's folder: file}. Several groups have folders 1/, 2/, ..."""
    numbers = [best_of(results) + 1] if best else list(range(1, len(results) + 1))
    kept = {}
    for number in numbers:
        start = f"{number}/" if len(numbers) > 1 else ""
        for name in results[number - 1]["files"]:
            kept[f"{start}{name}"] = out / str(number) / name
    return kept
