"""The completed object: cut out, trimmed, and put back into its picture (section 3.4)."""

from dataclasses import dataclass

import torch

from . import masks as algebra
from .payloads import Crop

PAPER = 0.93  # the light gray around the picture on a grown canvas


@dataclass(frozen=True)
class Result:
    """object [1, H, W, 4] and overlay [1, H, W, 3] on the canvas, trimmed [1, h, w, 4] the object's
    box; RGBA with straight alpha. x, y (at most 0) place the canvas' corner in the original."""

    object: torch.Tensor
    trimmed: torch.Tensor
    overlay: torch.Tensor
    x: int
    y: int


def result(image: torch.Tensor, mask: torch.Tensor, canvas: Crop, picture: torch.Tensor) -> Result:
    """Everything that is handed to the user.

    image [1, H, W, 3] and mask [1, H, W] (0 or 1, not empty) are the canvas, picture [1, h, w, 3]
    the original, which the overlay shows with the completed object in front of its occluders.
    """
    alpha = mask[..., None]
    cut = torch.cat([image * alpha, alpha], -1)
    x0, y0, x1, y1 = algebra.box_of(mask)
    x, y = canvas.offset
    width, height = canvas.original
    context = torch.full_like(image, PAPER)
    context[:, y : y + height, x : x + width] = picture
    context = torch.where(alpha > 0.5, image, context)
    return Result(cut, cut[:, y0:y1, x0:x1].clone(), context, -x, -y)
