"""Places the nodes and groups of a drawing on the editor's canvas."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

# All sizes are in pixels.
GAP, GROUP_TITLE = 40, 70  # space between nodes and columns; space for a group's title
NODE_WIDTH = 320
COLUMN_HEIGHT = 1800  # a column of this height is full
FILM, RUN_BAR = 130, 24  # heights of a loop's previews and of the progress bar in a node
NODE_TITLE = 30  # the title bar of a node; it lies above the node's position
WINDOW = (1600, 1000)  # width and height of the editor's window that shows a whole workflow
BARS = (70, 170)  # width and height of the editor's bars at the left and at the top


def view_of_all(groups: list[dict]) -> dict:
    """The scale and offset of the canvas at which all groups fit into the window."""
    right = max(group["bounding"][0] + group["bounding"][2] for group in groups)
    bottom = max(group["bounding"][1] + group["bounding"][3] for group in groups)
    free = [side - 1.3 * bar for side, bar in zip(WINDOW, BARS)]
    scale = round(min(1.0, free[0] / right, free[1] / bottom), 3)
    return {"scale": scale, "offset": [round(bar / scale) for bar in BARS]}


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
