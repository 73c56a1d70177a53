"""What is before, after and between the nodes of a graph that holds loops.

`prompt` is the host's dynamic prompt: the workflow, and every node that others expanded into. No
function here recurses, so a body may be thousands of nodes deep.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator

from comfy_execution.graph_utils import is_link

START, END, SEED = "AmodalLoopStart", "AmodalLoopEnd", "AmodalPassSeed"


def links_of(prompt, node: str) -> dict[str, str]:
    """The id of the node behind each linked input."""
    inputs = prompt.get_node(node)["inputs"].items()
    return {name: value[0] for name, value in inputs if is_link(value)}


def kind(prompt, node: str) -> str:
    return prompt.get_node(node)["class_type"]


def ancestors(prompt, node: str, but_not_behind: Collection[str] = ()) -> dict[str, None]:
    """Ids of a node and, in a fixed order, of every node it depends on.

    The walk stops at nodes of the classes `but_not_behind`; they are among the result.
    """
    found: dict[str, None] = {}
    todo = [node]
    while todo:
        here = todo.pop()
        if here not in found:
            found[here] = None
            if kind(prompt, here) not in but_not_behind:
                todo += links_of(prompt, here).values()
    return found


def dependents(prompt, roots: Collection[str], among: Collection[str]) -> set[str]:
    """Ids of the roots and of every node that depends on one of them, by way of `among` only."""
    readers = defaultdict(list)
    for node in among:
        for source in links_of(prompt, node).values():
            readers[source].append(node)
    found, todo = set(roots), [*roots]
    while todo:
        new = [node for node in readers[todo.pop()] if node not in found]
        found.update(new)
        todo += new
    return found


def between(prompt, start: str, end: str) -> list[str]:
    """Ids of the nodes on a path from start to end, in a fixed order; empty if there is none."""
    before = ancestors(prompt, end)
    after = dependents(prompt, {start}, before)
    return [node for node in before if node in after] if end in after else []


def is_deeper(prompt, added: dict[str, dict], root: str, most: int) -> bool:
    """Does the host recurse more than `most` nodes deep for the key of a node in its cache?

    It follows the inputs in the order of their names, and no node twice. `added`: nodes by id that
    the prompt is about to get.
    """

    def sources(node: str) -> Iterator[str]:
        inputs = (added[node] if node in added else prompt.get_node(node))["inputs"]
        return (inputs[name][0] for name in sorted(inputs) if is_link(inputs[name]))

    found, path = {root}, [sources(root)]
    while 0 < len(path) <= most:
        new = next((node for node in path[-1] if node not in found), None)
        if new is None:
            path.pop()
        else:
            found.add(new)
            path.append(sources(new))
    return bool(path)


def open_starts(prompt, node: str) -> set[str]:
    """Ids of the Loop Starts that a node depends on other than by way of a Loop End."""
    found = ancestors(prompt, node, but_not_behind=(START, END))
    return {n for n in found if kind(prompt, n) == START}


def innermost_starts(prompt, node: str) -> set[str]:
    """The open Loop Starts of a node, less those that enclose another one of them."""
    starts = open_starts(prompt, node)
    outer = {n for start in starts for n in ancestors(prompt, start) if n != start}
    return starts - outer


def starts_of(prompt, end: str) -> set[str]:
    """Ids of the Loop Starts from which a Loop End's `loop` may come: one in a sound workflow."""
    source = links_of(prompt, end).get("loop")
    return innermost_starts(prompt, source) if source is not None else set()


def ends_of(prompt, start: str) -> set[str]:
    """Ids of the Loop Ends of a Loop Start."""
    ends = (n for n in relatives(prompt, start) if kind(prompt, n) == END)
    return {end for end in ends if start in starts_of(prompt, end)}


def relatives(prompt, node: str) -> list[str]:
    """Ids of the nodes in the same graph: the workflow itself, or what one node expanded into."""
    parent = prompt.get_parent_node_id(node)
    return [n for n in prompt.all_node_ids() if prompt.get_parent_node_id(n) == parent]


def own_name(prompt, node: str) -> str:
    """A node's id without what the expansion that made it put before; it may hold dots."""
    parent = prompt.get_parent_node_id(node)
    return node if parent is None else re.sub(rf"^{re.escape(parent)}\.\d+\.\d+\.", "", node)


def first_pass(prompt, end: str) -> str:
    """The id of pass 1's Loop End, given the id of its clone in a later pass."""
    parent = prompt.get_parent_node_id(end)
    while (
        parent is not None
        and kind(prompt, parent) == END
        and own_name(prompt, parent) == own_name(prompt, end)
    ):
        end, parent = parent, prompt.get_parent_node_id(parent)
    return end


def seed_of(prompt, end: str) -> int | None:
    """The seed from which a loop's passes derive theirs; None where the prompt does not hold it.

    It may come from a node with a `value`, such as the host's integer.
    """
    before = ancestors(prompt, end, but_not_behind=(START,))
    seeds = {literal(prompt, node, "seed") for node in before if kind(prompt, node) == SEED}
    return seeds.pop() if len(seeds) == 1 else None


def literal(prompt, node: str, name: str) -> int | None:
    value = prompt.get_node(node)["inputs"].get(name)
    while is_link(value):
        value = prompt.get_node(value[0])["inputs"].get("value")
    return value if isinstance(value, int) else None
