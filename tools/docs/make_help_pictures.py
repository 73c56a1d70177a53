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
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amodal.app import workflow
from amodal.app.client import Client, with_query
from amodal.app.host import Host
from amodal.core import visualize
from tools.docs.help_prompts import add, prompt_of
from tools.docs.help_tiles import LATENT, MASK, SHOWN, Tile

ROOT = Path(__file__).resolve().parents[2]
NETS = ROOT / "research" / "evaluation"  # its folder sssd/ holds a small pair for stickers
PICTURES = ROOT / "js" / "docs" / "pictures"
CELL = 160  # pixels of a tile's larger side


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
