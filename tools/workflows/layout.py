"""Places the nodes and groups of one level of a drawing on the editor's canvas."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

# All sizes are in pixels.
GAP, GROUP_TITLE = 24, 52  # space between nodes and columns; space for a group's title
MARGIN = 10  # between a group's frame and its nodes
TITLE_FONT, TITLE_LETTER = 36, 0.55  # of a group: size, and width of a letter as a fraction of it
FILM, RUN_BAR = 120, 24  # heights of a loop's previews and of the progress bar in a node
FILMS = 2  # more loops than these make the node grow when it runs
PICKER = 284  # height of the picture to click
NODE_TITLE = 30  # the title bar of a node; it lies above the node's position
WINDOW = (1600, 1000)  # width and height of the editor's window that shows a whole workflow
BARS = (66, 126)  # width and height of the editor's bars at the left and at the top
LETTER, ROW, WIDGET = 7, 20, 24  # width of a letter; heights of a row of sockets and of a widget
LOWER = 44  # subgraphs at the top level stand lower, so that a wire passes above them
PANEL = 150  # width of the panels with a subgraph's own inputs and outputs
WIDTHS = {
    "LoadImage": 214,
    "AmodalPickObject": 270,
    "AmodalTrimAndOverlay": 300,
    "AmodalLoopEnd": 300,
    "AmodalCompletion": 320,
    "AmodalLoadSegmenter": 240,
    "AmodalLoadOrderModel": 240,
    "AmodalLoadInpaintModel": 240,
    "CheckpointLoaderSimple": 240,
}
SHOWN_HEIGHT = {  # of what a node shows below its widgets
    "LoadImage": 230,
    "PreviewImage": 200,
    "SaveImage": 200,
    "MaskPreview": 200,
    "PreviewAny": 90,
    "CLIPTextEncode": 40,
    "StringReplace": 90,
    "AmodalSweepValues": 80,
    "AmodalLabelledGrid": 40,
    "AmodalLoadSegmenter": 290,
    "AmodalPickObject": 280,
    "AmodalLoopEnd": 180,
    "AmodalTrimAndOverlay": 240,
    "AmodalSelectClusters": 230,
}


def view_of_all(groups: list[dict]) -> dict:
    """The scale and offset of the canvas at which all groups fit into the window."""
    right = max(group["bounding"][0] + group["bounding"][2] for group in groups)
    bottom = max(group["bounding"][1] + group["bounding"][3] for group in groups)
    free = [side - 1.1 * bar for side, bar in zip(WINDOW, BARS)]
    scale = round(min(1.0, free[0] / right, free[1] / bottom), 3)
    return {"scale": scale, "offset": [round(bar / scale) for bar in BARS]}


def size_of(kind: str, title: str, sockets: list, values: list, outputs: list, loops=1):
    """Width and height of a node in the editor, with what it shows after a run of `loops`.

    kind: its class, or empty for a subgraph.
    """
    plain = [socket.name for socket in sockets if not socket.widget]
    right = [name for name, _ in outputs]
    rows = max(len(plain), len(outputs)) * ROW + len(values) * WIDGET
    shown = SHOWN_HEIGHT.get(kind, 0)
    if kind == "AmodalCompletion":
        shown = PICKER + FILM * min(loops, FILMS) + RUN_BAR
    if not kind:
        shown = WIDGET  # the bar that opens the subgraph
    words = longest(plain) + longest(right)
    width = max(WIDTHS.get(kind, 210), 56 + LETTER * len(title), 46 + LETTER * words)
    return [width, max(60, rows + 20 + shown)]


def longest(names: list[str]) -> int:
    return max(map(len, names), default=0)


def lay_out(draw: Drawing, scope: str | None, boxes: dict, borders) -> tuple[list, list[dict]]:
    """Sets the position of every box of a level; returns its groups, and the notes on it.

    Of a subgraph it returns, in place of groups, the bounds of the two panels with its own inputs
    and outputs.
    """
    stacks = draw.stacks if scope is None else ((scope,),)
    sources = {item: borders.sources(item) for item in boxes}
    groups, notes, left = [], [], 0
    for stack in stacks:
        used = [group for group in stack if group in map(draw.places.get, boxes)]
        if not used:
            continue
        columns = columns_of(draw, used, boxes, sources)
        lefts = column_lefts(columns, boxes, left)
        top = 0
        for group in used:
            in_group = [[n for n in names if draw.places[n] == group] for names in columns]
            bounding, note = place_group(draw, boxes, group, in_group, lefts, top)
            notes += [note] if note else []
            groups.append(frame(draw, group, bounding, len(groups) + 1))
            top += bounding[3] + MARGIN
        left = lefts[-1] - GAP + 2 * MARGIN
    for order, node in enumerate(sorted(boxes.values(), key=lambda node: node["pos"])):
        node["order"] = order
    return (
        groups if scope is None else panels(groups[0]["bounding"], boxes, borders, scope)
    ), notes


def frame(draw: Drawing, group: str, bounding: list, number: int) -> dict:
    title, color = draw.groups.get(group, ("", ""))
    return {
        "id": number,
        "title": title,
        "color": color,
        "flags": {},
        "bounding": bounding,
        "font_size": min(TITLE_FONT, int(bounding[2] / max(1, TITLE_LETTER * len(title)))),
    }


def panels(bounding: list, boxes: dict, borders, scope: str) -> list[list]:
    """Bounds of the panels left and right of the nodes."""
    left, _, width, _ = bounding
    top = min(box["pos"][1] for box in boxes.values()) - NODE_TITLE
    heights = [ROW * len(ports) + 60 for ports in (borders.inputs(scope), borders.outputs(scope))]
    return [
        [left - PANEL - GAP, top, PANEL, heights[0]],
        [left + width + GAP, top, PANEL, heights[1]],
    ]


def columns_of(draw: Drawing, groups: list, boxes: dict, sources: dict) -> list[list[str]]:
    """Items of the groups in columns, from left to right.

    An item is right of its sources in a subgraph and in a group of `draw.rows`; elsewhere it may
    be in a column with them. It is right of a source in a lower group. The groups share
    a column's height; an item that does not fit into its column goes into the next one.
    """
    columns, column_of, height = [], {}, {}
    inside = [item for item in boxes if draw.places[item] in groups]
    for item in sources_first(sources, inside):
        group = groups.index(draw.places[item])
        right = draw.places[item] in draw.rows or draw.places[item] in draw.subgraphs
        column = max(
            (
                column_of[source] + (right or groups.index(draw.places[source]) > group)
                for source in sources[item]
                if source in column_of
            ),
            default=0,
        )
        column = max(column, draw.columns[item])
        need = boxes[item]["size"][1] + NODE_TITLE + GAP
        room = draw.column_height // len(groups)
        while height.get((group, column)) and height[group, column] + need > room:
            column += 1
        column_of[item] = column
        height[group, column] = height.get((group, column), 0) + need
        columns += [[] for _ in range(column + 1 - len(columns))]
        columns[column].append(item)
    return [column for column in columns if column]


def sources_first(sources: dict, items: list[str]) -> list[str]:
    """The items in their order, but each after its sources."""
    ordered = {}

    def take(item: str):
        for source in sources[item]:
            if source in items:
                take(source)
        ordered[item] = True

    for item in items:
        take(item)
    return list(ordered)


def column_lefts(columns: list, boxes: dict, left: int) -> list[int]:
    """The left edge of each column, and of the column that would follow."""
    lefts = [left + MARGIN]
    for names in columns:
        lefts.append(lefts[-1] + max(boxes[name]["size"][0] for name in names) + GAP)
    return lefts


def place_group(draw, boxes, group, columns: list, lefts: list, top: int) -> tuple[list, dict]:
    """Places a group's items and its note; returns its bounding box, and the note or None."""
    filled = [column for column, names in enumerate(columns) if names]
    left, right = lefts[filled[0]] - MARGIN, lefts[filled[-1] + 1] - GAP + MARGIN
    inner, note = top + GROUP_TITLE, None
    if group in draw.notes:
        note = note_node(draw.notes[group], left + MARGIN, inner, right - left - 2 * MARGIN)
        inner = note["pos"][1] + note["size"][1] + MARGIN
    bottom = inner
    for column in filled:
        y = inner + NODE_TITLE
        if columns[column][0] in draw.subgraphs and group in draw.groups:
            y += LOWER
        for name in columns[column]:
            boxes[name]["pos"] = [lefts[column], y]
            y += boxes[name]["size"][1] + NODE_TITLE + MARGIN
        bottom = max(bottom, y - NODE_TITLE)
    return [left, top, right - left, bottom - top], note


def note_node(text: str, left: int, top: int, width: int) -> dict:
    """A note as wide as its group and as high as its text needs."""
    lines = sum(max(1, -(-len(line) * 8 // (width - 40))) for line in text.splitlines())
    return {
        "id": 0,
        "type": "MarkdownNote",
        "title": "Note",
        "pos": [left, top + NODE_TITLE],
        "size": [width, max(80, 36 + 22 * lines)],
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
