"""Brings results of another layout into that of `outside`: RGBA, as large as the items' pictures.

    python -m research.evaluation.join_results PICTURES OUT --masks MASKS --like inputs/picture
    python -m research.evaluation.join_results PICTURES OUT --ground white --like inputs/picture

pix2gestalt and its kin draw the whole object on a plain ground, 256 x 256 pixels whatever the
picture's size. PICTURES holds NAME.png or NAME.jpg; MASKS their masks NAME.png, white for the
object. Without masks, the object is what differs from the ground. Both are resized to the size of
the item's own picture in the folder after --like, undoing the method's own resizing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.core.errors import BadInput
from amodal.core.text import encodable

GROUNDS = {"white": 255, "black": 0}
DIFFERENT = 12  # of 255: less is the noise of the ground
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def main(words: list[str] | None = None) -> None:
    options = parser().parse_args(words)
    try:
        count = join(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    print(encodable(f"{count} results in {options.out}"))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m research.evaluation.join_results",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("pictures", type=Path, help="folder of the drawn objects")
    top.add_argument("out", type=Path, help="folder for NAME.png")
    shape = top.add_mutually_exclusive_group(required=True)
    shape.add_argument("--masks", type=Path, help="folder of their masks")
    shape.add_argument("--ground", choices=GROUNDS, help="the colour around them")
    top.add_argument("--like", type=Path, required=True, help="folder of the items' pictures")
    return top


def join(options) -> int:
    """Writes OUT/NAME.png for every picture, and returns how many. Raises BadInput."""
    drawn = named(options.pictures, "pictures")
    masks = named(options.masks, "masks") if options.masks else {}
    like = named(options.like, "like")
    for name in drawn:
        for input, there in (("like", like), *([("masks", masks)] if options.masks else [])):
            if name not in there:
                raise BadInput(input, f"has no picture of {name}", "give one for each result")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, path in drawn.items():
        picture = opened(path, "pictures", "RGB")
        if options.masks:
            mask = opened(masks[name], "masks", "L")
        else:
            mask = before_ground(picture, GROUNDS[options.ground])
        size = opened(like[name], "like", "RGB").size
        rgba = picture.resize(size, Image.Resampling.BICUBIC)
        rgba.putalpha(mask.resize(size, Image.Resampling.BILINEAR))
        rgba.save(options.out / f"{name}.png")
    return len(drawn)


def named(folder: Path, input: str) -> dict[str, Path]:
    """{name: path} of a folder's pictures. Raises BadInput if there are none."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    found = {path.stem: path for path in paths if path.suffix.lower() in ENDINGS}
    if not found:
        raise BadInput(input, f"name {folder}, which holds no picture", "check the path")
    return found


def opened(path: Path, input: str, mode: str) -> Image.Image:
    try:
        with Image.open(path) as file:
            return file.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadInput(input, f"hold {path.name} ({error})", "write it again") from None


def before_ground(picture: Image.Image, ground: int) -> Image.Image:
    """The mask of what differs from a plain ground."""
    off = np.abs(np.asarray(picture, np.int16) - ground).max(-1)
    return Image.fromarray(((off > DIFFERENT) * 255).astype(np.uint8))


if __name__ == "__main__":
    main()
