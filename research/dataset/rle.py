"""Decodes COCO masks (polygons and run lengths) with pycocotools or faster-coco-eval."""

from __future__ import annotations

import numpy as np

from amodal.core.errors import BadInput

FAR = 4  # of the picture's larger side: no outline reaches farther, and memory grows with it


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
            packed = run_lengths(coco, segmentation, height, width)
        else:
            polygons = outlines(segmentation, far=FAR * max(height, width))
            if not polygons:
                return np.zeros((height, width), bool)
            packed = coco.merge(coco.frPyObjects(polygons, height, width))
        return coco.decode(packed).astype(bool)
    except BadInput:
        raise
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise BadInput(
            "annotations",
            f"hold a segmentation that is not valid ({type(error).__name__}: {error})",
            "give polygons or run lengths as COCO writes them",
        ) from None


def run_lengths(coco, segmentation: dict, height: int, width: int) -> dict:
    """Run lengths as the package packs them, checked: it reads beyond its memory for too few.

    Raises BadInput for those of another size, and ValueError or TypeError for any other fault.
    """
    size = tuple(segmentation["size"])
    if size != (height, width):
        raise BadInput(
            "annotations",
            f"hold a mask of {size} for a picture of {(height, width)}",
            "check that annotations and pictures belong together",
        )
    counts = segmentation["counts"]
    if isinstance(counts, list):
        runs = counts
        if not all(type(run) is int and run >= 0 for run in runs):
            raise ValueError("a run is no whole number from 0")
    else:
        packed = counts.encode() if isinstance(counts, str) else counts
        runs = unpacked(packed)
    if sum(runs) != height * width or min(runs) < 0:
        raise ValueError(f"its runs cover {sum(runs)} pixels of {height * width}")
    if isinstance(counts, list):
        return coco.frPyObjects(segmentation, height, width)
    return {"size": list(size), "counts": packed}


def unpacked(text: bytes) -> list[int]:
    """The runs of COCO's compressed counts: five bits a character, differences to the run before
    the last. Raises ValueError if the text ends within a run."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the character {chr(character)!r} is none of run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift or not runs:
        raise ValueError("it ends within a run")
    return runs


def outlines(segmentation: list, far: float) -> list[list[float]]:
    """The polygons of a segmentation with at least three corners.

    Raises TypeError or ValueError for anything else, and for corners beyond `far` pixels.
    """
    if not isinstance(segmentation, list | tuple):
        raise TypeError(f"{type(segmentation).__name__} is no list of polygons")
    polygons = [list(map(float, polygon)) for polygon in nested(segmentation)]
    if any(len(polygon) % 2 for polygon in polygons):
        raise ValueError("a polygon has an x without a y")
    if any(abs(value) > far for polygon in polygons for value in polygon):
        raise ValueError(f"a polygon has a corner beyond {far} pixels")
    return [polygon for polygon in polygons if len(polygon) >= 6]


def nested(polygons: list) -> list:
    """A list of polygons, from such a list or from one flat polygon."""
    return polygons if not polygons or isinstance(polygons[0], (list, tuple)) else [polygons]
