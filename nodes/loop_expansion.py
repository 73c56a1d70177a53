"""The graph of a loop's next pass: a clone of every node between Loop Start and Loop End.

Loop End reads its own links in the dynamic prompt, so the body can be rewired. Previews connected
to the body are cloned too, so that they show every pass. The loop passes links, not tensors, so an
unchanged rerun is fully cached.
"""

import sys
import traceback

from comfy.cli_args import args
from comfy_execution.graph_utils import GraphBuilder, is_link

from ..amodal.core.errors import BadInput
from .loop_graph import (
    END,
    START,
    ancestors,
    between,
    dependents,
    ends_of,
    is_deeper,
    kind,
    links_of,
    open_starts,
    own_name,
    relatives,
    starts_of,
)

CHECK = "AmodalCheckOcclusion"
DECIDING = {"loop", "occluded", "occlusion"}  # the inputs of Loop End that it always waits for
CARRIED = {"image": "image", "amodal_mask": "modal_mask", "canvas": "canvas"}  # Loop End -> Start
HOST_FRAMES = 30  # calls of the host around its recursion, beyond those around a node


def next_pass(prompt, end: str, number: int, history: str, with_previews: bool) -> GraphBuilder:
    """The graph of the next pass: clones of the loop's nodes, fed by links to this pass.

    A clone keeps its node's own name, Loop End's clone too. Raises BadInput as `loop_start` does,
    where the id of a clone is taken, and where the host could not follow the links of that pass.
    """
    start = loop_start(prompt, end)
    graph = GraphBuilder()
    names = {node: own_name(prompt, node) for node in body(prompt, start, end, with_previews)}
    refuse_taken({graph.prefix + name for name in names.values()} & {*prompt.get_original_prompt()})
    for node, name in names.items():
        clone = graph.node(prompt.get_node(node)["class_type"], name)
        clone.set_override_display_id(prompt.get_display_node_id(node))
        links = links_of(prompt, node)
        for key, value in prompt.get_node(node)["inputs"].items():
            if links.get(key) in names:
                value = [graph.prefix + names[links[key]], value[1]]
            clone.set_input(key, value)
    first = graph.lookup_node(names[start])
    for of_end, of_start in CARRIED.items():
        first.set_input(of_start, prompt.get_node(end)["inputs"][of_end])
    first.set_input("pass_number", number)
    graph.lookup_node(names[end]).set_input("history", history)
    refuse_too_deep(prompt, end, graph, number)
    return graph


def body(prompt, start: str, end: str, with_previews: bool) -> list[str]:
    """Ids of the nodes on a path from start to end and, with previews, of the nodes after them.

    What only another Loop End of the same start needs is that one's to clone.
    """
    inside = between(prompt, start, end)
    if not with_previews:
        return inside
    family = relatives(prompt, end)
    others = {n for other in ends_of(prompt, start) for n in between(prompt, start, other)}
    beyond = dependents(prompt, {end, *others.difference(inside)}, family)
    return inside + sorted(dependents(prompt, {start}, family).difference(inside, beyond))


def loop_start(prompt, end: str) -> str:
    """Id of the Loop Start of a Loop End, directly before it or behind nodes that pass it on.

    Raises BadInput if an input is not connected, if `loop` does not come from one Loop Start, if
    another input comes from another one, if one Loop End is behind another of the same start, or
    if what decides whether to stop waits for what is to be painted.
    """
    links = links_of(prompt, end)
    for name in ("loop", *CARRIED):
        if name not in links:
            raise BadInput(name, "is not connected", "connect it to the loop's body")
    starts = starts_of(prompt, end)
    if len(starts) != 1:
        found = f"several Loop Starts: {shown(prompt, starts)}" if starts else "no Loop Start"
        raise BadInput("loop", f"comes from {found}", "connect the output loop of one Loop Start")
    (start,) = starts
    refuse_other_starts(prompt, start, links)
    refuse_ends_in_line(prompt, start, end)
    refuse_waiting(prompt, links)
    return start


def refuse_other_starts(prompt, start: str, links: dict[str, str]) -> None:
    """Raises BadInput if an input of Loop End depends on a loop that neither ends nor encloses."""
    around = ancestors(prompt, start)
    for name, source in links.items():
        strays = open_starts(prompt, source).difference(around)
        if strays:
            raise BadInput(
                name,
                f"comes from Loop Start {shown(prompt, strays)}, but 'loop' comes from Loop Start "
                f"{shown(prompt, [start])}",
                "connect both to the same Loop Start, or end the other loop first",
            )


def refuse_ends_in_line(prompt, start: str, end: str) -> None:
    """Raises BadInput if another Loop End of the same start is before or behind this one."""
    for other in ends_of(prompt, start) - {end}:
        if other in between(prompt, start, end) or end in between(prompt, start, other):
            raise BadInput(
                "loop",
                f"comes from the Loop Start of Loop End {shown(prompt, [other])} too, and one of "
                "the two Loop Ends is behind the other",
                "give each of them a Loop Start of its own",
            )


def refuse_waiting(prompt, links: dict[str, str]) -> None:
    """Raises BadInput if Loop End waits for nodes that are skipped if nothing hides the object.

    In the last pass it would be skipped itself, without a word.
    """
    for name in DECIDING & links.keys():
        for node in ancestors(prompt, links[name], but_not_behind=(START, END)):
            inputs = prompt.get_node(node)["inputs"].values()
            masks = (v[0] for v in inputs if is_link(v) and v[1] == 0)
            if kind(prompt, node) != END and any(kind(prompt, mask) == CHECK for mask in masks):
                raise BadInput(
                    name,
                    "waits for the inpaint mask, which Check Occlusion withholds if nothing hides "
                    "the object",
                    "connect it to Loop Start or Check Occlusion directly",
                )


def refuse_taken(ids: set[str]) -> None:
    if ids:
        raise BadInput(
            "loop",
            f"needs the id '{min(ids)}' for the next pass, but the workflow has a node of that id",
            "give that node another id",
        )


def refuse_too_deep(prompt, end: str, graph: GraphBuilder, number: int) -> None:
    """Raises BadInput if the host would recurse too deep for pass `number`: it fails without a name
    then. It recurses only for the keys of its cache."""
    room = sys.getrecursionlimit() - sum(1 for _ in traceback.walk_stack(None)) - HOST_FRAMES
    added = graph.finalize()
    if args.cache_none or len(ancestors(prompt, end)) + len(added) < room:
        return
    if any(is_deeper(prompt, added, node, room) for node in added):
        fewer = f"set max_passes to {number - 2} or less, " if number > 2 else ""
        raise BadInput(
            "loop",
            f"has more nodes in a row up to pass {number} than the {room} that ComfyUI can follow",
            f"{fewer}take nodes out of the body, or start ComfyUI with --cache-none",
        )


def shown(prompt, nodes) -> str:
    """The ids of nodes as the workflow has them, for people."""
    return ", ".join(sorted(f"'{prompt.get_display_node_id(node)}'" for node in nodes))
