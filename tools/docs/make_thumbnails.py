"""Runs the shipped workflows and draws their thumbnails for the host's list of templates.

    python -m tools.docs.make_thumbnails [NAME ...]

NAME: that of the file in API format, without its ending; default: all.
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path

from PIL import Image

from amodal.app import workflow
from amodal.app.client import Client, with_query
from amodal.app.host import Host
from tools.demo.contact_sheet import chequered
from tools.workflows.drawings import titles

ROOT = Path(__file__).resolve().parents[2]

PAPER, GAP, HEIGHT, WIDEST = "#fbfaf7", 10, 300, 800
OBJECT = ("Picture", "Completed object")
MASK_AT_K = "M^k, the object's mask at step k"
SHOWN = {  # workflow -> titles of the nodes whose last pictures are shown, from left to right
    "amodal_completion_stickers": ("Picture", "What hides it", "Completed object"),
    "best_of_seeds": ("Picture", "Outpainted: what was added, in red: picture", "Completed object"),
    "mixed_context_step_by_step": (
        "I_syn",
        "I^k_syn_amodal, noisy",
        "Clusters of decoder features",
        "I_amodal",
    ),
    "baseline_naive_outpainting": ("Picture, baseline, mixed context: picture",),
    "ablation_without_mixed_context": ("Picture, baseline, mixed context: picture",),
    "sweep_backgrounds": ("I_amodal: picture",),
    "sweep_steps": ("I_amodal: picture",),
    "sweep_layers": ("Clusters, by level: picture", "M^k: picture"),
    "several_seeds": ("Six seeds: picture",),
    "amodal_completion": ("Picture", "Overlay", "Completed object"),
    "photograph_flux_fill_sam3": ("Picture", MASK_AT_K, "Completed object"),
    "photograph_sdxl": ("Picture", "What hides it", "Overlay", "Completed object"),
    "photograph_by_instruction": ("Picture", "Amodal mask", "Completed object"),
    "novel_view": ("Overlay", "Completed object"),
    "dataset_viewer": ("Picture", "Visible and hidden part", "Amodal mask", "Truth"),
    "all_objects": ("Picture", "Background", "Layers: picture", "The front object moved"),
    "dense_correspondence": ("Equal colours correspond", "The best points"),
}
# Workflows that need downloaded models: the same graph runs on the embedded models instead.
INSTEAD = dict.fromkeys(
    (
        "amodal_completion",
        "photograph_flux_fill_sam3",
        "photograph_sdxl",
        "photograph_by_instruction",
        "novel_view",
    ),
    "amodal_completion_stickers",
)


def main(names: list[str]) -> None:
    with Host(arguments=["--fp32-text-enc"]) as host:
        client = Client(host.url)
        for path in sorted(workflow.FOLDER.glob("*.json")):
            if names and path.stem not in names:
                continue
            began = time.monotonic()
            thumbnail(pictures(client, path)).save(
                workflow.FOLDER.parent / f"{titles()[path.stem]}.jpg", quality=85
            )
            print(f"{path.stem}: {time.monotonic() - began:.1f} s", flush=True)


def pictures(client: Client, path: Path) -> list[Image.Image]:
    """Runs a workflow; the pictures of its thumbnail."""
    prompt = workflow.load(path.with_stem(INSTEAD.get(path.stem, path.stem)), dict)
    run = client.run(prompt)
    shown = []
    for title in SHOWN.get(path.stem, OBJECT):
        node = workflow.need(prompt, title)
        if prompt[node]["class_type"] == "LoadImage":
            file = ROOT / "workflows" / "inputs" / prompt[node]["inputs"]["image"]
            shown.append(Image.open(file))
        else:
            content = client.read(with_query("/view", run.images(node)[-1]))
            shown.append(Image.open(io.BytesIO(content)))
    return shown


def thumbnail(shown: list[Image.Image]) -> Image.Image:
    """The pictures side by side; transparent parts show a chequered background."""
    tiles = [at_height(picture.convert("RGBA")) for picture in shown]
    width = sum(tile.width + GAP for tile in tiles) + GAP
    page = Image.new("RGB", (width, HEIGHT + 2 * GAP), PAPER)
    left = GAP
    for tile in tiles:
        page.paste(tile, (left, GAP))
        left += tile.width + GAP
    page.thumbnail((WIDEST, HEIGHT))
    return page


def at_height(picture: Image.Image) -> Image.Image:
    size = (round(picture.width * HEIGHT / picture.height), HEIGHT)
    ground = chequered(max(size)).crop((0, 0, *size)).convert("RGBA")
    picture = picture.convert("RGBa").resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    ground.alpha_composite(picture)
    return ground.convert("RGB")


if __name__ == "__main__":
    main(sys.argv[1:])
