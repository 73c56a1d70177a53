"""Sources of whole objects: a folder of pictures with COCO annotations, and the sticker world.

A source has `objects` (a list of Entry), `co_occurring` ({category: the one most often seen with
it}), `about` (what dataset.json says of it) and `load(entry)`, which gives the object in its
picture.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.core.errors import BadInput
from amodal.core.files import parsed, stays_below
from amodal.stickers import scenes
from amodal.stickers.catalog import CATALOG, WORDS

from . import rle

MARGIN = 2  # pixels between a whole object and the picture's border
LEAST_AREA = 0.02  # of the picture: smaller objects show too little
MOST_AREA = 0.6  # larger ones leave no room around them


@dataclass(frozen=True)
class Entry:
    """One whole object: its category, its picture's name and its annotation's id in the source."""

    category: str
    picture: str
    id: int


@dataclass
class Whole:
    """picture [H, W, 3] uint8; rgba [H, W, 4] uint8, the object alone, straight alpha."""

    picture: np.ndarray
    rgba: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        return self.rgba[..., 3] > 127


class Coco:
    """Whole objects of COCO-style annotations. Raises BadInput for other files.

    A whole object is no crowd, does not touch the border and has one connected outline. No other
    annotated object reaches into its box, because it might hide a part.
    """

    def __init__(self, annotations: Path, pictures: Path):
        data = read_json(annotations)
        try:
            self.pictures = {picture["id"]: picture for picture in data["images"]}
            self.annotations = {one["id"]: one for one in data["annotations"]}
            self.names = {one["id"]: one["name"] for one in data["categories"]}
            by_picture = defaultdict(list)
            for one in data["annotations"]:
                by_picture[one["image_id"]].append(one)
            self.objects = [
                Entry(self.names[one["category_id"]], self.pictures[key]["file_name"], one["id"])
                for key, group in sorted(by_picture.items())
                for one in group
                if is_whole(one, group, self.pictures[key])
            ]
        except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
            raise BadInput(
                "annotations",
                f"lack {error}",
                "give a COCO file with images, annotations and "
                "categories, such as instances_val2017.json",
            ) from None
        self.folder = Path(pictures)
        self.co_occurring = most_seen_with(
            [[self.names[one["category_id"]] for one in group] for group in by_picture.values()]
        )
        self.about = {
            "source": "coco",
            "annotations": Path(annotations).name,
            "sha256": hashlib.sha256(Path(annotations).read_bytes()).hexdigest(),
        }

    def load(self, entry: Entry) -> Whole:
        try:
            if not stays_below(entry.picture):
                raise ValueError("it leads out of the folder")
            with Image.open(self.folder / entry.picture) as file:
                picture = np.asarray(file.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise BadInput(
                "pictures",
                f"lack {entry.picture} ({error})",
                "give the folder that the annotations are of",
            ) from None
        mask = rle.decode(self.annotations[entry.id]["segmentation"], *picture.shape[:2])
        return Whole(picture, np.dstack([picture, mask.astype(np.uint8) * 255]))


class Stickers:
    """`count` objects of the sticker world on plain, gradient and textured backgrounds."""

    FIRST = 70_000_000  # seeds not used by training, tests or evaluation

    def __init__(self, count: int = 20_000, size: int = 128):
        self.size = size
        self.objects = [
            Entry(WORDS[i % len(WORDS)], f"sticker scene {self.FIRST + i}", self.FIRST + i)
            for i in range(count)
        ]
        self.co_occurring = {word: CATALOG[word].co_occurring for word in WORDS}
        self.about = {"source": "stickers", "size": size, "count": count}

    def load(self, entry: Entry) -> Whole:
        background = scenes.BACKGROUNDS[1 + entry.id % 3]
        scene = scenes.make_scene(
            entry.id, size=self.size, query=entry.category, occluder=None, background=background
        )
        rgba = scene.window(scene.layers[scene.query].rgba)
        return Whole(as_bytes(scene.truth), as_bytes(rgba))


def as_bytes(array: np.ndarray) -> np.ndarray:
    return (np.clip(array, 0, 1) * 255).round().astype(np.uint8)


def read_json(path: Path):
    try:
        return parsed(Path(path).read_bytes())
    except OSError as error:
        raise BadInput("annotations", f"cannot be read ({error})", "check the path") from None
    except ValueError as error:
        raise BadInput("annotations", f"are not JSON ({error})", "give a COCO .json file") from None


def is_whole(annotation: dict, group: list[dict], picture: dict) -> bool:
    """True if the annotation shows a whole object. group: all annotations of its picture."""
    x, y, width, height = annotation["bbox"]
    outline = annotation["segmentation"]
    if annotation.get("iscrowd") or (isinstance(outline, list) and len(rle.nested(outline)) != 1):
        return False
    share = annotation["area"] / (picture["width"] * picture["height"])
    inside = (
        min(x, y) >= MARGIN
        and x + width <= picture["width"] - MARGIN
        and y + height <= picture["height"] - MARGIN
    )
    apart = not any(
        meet(annotation["bbox"], other["bbox"]) for other in group if other is not annotation
    )
    return inside and apart and LEAST_AREA <= share <= MOST_AREA


def meet(first: list, second: list) -> bool:
    """True if two boxes [x, y, width, height] overlap."""
    return all(
        first[axis] < second[axis] + second[axis + 2]
        and second[axis] < first[axis] + first[axis + 2]
        for axis in (0, 1)
    )


def most_seen_with(pictures: list[list[str]]) -> dict[str, str]:
    """{category: the other category that shares the most pictures with it}; ties by name."""
    together: dict[str, Counter] = defaultdict(Counter)
    for categories in pictures:
        for one, other in permutations(sorted(set(categories)), 2):
            together[one][other] += 1
    return commonest(together)


def commonest(together: dict[str, Counter]) -> dict[str, str]:
    """{category: its commonest neighbour}, from counts of neighbours; ties by name."""
    return {
        one: min(found, key=lambda other: (-found[other], other))
        for one, found in sorted(together.items())
    }
