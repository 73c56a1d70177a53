"""Draws the shipped workflows, in the editor's format and in the API's.

    python tools/make_workflows.py

The graphs come from `nodes/assembly.py`, which the one-node version uses too. Nodes are laid out in
columns, links from left to right, one coloured group for each section of the paper.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

from tools.workflow_formats import Drawing, api_format, editor_format  # noqa: E402

WORKFLOWS = ROOT / "workflows"
CORE = (
    "LoadImage", "PreviewImage", "SaveImage", "MaskToImage", "MaskPreview", "PreviewAny",
    "PrimitiveInt", "StringReplace", "RandomNoise", "KSamplerSelect", "BasicScheduler",
    "CLIPTextEncode", "InpaintModelConditioning", "CFGGuider", "VAEEncode", "VAEDecode",
)

EXAMPLE = "amodal_example_cat.png"  # in examples/; the host finds it in its input folder

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
# From left to right; groups in one pair of brackets stand below each other.
STACKS = ((QUERY, LOADERS), (ANALYSIS,), (OBJECT, BACKGROUND), (MIX,), (RESULT,))


def sticker_workflow(assembly, scene: str) -> Drawing:
    """The progressive loop on the embedded models."""
    draw = Drawing(GROUPS, STACKS)
    checkpoint = draw.node("AmodalStickerCheckpoint", "Checkpoint")
    segmenter = draw.node("AmodalStickerSegmenter", "Segmenter")
    order = draw.node("AmodalStickerOrder", "OrderModel")
    image = draw.node("LoadImage", "Picture", image=scene)
    seed = draw.node("PrimitiveInt", "Seed", value=1)
    source = {
        "model": checkpoint.out(0), "clip": checkpoint.out(1), "vae": checkpoint.out(2),
        "segmenter": segmenter.out(0), "order_model": order.out(0), "image": image.out(0),
        "point": "", "words": "cat", "prompt": assembly.TEMPLATE, "negative": "",
        "seed": seed.out(0), "steps": 50, "k": 20.0, "cfg": 2.5,
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


def draw_example() -> Path:
    """The picture the workflow opens with: a cat behind the yarn it likes."""
    import numpy as np
    from PIL import Image

    from amodal.stickers.scenes import make_scene

    scene = make_scene(
        41, query="cat", occluder="companion", hidden=(0.2, 0.4), background="gradient"
    )
    path = ROOT / "examples" / EXAMPLE
    path.parent.mkdir(exist_ok=True)
    Image.fromarray((scene.image * 255).round().astype(np.uint8)).save(path)
    return path


def write(assembly, schemas: dict) -> list[Path]:
    drawings = {
        "amodal_completion_stickers": sticker_workflow(assembly, EXAMPLE),
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
    from tests.hosting import host

    running = host()
    import nodes  # the host's

    package = sys.modules[running.classes["AmodalCompletion"].__module__].__package__
    assembly = importlib.import_module(f"{package}.assembly")
    schemas = schemas_of(running.classes, nodes.NODE_DISPLAY_NAME_MAPPINGS)
    for path in (draw_example(), *write(assembly, schemas)):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
