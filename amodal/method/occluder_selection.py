"""Who hides whom: neighbours, pairwise order, and the query's occluders (section 3.4)."""

import math

import torch

from ..core import detections, mask_ops
from ..core.errors import BadInput
from ..core.types import Objects
from . import occluder_hints

MEETS = 1 / 64  # of the crop's side: so near to each other, two objects meet
SEAM = 0.1  # of the root of the query's area: the least length along which they do
PAINTED = 0.9  # so much of the query was painted where they meet
AROUND = 1 / 12  # of the crop's side: so much of the other object around that place is looked at
UNSEEN = 0.75  # where so much of it was painted there too, its own edge is not known
CLOSE_CALL = 0.04  # a depth difference of this fraction of the picture's range: P = 0.73


def neighbours(objects: Objects, reach: float) -> list[tuple[int, int]]:
    """The pairs i < j whose masks come within `reach` (a fraction of the diagonal) of each other.

    M_neighbor of section 3.4, for every object.
    """
    count = len(objects)
    if count < 2:
        return []
    height, width = objects.masks.shape[-2:]
    radius = max(1.0, reach * math.hypot(height, width))
    pairs = []
    for i in range(count - 1):
        boxes = objects.boxes
        others = [j for j in range(i + 1, count) if boxes_near(boxes[i], boxes[j], radius)]
        if others:
            grown = mask_ops.dilate(objects.masks[i], radius) > 0.5
            pairs += [(i, j) for j in others if (grown & (objects.masks[j] > 0.5)).any()]
    return pairs


def boxes_near(one: torch.Tensor, other: torch.Tensor, radius: float) -> bool:
    gap = torch.maximum(one[:2], other[:2]) - torch.minimum(one[2:], other[2:])
    return bool((gap <= radius).all())


def by_model(model, image: torch.Tensor, objects: Objects, reach: float) -> torch.Tensor:
    """P [n, n] from an order model: image [1, H, W, 3]; all neighbours in one batch, else NaN."""
    pairs = neighbours(objects, reach)
    if not pairs:
        return unknown(len(objects))
    return model.order(image[0], objects.masks, pairs).float().cpu()


def by_depth(
    depth: torch.Tensor, objects: Objects, reach: float, bright_is_near: bool
) -> torch.Tensor:
    """P [n, n] from a depth picture [1, H, W, 3], compared where the two objects meet.

    P[i, j] is a logistic function of the difference of the medians of both in the zone within
    `reach` of the other, in units of 4 % of the picture's range; P[j, i] = 1 - P[i, j].
    """
    height, width = objects.masks.shape[-2:]
    near = depth[0].mean(-1) if bright_is_near else 1 - depth[0].mean(-1)
    low, high = torch.quantile(sample(near), torch.tensor([0.02, 0.98])).tolist()
    scale = CLOSE_CALL * max(high - low, 1e-6)
    radius = max(1.0, reach * math.hypot(height, width))
    result = unknown(len(objects))
    for i, j in neighbours(objects, reach):
        one = near[contact(objects.masks[i], objects.masks[j], radius)].median()
        other = near[contact(objects.masks[j], objects.masks[i], radius)].median()
        result[i, j] = torch.sigmoid((one - other) / scale)
        result[j, i] = 1 - result[i, j]
    return result


def contact(mask: torch.Tensor, other: torch.Tensor, radius: float) -> torch.Tensor:
    """The pixels of mask [H, W] within `radius` of the other one, as a boolean mask."""
    return (mask > 0.5) & (mask_ops.dilate(other, radius) > 0.5)


def sample(values: torch.Tensor, at_most: int = 100_000) -> torch.Tensor:
    flat = values.flatten()
    return flat[:: max(1, len(flat) // at_most)]


def unknown(count: int) -> torch.Tensor:
    return torch.full((count, count), float("nan"))


def occluders(
    objects: Objects,
    order: torch.Tensor,
    modal: torch.Tensor,
    threshold: float,
    front: torch.Tensor | None = None,
    behind: torch.Tensor | None = None,
    painted: torch.Tensor | None = None,
) -> tuple[torch.Tensor, list[int]]:
    """M_occ [1, H, W]: the union of what hides the query, less its visible pixels; and who.

    modal [1, H, W] must be (nearly) one of the objects. An object hides the query where
    P[i, query] > threshold; mutual occlusion is allowed, so that the two need not add up to 1.
    What a person marked goes before the order: objects mostly inside `front` [1, H, W] hide the
    query, and so does all of that area; those mostly inside `behind` [1, H, W] do not. From the
    second pass on `painted` [1, H, W] says where the picture is no longer the original one; see
    `met_in_paint`.
    """
    if tuple(order.shape) != (len(objects),) * 2:
        raise BadInput(
            "order",
            f"is of {len(order)} objects, not of these {len(objects)}",
            "take order and objects from one and the same node",
        )
    query, overlap = detections.best_overlap(objects, modal)
    if overlap <= detections.SAME:
        raise BadInput(
            "mask",
            f"is none of the {len(objects)} objects (best IoU {overlap:.2f})",
            "connect the same mask to the node that orders the objects",
        )
    front = torch.zeros_like(modal) if front is None else front
    behind = torch.zeros_like(modal) if behind is None else behind
    hiding = torch.nan_to_num(order[:, query], nan=0.0) > threshold
    if painted is not None:
        hiding |= met_in_paint(objects, modal, painted)
    hiding = (hiding & ~occluder_hints.covers(behind, objects)) | occluder_hints.covers(
        front, objects
    )
    chosen = [i for i in hiding.nonzero().flatten().tolist() if i != query]
    found = torch.cat([front, objects.masks[chosen]]).amax(0, keepdim=True)
    return found * (1 - modal), chosen


def met_in_paint(objects: Objects, modal: torch.Tensor, painted: torch.Tensor) -> torch.Tensor:
    """Boolean [n]: the objects that the query modal [1, H, W] meets by painted pixels alone.

    Where they meet no picture shows who is in front: the query was painted up to the outline of
    what has been removed, and it would be a rare chance if it ended just there. So these hide it.
    Not where the other object is painted there too: its edge is then as little known.
    painted [1, H, W] is 1 where the picture is not the original one.
    """
    side = max(modal.shape[-2:])
    radius = max(1.5, MEETS * side)
    least = SEAM * radius * float((modal > 0.5).sum()) ** 0.5
    found = []
    for mask in objects.masks:
        here = contact(modal[0], mask, radius)
        if int(here.sum()) < least or mask_ops.iou(mask, modal[0]) > detections.SAME:
            found.append(False)
            continue
        there = (mask > 0.5) & (mask_ops.dilate(here.float(), AROUND * side) > 0.5)
        shares = [float(painted[0][part].mean()) for part in (here, there)]
        found.append(shares[0] >= PAINTED and shares[1] < UNSEEN)
    return torch.tensor(found, dtype=torch.bool)


def surrounding(objects: Objects, modal: torch.Tensor) -> list[int]:
    """The objects that meet the query modal [1, H, W] where the others together surround it.

    It may lie on them or be seen through a hole: where an order model says the first, the second
    may still be true. Empty where the background comes up to it.
    """
    query, _ = detections.best_overlap(objects, modal)
    others = [i for i in range(len(objects)) if i != query]
    if not others or not mask_ops.surrounds(objects.masks[others].amax(0), modal[0]):
        return []
    around = mask_ops.dilate(modal[0], max(2, max(modal.shape) // 64)) > 0.5
    return [i for i in others if (around & (objects.masks[i] > 0.5)).any()]


def table(objects: Objects, order: torch.Tensor) -> str:
    """One line for each neighbour pair, 'cup hides doughnut 0.97, doughnut hides cup 0.02'."""
    lines = []
    for i in range(len(objects)):
        for j in range(i + 1, len(objects)):
            if not torch.isnan(order[i, j]):
                one, other = objects.labels[i], objects.labels[j]
                lines.append(
                    f"{one} hides {other} {order[i, j]:.2f}, {other} hides {one} {order[j, i]:.2f}"
                )
    return "\n".join(lines) or "no two objects are neighbours"
