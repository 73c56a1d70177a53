"""Decodes COCO masks (polygons and run lengths) with pycocotools or faster-coco-eval."""

from __future__ import annotations

import numpy as np

from amodal.core.errors import BadInput


def library():
    """The module with frPyObjects, merge and decode. Raises BadInput without either package."""
    try:
        from pycocotools import mask
    except ImportError:
        try:
            from faster_coco_eval.core import mask
        except ImportError:
            raise BadInput(
                "annotations",
                "hold COCO masks, which no installed package can read",
                "pip install pycocotools (or faster-coco-eval)",
            ) from None
    return mask


def decode(segmentation, height: int, width: int) -> np.ndarray:
    """[height, width] bool of a COCO segmentation.

    Polygons [[x, y, ...], ...] or one flat polygon [x, y, ...]; run lengths {"size", "counts"} with
    counts as a list (uncompressed), text or bytes. Raises BadInput for anything else.
    """
    coco = library()
    try:
        if isinstance(segmentation, dict):
            packed = segmentation
            if isinstance(packed["counts"], list):
                packed = coco.frPyObjects(packed, height, width)
            elif isinstance(packed["counts"], str):
                packed = {**packed, "counts": packed["counts"].encode()}
        else:
            polygons = [list(map(float, p)) for p in nested(segmentation) if len(p) >= 6]
            if not polygons:
                return np.zeros((height, width), bool)
            packed = coco.merge(coco.frPyObjects(polygons, height, width))
        mask = coco.decode(packed).astype(bool)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadInput(
            "annotations",
            f"hold a segmentation that is not valid ({error})",
            "give polygons or run lengths as COCO writes them",
        ) from None
    if mask.shape != (height, width):
        raise BadInput(
            "annotations",
            f"hold a mask of {mask.shape} for a picture of {(height, width)}",
            "check that annotations and pictures belong together",
        )
    return mask


def nested(polygons: list) -> list:
    """A list of polygons, from such a list or from one flat polygon."""
    return polygons if not polygons or isinstance(polygons[0], (list, tuple)) else [polygons]
