"""Grounded segmentation (section 3.4): GroundingDINO finds boxes for words, SAM makes the masks."""

from __future__ import annotations

from typing import Protocol

import torch

from ..core import detections, interrupts, mask_ops
from ..core.types import Objects
from .grounding_dino import Found
from .prompted_sam import (
    MIN_PREDICTED_IOU,
    NODE_THRESHOLD,
    MaskPredictor,
    PromptedSegmenter,
    nothing,
)

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


class BoxDetector(Protocol):
    """Finds boxes for words; see `grounding_dino.Detector`."""

    def find(self, image: torch.Tensor, words: list[str]) -> Found: ...


class GroundedSegmenter(PromptedSegmenter):
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
        super().__init__(masker)
        self.detector, self.vocabulary = detector, vocabulary
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
