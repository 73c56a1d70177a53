"""Draws the shipped workflows, in the editor's format and in the API's.

    python -m tools.workflows.make_workflows

The drawings are in `tools/drawings/`, on the graphs of `nodes/assembly/`, which the one-node
version uses too. Nodes are laid out in columns, links from left to right, one coloured group for
each section of the paper.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from tools.workflows.drawings import DRAWINGS, common
from tools.workflows.workflow_formats import api_format, editor_format

ROOT = Path(__file__).resolve().parents[2]

WORKFLOWS = ROOT / "workflows"
CORE = (
    "LoadImage",
    "PreviewImage",
    "SaveImage",
    "MaskToImage",
    "MaskPreview",
    "PreviewAny",
    "PrimitiveInt",
    "StringReplace",
    "RandomNoise",
    "KSamplerSelect",
    "BasicScheduler",
    "CLIPTextEncode",
    "InpaintModelConditioning",
    "CFGGuider",
    "VAEEncode",
    "VAEDecode",
    "InvertMask",
    "SamplerCustomAdvanced",
    "ImageBatch",
    "CheckpointLoaderSimple",
)

EXAMPLES = {  # in pictures/: how each scene is made
    common.CAT: {"seed": 44, "query": "cat", "occluder": "companion", "hidden": (0.2, 0.4)},
    common.COMPANION: {
        "seed": 43,
        "query": "monkey",
        "occluder": "companion",
        "hidden": (0.2, 0.4),
    },
    common.BORDER: {
        "seed": 41,
        "query": "duck",
        "occluder": None,
        "cut": "right",
        "hidden": (0.2, 0.4),
    },
    common.SEVERAL: {
        "seed": 42,
        "query": "cat",
        "occluder": "companion",
        "hidden": (0.2, 0.4),
        "behind": 2,
    },
}


def draw_examples() -> list[Path]:
    """The pictures the workflows open with."""
    import numpy as np
    from PIL import Image

    from amodal.stickers.scenes import make_scene

    drawn = []
    for name, settings in EXAMPLES.items():
        scene = make_scene(background="gradient", **settings)
        drawn.append(ROOT / "workflows" / "inputs" / name)
        Image.fromarray((scene.image * 255).round().astype(np.uint8)).save(drawn[-1])
    return [*drawn, draw_items()]


def draw_items() -> Path:
    """The set that the data set's viewer opens with: two easy items and two hard ones."""
    from research.dataset import builder, wholes

    folder = ROOT / "workflows" / "inputs" / common.ITEMS
    plan = builder.Plan(2, 2, seed=3, pairs="companion", least_categories=2)
    builder.build(wholes.Stickers(), plan, folder, quiet=True)
    return folder


def write(assembly, schemas: dict) -> list[Path]:
    written = []
    for name, drawing in DRAWINGS.items():
        draw = drawing(assembly)
        for path, content in (
            (WORKFLOWS / f"{name}.json", editor_format(draw, schemas, name)),
            (WORKFLOWS / "api" / f"{name}.json", api_format(draw, schemas)),
        ):
            path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            written.append(path)
    return written


def schemas_of(classes: dict, names: dict) -> dict:
    """What the host tells a browser about its nodes, for both of its node APIs."""
    return {
        kind: {
            "input": node.INPUT_TYPES(),
            "output": list(node.RETURN_TYPES),
            "output_name": list(getattr(node, "RETURN_NAMES", None) or node.RETURN_TYPES),
            "display_name": names.get(kind) or kind,
        }
        for kind, node in classes.items()
        if kind.startswith("Amodal") or kind in CORE
    }


def main():
    from tools.host.inprocess import host

    running = host()
    import nodes  # the host's

    package = sys.modules[running.classes["AmodalCompletion"].__module__].__package__
    assembly = importlib.import_module(f"{package}.assembly")
    schemas = schemas_of(running.classes, nodes.NODE_DISPLAY_NAME_MAPPINGS)
    for path in (*draw_examples(), *write(assembly, schemas)):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
