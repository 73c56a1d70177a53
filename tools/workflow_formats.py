"""The host's two workflow formats of a drawing: the API's, and the editor's with its layout."""

from __future__ import annotations

import uuid

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
VERSION = "0.1.0"
GAP, TOP = 40, 60  # pixels between nodes and columns; room for a group's title


class Drawing:
    """Collects nodes as the host's GraphBuilder does, with a title and a place for each."""

    def __init__(self, groups: dict, stacks: tuple):
        """groups: number -> (title, colour); stacks: their numbers, from left to right, those in
        one pair of brackets below each other."""
        self.groups, self.stacks = groups, stacks
        self.nodes, self.places, self.titles = {}, {}, {}

    def node(self, kind: str, name: str, **inputs):
        inputs = {key: value for key, value in inputs.items() if value is not None}
        self.nodes[name] = {"class_type": kind, "inputs": inputs}
        return Ref(name)

    def place(self, group: int, column: int, *names: str):
        for name in names:
            self.places[name] = (group, column)

    def title(self, **titles: str):
        self.titles.update({name.replace("__", "-"): title for name, title in titles.items()})


class Ref:
    def __init__(self, name: str):
        self.name = name

    def out(self, slot: int):
        return [self.name, slot]


def api_format(draw: Drawing, schemas: dict) -> dict:
    """{id: {class_type, inputs, _meta}} with every widget's value written out."""
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
            "class_type": node["class_type"], "inputs": inputs, "_meta": {"title": title}
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
    """The file that is dragged into the editor."""
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
    groups = lay_out(draw, {name: nodes[number] for name, number in numbers.items()})
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"amodal-completion/{name}")), "revision": 0,
        "last_node_id": len(nodes), "last_link_id": len(links), "nodes": list(nodes.values()),
        "links": links, "groups": groups, "config": {}, "version": 0.4,
        "extra": {"ds": {"scale": 0.32, "offset": [60, 120]}},
    }


def editor_node(number: int, node: dict, schema: dict) -> dict:
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
                sockets.append({"name": key, "type": kind_of(spec), "link": None,
                                "widget": {"name": key}})
        else:
            sockets.append({"name": key, "type": kind_of(spec), "link": None})
    outputs = [
        {"name": title, "type": kind if isinstance(kind, str) else "COMBO", "links": None}
        for title, kind in zip(schema["output_name"], schema["output"])
    ]
    ours = node["class_type"].startswith("Amodal")
    return {
        "id": number, "type": node["class_type"], "title": node["_meta"]["title"], "pos": [0, 0],
        "size": size_of(node["class_type"], sockets, values, outputs), "flags": {}, "order": 0,
        "mode": 0, "inputs": sockets, "outputs": outputs, "widgets_values": values,
        "properties": {
            "Node name for S&R": node["class_type"],
            "cnr_id": "amodal-completion" if ours else "comfy-core",
            "ver": VERSION if ours else "0.3.75",
        },
    }


def size_of(kind: str, sockets: list, values: list, outputs: list) -> list[int]:
    """Room for the node as the editor draws it."""
    shown = {"LoadImage": 280, "PreviewImage": 220, "SaveImage": 220, "MaskPreview": 220,
             "PreviewAny": 90, "CLIPTextEncode": 40}.get(kind, 0)
    plain = [s for s in sockets if "widget" not in s]
    rows = max(len(plain), len(outputs)) * 20 + len(values) * 24
    return [300, max(60, rows + 20 + shown)]


def lay_out(draw: Drawing, nodes: dict) -> list[dict]:
    """Gives every node its place; returns the groups around them."""
    groups, order, x = [], 0, 0
    missing = set(nodes) - set(draw.places)
    if missing:
        raise ValueError(f"no place for {sorted(missing)}")
    for stack in draw.stacks:
        y, widest = 0, x
        for group in stack:
            right, bottom, order = place_group(draw, nodes, group, x, y, order)
            title, color = draw.groups[group]
            bounding = [x, y, right - x, bottom - y]
            groups.append({"id": len(groups) + 1, "title": title, "color": color, "flags": {},
                           "bounding": bounding, "font_size": 24})
            y, widest = bottom + GAP, max(widest, right)
        x = widest + GAP
    return groups


def place_group(draw, nodes, group: int, x: int, y: int, order: int) -> tuple[int, int, int]:
    left, bottom = x + GAP // 2, y
    columns = sorted({column for g, column in draw.places.values() if g == group})
    for column in columns:
        top, widest = y + TOP + 30, 0
        for name, place in draw.places.items():
            if place == (group, column) and name in nodes:
                node = nodes[name]
                node["pos"], node["order"] = [left, top], order
                top += node["size"][1] + 30 + GAP
                widest, order = max(widest, node["size"][0]), order + 1
        left, bottom = left + widest + GAP, max(bottom, top - 30)
    return left - GAP // 2, bottom, order
