"""Segmentation at a box, at points or at a prior mask (section 3.4), for models of SAM's kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from ..core import mask_ops
from ..core.types import Objects

NODE_THRESHOLD = 0.5  # threshold of the other nodes
MIN_PRIOR_IOU = 0.3  # masks with a larger IoU, outside what was painted, are the same object
HOLDS = 0.8  # so is a detection that holds more than this of the visible object
CLOSE_QUALITY = 0.05  # predicted IoUs of SAM that differ by less are equal
MIN_PREDICTED_IOU = 0.5  # discard masks whose predicted IoU is not above this
POINTS = 4  # points of a prior mask that are given to SAM


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


class PromptedSegmenter:
    """The second half of AMODAL_SEGMENTER for a `masker`; `detect` is left to the subclass."""

    def __init__(self, masker: MaskPredictor) -> None:
        self.masker = masker

    def detect(
        self, image: torch.Tensor, words: list[str] | None = None, threshold: float = 0.5
    ) -> Objects:
        raise NotImplementedError

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
