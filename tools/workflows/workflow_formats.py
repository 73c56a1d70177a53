"""Writes a drawing in the two workflow formats of the host: API, and editor with its layout."""

from __future__ import annotations

import uuid

from amodal.models import pretrained
from tools.package import archive

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
PACK_ID, VERSION = archive.project()
# All sizes are in pixels.
GAP, GROUP_TITLE = 40, 70  # space between nodes and columns; space for a group's title
NODE_WIDTH = 320
COLUMN_HEIGHT = 1800  # a column of this height is full
FILM, RUN_BAR = 130, 24  # heights of a loop's previews and of the progress bar in a node
NODE_TITLE = 30  # the title bar of a node; it lies above the node's position
WINDOW = (1600, 1000)  # width and height of the editor's window that shows a whole workflow
BARS = (70, 170)  # width and height of the editor's bars at the left and at the top


class Drawing:
    """Collects nodes as the host's GraphBuilder does, and a title and a group for each."""

    def __init__(self, groups: dict, stacks: tuple):
        """groups: key -> (title, colour). stacks: tuples of keys, from left to right; the groups
        of one tuple lie below each other."""
        self.groups, self.stacks = groups, stacks
        self.nodes, self.places, self.titles, self.notes = {}, {}, {}, {}
        self.models = {}

    def node(self, kind: str, name: str, **inputs) -> Ref:
        """Adds a node of class `kind`. Inputs are values or links; None leaves an input open."""
        inputs = {key: value for key, value in inputs.items() if value is not None}
        self.nodes[name] = {"class_type": kind, "inputs": inputs}
        return Ref(name)

    def place(self, group: str, *names: str):
        """Puts nodes into a group. Names of nodes that are not drawn are ignored."""
        self.places.update({name: group for name in names if name in self.nodes})

    def note(self, group: str, text: str):
        """Adds a Markdown note above the nodes of a group."""
        self.notes[group] = text

    def title(self, **titles: str):
        """Sets titles by node name, with `__` for `-`. Ignores names that are not drawn."""
        titles = {name.replace("__", "-"): title for name, title in titles.items()}
        self.titles.update({name: title for name, title in titles.items() if name in self.nodes})

    def model(self, name: str, *files: str):
        """Sets the published files of a loader node; the editor offers them for download."""
        self.models[name] = [
            {"name": model.file, "url": model.url, "directory": model.folder}
            for model in map(pretrained.named, files)
        ]

    def sources(self, name: str) -> list[str]:
        """Names of the nodes that a node is linked to."""
        inputs = self.nodes[name]["inputs"].values()
        return [value[0] for value in inputs if isinstance(value, list)]


class Ref:
    """A drawn node; `out` gives links to its outputs."""

    def __init__(self, name: str):
        self.name = name

    def out(self, slot: int):
        return [self.name, slot]


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


def view_of_all(groups: list[dict]) -> dict:
    """The scale and offset of the canvas at which all groups fit into the window."""
    right = max(group["bounding"][0] + group["bounding"][2] for group in groups)
    bottom = max(group["bounding"][1] + group["bounding"][3] for group in groups)
    free = [side - 1.3 * bar for side, bar in zip(WINDOW, BARS)]
    scale = round(min(1.0, free[0] / right, free[1] / bottom), 3)
    return {"scale": scale, "offset": [round(bar / scale) for bar in BARS]}


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


def size_of(kind: str, sockets: list, values: list, outputs: list, loops: int) -> list[int]:
    """Width and height of a node in the editor, with what it shows after a run of `loops`."""
    shown_height = {
        "LoadImage": 280,
        "PreviewImage": 220,
        "SaveImage": 220,
        "MaskPreview": 220,
        "PreviewAny": 90,
        "CLIPTextEncode": 40,
        "StringReplace": 90,
        "AmodalSweepValues": 80,
        "AmodalSwapBackground": 20,
        "AmodalClusterFeatures": 20,
        "AmodalLabelledGrid": 40,
        "AmodalLoadSegmenter": 160,
        "AmodalPickObject": 280,
        "AmodalLoopEnd": 180,
        "AmodalTrimAndOverlay": 240,
        "AmodalCompletion": FILM * loops + RUN_BAR,
        "AmodalSelectClusters": 230,
    }.get(kind, 0)
    plain = [socket for socket in sockets if "widget" not in socket]
    rows = max(len(plain), len(outputs)) * 20 + len(values) * 24
    return [NODE_WIDTH, max(60, rows + 20 + shown_height)]


def lay_out(draw: Drawing, nodes: dict) -> tuple[list[dict], list[dict]]:
    """Sets the position of every node; returns the groups, and the notes in them."""
    missing = set(nodes) - set(draw.places)
    if missing:
        raise ValueError(f"no group for the nodes {sorted(missing)}")
    groups, notes, left = [], [], 0
    for stack in draw.stacks:
        used = [group for group in stack if group in draw.places.values()]
        if not used:
            continue
        columns = columns_of(draw, used, nodes)
        lefts = column_lefts(columns, nodes, left)
        top = 0
        for group in used:
            in_group = [[n for n in names if draw.places[n] == group] for names in columns]
            bounding, note = place_group(draw, nodes, group, in_group, lefts, top)
            if note:
                note["id"] = len(nodes) + len(notes) + 1
                notes.append(note)
            title, color = draw.groups[group]
            groups.append(
                {
                    "id": len(groups) + 1,
                    "title": title,
                    "color": color,
                    "flags": {},
                    "bounding": bounding,
                    "font_size": 36,
                }
            )
            top += bounding[3] + GAP
        left = lefts[-1] + GAP // 2
    for order, node in enumerate(sorted(nodes.values(), key=lambda node: node["pos"])):
        node["order"] = order
    return groups, notes


def columns_of(draw: Drawing, groups: list, nodes: dict) -> list[list[str]]:
    """Names of the groups' nodes in columns, from left to right.

    A node is never left of its sources. It is right of a source in a lower group. The groups
    share COLUMN_HEIGHT; a node that does not fit into its column goes into the next one.
    """
    columns, column_of, height = [], {}, {}
    for name in sources_first(draw, [n for n, group in draw.places.items() if group in groups]):
        group = groups.index(draw.places[name])
        column = max(
            (
                column_of[source] + (groups.index(draw.places[source]) > group)
                for source in draw.sources(name)
                if source in column_of
            ),
            default=0,
        )
        need = nodes[name]["size"][1] + NODE_TITLE + GAP
        room = COLUMN_HEIGHT // len(groups)
        while height.get((group, column)) and height[group, column] + need > room:
            column += 1
        column_of[name] = column
        height[group, column] = height.get((group, column), 0) + need
        columns += [[] for _ in range(column + 1 - len(columns))]
        columns[column].append(name)
    return columns


def sources_first(draw: Drawing, names: list[str]) -> list[str]:
    """The names in their order, but each after its sources."""
    ordered = {}

    def take(name: str):
        for source in draw.sources(name):
            if source in names:
                take(source)
        ordered[name] = True

    for name in names:
        take(name)
    return list(ordered)


def column_lefts(columns: list, nodes: dict, left: int) -> list[int]:
    """The left edge of each column, and of the column that would follow."""
    lefts = [left + GAP // 2]
    for names in columns:
        lefts.append(lefts[-1] + max(nodes[name]["size"][0] for name in names) + GAP)
    return lefts


def place_group(draw, nodes, group, columns: list, lefts: list, top: int) -> tuple[list, dict]:
    """Places a group's nodes and its note; returns its bounding box, and the note or None."""
    filled = [column for column, names in enumerate(columns) if names]
    left, right = lefts[filled[0]] - GAP // 2, lefts[filled[-1] + 1] - GAP // 2
    inner, note = top + GROUP_TITLE, None
    if group in draw.notes:
        note = note_node(draw.notes[group], left + GAP // 2, inner + NODE_TITLE, right - left - GAP)
        inner += NODE_TITLE + note["size"][1] + GAP // 2
    bottom = inner
    for column in filled:
        y = inner + NODE_TITLE
        for name in columns[column]:
            nodes[name]["pos"] = [lefts[column], y]
            y += nodes[name]["size"][1] + NODE_TITLE + GAP
        bottom = max(bottom, y - NODE_TITLE - GAP // 2)
    return [left, top, right - left, bottom - top], note


def note_node(text: str, left: int, top: int, width: int) -> dict:
    """A note as wide as its group and as high as its text needs."""
    lines = sum(max(1, -(-len(line) * 8 // (width - 40))) for line in text.splitlines())
    return {
        "id": 0,
        "type": "MarkdownNote",
        "title": "Note",
        "pos": [left, top],
        "size": [width, max(90, 40 + 22 * lines)],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [text],
        "color": "#432",
        "bgcolor": "#653",
    }
