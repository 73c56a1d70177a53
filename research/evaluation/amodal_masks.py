"""Scores amodal masks and order models on the masks that people drew: COCO-A, BSDS-A, KINS.

report/amodal_report.py is the command.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amodal.core import detections, validate
from amodal.core.errors import BadInput
from amodal.core.files import file_inside
from amodal.core.types import OrderModel
from amodal.method import occluder_selection
from amodal.stickers.closeness import overlaps
from research.dataset import amodal_truth, rle
from research.dataset.amodal_predictions import Predictions
from research.dataset.amodal_truth import Annotated

KINDS = {"coco-a": "COCO-A", "bsds-a": "BSDS-A", "kins": "KINS"}
GAP = 0.03  # of the diagonal: as Order Objects asks for neighbours
LARGEST = 2**26  # pixels of a picture
NAMES = re.compile(r"[A-Za-z0-9_]+(-[0-9]+)?")  # a key that is a file name on every system


def read(kind: str, path: Path) -> list[Annotated]:
    """The objects of a file of this kind, every mask checked.

    Raises BadInput, with the object's name, for a file of another kind, an object without a name of
    its own, masks that are not valid, and orders or constraints that name no object.
    """
    if kind not in KINDS:
        raise BadInput("amodal", f"is '{kind}'", f"choose one of {', '.join(KINDS)}")
    rle.library()  # without a package for masks, no mask is to blame
    objects = amodal_truth.read(path)
    if not objects:
        raise BadInput("annotations", f"{path} hold no object", "give another file")
    if (kind == "kins") != (objects[0].order is None):
        raise BadInput("annotations", f"{path} are not of {KINDS[kind]}", "name their kind")
    keys = Counter(one.key for one in objects)
    for one in objects:
        check(one, keys, path)
    for together in by_group(objects).values():
        check_fronts(together, path)
    return objects


def check(one: Annotated, keys: Counter, path: Path) -> None:
    """Raises BadInput unless the object has a name of its own and valid masks."""
    if one.annotation is None or not NAMES.fullmatch(one.key) or keys[one.key] > 1:
        raise wrong(path, one, "has no id and order of its own")
    if not isinstance(one.picture, str):
        raise wrong(path, one, "is of a picture without a name")
    if not (all(type(side) is int and side > 0 for side in one.size)):
        raise wrong(path, one, f"is of a picture of {one.size}")
    if one.size[0] * one.size[1] > LARGEST:
        raise wrong(path, one, f"is of a picture of {one.size}, which is too large")
    try:
        empty = not one.amodal().any()
        one.modal()
    except BadInput as error:
        raise wrong(path, one, f"has a mask that is not valid ({error.problem})") from None
    if empty:
        raise wrong(path, one, "has an empty amodal mask")


def check_fronts(together: list[Annotated], path: Path) -> None:
    """Raises BadInput if what is in front of an object is not drawn."""
    orders = {one.order for one in together}
    for one in together:
        unknown = set(one.behind or ()) - orders
        if unknown:
            raise wrong(path, one, f"stands behind {sorted(unknown)}, which are not there")


def wrong(path: Path, one: Annotated, problem: str) -> BadInput:
    return BadInput(
        "annotations",
        f"{path}: object {one.key} of {one.picture} {problem}",
        "give the .json file as its authors published it",
    )


def by_group(objects: Iterable[Annotated]) -> dict[tuple, list[Annotated]]:
    """Objects that were drawn together: those of a picture, by one annotator."""
    groups: dict[tuple, list[Annotated]] = defaultdict(list)
    for one in objects:
        groups[one.group].append(one)
    return groups


def write_visible(objects: Sequence[Annotated], folder: Path) -> None:
    """Writes each object's visible mask as FOLDER/NAME.png, for a program that completes it."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in objects:
        mask = (one.modal() & one.amodal()).astype(np.uint8) * 255
        Image.fromarray(mask).save(folder / f"{one.key}.png")


def scored(objects: Sequence[Annotated], predictions: Predictions) -> list[dict]:
    """A record of each object: IoU of each of its masks, of the hidden part alone, and of the
    modal mask as if it were the amodal one."""
    return [record(one, predictions.masks(one)) for one in objects]


def record(one: Annotated, masks: list[np.ndarray]) -> dict:
    amodal = one.amodal()
    modal = one.modal() & amodal
    each = [overlaps(mask, amodal, modal) for mask in masks]
    return {
        "name": one.key,
        "picture": one.picture,
        "label": one.name,
        "stuff": one.stuff,
        "hidden": float((amodal & ~modal).sum() / amodal.sum()),
        "visible_iou": overlaps(modal, amodal, modal)["amodal_iou"],
        "amodal_iou": [found["amodal_iou"] for found in each],
        "occluded_iou": [found["occluded_iou"] for found in each],
    }


def order_truth(together: Sequence[Annotated]) -> set[tuple[int, int]]:
    """(i, j): object i of the group hides object j.

    From the annotators' constraints; where the file has none, from the masks: the visible part of i
    covers hidden pixels of j, and more of them than the other way round.
    """
    if together[0].behind is not None:
        place = {one.order: index for index, one in enumerate(together)}
        return {
            (place[order], index)
            for index, one in enumerate(together)
            for order in one.behind or ()
        }
    amodal = [one.amodal() for one in together]
    modal = [one.modal() for one in together]
    found = set()
    for i in range(len(together)):
        for j in range(i + 1, len(together)):
            over, under = (
                int((modal[a] & amodal[b] & ~modal[b]).sum()) for a, b in ((i, j), (j, i))
            )
            if over != under:
                found.add((i, j) if over > under else (j, i))
    return found


def ordered(objects: Sequence[Annotated], model: OrderModel, pictures: Path | None) -> list[dict]:
    """For each picture and annotator: how many pairs the order model judged rightly.

    pairs, right: pairs of which one hides the other, and those of them whose nearer one is judged
    the likelier to hide the other. none, free: neighbours of which none hides the other, and those
    judged so (both probabilities at most 0.5). unseen: pairs left out, because an object of them
    has no visible pixel. Raises BadInput for a picture that is missing or of another size.
    """
    return [
        {"picture": group[0].picture, "annotator": group[0].annotator}
        | judged(group, model, picture_of(group[0], pictures))
        for group in by_group(objects).values()
    ]


def judged(group: Sequence[Annotated], model: OrderModel, picture: torch.Tensor) -> dict[str, int]:
    masks = torch.from_numpy(np.stack([one.modal() & one.amodal() for one in group]))
    truth = order_truth(group)
    seen = masks.flatten(1).any(1).tolist()
    asked = sorted({(min(pair), max(pair)) for pair in truth} | set(neighbours(masks)))
    pairs = [pair for pair in asked if seen[pair[0]] and seen[pair[1]]]
    found = dict.fromkeys(("pairs", "right", "none", "free"), 0)
    found["unseen"] = len(asked) - len(pairs)
    table = model.order(picture, masks.float(), pairs)
    for i, j in pairs:
        chance = float(table[i, j]), float(table[j, i])
        if (i, j) in truth or (j, i) in truth:
            front, back = chance if (i, j) in truth else chance[::-1]
            found["pairs"] += 1
            found["right"] += front > back
        else:
            found["none"] += 1
            found["free"] += max(chance) <= 0.5
    return found


def neighbours(masks: torch.Tensor) -> list[tuple[int, int]]:
    """Pairs i < j of masks [n, H, W] bool that Order Objects would ask for."""
    objects = detections.from_masks(masks.float(), [str(n) for n in range(len(masks))])
    place = [int(label) for label in objects.labels]  # empty masks are dropped
    return [(place[i], place[j]) for i, j in occluder_selection.neighbours(objects, GAP)]


def picture_of(one: Annotated, pictures: Path | None) -> torch.Tensor:
    """The picture [H, W, 3] in 0..1; plain gray without a folder of pictures."""
    if pictures is None:
        return torch.full((*one.size, 3), 0.5)
    path = file_inside(pictures, one.picture)
    try:
        if path is None:
            raise OSError("there is no such file")
        with Image.open(path) as file:
            values = np.asarray(file.convert("RGB"), np.float32) / 255
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        problem = f"lack {one.picture} ({error})"
        raise BadInput("pictures", problem, "give the annotations' folder") from None
    image = validate.as_images(torch.from_numpy(values)[None], "pictures")[0]
    if tuple(image.shape[:2]) != one.size:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise BadInput("pictures", f"hold {one.picture} of {size}", "give the annotations' folder")
    return image
