"""Writes a drawing in the two workflow formats of the host: API, and editor with its layout."""

from __future__ import annotations

import uuid

from amodal.app.workflow import WIDGETS
from tools.package import archive
from tools.workflows.drawing import Drawing
from tools.workflows.layout import lay_out, size_of, view_of_all

PACK_ID, VERSION = archive.project()


def api_format(draw: Drawing, schemas: dict) -> dict:
    """{id: {class_type, inputs, _meta}}, with the values of all widgets.

    schemas: {class: {"input", "output", "output_name", "display_name"}}, as the host sends them.
    """
    numbers = {name: str(i + 1) for i, name in enumerate(draw.nodes)}
    prompt = {}
    for name, node in draw.nodes.items():
        inputs = {}
        for key, spec in specs(schemas[node["class_type"]]).items():
            value = node["inputs"].get(key, default_of(spec) if is_widget(spec) else None)
            if isinstance(value, list):
                value = [numbers[value[0]], value[1]]
            if value is not None:
                inputs[key] = value
        title = draw.titles.get(name) or schemas[node["class_type"]]["display_name"]
        prompt[numbers[name]] = {
            "class_type": node["class_type"],
            "inputs": inputs,
            "_meta": {"title": title},
        }
    return prompt


def specs(schema: dict) -> dict:
    return {**schema["input"].get("required", {}), **schema["input"].get("optional", {})}


def kind_of(spec) -> str:
    return "COMBO" if isinstance(spec[0], list) else spec[0]


def options_of(spec) -> dict:
    return spec[1] if len(spec) > 1 else {}


def is_widget(spec) -> bool:
    return kind_of(spec) in WIDGETS and not options_of(spec).get("forceInput")


def default_of(spec):
    options = options_of(spec)
    if "default" in options:
        return options["default"]
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    empty = {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}
    return choices[0] if choices else empty.get(kind_of(spec))


def editor_format(draw: Drawing, schemas: dict, name: str) -> dict:
    """The content of a workflow file for the editor.

    Raises ValueError if a node has no group.
    """
    prompt = api_format(draw, schemas)
    numbers = {name: str(i + 1) for i, name in enumerate(draw.nodes)}
    links, nodes = [], {}
    for key, node in prompt.items():
        nodes[key] = editor_node(int(key), node, schemas[node["class_type"]])
    for key, node in prompt.items():
        for slot, socket in enumerate(nodes[key]["inputs"]):
            value = node["inputs"].get(socket["name"])
            if not isinstance(value, list):
                continue
            origin = nodes[value[0]]["outputs"][value[1]]
            links.append([len(links) + 1, int(value[0]), value[1], int(key), slot, origin["type"]])
            socket["link"] = len(links)
            origin["links"] = [*(origin["links"] or []), len(links)]
    by_name = {name: nodes[number] for name, number in numbers.items()}
    for loader, models in draw.models.items():
        by_name[loader]["properties"]["models"] = models
    groups, notes = lay_out(draw, by_name)
    nodes_and_notes = [*nodes.values(), *notes]
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"amodal-completion/{name}")),
        "revision": 0,
        "last_node_id": max(node["id"] for node in nodes_and_notes),
        "last_link_id": len(links),
        "nodes": nodes_and_notes,
        "links": links,
        "groups": groups,
        "config": {},
        "version": 0.4,
        "extra": {"ds": view_of_all(groups)},
    }


def editor_node(number: int, node: dict, schema: dict) -> dict:
    """A node in editor format, from API format; position and links are still missing."""
    sockets, values = [], []
    for key, spec in specs(schema).items():
        value = node["inputs"].get(key)
        linked = isinstance(value, list)
        if is_widget(spec):
            values.append(default_of(spec) if linked else value)
            if options_of(spec).get("control_after_generate"):
                values.append("fixed")
            if options_of(spec).get("image_upload"):
                values.append("image")
            if linked:
                sockets.append(
                    {"name": key, "type": kind_of(spec), "link": None, "widget": {"name": key}}
                )
        else:
            sockets.append({"name": key, "type": kind_of(spec), "link": None})
    outputs = [
        {"name": title, "type": kind if isinstance(kind, str) else "COMBO", "links": None}
        for title, kind in zip(schema["output_name"], schema["output"])
    ]
    from_pack = node["class_type"].startswith("Amodal")
    loops = node["inputs"].get("count", 1)  # Amodal Completion runs a loop for each seed
    return {
        "id": number,
        "type": node["class_type"],
        "title": node["_meta"]["title"],
        "pos": [0, 0],
        "size": size_of(node["class_type"], sockets, values, outputs, loops),
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": sockets,
        "outputs": outputs,
        "widgets_values": values,
        "properties": {
            "Node name for S&R": node["class_type"],
            "cnr_id": PACK_ID if from_pack else "comfy-core",
            "ver": VERSION if from_pack else "0.3.75",
        },
    }
