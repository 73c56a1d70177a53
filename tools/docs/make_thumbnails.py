"""Runs every shipped workflow and draws the picture that stands for it among the templates.

python -m tools.docs.make_thumbnails [NAME ...]      # workflows/NAME.jpg; all where none is named
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

ROOT = Path(__file__).resolve().parents[2]

PAPER, GAP, HEIGHT, WIDEST = "#fbfaf7", 10, 300, 800
OBJECT = ("Picture", "Completed object")
SHOWN = {  # titles of the nodes whose last pictures are shown, from left to right
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
    "dataset_viewer": ("Picture", "Visible and hidden part", "Amodal mask", "Truth"),
    "all_objects": ("Picture", "Background plate", "Layers: picture"),
}
# Drawn from the run of the same graph on the embedded models, where its own cannot be had.
INSTEAD = {"amodal_completion": "amodal_completion_stickers"}


def main(names: list[str]) -> None:
    with Host(arguments=["--fp32-text-enc"]) as host:
        client = Client(host.url)
        for path in sorted(workflow.FOLDER.glob("*.json")):
            if names and path.stem not in names:
                continue
            begun = time.monotonic()
            shown = pictures(client, path)
            thumbnail(shown).save(workflow.FOLDER.parent / f"{path.stem}.jpg", quality=85)
            print(f"{path.stem}: {time.monotonic() - begun:.1f} s", flush=True)


def pictures(client: Client, path: Path) -> list[Image.Image]:
    prompt = workflow.load(path.with_stem(INSTEAD.get(path.stem, path.stem)), dict)
    run = client.run(prompt)
    found = []
    for title in SHOWN.get(path.stem, OBJECT):
        node = workflow.need(prompt, title)
        if prompt[node]["class_type"] == "LoadImage":
            found.append(
                Image.open(ROOT / "workflows" / "inputs" / prompt[node]["inputs"]["image"])
            )
        else:
            content = client.read(with_query("/view", run.images(node)[-1]))
            found.append(Image.open(io.BytesIO(content)))
    return found


def thumbnail(shown: list[Image.Image]) -> Image.Image:
    """The pictures side by side, transparent ones on a chequered ground."""
    tiles = [at_height(picture.convert("RGBA")) for picture in shown]
    page = Image.new("RGB", (sum(t.width + GAP for t in tiles) + GAP, HEIGHT + 2 * GAP), PAPER)
    left = GAP
    for one in tiles:
        page.paste(one, (left, GAP))
        left += one.width + GAP
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
