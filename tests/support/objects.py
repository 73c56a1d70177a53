"""Objects that several tests pick from or clean."""

import torch

from amodal.core import detections
from amodal.core.types import Objects


def box_mask(x0, y0, x1, y1, width=40, height=30):
    mask = torch.zeros(height, width)
    mask[y0:y1, x0:x1] = 1
    return mask


def three_objects() -> Objects:
    """A cup, a teddy bear that overlaps it, and a small cup apart from both."""
    masks = [box_mask(2, 2, 12, 12), box_mask(10, 8, 30, 28), box_mask(32, 2, 36, 6)]
    return detections.from_masks(
        torch.stack(masks), ["cup", "teddy bear", "cup"], torch.tensor([0.9, 0.8, 0.7])
    )
