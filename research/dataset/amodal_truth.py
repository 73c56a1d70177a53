"""Amodal masks that people drew: COCO-A and BSDS-A (Zhu et al., 2017), KINS (Qi et al., 2019).

    for annotated in amodal_truth.read("COCO_amodal_val2014.json"):
        iou(annotated.amodal(), my_mask)

COCO-A and BSDS-A: an annotation is a picture by one annotator, with `regions`. A region has
`segmentation`, a flat polygon of the amodal mask; `visible_mask`, the modal mask as run lengths, if
the object is occluded; `order`, counted from the nearest; `isStuff` for background.
`depth_constraint` "1-2,1-5" means that region 1 is in front of 2 and of 5. BSDS-A has several
annotators for each picture.

KINS: an annotation is an object, with the amodal mask `a_segm` and the modal mask `i_segm` (in the
first release `segmentation` and `inmodal_seg`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amodal.core.errors import BadInput

from . import rle
from .wholes import read_json


@dataclass
class Annotated:
    """One object as a person drew it.

    name: its label. stuff: background such as sky. annotator: index of the annotation of its
    picture. behind: orders of the regions in front of it; None where the file does not say. whole,
    visible: COCO segmentations of the amodal and modal mask; visible is None if nothing occludes
    the object. annotation: the id of its annotation, or None.
    """

    picture: str
    size: tuple[int, int]  # height, width
    name: str
    order: int | None = None
    stuff: bool = False
    annotator: int = 0
    behind: list[int] | None = None
    whole: object = None
    visible: object = None
    annotation: int | str | None = None

    @property
    def key(self) -> str:
        """Names the object in its file: "12-3" is region 3 of annotation 12, "12" an object."""
        return f"{self.annotation}" if self.order is None else f"{self.annotation}-{self.order}"

    @property
    def group(self) -> tuple:
        """What objects that were drawn together share: the picture, and who drew it."""
        return self.picture, self.annotator

    def amodal(self) -> np.ndarray:
        """The amodal mask [H, W] bool, within the picture."""
        return rle.decode(self.whole, *self.size)

    def modal(self) -> np.ndarray:
        """The modal mask [H, W] bool."""
        return self.amodal() if self.visible is None else rle.decode(self.visible, *self.size)

    def hidden(self) -> float:
        """The fraction of the amodal mask that is hidden; 0 for an empty mask."""
        amodal = self.amodal()
        return 1 - float((amodal & self.modal()).sum()) / amodal.sum() if amodal.any() else 0.0


def read(path: Path | str) -> list[Annotated]:
    """All objects of a file in either format, recognised by its keys. Raises BadInput."""
    data, place = read_json(Path(path)), "the file"
    try:
        pictures = {picture["id"]: picture for picture in data["images"]}
        annotations = data["annotations"]
        drawn_by_region = bool(annotations) and "regions" in annotations[0]
        names = {}
        if not drawn_by_region:
            names = {category["id"]: category["name"] for category in data["categories"]}
        objects: list[Annotated] = []
        annotators: Counter = Counter()
        for number, each in enumerate(annotations, 1):
            place = f"annotation {number} of the file"
            picture = pictures[each["image_id"]]
            if drawn_by_region:
                objects += of_regions(picture, each, annotators[each["image_id"]])
                annotators[each["image_id"]] += 1
            else:
                objects.append(of_kins(picture, names, each))
        return objects
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInput(
            "annotations",
            f"are not those of COCO-A, BSDS-A or KINS ({place}: {type(error).__name__}: {error})",
            "give the .json file as its authors published it",
        ) from None


def of_regions(picture: dict, annotation: dict, annotator: int) -> list[Annotated]:
    constraint = annotation.get("depth_constraint")
    front = in_front(constraint or "")
    return [
        Annotated(
            picture["file_name"],
            (picture["height"], picture["width"]),
            region["name"],
            region["order"],
            bool(region.get("isStuff")),
            annotator,
            None if constraint is None else sorted(front.get(region["order"], ())),
            region["segmentation"],
            region.get("visible_mask"),
            annotation.get("id"),
        )
        for region in annotation["regions"]
    ]


def in_front(constraint: str) -> dict[int, set[int]]:
    """{order of a region: orders of the regions in front}, from "nearer-farther,..."."""
    fronts: dict[int, set[int]] = {}
    for pair in filter(None, constraint.split(",")):
        near, far = (int(order) for order in pair.split("-"))
        fronts.setdefault(far, set()).add(near)
    return fronts


def of_kins(picture: dict, names: dict, annotation: dict) -> Annotated:
    whole = annotation["a_segm"] if "a_segm" in annotation else annotation["segmentation"]
    visible = annotation["i_segm"] if "i_segm" in annotation else annotation["inmodal_seg"]
    return Annotated(
        picture["file_name"],
        (picture["height"], picture["width"]),
        names[annotation["category_id"]],
        whole=whole,
        visible=visible,
        annotation=annotation.get("id"),
    )
