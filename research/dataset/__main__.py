r"""Make pseudo-occluded objects with ground truth (section 4.1 of the paper).

    python -m research.dataset stickers --easy 1500 --hard 1500
    python -m research.dataset coco --annotations instances_val2017.json --pictures val2017
    python -m research.dataset openimages \
        --segmentations validation-annotations-object-segmentation.csv \
        --masks MASKS --pictures PICTURES --classes class-descriptions-boxable.csv \
        --boxes validation-annotations-bbox.csv

An interrupted run resumes. The same command always writes the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from amodal.core.errors import BadInput
from amodal.core.text import encodable, whole_number

from . import builder, open_images, wholes

OUT = Path(__file__).resolve().parents[2] / "output" / "dataset"


def natural(text: str) -> int:
    """A number from 0. Raises ValueError, which argparse reports with the option's name."""
    value = whole_number(text)
    if value is None or value < 0:
        raise ValueError(text)
    return value


def positive(text: str) -> int:
    """A number from 1. Raises ValueError."""
    value = natural(text)
    if value < 1:
        raise ValueError(text)
    return value


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m research.dataset",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sources = top.add_subparsers(dest="source", required=True)
    coco = sources.add_parser("coco", help="from COCO-style annotations and a picture folder")
    coco.add_argument("--annotations", type=Path, required=True, help="instances_*.json")
    coco.add_argument(
        "--pictures", type=Path, required=True, help="folder of the annotated pictures"
    )
    open_images_words(sources.add_parser("openimages", help="from Open Images' segmentations"))
    sources.add_parser("stickers", help="from the sticker world")
    for command in sources.choices.values():
        command.add_argument(
            "--easy", type=natural, default=1500, help="items with 20-50 %% hidden"
        )
        command.add_argument(
            "--hard", type=natural, default=1500, help="items with 50-80 %% hidden"
        )
        command.add_argument(
            "--pairs",
            choices=builder.PAIRS,
            default="random",
            help="occluder: any category, or the one most often seen with the query's",
        )
        command.add_argument("--seed", type=natural, default=0)
        command.add_argument("--least-categories", type=natural, default=55)
        command.add_argument("--workers", type=positive, default=os.cpu_count())
        command.add_argument("--out", type=Path, default=OUT)
    return top


def open_images_words(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--segmentations", type=Path, required=True, help="*-annotations-object-segmentation.csv"
    )
    command.add_argument("--masks", type=Path, required=True, help="folder of the mask PNGs")
    command.add_argument(
        "--pictures", type=Path, required=True, help="folder of the pictures ImageID.jpg"
    )
    command.add_argument(
        "--classes", type=Path, required=True, help="class-descriptions-boxable.csv"
    )
    command.add_argument(
        "--boxes",
        type=Path,
        help="*-annotations-bbox.csv, which marks occluded, truncated and grouped objects; without "
        "it objects with overlapping boxes are not used",
    )


def source_of(options):
    if options.source == "coco":
        return wholes.Coco(options.annotations, options.pictures)
    if options.source == "openimages":
        return open_images.Segmentations(
            options.segmentations, options.masks, options.pictures, options.classes, options.boxes
        )
    return wholes.Stickers()


def main(words: list[str] | None = None) -> int:
    options = parser().parse_args(words)
    plan = builder.Plan(
        options.easy, options.hard, options.seed, options.pairs, options.least_categories
    )
    try:
        lines = builder.build(source_of(options), plan, options.out, options.workers)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    categories = Counter(line["category"] for line in lines)
    print(encodable(f"{len(lines)} items of {len(categories)} categories in {options.out}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
