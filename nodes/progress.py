"""Where a run is: the pass of at most how many, the step, and what is being done just now.

Told to the node that holds the loop, which shows one bar for all of it (js/filmstrip.js). Nodes
outside of a loop tell nothing: the host's own bar is all there is to tell.
"""

from __future__ import annotations

import re

from . import ui
from .loop_expansion import ancestors


def loop_of(node: str) -> str:
    """The id of the Loop End of pass 1, from that of its clone in a later pass."""
    return re.sub(r"(\.\d+\.\d+\.Recurse)+$", "", node)


def place(prompt, node: str) -> dict | None:
    """In which pass of which loop a node runs, by the dynamic prompt; None outside of a loop.

    `loops` counts the loops that the node in the graph holds: the one node has several.
    """

    def kind(one: str) -> str:
        return prompt.get_node(one)["class_type"]

    start = next((n for n in ancestors(prompt, node) if kind(n) == "AmodalLoopStart"), None)
    ends = [n for n in prompt.all_node_ids() if kind(n) == "AmodalLoopEnd"]
    end = next((n for n in ends if prompt.get_node(n)["inputs"].get("loop") == [start, 0]), None)
    if start is None or end is None:
        return None
    number = prompt.get_node(start)["inputs"].get("number", 1)
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
    """A function that tells the browser: `doing`, at this step of so many (0: not by steps)."""
    prompt = getattr(hidden, "dynprompt", None)
    here = place(prompt, ui.node_id()) if prompt is not None else None

    def tell(step: int = 0, done: bool = False) -> None:
        if here is not None:
            ui.tell(
                "amodal.stage",
                ui.entry(hidden, **here, doing=doing, step=step, steps=steps, done=done),
            )

    return tell
