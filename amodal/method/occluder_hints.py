"""What a person marked by hand: objects that hide the query, or that do not (section 3.4).

Marks are points on the input picture, "0.43,0.61; not 0.10,0.20". They become two masks [1, H, W]
there, `front` and `behind`, which each pass takes into its own crop.
"""

import re
from dataclasses import replace

import torch

from ..core import canvas, detections, mask_ops, validate
from ..core.errors import BadInput
from ..core.types import Crop, Objects

LABEL = "what was marked"
MOSTLY = 0.5  # an object with a larger part inside a marked area is what was marked
TOUCHING = 1 / 32  # of the crop's side: so near to the object, what is left of a mark may hide it


def as_marks(text: str, size: validate.Size) -> list[tuple[tuple[float, float], bool]]:
    """[((x, y) in pixels, in front?)] from points behind each other; 'not' before one: no occluder.

    Each point as `objects.as_point` reads it; `size` is the picture's (height, width).
    """
    marks = []
    for part in filter(None, map(str.strip, re.split(r"[;\n]", text))):
        negated = re.match(r"not\b", part)
        point = part[negated.end() :] if negated else part
        marks.append((detections.as_point(point, size, "occluders"), not negated))
    return marks


def by_hand(
    objects: Objects | None, text: str, query: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(front, behind) [1, H, W]: the marked objects, less the query [1, H, W], which hides nothing.

    Of two marks on one object the later counts. Raises BadInput where a mark is on no object.
    """
    masks = {True: torch.zeros_like(query), False: torch.zeros_like(query)}
    if not text.strip():
        return masks[True], masks[False]
    if objects is None or not len(objects):
        raise BadInput(
            "occluders",
            "marks objects, but there are none",
            "connect Detect Objects to 'objects', or empty it",
        )
    size = tuple(objects.masks.shape[-2:])
    marks = as_marks(text, size)
    chosen = {detections.at_point(objects, *point, "occluders"): front for point, front in marks}
    for number, front in chosen.items():
        if mask_ops.iou(objects.masks[number], query[0]) <= detections.SAME:
            masks[front] = torch.maximum(masks[front], objects.masks[number][None] * (1 - query))
    return masks[True], masks[False]


def unpainted(mask: torch.Tensor, crop: Crop, query: torch.Tensor) -> torch.Tensor:
    """A mask [1, H, W] of the input picture in a crop's pixels, less what passes have painted over.

    What is left of it after the first pass counts only where it touches the query [1, S, S].
    """
    left = canvas.of_original(mask, crop)
    if not crop.painted:
        return left
    left = left * (1 - canvas.painted_in_crop(crop))
    reach = max(1.0, TOUCHING * max(left.shape[-2:]))
    return left if (mask_ops.dilate(query, reach) * left).any() else torch.zeros_like(left)


def covers(area: torch.Tensor, objects: Objects) -> torch.Tensor:
    """Boolean [n]: which objects lie mostly inside an area [1, H, W]."""
    shares = [mask_ops.share_inside(mask, area[0]) for mask in objects.masks]
    return torch.tensor(shares, dtype=torch.float32) > MOSTLY


def with_marked(
    objects: Objects, order: torch.Tensor, front: torch.Tensor
) -> tuple[Objects, torch.Tensor]:
    """Objects and their order with a marked area [1, H, W] as one more, where none of them is it.

    So that what a person marked is an occluder though the segmenter misses it in this pass.
    """
    if not front.any() or covers(front, objects).any():
        return objects, order
    more = replace(
        objects,
        masks=torch.cat([objects.masks, front]),
        labels=[*objects.labels, LABEL],
        scores=torch.cat([objects.scores, objects.scores.new_ones(1)]),
        boxes=torch.cat([objects.boxes, torch.tensor([mask_ops.box_of(front)]).to(objects.boxes)]),
    )
    return more, torch.nn.functional.pad(order, (0, 1, 0, 1), value=float("nan"))
