"""Translates the format that the editor saves into API format, with a host's node schemas.

Subgraphs are flattened: the node 17 in the subgraph of node 58 in that of node 64 gets the id
"64:58:17", as the editor gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import BadInput

WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"  # a menu, each choice of which has inputs of its own
ONLY_IN_EDITOR = ("Note", "MarkdownNote", "Reroute", "PrimitiveNode")
MUTED, BYPASSED = 2, 4
INPUTS, OUTPUTS = -10, -20  # where the links to a subgraph's own inputs and outputs end
AGAIN = "save the workflow in ComfyUI again, or export it in API format (File, Export (API))"
EXPORT = "export the workflow in API format in ComfyUI (File, Export (API))"


@dataclass
class Level:
    """The top level of the graph, or the inside of one subgraph node.

    links: id -> (origin's id, its output, target's id, its input). prefix: what the ids of its
    nodes begin with. outer: the subgraph node, of the level `parent`. definition: that subgraph's.
    """

    nodes: dict[str, dict]
    links: dict[str, tuple[str, int, str, int]]
    definitions: dict[str, dict]
    prefix: str = ""
    parent: Level | None = None
    outer: dict = field(default_factory=dict)
    definition: dict = field(default_factory=dict)

    def inside(self, node: dict) -> Level:
        """The inside of a subgraph node of this level."""
        definition, level = self.definitions[node["type"]], self
        while level.parent is not None:
            if level.definition is definition:
                raise broken(f"the subgraph {name_of(node)} lies inside itself")
            level = level.parent
        return Level(
            *parts(definition),
            self.definitions,
            f"{self.prefix}{node['id']}:",
            self,
            node,
            definition,
        )


def broken(problem: str) -> BadInput:
    return BadInput("workflow", problem, AGAIN)


def name_of(node: dict) -> str:
    title = node.get("title") or node["type"]
    return f"node {node['id']} ({title})"


def from_editor(workflow: dict, schemas: dict) -> dict:
    """The prompt in API format.

    schemas: the host's `/object_info`.

    Raises BadInput, which names the node, for bypassed and unknown nodes, links that lead nowhere,
    and a file that is damaged.
    """
    try:
        return translated(workflow, schemas)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise broken(f"the file is damaged ({type(error).__name__}: {error})") from error


def translated(workflow: dict, schemas: dict) -> dict:
    listed = (workflow.get("definitions") or {}).get("subgraphs") or []
    definitions = {definition["id"]: definition for definition in listed}
    prompt: dict[str, dict] = {}
    for level, node in every_node(Level(*parts(workflow), definitions)):
        kind = node["type"]
        if kind not in schemas:
            problem = f"{name_of(node)} is of the type {kind}, which this host does not have"
            raise BadInput("workflow", problem, "install the node's pack, or remove the node")
        inputs = widget_values(node, schemas[kind])
        for socket in node.get("inputs") or []:
            value = linked(level, node, socket)
            if value is not None:
                inputs[socket["name"]] = value
        title = node.get("title") or schemas[kind].get("display_name") or kind
        prompt[f"{level.prefix}{node['id']}"] = {
            "class_type": kind,
            "inputs": inputs,
            "_meta": {"title": title},
        }
    return prompt


def parts(graph: dict) -> tuple[dict, dict]:
    """Nodes and links of a workflow or of a subgraph's definition, by id.

    Links are lists, or objects in a subgraph and in the workflow schema 1.0.
    """
    nodes = {str(node["id"]): node for node in graph["nodes"] if node["type"]}
    links = {}
    for link in graph.get("links") or []:
        if isinstance(link, dict):
            keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
            link = [link[key] for key in keys]
        if link is not None:  # the editor leaves null in place of some deleted links
            number, origin, output, target, slot = link[:5]
            links[str(number)] = (str(origin), int(output), str(target), int(slot))
    return nodes, links


def every_node(level: Level) -> Iterator[tuple[Level, dict]]:
    """The nodes that run, with their levels, also those in subgraphs."""
    for node in level.nodes.values():
        if node["type"] in ONLY_IN_EDITOR or node.get("mode") == MUTED:
            continue
        if node.get("mode") == BYPASSED:
            raise BadInput("workflow", f"{name_of(node)} is bypassed", EXPORT)
        if node["type"] in level.definitions:
            yield from every_node(level.inside(node))
        else:
            yield level, node


def linked(level: Level, node: dict, socket: dict) -> Any:
    """What is linked to a socket: [node id, output], a value of a widget, or None.

    Follows links through Reroute nodes and through the borders of subgraphs.
    """
    seen = set()
    while socket.get("link") is not None:
        here = (level.prefix, str(socket["link"]))
        origin, slot, *_ = level.links.get(here[1], (None, 0))
        if here in seen or (origin != str(INPUTS) and origin not in level.nodes):
            problem = f"input '{socket.get('name')}' of {name_of(node)} has the link {here[1]}, "
            raise broken(
                f"{problem}which {'runs in a circle' if here in seen else 'leads nowhere'}"
            )
        seen.add(here)
        if origin == str(INPUTS):
            if level.parent is None:
                raise broken(f"{name_of(node)} has a link from a subgraph's input at the top level")
            name = port(level, "inputs", slot)["name"]
            value = outer_value(level.outer, name)
            socket = socket_named(level.outer, name)
            if socket.get("link") is None:
                return value
            node, level = level.outer, level.parent
            continue
        node = level.nodes[origin]
        if node.get("mode") == MUTED:
            return None
        if node["type"] == "PrimitiveNode":
            return (node.get("widgets_values") or [None])[0]
        if node["type"] in level.definitions:
            level = level.inside(node)
            ends = [i for i, link in level.links.items() if link[2:] == (str(OUTPUTS), slot)]
            socket = {"name": port(level, "outputs", slot)["name"], "link": next(iter(ends), None)}
        elif node["type"] == "Reroute":
            socket = (node.get("inputs") or [{}])[0]
        else:
            return [f"{level.prefix}{origin}", slot]
    return None


def port(level: Level, side: str, slot: int) -> dict:
    """A subgraph's own input or output."""
    try:
        return level.definition[side][slot]
    except (KeyError, IndexError):
        raise broken(f"{name_of(level.outer)} has no {side[:-1]} number {slot}") from None


def socket_named(node: dict, name: str) -> dict:
    found = [socket for socket in node.get("inputs") or [] if socket.get("name") == name]
    return found[0] if found else {}


def outer_value(node: dict, name: str) -> Any:
    """The value of a widget of a subgraph node; None if it has no such widget."""
    named = node.get("widgets_values_named") or {}
    if name in named:
        return named[name]
    listed = (node.get("properties") or {}).get("proxyWidgets")
    if listed:  # "-1" stands for the node's own inputs
        names = [widget if str(owner) == "-1" else None for owner, widget, *_ in listed]
    else:
        names = [socket["name"] for socket in node.get("inputs") or [] if socket.get("widget")]
    return dict(zip(names, node.get("widgets_values") or [])).get(name)


def widget_values(node: dict, schema: dict) -> dict:
    """The node's saved widget values by name; the editor saves them by position, or by both."""
    saved = node.get("widgets_values") or []
    named = node.get("widgets_values_named") or (saved if isinstance(saved, dict) else None)
    if named:
        known = {name for name, _ in widgets_of(schema["input"], iter(()), named)}
        return {name: value for name, value in named.items() if name in known}
    return dict(widgets_of(schema["input"], iter(saved), None))


def widgets_of(inputs: dict, rest: Iterator, named: dict | None, prefix: str = "") -> Iterator:
    """(name, value) of each widget, from the values that follow, or from those saved by name."""
    missing = object()
    for group in ("required", "optional"):
        for name, spec in (inputs.get(group) or {}).items():
            options = spec[1] if len(spec) > 1 else {}
            is_menu = isinstance(spec[0], list)
            if not (is_menu or spec[0] in (*WIDGETS, DYNAMIC)) or options.get("forceInput"):
                continue
            full = prefix + name
            value = next(rest, missing) if named is None else named.get(full, missing)
            if value is not missing:
                yield full, value
            if named is None and has_second(name, options):
                next(rest, None)
            if spec[0] == DYNAMIC:
                chosen = [o for o in options.get("options", []) if o.get("key") == value]
                for option in chosen:
                    yield from widgets_of(option.get("inputs") or {}, rest, named, f"{full}.")


def has_second(name: str, options: dict) -> bool:
    """Does the editor add a widget of its own after this one?"""
    control = options.get("control_after_generate")
    if control is None:  # the schema says nothing, so the editor goes by the name
        control = name in ("seed", "noise_seed")
    return bool(control or options.get("image_upload"))
