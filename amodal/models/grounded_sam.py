"""Grounded segmentation: GroundingDINO finds boxes of words, SAM their masks (section 3.4)."""

from __future__ import annotations

import torch

from ..core import detections, mask_ops
from ..core.types import Objects

# COCO's 80 names, and a few of what often stands on tables, walls and floors.
VOCABULARY = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, "
    "fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, "
    "bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, "
    "sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, "
    "bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, "
    "carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, "
    "tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, "
    "refrigerator, book, clock, vase, scissors, teddy bear, hair drier, toothbrush, "
    "box, lamp, pillow, basket, fence, tree, hat, shoe"
)
SURE = 0.5  # the other nodes' threshold; a score at the detector's own threshold reads so
AGREES = 0.3  # a detection of the label is the object when its IoU with the prior is above this
POOR = 0.5  # a mask that SAM itself expects to be worse than this is none
POINTS = 4  # how many points of a prior mask SAM is shown


class GroundedSegmenter:
    """AMODAL_SEGMENTER; see `payloads.Segmenter`.

    `detector.find(image, words)` gives boxes, scores and words, `masker.masks` the masks of boxes
    and points. Scores are shifted so that `box_threshold` (GroundingDINO's 0.35) reads as 0.5.
    """

    def __init__(self, detector, masker, vocabulary: list[str], box_threshold=0.35, overlap=0.7):
        self.detector, self.masker, self.vocabulary = detector, masker, vocabulary
        self.box_threshold, self.overlap = box_threshold, overlap

    def detect(self, image, words=None, threshold=0.5) -> Objects:
        """Objects of an image [H, W, 3]; `words` None or empty means the whole vocabulary."""
        found = self.detector.find(image, list(words or self.vocabulary))
        scores = shifted(found.scores, self.box_threshold)
        keep = suppressed(found.boxes, scores, threshold, self.overlap)
        if not keep:
            return nothing(image)
        masks, quality = self.masker.masks(image, boxes=found.boxes[keep])
        masks = masks[:, 0].float() * (quality[:, :1, None] > POOR)
        seen = [i for i, mask in enumerate(masks) if mask.any()]
        return detections.only(masks, [found.words[i] for i in keep], scores[keep], seen)

    def segment(self, image, *, box=None, points=None, prior=None, label=None) -> torch.Tensor:
        """The mask [H, W] of the object at a box, points (x, y) or a prior mask.

        With a prior mask and a label it is what is found anew under that label and most like the
        prior, as long as there is something alike; else what SAM makes of the place.
        """
        if prior is not None:
            prior = (prior.reshape(prior.shape[-2:]) > 0.5).float()
            return self.again(image, prior, label)
        if box is not None:
            boxes = torch.tensor([[float(side) for side in box]])
            return self.likeliest(*self.masker.masks(image, boxes=boxes))
        points = torch.tensor([[[float(x), float(y)] for x, y in points or []]])
        if not points.numel():
            return torch.zeros(image.shape[:2])
        return self.likeliest(*self.masker.masks(image, points=points, several=True))

    def again(self, image, prior, label) -> torch.Tensor:
        """The object whose visible or earlier mask is `prior`."""
        if not prior.any():
            return prior
        if label:
            found = self.detect(image, [label], SURE)
            best, overlap = detections.best_overlap(found, prior[None])
            if overlap > AGREES:
                return found.masks[best]
        masks, quality = self.masker.masks(image, points=deep_points(prior)[None], several=True)
        good = [mask.float() for mask, likely in zip(masks[0], quality[0]) if likely > POOR]
        return max(
            good, key=lambda mask: mask_ops.iou(mask, prior), default=torch.zeros_like(prior)
        )

    @staticmethod
    def likeliest(masks, quality) -> torch.Tensor:
        best = int(quality[0].argmax())
        return masks[0, best].float() * (quality[0, best] > POOR)


def shifted(scores: torch.Tensor, sure: float) -> torch.Tensor:
    """Scores 0..1 bent so that `sure` becomes 0.5 and both ends stay."""
    sure = min(max(sure, 1e-3), 1 - 1e-3)
    low, high = scores / sure * SURE, 1 - (1 - scores) / (1 - sure) * (1 - SURE)
    return torch.where(scores < sure, low, high).clamp(0, 1)


def suppressed(boxes, scores, threshold: float, overlap: float) -> list[int]:
    """The boxes [n, 4] to keep, the best first: not under the threshold, nor much like a better."""
    chosen: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if scores[i] < max(threshold, 1e-6):
            break
        if all(box_iou(boxes[i], boxes[j]) <= overlap for j in chosen):
            chosen.append(i)
    return chosen


def box_iou(one: torch.Tensor, other: torch.Tensor) -> float:
    low, high = torch.maximum(one[:2], other[:2]), torch.minimum(one[2:], other[2:])
    both = float((high - low).clamp(min=0).prod())
    union = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - both
    return both / union if union > 0 else 0.0


def deep_points(mask: torch.Tensor, count: int = POINTS) -> torch.Tensor:
    """[count, 2] (x, y): the points of a mask [H, W] deepest inside it, apart from each other."""
    from scipy.ndimage import distance_transform_edt

    height, width = mask.shape
    depth = torch.from_numpy(distance_transform_edt(torch.nn.functional.pad(mask, (1,) * 4)))
    depth = depth[1:-1, 1:-1].float()
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    points = []
    for _ in range(count):
        y, x = divmod(int(depth.argmax()), width)
        points.append((x + 0.5, y + 0.5))
        apart = ((rows - y) ** 2 + (columns - x) ** 2).float().sqrt()
        depth = torch.minimum(depth, apart)
    return torch.tensor(points)


def nothing(image) -> Objects:
    height, width = image.shape[:2]
    return Objects(torch.zeros(0, height, width), [], torch.zeros(0), torch.zeros(0, 4))
