"""Completes every object of thirty pictures by the README's commands; draws docs/images/batch.jpg.

    python -m tools.docs.make_batch_picture

The pictures are drawn at random (items 0 to 29 of seed 0 of `research.dataset`); none is left out.
Each is followed by the objects that the segmenter found in it, all completed: hidden ones are
painted, and whole ones cut out. An interrupted run resumes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from amodal.batch import manifest
from amodal.batch.places import place_of
from tools.demo.contact_sheet import chequered
from tools.docs.make_thumbnails import PAPER, ROOT

DRAW = "stickers --easy 30 --hard 0"  # README: nox -s dataset --
SOURCE, OUT = "output/dataset/picture", "output/completed"
BATCH = f"batch {SOURCE} --out {OUT} --stickers --objects all --workers 2"  # nox -s run --
COLUMNS, SIDE, GAP = 5, 80, 12
IMAGE = ROOT / "docs" / "images" / "batch.jpg"


def main() -> None:
    run("research.dataset", DRAW).check_returncode()
    run("amodal", BATCH)  # status 3 if an object is not completed; its place then stays empty
    sheet(ROOT / SOURCE, ROOT / OUT).save(IMAGE, quality=88)


def run(module: str, words: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", module, *words.split()], cwd=ROOT)


def sheet(pictures: Path, done: Path) -> Image.Image:
    """Each picture with its completed objects, in the order of the pictures."""
    names = sorted(path.name for path in pictures.iterdir())
    objects = {name: [] for name in names}
    for record in sorted(manifest.records(place_of(done)), key=lambda record: record["object"]):
        completed = [file for file in record["files"] if file.endswith("completed.png")]
        objects[Path(record["source"]).name] += completed
    most = max(map(len, objects.values()))
    rows, group = -(-len(names) // COLUMNS), (1 + most) * (SIDE + GAP // 2) + GAP
    page = Image.new("RGB", (COLUMNS * group + GAP // 2, rows * (SIDE + GAP) + GAP), PAPER)
    for number, name in enumerate(names):
        left, top = GAP + number % COLUMNS * group, GAP + number // COLUMNS * (SIDE + GAP)
        page.paste(Image.open(pictures / name).resize((SIDE, SIDE)), (left, top))
        for place, file in enumerate(objects[name], start=1):
            page.paste(tile(done / file), (left + place * (SIDE + GAP // 2), top))
    return page


def tile(file: Path) -> Image.Image:
    """A completed object on chequers, in a square."""
    picture = Image.open(file).convert("RGBA")
    picture.thumbnail((SIDE, SIDE))
    ground = chequered(SIDE).crop((0, 0, SIDE, SIDE)).convert("RGBA")
    ground.alpha_composite(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    return ground.convert("RGB")


if __name__ == "__main__":
    main()
