"""Progress of a whole run: the pass, the step, and the current stage.

The node that holds the loop shows it as one bar (js/filmstrip.js). Nodes outside a loop report
nothing; the host's own bar is enough for them.
"""

from __future__ import annotations

import re

from . import ui
from .loop_graph import END, ends_of, first_pass, innermost_starts, kind, relatives, starts_of


def place(prompt, node: str) -> dict | None:
    """In which pass of which loop a node runs, by the dynamic prompt; None outside a loop.

    `loops` counts the loops that the node in the graph holds: Amodal Completion has several, and
    `completion` is the number of this one among them, from 1.
    """
    is_end = kind(prompt, node) == END
    starts = starts_of(prompt, node) if is_end else innermost_starts(prompt, node)
    start = min(starts, default=None)
    end = node if is_end else min(ends_of(prompt, start), default=None) if start else None
    if start is None or end is None:
        return None
    number = prompt.get_node(start)["inputs"].get("pass_number", 1)
    cap = prompt.get_node(end)["inputs"].get("max_passes")
    first = first_pass(prompt, end)
    holder = prompt.get_display_node_id(end)
    ends = [n for n in relatives(prompt, first) if kind(prompt, n) == END]
    held = in_order(n for n in ends if prompt.get_display_node_id(n) == holder)
    return {
        "node": holder,
        "loop": first,
        "loops": len(held),
        "completion": held.index(first) + 1,
        "number": number if isinstance(number, int) else 1,
        "of": cap if isinstance(cap, int) else None,
    }


def in_order(ids) -> list[str]:
    """Ids by the numbers in them: "10-0-LoopEnd" after "9-0-LoopEnd"."""
    return sorted(ids, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])


def teller(hidden, doing: str, steps: int = 0):
    """A function that reports the stage `doing` at a step of `steps` (0: it has no steps)."""
    prompt = getattr(hidden, "dynprompt", None)
    here = place(prompt, ui.node_id()) if prompt is not None else None

    def tell(step: int = 0, done: bool = False) -> None:
        if here is not None:
            ui.tell(
                "amodal.stage",
                ui.entry(hidden, **here, doing=doing, step=step, steps=steps, done=done),
            )

    return tell
