"""Hints: objects that a person marked as occluders or as not occluders (section 3.4).

Hints are points on the input picture, "0.43,0.61; not 0.10,0.20". They become two masks [1, H, W]
there, `front` and `behind`. Each pass takes these masks into its own crop.
"""

import re
from dataclasses import replace

import torch

from ..core import canvas, detections, mask_ops, picking, validate
from ..core.errors import BadInput
from ..core.types import Crop, Objects

LABEL = "marked by hand"
MOSTLY = 0.5  # an object with a larger part inside a hinted area is the hinted object
TOUCHING = 1 / 32  # of the crop's side: a hinted area this close to the query may hide it


def parse_hints(text: str, size: validate.Size) -> list[tuple[tuple[float, float], bool]]:
    """[((x, y) in pixels, in front?)] from points separated by ';' or lines.

    'not' before a point, in upper or lower case, means that the object there is no occluder. Each
    point is read as by `picking.as_point`; `size` is the picture's (height, width). Raises
    BadInput.
    """
    hints = []
    for part in filter(None, map(str.strip, re.split(r"[;\n]", text))):
        negated = re.match(r"not\b", part, re.IGNORECASE)
        text = part[negated.end() :] if negated else part
        point = picking.as_point(text, size, "occluder_hints")
        if point is None:
            raise BadInput(
                "occluder_hints", f"has no point after '{part}'", "write x,y after 'not'"
            )
        hints.append((point, not negated))
    return hints


def hint_masks(
    objects: Objects | None, text: str, modal_mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(front, behind) [1, H, W]: the hinted objects, minus the query [1, H, W] itself.

    Of two hints on one object the later counts. Raises BadInput where a hint hits no object.
    """
    masks = {True: torch.zeros_like(modal_mask), False: torch.zeros_like(modal_mask)}
    if not text.strip():
        return masks[True], masks[False]
    if objects is None or not len(objects):
        raise BadInput(
            "occluder_hints",
            "marks objects, but there are none",
            "connect Detect Objects to 'objects', or clear the hints",
        )
    size = validate.size_of(objects.masks)
    hinted = {
        picking.at_point(objects, *point, "occluder_hints"): front
        for point, front in parse_hints(text, size)
    }
    for number, front in hinted.items():
        mask = objects.masks[number]
        if mask_ops.iou(mask, modal_mask[0]) <= detections.SAME:
            masks[front] = torch.maximum(masks[front], mask[None] * (1 - modal_mask))
    return masks[True], masks[False]


def not_inpainted(mask: torch.Tensor, crop: Crop, modal_mask: torch.Tensor) -> torch.Tensor:
    """A mask [1, H, W] of the input picture in the crop's pixels, minus what was painted over.

    After pass 1 the rest counts only where it touches the query [1, S, S]; else all zeros.
    """
    rest = canvas.of_original(mask, crop)
    if not crop.canvas.inpainted:
        return rest
    rest = rest * (1 - canvas.inpainted_windows(crop))
    radius = max(1.0, TOUCHING * max(rest.shape[-2:]))
    touches = bool((mask_ops.dilate(modal_mask, radius) * rest).any())
    return rest if touches else torch.zeros_like(rest)


def covers(area: torch.Tensor, objects: Objects) -> torch.Tensor:
    """Boolean [n]: which objects lie mostly inside an area [1, H, W]."""
    shares = [mask_ops.share_inside(mask, area[0]) for mask in objects.masks]
    return torch.tensor(shares, dtype=torch.float32) > MOSTLY


def apply_hints(
    objects: Objects,
    order: torch.Tensor,
    modal_mask: torch.Tensor,
    front: torch.Tensor,
    behind: torch.Tensor,
) -> tuple[Objects, torch.Tensor]:
    """Objects and order as a person marked them: hints count more than the order model.

    Objects mostly inside `front` [1, H, W] hide the query with P = 1, those mostly inside
    `behind` [1, H, W] with P = 0. The whole front area becomes part of the first of these objects,
    or an object of its own where the segmenter missed it in this pass.
    """
    query = detections.index_of_query(objects, order, modal_mask)
    is_behind, in_front = covers(behind, objects), covers(front, objects)
    is_behind[query] = in_front[query] = False
    order = order.clone()
    order[is_behind, query] = 0.0
    order[in_front, query] = 1.0
    if not front.any():
        return objects, order
    if in_front.any():
        return with_area(objects, int(in_front.nonzero()[0]), front), order
    order = torch.nn.functional.pad(order, (0, 1, 0, 1), value=float("nan"))
    order[-1, query] = 1.0
    return with_object(objects, front), order


def with_area(objects: Objects, number: int, area: torch.Tensor) -> Objects:
    """The objects with an area [1, H, W] added to one of them."""
    masks, boxes = objects.masks.clone(), objects.boxes.clone()
    masks[number] |= mask_ops.hard(area[0])
    boxes[number] = torch.tensor(mask_ops.box_of(masks[number])).to(boxes)
    return replace(objects, masks=masks, boxes=boxes)


def with_object(objects: Objects, area: torch.Tensor) -> Objects:
    """The objects with an area [1, H, W], not empty, as one more."""
    return replace(
        objects,
        masks=torch.cat([objects.masks, mask_ops.hard(area)]),
        labels=[*objects.labels, LABEL],
        scores=torch.cat([objects.scores, objects.scores.new_ones(1)]),
        boxes=torch.cat([objects.boxes, torch.tensor([mask_ops.box_of(area)]).to(objects.boxes)]),
    )
