"""Runs shipped workflows and draws the pictures of the help pages: js/docs/pictures/<NodeId>.webp.

    python -m tools.docs.make_help_pictures [NodeId ...]      # all where none is named

Each picture shows what a node takes and gives, under the names of its sockets. What the pack's own
widgets show is taken by tools/docs/make_screenshots.py; loaders have nothing to show.
"""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amodal.app import workflow
from amodal.app.client import Client, with_query
from amodal.app.host import Host
from amodal.core import visualize

ROOT = Path(__file__).resolve().parents[2]

PICTURES = ROOT / "js" / "docs" / "pictures"
CELL = 160  # pixels of a tile's larger side
STEPS, LAYERS, BORDER, SEEDS, ONE, VIEWER = (
    "mixed_context_step_by_step",
    "sweep_layers",
    "beyond_the_boundary",
    "best_of_seeds",
    "amodal_one_node",
    "dataset_viewer",
)
SCENE = "a prompt of the node alone"
MASK, LATENT, IMAGE = "mask", "latent", "image"


@dataclass(frozen=True)
class Tile:
    """An output of a workflow's node, found by class or title; `turn`: which of those nodes.

    Several pictures of one output are numbered.
    """

    label: str
    node: str
    slot: int = 0
    kind: str = IMAGE
    turn: int = -1
    most: int = 4  # pictures to show of an output: of its passes, or answers


def mask(label: str, node: str, slot: int = 0, **which) -> Tile:
    return Tile(label, node, slot, MASK, **which)


def latent(label: str, node: str, slot: int = 0) -> Tile:
    return Tile(label, node, slot, LATENT)


WHOLE = Tile("picture", "Picture")
PICTURE, SEEN = Tile("crop", "AmodalCropToObject"), mask("mask", "AmodalCropToObject", 1)
I_SYN, PLATE = Tile("I_syn", "AmodalSwapBackground"), Tile("plate", "AmodalRemoveObjects")
INPAINT = mask("inpaint", "AmodalCheckOcclusion")
PAINTED = Tile("I_amodal", "Decode I_amodal")
MASK_K = mask("M^k", "AmodalSelectClusters")
OBJECT_K = latent("object at k", "AmodalSampleToStep")
PLATE_K = latent("background at k", "AmodalNoiseToStep")
MIXED = latent("composite at k", "AmodalCompositeAtStep")

SHOWN = {  # NodeId -> (workflow, what of it)
    "AmodalDetectObjects": (STEPS, WHOLE, Tile("overlay", "AmodalDetectObjects", 4, turn=0)),
    "AmodalObjectsFromMasks": (STEPS, mask("mask", "AmodalDetectObjects", 1, turn=0)),
    "AmodalOrderObjects": (
        STEPS,
        PICTURE,
        Tile("the query and what hides it", "AmodalSelectOccluders", 2),
    ),
    "AmodalSelectOccluders": (
        STEPS,
        PICTURE,
        Tile("overlay", "AmodalSelectOccluders", 2),
        mask("occluders", "AmodalSelectOccluders"),
    ),
    "AmodalCheckOcclusion": (STEPS, PICTURE, mask("occluders", "AmodalSelectOccluders"), INPAINT),
    "AmodalSwapBackground": (STEPS, PICTURE, SEEN, I_SYN),
    "AmodalRemoveObjects": (STEPS, PICTURE, PLATE),
    "AmodalSampleToStep": (
        STEPS,
        I_SYN,
        latent("latent", "AmodalSampleToStep"),
        latent("preview", "AmodalSampleToStep", 1),
    ),
    "AmodalNoiseToStep": (STEPS, PLATE, latent("latent", "AmodalNoiseToStep")),
    "AmodalClusterFeatures": (STEPS, OBJECT_K, Tile("picture", "AmodalClusterFeatures", 1)),
    "AmodalCompositeAtStep": (STEPS, OBJECT_K, PLATE_K, MASK_K, MIXED),
    "AmodalResumeFromStep": (STEPS, MIXED, PAINTED),
    "AmodalSegmentObject": (STEPS, PAINTED, mask("mask", "AmodalSegmentObject")),
    "AmodalPasteBack": (STEPS, PAINTED, INPAINT, Tile("on the canvas", "AmodalPasteBack")),
    "AmodalCaptureFeatures": (LAYERS, Tile("level", "AmodalClusterFeatures", 1)),
    "AmodalSweepValues": (LAYERS, Tile("what came of each value", "I_amodal")),
    "AmodalLabelledGrid": (LAYERS, Tile("image", "Clusters, by level")),
    "AmodalPadIfTouching": (BORDER, WHOLE, Tile("room at the right", "AmodalCropToObject", most=1)),
    "AmodalCropToObject": (
        BORDER,
        WHOLE,
        Tile("image", "AmodalCropToObject", most=1),
        mask("mask", "AmodalCropToObject", 1, most=1),
        mask("beyond", "AmodalCropToObject", 2, most=1),
    ),
    "AmodalLoopStart": (BORDER, Tile("pass", "AmodalLoopStart", 1)),
    "AmodalKnownBackgroundMask": (
        BORDER,
        Tile("estimate", "Decode the estimate at k"),
        Tile("background", "AmodalSwapBackground", most=1),
        mask("mask", "AmodalKnownBackgroundMask"),
    ),
    "AmodalCounterfactualMask": (
        SEEDS,
        Tile("completed", "AmodalCounterfactualBackgrounds", most=1),
        mask("inpaint", "AmodalCounterfactualMask"),
    ),
    "AmodalJudgeCompletion": (
        SEEDS,
        Tile("what was added, in red", "Outpainted: what was added, in red"),
    ),
    "AmodalPickBest": (SEEDS, Tile("answer", "AmodalCompletion"), Tile("best", "AmodalPickBest")),
    "AmodalLoadItem": (
        VIEWER,
        Tile("picture", "AmodalLoadItem"),
        mask("modal", "AmodalLoadItem", 1),
        mask("amodal", "AmodalLoadItem", 2),
        Tile("truth", "AmodalLoadItem", 4),
    ),
    "AmodalCompletion": (
        ONE,
        WHOLE,
        Tile("object", "AmodalCompletion"),
        Tile("overlay", "AmodalCompletion", 2),
    ),
}
SHOWN["AmodalStickerScene"] = (
    SCENE,
    Tile("image", "AmodalStickerScene"),
    mask("mask", "AmodalStickerScene", 1),
    Tile("truth", "AmodalStickerScene", 3),
    mask("amodal", "AmodalStickerScene", 4),
)
DEFAULTS = {
    "seed": 3,
    "query": "any",
    "occluder": "companion",
    "hidden_from": 0.2,
    "hidden_to": 0.5,
    "cut": "none",
    "background": "plain",
    "size": 128,
}


def main(names: list[str]) -> None:
    wanted = {name: SHOWN[name] for name in names or SHOWN}
    PICTURES.mkdir(exist_ok=True)
    with Host(arguments=["--fp32-text-enc"]) as host:
        client = Client(host.url)
        for source in dict.fromkeys(source for source, *_ in wanted.values()):
            here = {name: tiles for name, (of, *tiles) in wanted.items() if of == source}
            seen = run(client, source, {tile for tiles in here.values() for tile in tiles})
            for name, tiles in here.items():
                row = [one for tile in tiles for one in labelled(seen[tile], tile.label)]
                cell = CELL if len(row) > 1 else 2 * CELL
                page = visualize.grid(*zip(*row), columns=len(row), cell=cell)
                picture = Image.fromarray((page * 255).round().astype(np.uint8))
                picture.save(PICTURES / f"{name}.webp", quality=80, method=6)
                print(name, picture.size, flush=True)


def labelled(pictures: list, label: str) -> list[tuple]:
    several = len(pictures) > 1
    return [(one, f"{label} {i + 1}" if several else label) for i, one in enumerate(pictures)]


def run(client: Client, source: str, tiles: set[Tile]) -> dict[Tile, list[torch.Tensor]]:
    """A shipped workflow with a preview of each tile's output; what they showed."""
    prompt = {"1": {"class_type": "AmodalStickerScene", "inputs": DEFAULTS}}
    if source != SCENE:
        prompt = workflow.load(workflow.FOLDER / f"{source}.json", dict)
    previews = {tile: previewed(prompt, tile) for tile in tiles}
    done = client.run(prompt)
    return {
        tile: [read(client, image) for image in done.images(preview)[: tile.most]]
        for tile, preview in previews.items()
    }


def previewed(prompt: dict, tile: Tile) -> str:
    """Adds a preview of an output to a prompt; its id."""
    named = workflow.titled(prompt, tile.node)
    same = (
        [named]
        if named
        else [key for key, node in prompt.items() if node["class_type"] == tile.node]
    )
    link = [same[tile.turn], tile.slot]
    if tile.kind == LATENT:
        vae = next(n["inputs"]["vae"] for n in prompt.values() if n["class_type"] == "VAEDecode")
        link = add(prompt, "VAEDecode", samples=link, vae=vae)
    elif tile.kind == MASK:
        link = add(prompt, "MaskToImage", mask=link)
    return add(prompt, "PreviewImage", images=link)[0]


def add(prompt: dict, kind: str, **inputs) -> list:
    key = f"help{len(prompt)}"
    prompt[key] = {"class_type": kind, "inputs": inputs, "_meta": {"title": key}}
    return [key, 0]


def read(client: Client, image: dict) -> torch.Tensor:
    picture = Image.open(io.BytesIO(client.read(with_query("/view", image))))
    return torch.from_numpy(np.asarray(picture).copy()).float() / 255


if __name__ == "__main__":
    main(sys.argv[1:])
