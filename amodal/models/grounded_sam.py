"""Grounded segmentation (section 3.4): GroundingDINO finds boxes for words, SAM makes the masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from ..core import detections, interrupts, mask_ops
from ..core.types import Objects
from .grounding_dino import Found

# The 80 names of COCO, common objects on tables, walls and floors, and what often stands in front.
# They fit into one caption of GroundingDINO: 231 of its 250 tokens.
VOCABULARY = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, "
    "fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, "
    "bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, "
    "sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, "
    "bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, "
    "carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, "
    "tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush, "
    "box, lamp, pillow, basket, fence, tree, hat, shoe, "
    "hand, pole, pillar, curtain, railing, branch, leaf, blanket, towel, ladder, bucket"
)
NODE_THRESHOLD = 0.5  # threshold of the other nodes; `box_threshold` is mapped to this score
MIN_PRIOR_IOU = 0.3  # masks with a larger IoU, outside what was painted, are the same object
HOLDS = 0.8  # so is a detection that holds more than this of the visible object
CLOSE_QUALITY = 0.05  # predicted IoUs of SAM that differ by less are equal
MIN_PREDICTED_IOU = 0.5  # discard masks whose predicted IoU is not above this
POINTS = 4  # points of a prior mask that are given to SAM


class BoxDetector(Protocol):
    """Finds boxes for words; see `grounding_dino.Detector`."""

    def find(self, image: torch.Tensor, words: list[str]) -> Found: ...


class MaskPredictor(Protocol):
    """Makes masks for boxes or points; see `sam.Masker`."""

    def masks(
        self,
        image: torch.Tensor,
        *,
        boxes: torch.Tensor | None = None,
        points: torch.Tensor | None = None,
        several: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]: ...


class GroundedSegmenter:
    """AMODAL_SEGMENTER; see `core.types.Segmenter`.

    Scores are shifted so that `box_threshold` (0.35 in GroundingDINO) becomes 0.5, the threshold of
    the other nodes. Of two boxes with an IoU above `overlap`, only the better one is kept.
    """

    def __init__(
        self,
        detector: BoxDetector,
        masker: MaskPredictor,
        vocabulary: list[str],
        box_threshold: float = 0.35,
        overlap: float = 0.7,
    ) -> None:
        self.detector, self.masker, self.vocabulary = detector, masker, vocabulary
        self.box_threshold, self.overlap = box_threshold, overlap

    def detect(
        self, image: torch.Tensor, words: list[str] | None = None, threshold: float = 0.5
    ) -> Objects:
        """Objects of an image [H, W, 3] in 0..1. No `words` means the whole vocabulary."""
        detected = self.detector.find(image, list(words or self.vocabulary))
        scores = shifted(detected.scores, self.box_threshold)
        keep = suppressed(detected.boxes, scores, threshold, self.overlap)
        if not keep:
            return nothing(image)
        masks, quality = self.masker.masks(image, boxes=detected.boxes[keep])
        masks, sure = masks[:, 0], (quality[:, 0] > MIN_PREDICTED_IOU).tolist()
        found = [i for i, mask in enumerate(masks) if sure[i] and mask_ops.box_of(mask)]
        return detections.only(masks, [detected.words[i] for i in keep], scores[keep], found)

    def segment(
        self,
        image: torch.Tensor,
        *,
        box: Sequence[float] | None = None,
        points: Sequence[tuple[float, float]] | None = None,
        prior_mask: torch.Tensor | None = None,
        label: str | None = None,
        painted: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mask [H, W] (0 or 1) of the object at a box xyxy, at points (x, y), or at a prior mask.

        With a prior mask and a label, the label is detected again and the detection that is most
        like the prior mask is returned. If no detection is like it, SAM is prompted with points
        inside the prior mask. Masks are compared where nothing was `painted` ([H, W], 0 or 1):
        there the object may have grown to many times its visible part.
        """
        if prior_mask is not None:
            prior_mask = (prior_mask.reshape(prior_mask.shape[-2:]) > 0.5).float()
            if painted is not None:
                painted = (painted.reshape(prior_mask.shape) > 0.5).float()
            return self.segment_prior(image, prior_mask, label, painted)
        if box is not None:
            boxes = torch.tensor([[float(side) for side in box]])
            return self.best_mask(*self.masker.masks(image, boxes=boxes))
        prompts = torch.tensor([[[float(x), float(y)] for x, y in points or []]])
        if not prompts.numel():
            return torch.zeros(image.shape[:2])
        return self.best_mask(*self.masker.masks(image, points=prompts, several=True))

    def segment_prior(
        self,
        image: torch.Tensor,
        prior_mask: torch.Tensor,
        label: str | None,
        painted: torch.Tensor | None,
    ) -> torch.Tensor:
        """Mask [H, W] of the object whose modal or earlier mask is `prior_mask` [H, W]."""
        if not prior_mask.any():
            return prior_mask
        if label:
            found = self.detected_again(image, prior_mask, label, painted)
            if found is not None:
                return found
        prompts = deep_points(prior_mask if painted is None else visible(prior_mask, painted))
        masks, quality = self.masker.masks(image, points=prompts[None], several=True)
        answers = [
            (float(predicted_iou), mask.float())
            for mask, predicted_iou in zip(masks[0], quality[0])
            if predicted_iou > MIN_PREDICTED_IOU
        ]
        return best_answer(answers, prior_mask, painted)

    def detected_again(
        self, image: torch.Tensor, prior_mask: torch.Tensor, label: str, painted
    ) -> torch.Tensor | None:
        """The detection of the label that is the object of the prior mask, or None."""
        area = torch.zeros_like(prior_mask) if painted is None else painted
        objects = self.detect(image, [label], NODE_THRESHOLD)
        seen = visible(prior_mask, area)
        alike = [mask_ops.iou_outside(mask, prior_mask, area) for mask in objects.masks]
        same = [
            i
            for i, mask in enumerate(objects.masks)
            if alike[i] > MIN_PRIOR_IOU
            or (painted is not None and mask_ops.share_inside(seen, mask) > HOLDS)
        ]
        return objects.masks[max(same, key=alike.__getitem__)].float() if same else None

    @staticmethod
    def best_mask(masks: torch.Tensor, quality: torch.Tensor) -> torch.Tensor:
        """The mask of the first prompt with the highest predicted IoU; empty if that is too low."""
        best = int(quality[0].argmax())
        return masks[0, best].float() * (quality[0, best] > MIN_PREDICTED_IOU)


def visible(prior_mask: torch.Tensor, painted: torch.Tensor) -> torch.Tensor:
    """The part of the prior mask [H, W] that was not painted; all of it where that is nothing."""
    left = prior_mask * (1 - painted)
    return left if left.any() else prior_mask


def best_answer(
    answers: list[tuple[float, torch.Tensor]],
    prior_mask: torch.Tensor,
    painted: torch.Tensor | None,
) -> torch.Tensor:
    """The best of SAM's answers (predicted IoU, mask [H, W]) for points on an object.

    Where nothing was painted, it is the one most like the prior mask. Else it is one that agrees
    with the prior mask outside what was painted: of the best predicted IoU, then the larger. Empty
    where none does.
    """
    if painted is None:
        masks = [mask for _, mask in answers]
        return max(
            masks,
            key=lambda mask: mask_ops.iou(mask, prior_mask),
            default=torch.zeros_like(prior_mask),
        )
    same = [
        (quality, mask)
        for quality, mask in answers
        if mask_ops.iou_outside(mask, prior_mask, painted) > MIN_PRIOR_IOU
    ]
    if not same:
        return torch.zeros_like(prior_mask)
    best = max(quality for quality, _ in same)
    close = [mask for quality, mask in same if quality > best - CLOSE_QUALITY]
    return max(close, key=lambda mask: float(mask.sum()))


def shifted(scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """Scores in 0..1, mapped piecewise linearly so that `threshold` becomes 0.5; 0 and 1 stay."""
    threshold = min(max(threshold, 1e-3), 1 - 1e-3)
    low = scores / threshold * NODE_THRESHOLD
    high = 1 - (1 - scores) / (1 - threshold) * (1 - NODE_THRESHOLD)
    return torch.where(scores < threshold, low, high).clamp(0, 1)


def suppressed(
    boxes: torch.Tensor, scores: torch.Tensor, threshold: float, overlap: float
) -> list[int]:
    """Non-maximum suppression: indices of the boxes [n, 4] to keep, best score first.

    Drops boxes with a score below `threshold` or an IoU above `overlap` with a better box.
    """
    chosen: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if scores[i] < max(threshold, 1e-6):
            break
        interrupts.check()
        if all(box_iou(boxes[i], boxes[j]) <= overlap for j in chosen):
            chosen.append(i)
    return chosen


def box_iou(first: torch.Tensor, second: torch.Tensor) -> float:
    """Intersection over union of two boxes [4] xyxy; 0 if both are empty."""
    low, high = torch.maximum(first[:2], second[:2]), torch.minimum(first[2:], second[2:])
    both = float((high - low).clamp(min=0).prod())
    union = float((first[2:] - first[:2]).prod() + (second[2:] - second[:2]).prod()) - both
    return both / union if union > 0 else 0.0


def deep_points(mask: torch.Tensor, count: int = POINTS) -> torch.Tensor:
    """[count, 2] (x, y): points deep inside a mask [H, W] and far from each other."""
    from scipy.ndimage import distance_transform_edt

    height, width = mask.shape
    depth = torch.from_numpy(distance_transform_edt(torch.nn.functional.pad(mask, (1,) * 4)))
    depth = depth[1:-1, 1:-1].float()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    points = []
    for _ in range(count):
        y, x = divmod(int(depth.argmax()), width)
        points.append((x + 0.5, y + 0.5))
        distance = ((rows - y) ** 2 + (columns - x) ** 2).float().sqrt()
        depth = torch.minimum(depth, distance)
    return torch.tensor(points)


def nothing(image: torch.Tensor) -> Objects:
    """No objects, for an image [H, W, 3]."""
    height, width = image.shape[:2]
    masks = torch.zeros(0, height, width, dtype=torch.bool)
    return Objects(masks, [], torch.zeros(0), torch.zeros(0, 4))
