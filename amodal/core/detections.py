"""The detected objects of a picture: make and clean them (section 3.4)."""

import torch

from . import mask_ops, validate
from .errors import BadInput
from .types import Objects

SAME = 0.5  # masks with a larger IoU are the same object
INSIDE = 0.8  # a detection with more than this inside the query is a part of it, or lies on it
LYING_ON = 0.02  # a smaller fraction of the query does not count as an object that lies on it
LEFT_VISIBLE = 0.6  # the least fraction of the query that objects lying on it leave
SPECK = 0.01  # the rest of a detection below this fraction of it is dropped
RIM = 1 / 128  # of a detection's larger side: a rest that is thinner all over is dropped


def from_masks(masks, labels: list[str], scores: torch.Tensor | None = None) -> Objects:
    """Objects from masks [n, H, W] (thresholded at 0.5), labels and scores (1 where unknown).

    n may be 0. Empty masks are dropped. Masks without a label are called 'object 3', and so on.
    Raises BadInput for more labels than masks.
    """
    if not validate.is_no_mask(masks):
        masks = validate.as_masks(masks, None, "masks")
    if len(labels) > len(masks):
        raise BadInput(
            "labels", f"has {len(labels)} words for {len(masks)} masks", "give one for each mask"
        )
    names = [*labels, *(f"object {i + 1}" for i in range(len(labels), len(masks)))]
    scores = torch.ones(len(masks)) if scores is None else scores.float()
    full = [i for i, mask in enumerate(masks) if mask_ops.box_of(mask)]
    return only(masks, names, scores, full)


def only(masks, labels: list[str], scores: torch.Tensor, keep: list[int]) -> Objects:
    """The objects with the numbers `keep`, boxes made from their masks, which must not be empty.

    Masks that are not bool are thresholded at 0.5. They are not copied where all are kept.
    """
    kept = masks if keep == list(range(len(masks))) else masks[keep]
    kept = mask_ops.hard(kept)
    boxes = [mask_ops.box_of(mask) for mask in kept]
    return Objects(
        kept.cpu(),
        [labels[i] for i in keep],
        scores[keep].cpu(),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
    )


def distinct(objects: Objects, overlap: float = SAME) -> Objects:
    """Greedy non-maximum suppression by mask IoU: of two alike, the higher score stays.

    Empty masks are dropped.
    """
    best_first = torch.argsort(objects.scores, descending=True, stable=True).tolist()
    boxes = [mask_ops.box_of(mask) for mask in objects.masks]

    def alike(i: int, j: int) -> bool:
        pair = boxes[i], boxes[j]
        return mask_ops.iou(objects.masks[i], objects.masks[j], pair) > overlap

    keep: list[int] = []
    for i in best_first:
        if boxes[i] is not None and not any(alike(i, j) for j in keep):
            keep.append(i)
    return only(objects.masks, objects.labels, objects.scores, keep)


def with_query(objects: Objects, modal_mask: torch.Tensor) -> Objects:
    """The query as the first object, and every other object without its pixels (section 3.4).

    modal_mask [1, H, W] is the query's. Detections of the query itself (IoU above 0.5) are
    dropped; the query takes the label of the best of them. Of the detections inside the query
    (more than 80 %), those with its label are parts and are dropped; those with another label may
    lie on it, and keep their pixels, which the query loses.
    """
    query = mask_ops.hard(modal_mask[0])
    overlaps = [mask_ops.iou(mask, query) for mask in objects.masks]
    label, score = "query", 1.0
    if overlaps and max(overlaps) > SAME:
        best = overlaps.index(max(overlaps))
        label, score = objects.labels[best], float(objects.scores[best])
    rest, names, scores = [query], [label], [score]
    for i, mask in enumerate(objects.masks):
        if overlaps[i] > SAME:
            continue
        if mask_ops.share_inside(mask, query) > INSIDE:
            if objects.labels[i] != label and lies_on(mask, rest[0], query):
                rest[0] = rest[0] & ~mask
                rest.append(mask)
        elif not is_leftover(mask & ~query, mask):
            rest.append(mask & ~query)
        if len(rest) > len(names):
            names.append(objects.labels[i])
            scores.append(float(objects.scores[i]))
    return only(torch.stack(rest), names, torch.tensor(scores), list(range(len(rest))))


def lies_on(mask: torch.Tensor, left: torch.Tensor, query: torch.Tensor) -> bool:
    """Can a detection inside the query be an object that lies on it? Masks are [H, W] bool.

    left: what other such objects leave of the query.
    """
    area = float(query.sum())
    if float((mask & query).sum()) < LYING_ON * area:
        return False
    return float((left & ~mask).sum()) >= LEFT_VISIBLE * area


def others(objects: Objects, modal_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The pixels [H, W] of all other objects than the query: with its label, and with other labels.

    modal_mask [H, W] is the query's. Objects that are mostly the query do not count.
    """
    query, overlap = best_overlap(objects, modal_mask[None])
    label = objects.labels[query] if overlap > SAME else None
    masks = [torch.zeros_like(modal_mask, dtype=torch.bool) for _ in range(2)]
    for name, mask in zip(objects.labels, objects.masks):
        if mask_ops.iou(mask, modal_mask) <= SAME:
            kind = int(name != label)
            masks[kind] |= mask
    return masks[0].float(), masks[1].float()


def is_leftover(visible: torch.Tensor, mask: torch.Tensor) -> bool:
    """Is the rest `visible` [H, W] of a detection [H, W] only a speck, or a thin rim of it?

    Both are measured against the detection: a small object of a large picture is no speck.
    """
    box = mask_ops.box_of(mask)
    if box is None:
        return True
    thin = max(1, round(RIM * max(box[2] - box[0], box[3] - box[1])))
    x0, y0, x1, y1 = mask_ops.grown_box(box, thin + 1, (mask.shape[1], mask.shape[0]))
    visible, mask = visible[y0:y1, x0:x1], mask[y0:y1, x0:x1]
    area, whole = float(visible.sum()), float(mask.sum())
    if area <= max(1, SPECK * whole):
        return True
    return area < 0.5 * whole and not mask_ops.erode(visible, thin).any()


def best_overlap(objects: Objects, mask: torch.Tensor) -> tuple[int, float]:
    """(number, IoU) of the object most like mask [1, H, W]; (-1, 0.0) without objects."""
    overlaps = [mask_ops.iou(candidate, mask[0]) for candidate in objects.masks]
    best = max(range(len(overlaps)), key=overlaps.__getitem__, default=-1)
    return (best, overlaps[best]) if best >= 0 else (-1, 0.0)


def index_of_query(objects: Objects, order: torch.Tensor, modal_mask: torch.Tensor) -> int:
    """The number of the object whose mask is the query's [1, H, W].

    Raises BadInput where the order [n, n] belongs to other objects, or no object is the query.
    """
    if tuple(order.shape) != (len(objects),) * 2:
        raise BadInput(
            "order",
            f"covers {len(order)} objects, but {len(objects)} were given",
            "take order and objects from one and the same node",
        )
    query, overlap = best_overlap(objects, modal_mask)
    if overlap <= SAME:
        raise BadInput(
            "modal_mask",
            f"matches none of the {len(objects)} objects (best IoU {overlap:.2f})",
            "connect the same mask to the node that orders the objects",
        )
    return query


def looked_for(objects: Objects) -> str:
    """What was searched for, as an addition to a sentence; empty where it is not known."""
    return f" (looked for {objects.sought})" if objects.sought else ""
