"""Completes a folder of thirty pictures by the command `batch`; draws docs/images/batch.jpg.

    python -m tools.docs.make_batch_picture [--workers 2]

The pictures are drawn at random (numbers 0 to 29 of `tools.bench.batch`); none is left out. Each
pair shows the picture and the completed object; an empty place stands for an object that the
segmenter did not find.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from amodal.batch import manifest
from amodal.batch.places import place_of
from tools.bench.batch import draw
from tools.demo.contact_sheet import chequered
from tools.docs.make_thumbnails import PAPER, ROOT

COUNT, COLUMNS, SIDE, GAP = 30, 6, 96, 12
IMAGE = ROOT / "docs" / "images" / "batch.jpg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", default="2")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amodal-") as folder:
        pictures, done = Path(folder) / "pictures", Path(folder) / "completed"
        pictures.mkdir()
        draw(pictures, COUNT)
        command = [sys.executable, "-m", "amodal", "batch", str(pictures / "items.jsonl")]
        command += ["--out", str(done), "--stickers", "--workers", options.workers]
        subprocess.run(command, cwd=ROOT, check=False)
        sheet(pictures, done).save(IMAGE, quality=88)


def sheet(pictures: Path, done: Path) -> Image.Image:
    """Pairs of picture and completed object, in the order of the pictures."""
    rows = -(-COUNT // COLUMNS)
    pair = 2 * SIDE + GAP // 2
    page = Image.new("RGB", (COLUMNS * (pair + GAP) + GAP, rows * (SIDE + GAP) + GAP), PAPER)
    objects = {Path(r["source"]).name: r["files"] for r in manifest.records(place_of(done))}
    for number in range(COUNT):
        name = f"{number:03d}.png"
        left = GAP + number % COLUMNS * (pair + GAP)
        top = GAP + number // COLUMNS * (SIDE + GAP)
        page.paste(Image.open(pictures / name).resize((SIDE, SIDE)), (left, top))
        completed = [file for file in objects.get(name, ()) if file.endswith("completed.png")]
        if completed:
            page.paste(tile(done / completed[0]), (left + SIDE + GAP // 2, top))
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
