"""Amodal masks and order models on the masks that people drew, and published figures beside them.

    nox -s paper -- --amodal coco-a COCO_amodal_val2014.json PREDICTIONS
    nox -s paper -- --amodal bsds-a BSDS_amodal_test.json PREDICTIONS --order border
    nox -s paper -- --amodal kins update_test_2020.json --order instaorder=FILE --pictures FOLDER

PREDICTIONS is a folder of PNGs or a JSON file: see research/dataset/amodal_predictions.py. Without
it only the order models are scored. OUT/objects.csv lists the objects with the names of their
masks. Every mask is checked before anything is scored.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amodal.app import host
from amodal.core.errors import BadInput
from amodal.core.text import csv_text, encodable, write_text
from amodal.measures import statistics
from research.dataset import amodal_predictions
from research.dataset.amodal_truth import Annotated

from .. import amodal_masks, order_models, runner
from . import commands
from .tables import number, percent, section

SOURCE = "pix2gestalt (Ozguroglu et al., CVPR 2024), its table of amodal segmentation"
PUBLISHED = {  # method -> mIoU in percent: (one sample, best of three), or None
    "coco-a": {"pix2gestalt": (82.87, 87.10), "SDXL inpainting": (76.52, None)},
    "bsds-a": {"pix2gestalt": (80.76, 85.68), "SDXL inpainting": (74.19, None)},
    "kins": {},
}
COLUMNS = ("name", "picture", "label", "stuff", "hidden", "visible_iou")


@dataclass(frozen=True)
class Measured:
    """The records of masks (empty without predictions), how many runs, those of each order model
    by its word, and the objects."""

    kind: str
    masks: list[dict]
    runs: int
    orders: dict[str, list[dict]]
    objects: Sequence[Annotated] = ()


def main(words: list[str] | None = None) -> None:
    options = parser().parse_args(words)
    try:
        measured = measure(options)
        if options.inputs:
            amodal_masks.write_visible(measured.objects, options.inputs)
    except BadInput as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    command = commands.for_report("nox -s paper --", sys.argv[1:] if words is None else words)
    path = options.out / "amodal.md"
    write_text(path, markdown(measured, command, str(datetime.date.today())))
    print(encodable(f"\n{path}"))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="nox -s paper --",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "--amodal",
        nargs="+",
        required=True,
        metavar=("KIND", "ANNOTATIONS"),
        help=f"one of {', '.join(amodal_masks.KINDS)}; the annotations; and the predictions",
    )
    top.add_argument(
        "--order",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="order models to score on the visible masks: border, stickers, instaorder=FILE",
    )
    top.add_argument("--pictures", type=Path, help="folder of the pictures, for order models")
    top.add_argument("--models", type=Path, help="ComfyUI's models folder, for order models")
    top.add_argument(
        "--things", action="store_true", help="leave out stuff, such as sky, of COCO-A and BSDS-A"
    )
    top.add_argument("--inputs", type=Path, help="write the visible masks there, by name")
    top.add_argument("--out", type=Path, default=runner.ROOT / "output" / "amodal")
    return top


def measure(options) -> Measured:
    """Reads and checks everything, then scores it. Raises BadInput."""
    if not 2 <= len(options.amodal) <= 3:
        raise BadInput(
            "amodal", f"has {len(options.amodal)} words", "give KIND ANNOTATIONS PREDICTIONS"
        )
    kind, path, *given = options.amodal
    objects = amodal_masks.read(kind, Path(path))
    everything = objects
    if options.things:
        objects = [one for one in objects if not one.stuff]
    predictions = amodal_predictions.read(given[0], objects) if given else None
    models = options.order and (options.models or host.find_comfyui() / "models")
    loaded = {word: order_models.load(word, models) for word in options.order}
    options.out.mkdir(parents=True, exist_ok=True)
    found = amodal_masks.scored(objects, predictions) if predictions else []
    orders = {
        word: amodal_masks.ordered(everything, model, options.pictures)
        for word, model in loaded.items()
    }
    write_text(options.out / "objects.csv", listing(objects, found))
    return Measured(kind, found, predictions.runs if predictions else 0, orders, objects)


def listing(objects: list, found: list[dict]) -> str:
    """The objects as CSV, with their figures where there are any."""
    if not found:
        found = [amodal_masks.record(one, []) for one in objects]
    runs = range(len(found[0]["amodal_iou"])) if found else ()
    head = [*COLUMNS, *(f"{name} {n + 1}" for name in ("amodal_iou", "occluded_iou") for n in runs)]
    rows = [[*(r[name] for name in COLUMNS), *r["amodal_iou"], *r["occluded_iou"]] for r in found]
    return csv_text([head, *rows])


def markdown(measured: Measured, command: str, date: str) -> str:
    title = amodal_masks.KINDS[measured.kind]
    parts = [
        f"# Amodal masks: {title}",
        f"`{command}` on {date}. Brackets hold 95 % intervals.",
        mask_table(measured),
        published_table(measured.kind),
        order_table(measured),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def mask_table(measured: Measured) -> str:
    found = measured.masks
    hidden = [r for r in found if r["hidden"] > 0]
    stuff = sum(r["stuff"] for r in found)
    groups = {"all objects": found, "objects with a hidden part": hidden}
    rows = []
    for title, chosen in groups.items():
        if chosen:
            rows.append([title, "these masks", str(len(chosen)), *mask_cells(chosen)])
            alone = number(statistics.mean([r["visible_iou"] for r in chosen]))
            rows.append([title, "the visible mask as it is", str(len(chosen)), alone, "", "", ""])
    count = measured.runs
    head = ["objects", "", "n", "mIoU, one run", f"mIoU, best of {count}"]
    head += ["mIoU of the hidden part, one run", f"the same, best of {count}"]
    about = (
        f"One run is the mean over the {count} runs. The best run of an object is that of the "
        f"highest IoU with the whole mask. {stuff} of {len(found)} objects are stuff."
    )
    return section("Masks", head, rows, about)


def mask_cells(rows: list[dict]) -> list[str]:
    """One run and the best run: of the whole mask, and of the hidden part where there is one."""
    hidden = [r for r in rows if r["hidden"] > 0]
    cells = both(rows, "amodal_iou")
    return cells + (both(hidden, "occluded_iou") if len(hidden) == len(rows) else ["", ""])


def both(rows: list[dict], name: str) -> list[str]:
    """The figure's mean over runs, and that of each object's best run."""
    one = [sum(r[name]) / len(r[name]) for r in rows]
    best = [r[name][r["amodal_iou"].index(max(r["amodal_iou"]))] for r in rows]
    return [number(statistics.mean(values)) for values in (one, best)]


def published_table(kind: str) -> str:
    rows = [
        [method, f"{one / 100:.4f}", f"{best / 100:.4f}" if best else "-"]
        for method, (one, best) in PUBLISHED[kind].items()
    ]
    about = f"Not measured here. Source: {SOURCE}. Its choice of objects may differ from ours."
    return section("Published", ["method", "mIoU", "mIoU, best of three"], rows, about)


def order_table(measured: Measured) -> str:
    rows = []
    for word, groups in measured.orders.items():
        name = word.partition("=")[0]
        total = {key: sum(group[key] for group in groups) for key in ("pairs", "none", "unseen")}
        right = share(groups, "right", "pairs")
        free = share(groups, "free", "none")
        rows.append([name, str(total["pairs"]), right, str(total["none"]), free])
    about = (
        "On the visible masks. Who hides whom: by the annotators' constraints, in KINS by whose "
        "visible part covers hidden pixels of the other. Neighbours without such a pair: right if "
        "neither is judged in front. Pictures are resampled as a whole. "
        f"{max((sum(g['unseen'] for g in some) for some in measured.orders.values()), default=0)} "
        "pairs are left out, because an object of them shows no pixel."
    )
    head = ["order model", "pairs", "nearer one right", "neighbours apart", "judged so"]
    return section("Order", head, rows, about)


def share(groups: list[dict], hits: str, of: str) -> str:
    counts = [group[of] for group in groups]
    if not sum(counts):
        return "-"
    return percent(statistics.ratio([group[hits] for group in groups], counts))
