"""Draws the shipped workflows, in the editor's format and in the API's.

    python tools/make_workflows.py

The graphs come from `nodes/assembly.py`, which the one-node version uses too. Nodes are laid out in
columns, links from left to right, one coloured group for each section of the paper.
"""

from __future__ import annotations

import importlib
import json
import sys
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / "workflows"
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
VERSION = "0.1.0"
CORE = (
    "LoadImage", "PreviewImage", "SaveImage", "MaskToImage", "MaskPreview", "PreviewAny",
    "PrimitiveInt", "StringReplace", "RandomNoise", "KSamplerSelect", "BasicScheduler",
    "CLIPTextEncode", "InpaintModelConditioning", "CFGGuider", "VAEEncode", "VAEDecode",
)
GAP, TOP = 40, 60  # pixels between nodes and columns; room for a group's title

LOADERS, QUERY, ANALYSIS, OBJECT, BACKGROUND, MIX, RESULT = range(7)
GROUPS = {
    LOADERS: ("Models: swap these for your own", "#335"),
    QUERY: ("The picture and the object", "#533"),
    ANALYSIS: ("3.4 Mask analysis, padding, zoom", "#355"),
    OBJECT: ("3.5 The object on a clean background, to step k", "#553"),
    BACKGROUND: ("3.5 The background without objects, at step k", "#353"),
    MIX: ("3.5 Composite, and to the end", "#535"),
    RESULT: ("3.4 The result, and the next pass", "#333"),
}


class Drawing:
    """Collects nodes as the host's GraphBuilder does, with a title and a place for each."""

    def __init__(self):
        self.nodes, self.places, self.titles, self.values = {}, {}, {}, {}

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


def sticker_workflow(assembly, scene: str) -> Drawing:
    """The progressive loop on the embedded models."""
    draw = Drawing()
    checkpoint = draw.node("AmodalStickerCheckpoint", "Checkpoint")
    segmenter = draw.node("AmodalStickerSegmenter", "Segmenter")
    order = draw.node("AmodalStickerOrder", "OrderModel")
    image = draw.node("LoadImage", "Picture", image=scene)
    seed = draw.node("PrimitiveInt", "Seed", value=1)
    source = {
        "model": checkpoint.out(0), "clip": checkpoint.out(1), "vae": checkpoint.out(2),
        "segmenter": segmenter.out(0), "order_model": order.out(0), "image": image.out(0),
        "point": "", "words": "", "prompt": assembly.TEMPLATE, "negative": "",
        "seed": seed.out(0), "steps": 50, "k": 20.0, "cfg": 3.5,
        "mask_rule": assembly.RULES[0], "size": 128, "max_passes": 6, "context": 0.5,
    }
    picked = assembly.pick(draw, source)
    made = assembly.completion(draw, {**source, **picked})
    outputs(draw, made)
    arrange(draw)
    return draw


def outputs(draw: Drawing, made: dict):
    """What is looked at and saved."""
    draw.node("PreviewImage", "Pass", images=["PasteBack", 0])
    draw.node("PreviewImage", "Hidden", images=["SelectOccluders", 2])
    draw.node("MaskPreview", "MaskAtK", mask=draw.nodes["CompositeAtStep"]["inputs"]["mask"])
    draw.node("SaveImage", "Completed", images=made["object"], filename_prefix="amodal/completed")
    draw.node("MaskToImage", "MaskPicture", mask=made["amodal"])
    draw.node("SaveImage", "AmodalMask", images=["MaskPicture", 0], filename_prefix="amodal/mask")
    draw.node("SaveImage", "Overlay", images=made["overlay"], filename_prefix="amodal/overlay")
    for name in ("Status", "Passes", "Report", "Offset"):
        draw.node("PreviewAny", name, source=made[name.lower()])
    draw.title(
        Picture="Picture", Seed="Seed", Pick="Pick the object", Prompt="Prompt",
        Completed="Completed object", AmodalMask="Amodal mask", Overlay="Overlay", Pass="Pass",
        Hidden="What hides it", MaskAtK="M^k, the object's mask at step k", Status="Status",
        Passes="Passes", Report="Report", Offset="Offset",
        See__object="Condition on I_syn", See__context="Condition on the original context",
        Guide__object="Guider for I_syn", Guide__context="Guider for the context",
        PlateEncode="Encode the background", Painted="Decode I_amodal",
        EstimateAtK="Decode the estimate at k", Positive="Positive", Negative="Negative",
    )


def arrange(draw: Drawing):
    draw.place(LOADERS, 0, "Checkpoint", "Segmenter", "OrderModel")
    draw.place(QUERY, 0, "Picture", "Seed")
    draw.place(QUERY, 1, "DetectAll", "Pick")
    draw.place(ANALYSIS, 0, "LoopStart", "PadIfTouching", "CropToObject")
    draw.place(ANALYSIS, 1, "DetectObjects", "OrderObjects", "SelectOccluders")
    draw.place(ANALYSIS, 2, "CheckOcclusion", "Hidden")
    draw.place(OBJECT, 0, "Prompt", "PassSeed", "RandomNoise", "KSamplerSelect", "BasicScheduler")
    draw.place(OBJECT, 1, "Positive", "Negative", "SwapBackground")
    draw.place(OBJECT, 2, "See-object", "Guide-object")
    draw.place(OBJECT, 3, "SampleToStep", "EstimateAtK", "KnownBackgroundMask", "MaskAtK")
    draw.place(BACKGROUND, 0, "RemoveObjects")
    draw.place(BACKGROUND, 1, "PlateEncode")
    draw.place(BACKGROUND, 2, "NoiseToStep")
    draw.place(MIX, 0, "See-context", "Guide-context")
    draw.place(MIX, 1, "CompositeAtStep", "ResumeFromStep", "Painted")
    draw.place(RESULT, 0, "SegmentObject", "PasteBack", "LoopEnd")
    draw.place(RESULT, 1, "TrimAndOverlay", "Pass", "Status", "Passes", "Offset")
    draw.place(RESULT, 2, "Completed", "MaskPicture", "AmodalMask", "Overlay", "Report")


# From left to right; groups in one pair of brackets stand below each other.
STACKS = ((QUERY, LOADERS), (ANALYSIS,), (OBJECT, BACKGROUND), (MIX,), (RESULT,))


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
    for stack in STACKS:
        y, widest = 0, x
        for group in stack:
            right, bottom, order = place_group(draw, nodes, group, x, y, order)
            title, color = GROUPS[group]
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


def write(assembly, schemas: dict) -> list[Path]:
    drawings = {
        "amodal_completion_stickers": sticker_workflow(assembly, "amodal_example_cat.png"),
    }
    written = []
    for name, draw in drawings.items():
        for path, content in (
            (WORKFLOWS / f"{name}.json", editor_format(draw, schemas, name)),
            (WORKFLOWS / "api" / f"{name}.json", api_format(draw, schemas)),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            written.append(path)
    return written


def schemas_of(classes: dict, names: dict) -> dict:
    """What the host tells a browser about its nodes, for both of its node APIs."""
    return {
        kind: {
            "input": node.INPUT_TYPES(), "output": list(node.RETURN_TYPES),
            "output_name": list(getattr(node, "RETURN_NAMES", None) or node.RETURN_TYPES),
            "display_name": names.get(kind) or kind,
        }
        for kind, node in classes.items()
        if kind.startswith("Amodal") or kind in CORE
    }


def main():
    sys.path.append(str(ROOT))
    from tests.hosting import host

    running = host()
    import nodes  # the host's

    package = sys.modules[running.classes["AmodalCompletion"].__module__].__package__
    assembly = importlib.import_module(f"{package}.assembly")
    schemas = schemas_of(running.classes, nodes.NODE_DISPLAY_NAME_MAPPINGS)
    for path in write(assembly, schemas):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
