"""The graph of a loop's next pass: a clone of every node between Loop Start and Loop End.

Loop End reads its own links in the dynamic prompt, so the body can be rewired. Previews connected
to the body are cloned too, so that they show every pass. The loop passes links, not tensors, so an
unchanged rerun is fully cached.
"""

from comfy_execution.graph_utils import GraphBuilder, is_link

from ..amodal.core.errors import BadInput

CARRIED = {"image": "image", "amodal_mask": "modal_mask", "canvas": "canvas"}  # Loop End -> Start


def next_pass(prompt, end: str, number: int, history: str, with_previews: bool) -> GraphBuilder:
    """The graph of the next pass: clones of the loop's nodes, fed by links to this pass."""
    links = prompt.get_node(end)["inputs"]
    for name in ("loop", *CARRIED):
        if not is_link(links.get(name)):
            raise BadInput(name, "is not connected", "connect it to the loop's body")
    start = links["loop"][0]
    names = {node: node.rsplit(".", 1)[-1] for node in body(prompt, start, end, with_previews)}
    names[end] = "Recurse"  # keeps ids from growing with every pass
    graph = GraphBuilder()
    for node, name in names.items():
        clone = graph.node(prompt.get_node(node)["class_type"], name)
        clone.set_override_display_id(prompt.get_display_node_id(node))
        for key, value in prompt.get_node(node)["inputs"].items():
            if is_link(value) and value[0] in names:
                value = [graph.prefix + names[value[0]], value[1]]
            clone.set_input(key, value)
    first = graph.lookup_node(names[start])
    for of_end, of_start in CARRIED.items():
        first.set_input(of_start, links[of_end])
    first.set_input("pass_number", number)
    graph.lookup_node("Recurse").set_input("history", history)
    return graph


def body(prompt, start: str, end: str, with_previews: bool) -> list[str]:
    """Ids of the nodes on a path from start to end and, with previews, of the nodes after them."""
    known = {}

    def depends(node, root):
        if node == root:
            return True
        if (node, root) not in known:
            known[node, root] = False
            inputs = prompt.get_node(node)["inputs"].values()
            known[node, root] = any(depends(v[0], root) for v in inputs if is_link(v))
        return known[node, root]

    inside = [n for n in ancestors(prompt, end) if depends(n, start)]
    if not with_previews:
        return inside
    siblings = [n for n in prompt.all_node_ids() if family(n) == family(end) and n not in inside]
    return inside + [n for n in siblings if depends(n, start) and not depends(n, end)]


def ancestors(prompt, node: str) -> list[str]:
    """Ids of a node and of every node it depends on."""
    found, todo = {}, [node]
    while todo:
        here = todo.pop()
        if here not in found:
            found[here] = True
            todo += [v[0] for v in prompt.get_node(here)["inputs"].values() if is_link(v)]
    return list(found)


def family(node: str) -> str:
    """What the ids of one expansion share: everything before the last dot."""
    return node.rpartition(".")[0]
