"""Contact sheets of scenes: picture, masks of what is visible, and the truth, each framed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from . import art, kinds
from .scenes import Scene

TILE = 220


def tiles(scene: Scene) -> list[Image.Image]:
    """The sheet with the picture's frame, the query in green and its hiders in red, the truth."""
    marked = scene.sheet // 2 + 64
    marked[np.isin(scene.owners, scene.hiders)] = (210, 60, 50)
    marked[scene.amodal & ~scene.modal] = (240, 200, 60)
    marked[scene.modal] = (60, 190, 80)
    return [framed(scene, part) for part in (scene.sheet, marked, scene.truth)]


def framed(scene: Scene, sheet: np.ndarray) -> Image.Image:
    page = Image.fromarray(sheet)
    m, (width, height) = scene.margin, scene.size
    line = max(2, max(page.size) // 200)
    ImageDraw.Draw(page).rectangle((m, m, m + width, m + height), outline="white", width=line)
    page.thumbnail((TILE, TILE))
    return page


def contact_sheet(scenes: list[Scene], columns: int = 3) -> Image.Image:
    rows = -(-len(scenes) // columns)
    page = Image.new("RGB", (columns * (3 * TILE + 12), rows * (TILE + 18)), "white")
    for number, scene in enumerate(scenes):
        x, y = number % columns * (3 * TILE + 12), number // columns * (TILE + 18)
        for i, tile in enumerate(tiles(scene)):
            page.paste(tile, (x + i * TILE, y + 14))
        text = f"{scene.kind} {scene.number}: {scene.label}, hidden {scene.hidden:.0%}"
        ImageDraw.Draw(page).text((x, y), text, fill="black")
    return page


if __name__ == "__main__":
    source = art.Stamps()
    chosen = sys.argv[2:] or list(kinds.KINDS)
    made = [kinds.make_scene(kind, i, "dev", source) for kind in chosen for i in range(3)]
    contact_sheet(made).save(Path(sys.argv[1]))
