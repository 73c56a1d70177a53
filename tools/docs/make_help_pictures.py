"""Runs shipped workflows and draws the pictures of the help pages: js/docs/pictures/<NodeId>.webp.

    python -m tools.docs.make_help_pictures [NodeId ...]      # default: all

Each picture shows what a node takes and returns, under the names of its sockets or the symbols of
the paper. make_screenshots.py draws the pages of nodes with their own widgets.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amodal.app import workflow
from amodal.app.client import Client, with_query
from amodal.app.host import Host
from amodal.core import visualize
from tools.docs.help_prompts import (
    BORDER,
    LAYERS,
    MARKED,
    MOVED,
    OBJECTS,
    ONE_NODE,
    PAIR,
    SCENE,
    SEEDS,
    SHADED,
    SQUARE,
    STEPS,
    VIEWER,
    WITHOUT_DIFFUSION,
    add,
    prompt_of,
)

ROOT = Path(__file__).resolve().parents[2]
NETS = ROOT / "research" / "evaluation"  # its folder sssd/ holds a small pair for stickers
PICTURES = ROOT / "js" / "docs" / "pictures"
CELL = 160  # pixels of a tile's larger side
MASK, LATENT, IMAGE = "mask", "latent", "image"


@dataclass(frozen=True)
class Tile:
    """An output of a node in a workflow. Several pictures of one output are numbered.

    label: the text below. node: title or class of the node. slot: number of the output.
    kind: IMAGE, MASK or LATENT. index: which of the nodes of that class, as in a list.
    limit: the most pictures to show of an output that gives a list, or one for each pass.
    """

    label: str
    node: str
    slot: int = 0
    kind: str = IMAGE
    index: int = -1
    limit: int = 4


def mask(label: str, node: str, slot: int = 0, **which) -> Tile:
    return Tile(label, node, slot, MASK, **which)


def latent(label: str, node: str, slot: int = 0) -> Tile:
    return Tile(label, node, slot, LATENT)


ORIGINAL = Tile("image", "Picture")
CROP, MODAL_MASK = Tile("crop", "AmodalCropToObject"), mask("modal_mask", "AmodalCropToObject", 1)
OCCLUDER_MASK = mask("occluder_mask", "AmodalSelectOccluders")
OVERLAY = Tile("overlay", "AmodalSelectOccluders", 2)
INPAINT_MASK = mask("inpaint_mask", "AmodalCheckOcclusion")
SYNTHETIC, BACKGROUND = Tile("I_syn", "AmodalSwapBackground"), Tile("I_bg", "AmodalRemoveObjects")
PAINTED = Tile("I_amodal", "Decode I_amodal")
MASK_AT_K = mask("M^k", "AmodalSelectClusters")
OBJECT_AT_K = latent("object at k", "AmodalSampleToStep")
BACKGROUND_AT_K = latent("background at k", "AmodalNoiseToStep")
COMPOSITE = latent("composite at k", "AmodalCompositeAtStep")

SHOWN = {  # NodeId -> (workflow, tiles)
    "AmodalDetectObjects": (STEPS, ORIGINAL, Tile("overlay", "AmodalDetectObjects", 4, index=0)),
    "AmodalObjectsFromMasks": (STEPS, mask("mask", "AmodalDetectObjects", 1, index=0)),
    "AmodalOrderObjects": (
        STEPS,
        CROP,
        Tile("query and occluder", "AmodalSelectOccluders", 2),
    ),
    "AmodalApplyOccluderHints": (
        MARKED,
        CROP,
        mask("front_hint", "AmodalPickObject", 2),
        Tile("query and occluders", "AmodalSelectOccluders", 2),
    ),
    "AmodalSelectOccluders": (STEPS, CROP, OVERLAY, OCCLUDER_MASK),
    "AmodalCheckOcclusion": (STEPS, CROP, OCCLUDER_MASK, INPAINT_MASK),
    "AmodalSwapBackground": (STEPS, CROP, MODAL_MASK, SYNTHETIC),
    "AmodalRemoveObjects": (STEPS, CROP, BACKGROUND),
    "AmodalSampleToStep": (
        STEPS,
        SYNTHETIC,
        latent("latent", "AmodalSampleToStep"),
        latent("preview", "AmodalSampleToStep", 1),
    ),
    "AmodalNoiseToStep": (STEPS, BACKGROUND, latent("latent", "AmodalNoiseToStep")),
    "AmodalClusterFeatures": (STEPS, OBJECT_AT_K, Tile("picture", "AmodalClusterFeatures", 1)),
    "AmodalCompositeAtStep": (STEPS, OBJECT_AT_K, BACKGROUND_AT_K, MASK_AT_K, COMPOSITE),
    "AmodalResumeFromStep": (STEPS, COMPOSITE, PAINTED),
    "AmodalSegmentObject": (STEPS, PAINTED, mask("amodal_mask", "AmodalSegmentObject")),
    "AmodalPasteBack": (STEPS, PAINTED, INPAINT_MASK, Tile("canvas", "AmodalPasteBack")),
    "AmodalCaptureFeatures": (LAYERS, Tile("level", "AmodalClusterFeatures", 1)),
    "AmodalSweepValues": (LAYERS, Tile("result of each value", "I_amodal")),
    "AmodalLabelledGrid": (LAYERS, Tile("image", "Clusters, by level")),
    "AmodalPadIfTouching": (
        BORDER,
        ORIGINAL,
        Tile("padded on the right", "AmodalCropToObject", limit=1),
    ),
    "AmodalCropToObject": (
        BORDER,
        ORIGINAL,
        Tile("crop", "AmodalCropToObject", limit=1),
        mask("modal_mask", "AmodalCropToObject", 1, limit=1),
        mask("padding_mask", "AmodalCropToObject", 2, limit=1),
    ),
    "AmodalLoopStart": (BORDER, Tile("pass", "AmodalLoopStart", 1)),
    "AmodalKnownBackgroundMask": (
        BORDER,
        Tile("estimate", "Decode the estimate at k"),
        Tile("synthetic_image", "AmodalSwapBackground", limit=1),
        mask("mask_at_k", "AmodalKnownBackgroundMask"),
    ),
    "AmodalSeededMask": (
        BORDER,
        Tile("estimate", "Decode the estimate at k"),
        mask("alone", "AmodalSeededMask", 3),
        mask("mask_at_k", "AmodalSeededMask"),
    ),
    "AmodalChooseMask": (
        BORDER,
        mask("known_background", "AmodalKnownBackgroundMask"),
        mask("seeded", "AmodalSeededMask"),
        mask("mask_at_k", "AmodalChooseMask"),
    ),
    "AmodalCounterfactualMask": (
        SEEDS,
        Tile("completion", "AmodalCounterfactualBackgrounds", limit=1),
        mask("inpaint_mask", "AmodalCounterfactualMask"),
    ),
    "AmodalJudgeCompletion": (
        SEEDS,
        Tile("what was added, in red", "Outpainted: what was added, in red"),
    ),
    "AmodalPickBest": (
        SEEDS,
        Tile("completion", "AmodalCompletion"),
        Tile("best", "AmodalPickBest"),
    ),
    "AmodalLoadItem": (
        VIEWER,
        Tile("image", "AmodalLoadItem"),
        mask("modal_mask", "AmodalLoadItem", 1),
        mask("amodal_mask", "AmodalLoadItem", 2),
        Tile("true_image", "AmodalLoadItem", 4),
    ),
    "AmodalCompletion": (
        ONE_NODE,
        ORIGINAL,
        Tile("object", "AmodalCompletion"),
        Tile("overlay", "AmodalCompletion", 2),
    ),
    "AmodalMatchFeatures": (
        PAIR,
        Tile("map", "AmodalMatchFeatures"),
        Tile("lines", "AmodalMatchFeatures", 1),
    ),
    "AmodalSceneLayers": (
        OBJECTS,
        ORIGINAL,
        Tile("background", "AmodalRemoveObjects"),
        Tile("object", "AmodalCompletion"),
    ),
    "AmodalComposeLayers": (OBJECTS, ORIGINAL, Tile("front object moved", "AmodalComposeLayers")),
    "AmodalRegisterToCrop": (
        MOVED,
        SYNTHETIC,
        Tile("answer", "ImageCrop"),
        Tile("registered", "AmodalRegisterToCrop"),
    ),
    "AmodalFindShadows": (
        SHADED,
        Tile("image", "ImageCompositeMasked"),
        OCCLUDER_MASK,
        mask("shadow_mask", "AmodalFindShadows"),
        Tile("overlay", "AmodalFindShadows", 3),
    ),
    "AmodalCompleteMask": (
        WITHOUT_DIFFUSION,
        MODAL_MASK,
        OCCLUDER_MASK,
        mask("amodal_mask", "AmodalCompleteMask"),
    ),
    "AmodalFillHiddenPart": (
        WITHOUT_DIFFUSION,
        CROP,
        MODAL_MASK,
        mask("amodal_mask", "AmodalCompleteMask"),
        Tile("image", "AmodalFillHiddenPart"),
    ),
    "AmodalPrepareFor3D": (
        SQUARE,
        Tile("object", "AmodalCompletion"),
        Tile("image", "AmodalPrepareFor3D"),
        mask("mask", "AmodalPrepareFor3D", 1),
    ),
    "AmodalStickerScene": (
        SCENE,
        Tile("image", "AmodalStickerScene"),
        mask("modal_mask", "AmodalStickerScene", 1),
        Tile("true_image", "AmodalStickerScene", 3),
        mask("amodal_mask", "AmodalStickerScene", 4),
    ),
}


def main(names: list[str]) -> None:
    wanted = {name: SHOWN[name] for name in names or SHOWN}
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Host(arguments=arguments(Path(folder))) as host:
        client = Client(host.url)
        for source in dict.fromkeys(source for source, *_ in wanted.values()):
            pages = {name: tiles for name, (of, *tiles) in wanted.items() if of == source}
            pictures = run(client, source, {tile for tiles in pages.values() for tile in tiles})
            for name, tiles in pages.items():
                row = [pair for tile in tiles for pair in labelled(pictures[tile], tile.label)]
                cell = CELL if len(row) > 1 else 2 * CELL
                sheet = visualize.grid(*zip(*row), columns=len(row), cell=cell)
                picture = Image.fromarray((sheet * 255).round().astype(np.uint8))
                picture.save(PICTURES / f"{name}.webp", quality=80, method=6)
                print(name, picture.size, flush=True)


def arguments(folder: Path) -> list[str]:
    """Of ComfyUI; it finds SSSD's small pair too, by a file that is written to the folder."""
    known = folder / "model_paths.yaml"
    known.write_text(json.dumps({"amodal": {"base_path": str(NETS), "sssd": "sssd"}}))  # YAML too
    return ["--fp32-text-enc", "--extra-model-paths-config", str(known)]


def labelled(pictures: list, label: str) -> list[tuple]:
    """(picture, label) of each; labels are numbered if there are several pictures."""
    if len(pictures) == 1:
        return [(pictures[0], label)]
    return [(picture, f"{label} {number}") for number, picture in enumerate(pictures, 1)]


def run(client: Client, source: str, tiles: set[Tile]) -> dict[Tile, list[torch.Tensor]]:
    """Runs a prompt; for each tile its pictures [H, W, 3 or 4] in 0..1, at most `tile.limit`."""
    prompt = prompt_of(source)
    previews = {tile: previewed(prompt, tile) for tile in tiles}
    done = client.run(prompt)
    return {
        tile: [read(client, image) for image in done.images(preview)[: tile.limit]]
        for tile, preview in previews.items()
    }


def previewed(prompt: dict, tile: Tile) -> str:
    """Adds a preview of the tile's output to the prompt; the id of the preview."""
    titled = workflow.titled(prompt, tile.node)
    candidates = [key for key, node in prompt.items() if node["class_type"] == tile.node]
    link = [titled or candidates[tile.index], tile.slot]
    if tile.kind == LATENT:
        vae = next(n["inputs"]["vae"] for n in prompt.values() if n["class_type"] == "VAEDecode")
        link = add(prompt, "VAEDecode", samples=link, vae=vae)
    elif tile.kind == MASK:
        link = add(prompt, "MaskToImage", mask=link)
    return add(prompt, "PreviewImage", images=link)[0]


def read(client: Client, image: dict) -> torch.Tensor:
    """A picture of the host's, as [H, W, channels] in 0..1."""
    picture = Image.open(io.BytesIO(client.read(with_query("/view", image))))
    return torch.from_numpy(np.asarray(picture).copy()).float() / 255


if __name__ == "__main__":
    main(sys.argv[1:])
