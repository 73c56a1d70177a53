"""Progress of a whole run: the pass, the step, and the current stage.

The node that holds the loop shows it as one bar (js/filmstrip.js). Nodes outside a loop report
nothing; the host's own bar is enough for them.
"""

from __future__ import annotations

import re

from . import ui
from .loop_expansion import ancestors


def loop_of(node: str) -> str:
    """The id of pass 1's Loop End, given the id of its clone in a later pass."""
    return re.sub(r"(\.\d+\.\d+\.Recurse)+$", "", node)


def place(prompt, node: str) -> dict | None:
    """In which pass of which loop a node runs, by the dynamic prompt; None outside a loop.

    `loops` counts the loops that the node in the graph holds: Amodal Completion has several.
    """

    def kind(node_id: str) -> str:
        return prompt.get_node(node_id)["class_type"]

    start = next((n for n in ancestors(prompt, node) if kind(n) == "AmodalLoopStart"), None)
    ends = [n for n in prompt.all_node_ids() if kind(n) == "AmodalLoopEnd"]
    end = next((n for n in ends if prompt.get_node(n)["inputs"].get("loop") == [start, 0]), None)
    if start is None or end is None:
        return None
    number = prompt.get_node(start)["inputs"].get("pass_number", 1)
    cap = prompt.get_node(end)["inputs"].get("max_passes")
    holder = end.split(".")[0]
    return {
        "node": holder,
        "loop": loop_of(end),
        "loops": len({loop_of(n) for n in ends if n.split(".")[0] == holder}),
        "number": number if isinstance(number, int) else 1,
        "of": cap if isinstance(cap, int) else None,
    }


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
