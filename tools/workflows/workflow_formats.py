"""Writes a drawing in the editor's formats: a workflow with its layout, and blueprints."""

from __future__ import annotations

import uuid

from tools.package import archive
from tools.workflows.drawing import Drawing
from tools.workflows.layout import lay_out, size_of, view_of_all
from tools.workflows.nesting import Borders
from tools.workflows.node_schemas import (
    outputs_of,
    sockets_of,
    values_of,
)
from tools.workflows.untangle import untangled

PACK_ID, VERSION = archive.project()
EDITOR_READS = ("name", "url", "directory")  # of a published file
CATEGORY = "amodal completion"
INPUTS, OUTPUTS = -10, -20  # ids of a subgraph's own two panels, by which links refer to them


def editor_format(draw: Drawing, schemas: dict, name: str) -> dict:
    """The content of a workflow file for the editor.

    Raises ValueError if a node has no place.
    """
    known = {group for stack in draw.stacks for group in stack} | set(draw.subgraphs)
    missing = {node for node in draw.nodes if draw.places.get(node) not in known}
    if missing:
        raise ValueError(f"no place for the nodes {sorted(missing)}")
    return Writer(draw, schemas, name).workflow()


BLUEPRINTS = "blueprints"


def blueprint_formats(draw: Drawing, schemas: dict, blueprints: dict) -> dict[str, dict]:
    """Files for the editor's node library, by name. blueprints: name -> (subgraph, about)."""
    writer = Writer(draw, schemas, BLUEPRINTS)
    return {name: writer.blueprint(*wanted) for name, wanted in blueprints.items()}


def as_app(workflow: dict) -> dict:
    """The same workflow as a file that opens as a form."""
    uid = str(uuid.uuid5(uuid.UUID(workflow["id"]), "app"))
    return {**workflow, "id": uid, "extra": {**workflow["extra"], "linearMode": True}}


class Writer:
    """Writes one drawing. `ids`: the number of each node and subgraph in the whole file."""

    def __init__(self, draw: Drawing, schemas: dict, name: str):
        self.draw, self.schemas, self.file = draw, schemas, name
        self.borders = Borders(
            draw,
            {node: sockets_of(about, self.schema(node)) for node, about in draw.nodes.items()},
            {node: outputs_of(self.schema(node)) for node in draw.nodes},
        )
        self.ids = {item: i + 1 for i, item in enumerate([*draw.nodes, *draw.subgraphs])}
        self.last = {"id": len(self.ids), "link": 0}
        for scope in (None, *draw.subgraphs):
            if scope or name != BLUEPRINTS:  # nobody sees the level around blueprints
                self.untangle(scope)
        self.last = {"id": len(self.ids), "link": 0}

    def untangle(self, scope: str | None) -> None:
        """Orders the slots of the subgraphs in a scope so that fewer wires cross."""
        folded = [item for item in self.draw.items(scope) if item in self.draw.subgraphs]
        nodes, links, _ = self.level(scope)
        orders = untangled(nodes, links, {self.ids[item] for item in folded})
        for item in folded:
            sides = {side: orders[self.ids[item], side] for side in ("inputs", "outputs")}
            self.borders.rank(item, sides)

    def schema(self, node: str) -> dict:
        return self.schemas[self.draw.nodes[node]["class_type"]]

    def uid(self, *words) -> str:
        """An id that stays the same from one run of this program to the next."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(["amodal-completion", *words])))

    def workflow(self) -> dict:
        """The content of a file for the editor: the top level, and a definition per subgraph."""
        definitions = [self.definition(key) for key in self.draw.subgraphs]
        nodes, links, groups = self.level(None)
        content = {
            "id": self.uid(self.file),
            "revision": 0,
            "last_node_id": self.last["id"],
            "last_link_id": self.last["link"],
            "nodes": nodes,
            "links": [list(link.values()) for link in links],
            "groups": groups,
            "config": {},
            "version": 0.4,
            "extra": {"ds": view_of_all(groups), **self.form()},
        }
        if definitions:
            content["definitions"] = {"subgraphs": definitions}
        return content

    def form(self) -> dict:
        """What App mode asks for and shows, by node id; the names are with the nodes' inputs."""
        if not self.draw.shown:
            return {}
        fields = [
            [self.ids[item], widget, *[{"height": each} for each in height]]
            for (item, widget), (_, *height) in self.draw.fields.items()
        ]
        return {"linearData": {"inputs": fields, "outputs": [self.ids[x] for x in self.draw.shown]}}

    def blueprint(self, key: str, about: str) -> dict:
        """A file for the node library: a subgraph as the only node, with nothing linked to it."""
        inside = self.family(key)
        node = self.box(key)
        node.update(pos=[0, 0], order=0)
        definitions = [self.definition(each) for each in self.draw.subgraphs if each in inside]
        for definition in definitions:
            definition.update(category=CATEGORY, description=about)
        return {
            "id": self.uid(self.file, key),
            "revision": 0,
            "last_node_id": self.last["id"],
            "last_link_id": self.last["link"],
            "nodes": [node],
            "links": [],
            "groups": [],
            "config": {},
            "version": 0.4,
            "extra": {"BlueprintDescription": about},
            "definitions": {"subgraphs": definitions},
        }

    def family(self, key: str) -> set[str]:
        """A subgraph and those in it."""
        inner = [item for item in self.draw.items(key) if item in self.draw.subgraphs]
        return {key}.union(*map(self.family, inner))

    def definition(self, key: str) -> dict:
        """What a subgraph holds."""
        nodes, links, panels = self.level(key)
        sides = {"inputs": self.borders.inputs(key), "outputs": self.borders.output_names(key)}
        ports = {side: [] for side in sides}
        for side, column, panel in (
            ("inputs", "origin", INPUTS),
            ("outputs", "target", OUTPUTS),
        ):
            for slot, port in enumerate(sides[side]):
                name, kind = (port.name, port.kind) if side == "inputs" else port
                ids = [
                    link["id"]
                    for link in links
                    if link[f"{column}_id"] == panel and link[f"{column}_slot"] == slot
                ]
                uid = self.uid(self.file, key, side, name)
                ports[side].append({"id": uid, "name": name, "type": kind, "linkIds": ids})
        return {
            "id": self.uid(self.file, key),
            "version": 1,
            "state": {
                "lastGroupId": 0,
                "lastNodeId": self.last["id"],
                "lastLinkId": self.last["link"],
                "lastRerouteId": 0,
            },
            "revision": 0,
            "config": {},
            "name": self.draw.subgraphs[key].title,
            "inputNode": {"id": INPUTS, "bounding": panels[0]},
            "outputNode": {"id": OUTPUTS, "bounding": panels[1]},
            **ports,
            "widgets": [],
            "nodes": nodes,
            "groups": [],
            "links": links,
            "extra": {},
        }

    def level(self, scope: str | None) -> tuple[list, list, list]:
        """Nodes, links, and groups (or a subgraph's two panels) of one level of the graph."""
        boxes = {item: self.box(item) for item in self.draw.items(scope)}
        links = []
        for item, box in boxes.items():
            for slot, socket in enumerate(self.borders.inputs(item)):
                origin = socket.source and self.borders.origin(scope, socket.source)
                if origin:
                    link = self.link(origin, self.ids[item], slot, socket.kind)
                    box["inputs"][slot]["link"] = link["id"]
                    links.append(link)
        for slot, source in enumerate(self.borders.outputs(scope) if scope else ()):
            kind = self.borders.output_names(scope)[slot][1]
            links.append(self.link(self.borders.origin(scope, source), OUTPUTS, slot, kind))
        for item, box in boxes.items():
            for slot, output in enumerate(box["outputs"]):
                start = self.ids[item], slot
                found = [x["id"] for x in links if (x["origin_id"], x["origin_slot"]) == start]
                output["links"] = found or None
                kinds = self.borders.output_names(item)
                for link in links:
                    if link["id"] in found:
                        link["type"] = kinds[slot][1]
        frames, notes = lay_out(self.draw, scope, boxes, self.borders)
        for note in notes:
            self.last["id"] += 1
            note["id"] = self.last["id"]
        return [*boxes.values(), *notes], links, frames

    def link(self, origin: tuple, target: int, slot: int, kind: str) -> dict:
        self.last["link"] += 1
        return {
            "id": self.last["link"],
            "origin_id": INPUTS if origin[0] is None else self.ids[origin[0]],
            "origin_slot": origin[1],
            "target_id": target,
            "target_slot": slot,
            "type": kind,
        }

    def box(self, item: str) -> dict:
        """A node in the editor's format; position and links are still missing."""
        sockets = self.borders.inputs(item)
        folded = item in self.draw.subgraphs
        look = self.look_of_subgraph(item) if folded else self.look_of_node(item)
        size = look.pop("size")
        fields = self.draw.fields.items()
        labels = {widget: name for (where, widget), (name, *_) in fields if where == item}
        inputs = [
            {
                "name": socket.name,
                "type": socket.kind,
                "link": None,
                **({"widget": {"name": socket.name}} if socket.widget else {}),
                **({"label": labels[socket.name]} if socket.name in labels else {}),
            }
            for socket in sockets
        ]
        outputs = [
            {"name": name, "type": kind, "links": None}
            for name, kind in self.borders.output_names(item)
        ]
        return {
            "id": self.ids[item],
            "type": look.pop("type"),
            "title": look.pop("title"),
            "pos": [0, 0],
            "size": size,
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": inputs,
            "outputs": outputs,
            **look,
        }

    def look_of_subgraph(self, key: str) -> dict:
        look, sockets = self.draw.subgraphs[key], self.borders.inputs(key)
        outputs = self.borders.output_names(key)
        values = [socket.value for socket in sockets if socket.widget]
        return {
            "type": self.uid(self.file, key),
            "title": look.title,
            "size": size_of("", look.title, sockets, values, outputs),
            "widgets_values": values,
            "properties": {"cnr_id": PACK_ID, "ver": VERSION},
            "color": look.color,
            "bgcolor": look.bgcolor,
        }

    def look_of_node(self, name: str) -> dict:
        node, schema = self.draw.nodes[name], self.schema(name)
        kind = node["class_type"]
        values = values_of(node, schema)
        title = self.draw.titles.get(name) or schema["display_name"]
        ours = kind.startswith("Amodal")
        properties = {
            "Node name for S&R": kind,
            "cnr_id": PACK_ID if ours else "comfy-core",
            "ver": VERSION if ours else "0.3.75",
        }
        if name in self.draw.models:
            key = "models" if self.draw.editor_lists_models else "amodal_models"
            properties[key] = [
                {name: file[name] for name in EDITOR_READS} for file in self.draw.models[name]
            ]
        loops = node["inputs"].get("count", 1)  # Amodal Completion runs a loop for each seed
        sockets, outputs = self.borders.inputs(name), outputs_of(schema)
        return {
            "type": kind,
            "title": title,
            "size": size_of(kind, title, sockets, values, outputs, loops),
            "widgets_values": values,
            "properties": properties,
        }
