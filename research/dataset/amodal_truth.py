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

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from amodal.core.errors import BadInput

from . import rle
from .wholes import read_json


@dataclass
class Annotated:
    """One object as a person drew it.

    name: its label. stuff: background such as sky. annotator: index of the annotation of its
    picture. behind: orders of the regions in front of it. whole, visible: COCO segmentations of the
    amodal and modal mask; visible is None if nothing occludes the object.
    """

    picture: str
    size: tuple[int, int]  # height, width
    name: str
    order: int | None = None
    stuff: bool = False
    annotator: int = 0
    behind: list[int] = field(default_factory=list)
    whole: object = None
    visible: object = None

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
    data = read_json(Path(path))
    try:
        pictures = {picture["id"]: picture for picture in data["images"]}
        annotations = data["annotations"]
        if annotations and "regions" in annotations[0]:
            return of_regions(pictures, annotations)
        names = {category["id"]: category["name"] for category in data["categories"]}
        return [of_kins(pictures[each["image_id"]], names, each) for each in annotations]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadInput(
            "annotations",
            f"are not those of COCO-A, BSDS-A or KINS ({type(error).__name__}: {error})",
            "give the .json file as its authors published it",
        ) from None


def of_regions(pictures: dict, annotations: list[dict]) -> list[Annotated]:
    objects, annotators = [], {}
    for annotation in annotations:
        picture = pictures[annotation["image_id"]]
        number = annotators[annotation["image_id"]] = annotators.get(annotation["image_id"], -1) + 1
        front = in_front(annotation.get("depth_constraint") or "")
        for region in annotation["regions"]:
            objects.append(
                Annotated(
                    picture["file_name"],
                    (picture["height"], picture["width"]),
                    region["name"],
                    region["order"],
                    bool(region.get("isStuff")),
                    number,
                    sorted(front.get(region["order"], ())),
                    region["segmentation"],
                    region.get("visible_mask"),
                )
            )
    return objects


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
    )
