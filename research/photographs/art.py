"""Cut-outs that the scenes are made of: Debian's photographic stamps, a COCO folder, or drawings.

A source has `names` (a list) and `read(name)`, which gives (label, picture RGBA uint8). The stamps
are installed, never kept here: apt-get install tuxpaint-stamps-default.
"""

from __future__ import annotations

import colorsys
import os
import re
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from amodal.core.errors import BadInput
from research.dataset import wholes
from research.evaluation import unseen_art

UNPACKED = Path(__file__).resolve().parents[2] / ".cache" / "stamps"  # looked for by itself
NOT_PHOTOGRAPHS = ("/cartoon/", "symbols/")
LEAST_SIDE = 100  # pixels; smaller stamps show too little when they are enlarged


class Stamps:
    """Tux Paint's photographic stamps. Raises BadInput if they are not installed."""

    def __init__(self, folder: Path | None = None):
        if folder or (unseen_art.FOLDER not in os.environ and UNPACKED.exists()):
            os.environ[unseen_art.FOLDER] = str(folder or UNPACKED)
        missing = unseen_art.ART["art-tuxpaint"].missing()
        if missing:
            raise BadInput("art", "is not installed", missing)

    @cached_property
    def names(self) -> list[str]:
        return [name for name in unseen_art.stamp_files() if is_useful(name)]

    def read(self, name: str) -> tuple[str, Image.Image]:
        return label_of(name), stamp(name)


def is_useful(name: str) -> bool:
    if any(part in f"/{name}" for part in NOT_PHOTOGRAPHS):
        return False
    picture = stamp(name)
    return max(picture.size) >= LEAST_SIDE and unseen_art.is_one_thing(picture)


@cache
def stamp(name: str) -> Image.Image:
    with Image.open(unseen_art.stamps() / name) as file:
        picture = file.convert("RGBA")
    picture.thumbnail((600, 600))
    return unseen_art.trimmed(picture)


def label_of(name: str) -> str:
    """'silver gull' from 'animals/birds/silver-gull-2.png'."""
    stem = re.sub(r"^t_|[0-9]+", "", Path(name).stem)
    return " ".join(re.sub(r"[-_]", " ", stem).lower().split()) or "thing"


class Folder:
    """Whole objects of a user's COCO annotations and pictures."""

    def __init__(self, annotations: Path, pictures: Path):
        self.coco = wholes.Coco(annotations, pictures)
        self.entries = {f"{one.category} {one.id}": one for one in self.coco.objects}
        self.names = list(self.entries)

    def read(self, name: str) -> tuple[str, Image.Image]:
        entry = self.entries[name]
        return entry.category, unseen_art.trimmed(Image.fromarray(self.coco.load(entry).rgba))


SHAPES = ("disc", "box", "drop", "star", "cross", "bean")


class Drawn:
    """Plain shapes in plain colours, drawn here: for quick tests where no stamps are installed."""

    names = [f"{shape} {hue}" for hue in range(8) for shape in SHAPES]

    def read(self, name: str) -> tuple[str, Image.Image]:
        return name, drawn(name)


@cache
def drawn(name: str, side: int = 256) -> Image.Image:
    shape, hue = name.split()
    page = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(page)
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    radius = {
        "disc": np.ones_like(angle),
        "drop": 0.75 - 0.25 * np.cos(angle),
        "star": 0.75 + 0.25 * np.cos(5 * angle),
        "cross": 0.7 + 0.3 * np.cos(4 * angle),
        "bean": 0.7 + 0.3 * np.cos(angle) ** 2,
        "box": 0.72 / np.maximum(abs(np.cos(angle)), abs(np.sin(angle))),
    }[shape]
    half = side / 2
    points = np.stack([half + np.cos(angle) * radius * half, half + np.sin(angle) * radius * half])
    colour = colorsys.hsv_to_rgb(int(hue) / 8, 0.75, 0.85)
    draw.polygon([tuple(p) for p in points.T], fill=tuple(round(255 * c) for c in colour))
    return unseen_art.trimmed(page)
