"""Who hides whom: neighbours, pairwise order, and the query's occluders (section 3.4)."""

import math

import torch

from ..core import detections, interrupts, mask_ops
from ..core.errors import BadInput
from ..core.types import Objects, OrderModel

CONTACT = 1 / 64  # of the crop's side: objects closer than this touch
SEAM = 0.1  # of the root of the query's area: the shortest contact that counts
INPAINTED = 0.9  # the part of the query's contact pixels that must be inpainted
AROUND = 1 / 12  # of the crop's side: how far around the contact the other object is examined
BELIEVED = 0.05  # below this probability of being in front, the order is believed
UNSEEN = 0.75  # with this part of the other object inpainted there, its outline is unknown
CLOSE_CALL = 0.04  # a depth difference of this fraction of the picture's range gives P = 0.73
COLOURED = 0.15  # mean difference of the channels of a picture in false colours
FLAT = 1e-6  # depths (0..1) that differ by less are equal; a step of 16 bits is 15 times that


def neighbours(objects: Objects, max_gap: float) -> list[tuple[int, int]]:
    """The pairs i < j whose masks come within `max_gap` (a fraction of the diagonal).

    M_neighbor of section 3.4, for every object.
    """
    count = len(objects)
    if count < 2:
        return []
    radius = radius_of(objects, max_gap)
    boxes, pairs = objects.boxes, []
    for i in range(count - 1):
        interrupts.check()
        close = [j for j in range(i + 1, count) if boxes_near(boxes[i], boxes[j], radius)]
        if close:
            near, (x0, y0, x1, y1) = mask_ops.distances(objects.masks[i], radius)
            near = near <= radius
            pairs += [(i, j) for j in close if (near & objects.masks[j, y0:y1, x0:x1]).any()]
    return pairs


def radius_of(objects: Objects, max_gap: float) -> float:
    """`max_gap`, a fraction of the picture's diagonal, in pixels; at least 1."""
    return max(1.0, max_gap * math.hypot(*objects.masks.shape[-2:]))


def boxes_near(first: torch.Tensor, second: torch.Tensor, radius: float) -> bool:
    """Do two boxes [4] come within `radius` pixels of each other on both axes?"""
    gap = torch.maximum(first[:2], second[:2]) - torch.minimum(first[2:], second[2:])
    return bool((gap <= radius).all())


def by_model(
    model: OrderModel, image: torch.Tensor, objects: Objects, max_gap: float
) -> torch.Tensor:
    """The order [n, n] from an order model, NaN except for neighbours. image is [1, H, W, 3]."""
    pairs = neighbours(objects, max_gap)
    if not pairs:
        return unknown(len(objects))
    return model.order(image[0], objects.masks, pairs).float().cpu()


def by_depth(
    depth: torch.Tensor, objects: Objects, max_gap: float, bright_is_near: bool
) -> torch.Tensor:
    """The order [n, n] from a depth picture [1, H, W, 3], compared where two objects meet.

    P[i, j] is a logistic function of the difference between the median depths of i and j, each in
    the zone within `max_gap` of the other object, in units of 4 % of the picture's depth range.
    P[j, i] = 1 - P[i, j]. Raises BadInput for a flat picture, which orders nothing, and for one in
    colours, whose brightness is no depth.
    """
    refuse_coloured(depth)
    near = depth[0].mean(-1) if bright_is_near else 1 - depth[0].mean(-1)
    radius = radius_of(objects, max_gap)
    ahead = {}  # by how much the first of two neighbours is nearer
    for i, j in neighbours(objects, max_gap):
        depth_i = near[contact(objects.masks[i], objects.masks[j], radius)].median()
        depth_j = near[contact(objects.masks[j], objects.masks[i], radius)].median()
        ahead[i, j] = depth_i - depth_j
    low, high = torch.quantile(sample(near), torch.tensor([0.02, 0.98])).tolist()
    differences = [*ahead.values()] or [near.max() - near.min()]
    if high - low < FLAT and all(abs(difference) < FLAT for difference in differences):
        refuse_flat(depth)
    order = unknown(len(objects))
    for (i, j), difference in ahead.items():
        order[i, j] = torch.sigmoid(difference / (CLOSE_CALL * max(high - low, FLAT)))
        order[j, i] = 1 - order[i, j]
    return order


def refuse_coloured(depth: torch.Tensor) -> None:
    """Raises BadInput for a depth picture [1, H, W, 3] in false colours."""
    colour = float((depth[0].amax(-1) - depth[0].amin(-1)).mean())
    if colour > COLOURED:
        raise BadInput(
            "depth",
            "is in colours, whose brightness does not tell near from far",
            "choose gray depth in the node that draws it: 'depth', not 'depth_colored'",
        )


def refuse_flat(depth: torch.Tensor) -> None:
    """Raises BadInput: the depth picture has one value (nearly) everywhere."""
    raise BadInput(
        "depth",
        f"is {float(depth.median()):.3g} nearly everywhere, so that it orders nothing",
        "connect a depth node's picture, or save the depth as 8 bits scaled to its own range: "
        "a 16-bit file may have been clipped to white when it was loaded",
    )


def contact(mask: torch.Tensor, neighbour: torch.Tensor, radius: float) -> torch.Tensor:
    """Boolean [H, W]: the pixels of a mask within `radius` pixels of its neighbour's."""
    return mask_ops.hard(mask) & (mask_ops.dilate(neighbour, radius) > 0.5)


def sample(values: torch.Tensor, at_most: int = 100_000) -> torch.Tensor:
    """Evenly spaced values, as many as a quantile can be computed of."""
    flat = values.flatten()
    return flat[:: max(1, len(flat) // at_most)]


def unknown(count: int) -> torch.Tensor:
    """An order [count, count] that says nothing."""
    return torch.full((count, count), float("nan"))


def occluders(
    objects: Objects, order: torch.Tensor, modal_mask: torch.Tensor, threshold: float
) -> tuple[torch.Tensor, list[int]]:
    """M_occ [1, H, W] and the numbers of the occluders (section 3.4).

    M_occ is the union of the objects in front of the query, minus what they leave of the query's
    modal mask [1, H, W], which must be (nearly) one of the objects. Object i is in front where
    order[i, query] > threshold. Two objects may hide parts of each other.
    """
    query = detections.index_of_query(objects, order, modal_mask)
    in_front = torch.nan_to_num(order[:, query], nan=0.0) > threshold
    chosen = [i for i in in_front.nonzero().flatten().tolist() if i != query]
    if not chosen:
        return torch.zeros_like(modal_mask), []
    visible = visible_part(objects, modal_mask, chosen)
    return objects.masks[chosen].any(0, keepdim=True) * (1 - visible), chosen


def visible_part(objects: Objects, modal_mask: torch.Tensor, chosen: list[int]) -> torch.Tensor:
    """The modal mask [1, H, W] without those of the chosen occluders that lie on it."""
    visible = modal_mask
    for i in chosen:
        if mask_ops.share_inside(objects.masks[i], modal_mask[0]) > detections.INSIDE:
            visible = visible * ~objects.masks[i]
    return visible


def order_inpainted(
    objects: Objects, order: torch.Tensor, modal_mask: torch.Tensor, inpainted: torch.Tensor
) -> torch.Tensor:
    """The order [n, n], with 1 for each object that `inpainted_contacts` names.

    An object that the order is sure to be behind (a probability below 0.05) stays behind.

    inpainted [1, H, W] is 1 where the picture is no longer the original one.
    """
    query = detections.index_of_query(objects, order, modal_mask)
    order = order.clone()
    unsure = ~(order[:, query] < BELIEVED)
    order[inpainted_contacts(objects, modal_mask, inpainted) & unsure, query] = 1.0
    return order


def inpainted_contacts(
    objects: Objects, modal_mask: torch.Tensor, inpainted: torch.Tensor
) -> torch.Tensor:
    """Boolean [n]: the objects that touch the query [1, H, W] at inpainted pixels alone.

    There the picture does not show which of the two is in front. The query was painted up to the
    outline of a removed occluder, and it rarely ends exactly there, so these objects count as
    occluders. Objects whose own side of the contact was inpainted too are left out, because their
    outline is equally unknown.
    """
    side = max(modal_mask.shape[-2:])
    radius = max(1.5, CONTACT * side)
    shortest = SEAM * radius * float((modal_mask > 0.5).sum()) ** 0.5
    result = []
    for mask in objects.masks:
        touching = contact(modal_mask[0], mask, radius)
        is_query = mask_ops.iou(mask, modal_mask[0]) > detections.SAME
        if int(touching.sum()) < shortest or is_query:
            result.append(False)
            continue
        other_side = mask & (mask_ops.dilate(touching, AROUND * side) > 0.5)
        ours, theirs = (float(inpainted[0][part].mean()) for part in (touching, other_side))
        result.append(ours >= INPAINTED and theirs < UNSEEN)
    return torch.tensor(result, dtype=torch.bool)


def surrounding(objects: Objects, modal_mask: torch.Tensor) -> list[int]:
    """The objects that touch the query [1, H, W], where all others together surround it.

    The query may lie on them or be seen through a hole in them, and an order model can confuse
    the two. Empty where the background reaches the query.
    """
    query, _ = detections.best_overlap(objects, modal_mask)
    others = [i for i in range(len(objects)) if i != query]
    if not others or not mask_ops.surrounds(objects.masks[others].any(0), modal_mask[0]):
        return []
    around = mask_ops.dilate(modal_mask[0], max(2, max(modal_mask.shape) // 64)) > 0.5
    return [i for i in others if (around & objects.masks[i]).any()]


def table(objects: Objects, order: torch.Tensor) -> str:
    """One line for each neighbour pair: 'cup hides plate 0.97, plate hides cup 0.02'."""
    lines = []
    for i in range(len(objects)):
        interrupts.check()
        for j in range(i + 1, len(objects)):
            if not torch.isnan(order[i, j]):
                a, b = objects.labels[i], objects.labels[j]
                lines.append(f"{a} hides {b} {order[i, j]:.2f}, {b} hides {a} {order[j, i]:.2f}")
    return "\n".join(lines) or "no two objects are neighbours"
