"""Conditional padding: the picture's border as an occluder (section 3.4)."""

import math
from dataclasses import dataclass

import torch

from ..core import mask_ops
from ..core.canvas import unknown_in
from ..core.types import Crop

SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Padding:
    """Pixels to add on each side of the canvas, and the sides the object is cut off at."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0
    sides: tuple[str, ...] = ()

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        return self.left, self.top, self.right, self.bottom


def needed(mask: torch.Tensor, canvas: Crop, amount: float, margin: int) -> Padding:
    """What to add around the canvas so that the object can be whole (section 3.4).

    mask [1, H, W] is the object on the canvas and not empty. A side is touched when the mask comes
    within `margin` pixels of the canvas' border there, or of a part of the canvas that is not
    known yet. Touched borders get `amount` times the object's larger side, and only they. (Of an
    object of which little is seen, the side along the border tells its size best: on 160 cut
    objects, half of it is enough in 71 %, half of the extent across the border in 27 %.)
    """
    height, width = mask.shape[-2:]
    x0, y0, x1, y1 = mask_ops.box_of(mask)
    at_border = (x0 <= margin, y0 <= margin, x1 >= width - margin, y1 >= height - margin)
    enough = max(1, math.ceil(amount * max(x1 - x0, y1 - y0)))
    add = [enough if hit else 0 for hit in at_border]
    touched = [a or b for a, b in zip(at_border, meets_unknown(mask, canvas, margin))]
    return Padding(*add, sides=tuple(side for side, hit in zip(SIDES, touched) if hit))


def meets_unknown(mask: torch.Tensor, canvas: Crop, margin: int) -> tuple[bool, ...]:
    """On which sides (left, top, right, bottom) the object meets canvas that nobody has painted."""
    height, width = mask.shape[-2:]
    x0, y0, x1, y1 = mask_ops.grown_box(mask_ops.box_of(mask), margin + 1, (width, height))
    unknown = unknown_in(canvas, (x0, y0, x1, y1))
    if not unknown.any():
        return (False,) * 4
    grown = mask_ops.dilate(mask[0, y0:y1, x0:x1], margin)
    rows, columns = ((grown > 0) & unknown).nonzero(as_tuple=True)
    if not len(rows):
        return (False,) * 4
    left, top = canvas.offset[0] - x0, canvas.offset[1] - y0
    right, bottom = left + canvas.original[0], top + canvas.original[1]
    return (
        bool((columns < left).any()),
        bool((rows < top).any()),
        bool((columns >= right).any()),
        bool((rows >= bottom).any()),
    )
