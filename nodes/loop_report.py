"""The passes of a loop in words and pictures, for people."""

import json
from dataclasses import fields
from typing import Any

from ..amodal.core import visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.status import Status
from ..amodal.core.types import OcclusionReport
from ..amodal.method.loop import describe, warnings_of
from . import ui
from .loop_graph import first_pass, kind, own_name, seed_of

ONE_NODE = "AmodalCompletion"  # it names its nodes "object-completion-name"
WORDS = ("occluders", "surrounding", "sides")  # of OcclusionReport; lists in JSON
KINDS = {**dict.fromkeys(WORDS, list), "sought": str}
REPORT = {field.name: KINDS.get(field.name, bool) for field in fields(OcclusionReport)}
ENTRY = {
    "pass": int,
    "occlusion": dict,
    "change": float,
    "seconds": float | None,
    "found": bool,
    "joined": bool,
}


def read_history(history: Any) -> list[dict]:
    """The entries that Loop End wrote for the passes so far. Raises BadInput for anything else."""
    try:
        entries = json.loads(history)
    except (TypeError, ValueError, RecursionError):
        entries = None
    if not (isinstance(entries, list) and all(map(is_entry, entries))):
        raise BadInput("history", "was not written by Loop End", "leave it open; the loop fills it")
    return entries


def is_entry(entry: Any) -> bool:
    return (
        has(entry, ENTRY)
        and has(entry["occlusion"], REPORT)
        and all(isinstance(word, str) for name in WORDS for word in entry["occlusion"][name])
        and 0 <= entry["change"] <= 1
    )


def has(value: Any, kinds: dict) -> bool:
    """Whether a value is a dictionary with just these keys and kinds of values."""
    return (
        isinstance(value, dict)
        and value.keys() == kinds.keys()
        and all(isinstance(value[key], kind) for key, kind in kinds.items())
    )


def report_of(entry: dict) -> OcclusionReport:
    """The occlusion report of a history entry; JSON has lists in place of tuples."""
    report = entry["occlusion"]
    return OcclusionReport(**report).but(**{name: tuple(report[name]) for name in WORDS})


def codes_of(entries: list[dict], last: OcclusionReport) -> str:
    """The warnings at the end of a loop, separated by commas; see `warnings_of`."""
    joined = any(entry["joined"] for entry in entries)
    warnings = warnings_of([report_of(entry) for entry in entries], last, joined)
    return ", ".join(warning.value for warning in warnings)


def line_of(entry: dict) -> str:
    """A history entry in words, for people."""
    took = "cached" if entry["seconds"] is None else f"{entry['seconds']:.1f} s"
    change = f"mask changed {entry['change']:.1%}" if entry["found"] else "object not found again"
    return f"pass {entry['pass']}: {describe(report_of(entry))}; {change}; {took}"


def which(prompt, end: str) -> dict:
    """What tells a loop from others, by its Loop End: its node in the graph and its first pass.

    And its seed, and the number of its object in Amodal Completion, from 1; None where unknown.
    """
    first = first_pass(prompt, end)
    parent = prompt.get_parent_node_id(first)
    of_one_node = parent is not None and kind(prompt, parent) == ONE_NODE
    number = int(own_name(prompt, first).split("-")[0]) + 1 if of_one_node else None
    shown = prompt.get_display_node_id(end)
    return {"node": shown, "loop": first, "seed": seed_of(prompt, end), "object": number}


def film_frame(
    hidden,
    number: int,
    cap: int,
    occlusion: OcclusionReport,
    line: str,
    after,
    status: Status | None = None,
    codes: str = "",
) -> dict:
    """One picture of the film that the editor shows on the node that holds the loop.

    `after` is (canvas image, mask) after the pass, or None at the loop's end.
    """
    picture = ui.saved(visualize.thumbnail(*after), "pass") if after else None
    frame = ui.entry(
        hidden,
        **which(hidden.dynprompt, ui.node_id()),
        number=number,
        of=cap,
        reason=describe(occlusion),
        line=line,
        status=status and status.value,
        done=bool(status and status.is_done),
        warnings=codes,
        image=picture,
    )
    return {"amodal_pass": [ui.tell("amodal.pass", frame)]}
