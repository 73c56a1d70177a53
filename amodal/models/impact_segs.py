"""SEGS, the Impact Pack's type for what it detects, as objects.

SEGS is ((height, width), [SEG, ...]) of a picture. Of a SEG this reads `cropped_mask` (an array or
tensor [h, w] of 0..1), `crop_region` (x0, y0, x1, y1: where that mask lies on the picture), `label`
and `confidence` (a number, an array of one, or None).
"""

import torch

from ..core import detections, validate
from ..core.errors import BadInput
from ..core.types import Objects


def as_objects(segs, labels: list[str] | tuple = ()) -> Objects:
    """The objects of SEGS, with their labels and, as scores, their confidences (1 when not known).

    labels: words in place of the first of their own. Empty masks are dropped. Raises BadInput for
    what is no SEGS.
    """
    size, found = read(segs)
    masks = [placed(mask, region, size) for mask, region, _, _ in found]
    own = [label or f"object {i + 1}" for i, (_, _, label, _) in enumerate(found)]
    return detections.from_masks(
        torch.stack(masks or [torch.zeros(size)]),
        [*labels, *own[len(labels) :]],
        torch.tensor([score for *_, score in found]),
    )


def read(segs) -> tuple[validate.Size, list[tuple]]:
    """The picture's size, and (mask, region, label, score) of each SEG."""
    try:
        (height, width), found = segs
        rows = [
            (
                torch.as_tensor(one.cropped_mask).float(),
                [int(value) for value in one.crop_region],
                str(one.label or ""),
                score_of(one.confidence),
            )
            for one in found
        ]
        if not all(x0 < x1 and y0 < y1 for _, (x0, y0, x1, y1), _, _ in rows):
            raise ValueError("an empty crop_region")
        return (int(height), int(width)), rows
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise BadInput(
            "segs",
            f"is no SEGS as the Impact Pack makes them ({error})",
            "connect the SEGS of one of its detectors, or turn them into masks",
        ) from error


def score_of(confidence) -> float:
    return 1.0 if confidence is None else float(torch.as_tensor(confidence).float().max())


def placed(mask: torch.Tensor, region: list[int], size: validate.Size) -> torch.Tensor:
    """The mask [H, W] of a picture from that of a region, which may hang over the edges."""
    x0, y0, x1, y1 = region
    part = validate.one_mask(mask, (y1 - y0, x1 - x0), "segs")[0]
    whole = torch.zeros(size)
    inside = whole[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    height, width = inside.shape
    inside.copy_(part[max(-y0, 0) :, max(-x0, 0) :][:height, :width])
    return whole
