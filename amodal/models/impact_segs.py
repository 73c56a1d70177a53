"""SEGS, the detection type of the Impact Pack, as objects.

SEGS is ((height, width), [SEG, ...]) of a picture. This module reads four fields of a SEG:
`cropped_mask` (an array or tensor [h, w] in 0..1), `crop_region` (x0, y0, x1, y1: the region of
that mask in the picture), `label`, and `confidence` (a number, an array of one, or None).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..core import detections, validate
from ..core.errors import BadInput
from ..core.types import Objects

Row = tuple[torch.Tensor, list[int], str, float]  # mask [h, w], region, label, score


def as_objects(segs: Any, labels: Sequence[str] = ()) -> Objects:
    """The objects of SEGS, with their labels, and their confidences as scores (1 if unknown).

    labels: words that replace the first labels. Empty masks are dropped. Raises BadInput if `segs`
    is not SEGS.
    """
    size, rows = read(segs)
    masks = [placed(mask, region, size) for mask, region, _, _ in rows]
    own_labels = [label or f"object {i + 1}" for i, (_, _, label, _) in enumerate(rows)]
    return detections.from_masks(
        torch.stack(masks or [torch.zeros(size)]),
        [*labels, *own_labels[len(labels) :]],
        torch.tensor([score for *_, score in rows]),
    )


def read(segs: Any) -> tuple[validate.Size, list[Row]]:
    """The picture's (height, width), and a row for each SEG. Raises BadInput."""
    try:
        (height, width), segments = segs
        rows = [
            (
                torch.as_tensor(segment.cropped_mask).float(),
                [int(value) for value in segment.crop_region],
                str(segment.label or ""),
                score_of(segment.confidence),
            )
            for segment in segments
        ]
        if not all(x0 < x1 and y0 < y1 for _, (x0, y0, x1, y1), _, _ in rows):
            raise ValueError("an empty crop_region")
        return (int(height), int(width)), rows
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise BadInput(
            "segs",
            f"is not SEGS of the Impact Pack ({error})",
            "connect the SEGS of one of its detectors, or convert them to masks",
        ) from error


def score_of(confidence: Any) -> float:
    """A confidence as a score; 1 if there is none."""
    return 1.0 if confidence is None else float(torch.as_tensor(confidence).float().max())


def placed(mask: torch.Tensor, region: list[int], size: validate.Size) -> torch.Tensor:
    """Mask [H, W] of the picture from the mask of a region, which may exceed the picture."""
    x0, y0, x1, y1 = region
    part = validate.one_mask(mask, (y1 - y0, x1 - x0), "segs")[0]
    whole = torch.zeros(size)
    inside = whole[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    height, width = inside.shape
    inside.copy_(part[max(-y0, 0) :, max(-x0, 0) :][:height, :width])
    return whole
