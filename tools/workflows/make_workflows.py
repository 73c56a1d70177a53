"""Writes the shipped workflows in editor format and in API format, and the blueprints.

    python -m tools.workflows.make_workflows [NAME ...]

Without names all are written; a name is that of a file in workflows/api/, or "blueprints".

`tools/workflows/drawings/` draws them from the graphs of `nodes/assembly/`, which Amodal Completion
uses too. Nodes lie in columns, with links from left to right. Each section of the paper has a
coloured group.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.workflows.api_format import api_format
from tools.workflows.drawings import APPS, DRAWINGS, titles
from tools.workflows.drawings.blueprints import BLUEPRINTS, whole
from tools.workflows.workflow_formats import as_app, blueprint_formats, editor_format

ROOT = Path(__file__).resolve().parents[2]

WORKFLOWS = ROOT / "workflows"
SUBGRAPHS = ROOT / "subgraphs"
CORE = (
    "LoadImage",
    "PreviewImage",
    "SaveImage",
    "MaskToImage",
    "MaskPreview",
    "PreviewAny",
    "PrimitiveInt",
    "PrimitiveString",
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
    "UNETLoader",
    "DualCLIPLoader",
    "VAELoader",
    "FluxGuidance",
    "ImageOnlyCheckpointLoader",
    "StableZero123_Conditioning",
    "KSampler",
    "ReferenceLatent",
    "ImageCompositeMasked",
)


def contents(assembly, schemas: dict, wanted=()) -> Iterator[tuple[Path, dict]]:
    """The path and content of each workflow in both formats, and of each blueprint.

    wanted: their names, or "blueprints"; all without any.
    """
    for name, title in titles().items():
        if wanted and name not in wanted:
            continue
        draw = DRAWINGS[name][1](assembly)
        saved = editor_format(draw, schemas, name)
        yield WORKFLOWS / f"{title}.json", saved
        if name in APPS:
            yield WORKFLOWS / f"{APPS[name]}.json", as_app(saved)
        yield WORKFLOWS / "api" / f"{name}.json", api_format(draw, schemas)
    if wanted and "blueprints" not in wanted:
        return
    for name, content in blueprint_formats(whole(assembly), schemas, BLUEPRINTS).items():
        yield SUBGRAPHS / f"{name}.json", content


def schemas_of(classes: dict, names: dict) -> dict:
    """Schemas of the pack's nodes and of CORE, in the form that the host sends to the editor.

    classes: node classes by id, of either node API. names: display names by id.
    """
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
    import nodes  # of the host

    package = sys.modules[running.classes["AmodalCompletion"].__module__].__package__
    assembly = importlib.import_module(f"{package}.assembly")
    schemas = schemas_of(running.classes, nodes.NODE_DISPLAY_NAME_MAPPINGS)
    for path, content in contents(assembly, schemas, sys.argv[1:]):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
