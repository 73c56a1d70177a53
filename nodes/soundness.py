"""Are the contents of a payload what `amodal/core/types.py` says? For the check at the door.

Each function takes an object that has the fields of its payload, and returns what is wrong with
their values, or "".
"""

from __future__ import annotations

from typing import Any

import torch

from ..amodal.method.sampling import KEY, ExactX

MOST = 2**20  # of any size, offset or amount in pixels
MOST_NOISES = 2**16  # the host draws one for each number up to the largest batch index


def objects(value: Any) -> str:
    if not isinstance(value.labels, list) or not all(isinstance(w, str) for w in value.labels):
        return "its labels are no words"
    count, parts = len(value.labels), (value.masks, value.scores, value.boxes)
    if not all(isinstance(part, torch.Tensor) and len(part.shape) for part in parts):
        return "its masks, scores or boxes are no tensors"
    shapes = [list(part.shape) for part in parts]
    fits = len(shapes[0]) == 3 and shapes[0][0] == count and 0 not in shapes[0][1:]
    if not fits or shapes[1:] != [[count], [count, 4]]:
        return f"it has {count} labels, and masks, scores and boxes of the shapes {shapes}"
    if value.masks.dtype != torch.bool:
        return "its masks are not of true and false"
    if not all(bool(torch.isfinite(part).all()) for part in parts[1:]):
        return "it holds NaN or infinity"
    image = value.image
    is_picture = isinstance(image, torch.Tensor) and image.ndim == 4 and image.shape[-1] in (3, 4)
    return "" if image is None or is_picture else "its picture is none"


def canvas(value: Any) -> str:
    sides = (*value.original, *value.size, *value.offset)
    if not numbers(sides) or not numbers([side for box in value.inpainted for side in box]):
        return "its sizes are no numbers of pixels"
    (width, height), (wide, tall), (x, y) = value.original, value.size, value.offset
    inside = 0 < width <= wide - x and 0 < height <= tall - y
    return "" if inside else "its picture is empty or lies outside the canvas"


def crop(value: Any) -> str:
    problem = canvas(value.canvas)
    if problem:
        return problem
    x0, y0, x1, y1 = value.box
    sides = (x1 - x0, y1 - y0, *value.size, *value.grown)
    if not numbers(sides) or not numbers((abs(x0), abs(y0))) or 0 in sides[:4]:
        return "its box or size is no part of a canvas"
    wide, tall = value.canvas.size
    return "" if x0 < wide and y0 < tall and x1 > 0 and y1 > 0 else "its box is off its canvas"


def padding(value: Any) -> str:
    amounts = (value.left, value.top, value.right, value.bottom)
    return "" if numbers(amounts) and words(value.sides) else "its amounts are no numbers of pixels"


def occlusion(value: Any) -> str:
    named = all(words(part) for part in (value.occluders, value.surrounding, value.sides))
    return "" if named else "its objects or sides are no words"


def features(value: Any) -> str:
    levels = value.levels
    maps = list(levels.values()) if isinstance(levels, dict) else []
    if not maps or not all(isinstance(part, torch.Tensor) and part.ndim == 4 for part in maps):
        return "it holds no maps [batch, channels, height, width]"
    fits = numbers(value.size) and len(value.size) == 2 and 0 not in value.size
    return "" if fits else "its size is none of a picture"


def loop(value: Any) -> str:
    image, mask = value.image, value.modal_mask
    tensors = isinstance(image, torch.Tensor) and isinstance(mask, torch.Tensor)
    if not tensors or image.ndim != 4 or mask.ndim != 3 or not numbers((value.number,)):
        return "it does not hold the picture, mask and number of a pass"
    return canvas(value.canvas)


def order(value: Any) -> str:
    is_square = isinstance(value, torch.Tensor) and value.ndim == 2
    return "" if is_square and value.shape[0] == value.shape[1] else "it is no square table"


def latent(value: Any) -> str:
    samples, mask = value["samples"], value.get("noise_mask")
    if isinstance(samples, torch.Tensor) and not samples.numel():
        return "its samples are empty"
    if mask is not None and not (
        isinstance(mask, torch.Tensor) and mask.ndim >= 2 and mask.numel()
    ):
        return "its noise_mask is no mask"
    if mask is not None and not bool(torch.isfinite(mask).all()):
        return "its noise_mask holds NaN or infinity"
    index = value.get("batch_index")
    if index is not None and isinstance(samples, torch.Tensor):
        fits = isinstance(index, list | tuple) and len(index) == len(samples)
        if not fits or not numbers(index) or max(index, default=0) >= MOST_NOISES:
            return f"its batch_index does not number the {len(samples)} latents"
    known = KEY not in value or isinstance(value[KEY], ExactX)
    return "" if known else f"its {KEY} is not of Sample To Step"


def numbers(values: Any) -> bool:
    """Are all of them integers from 0 to MOST?"""
    return all(type(value) is int and 0 <= value <= MOST for value in values)


def words(values: Any) -> bool:
    """Are all of them texts?"""
    return isinstance(values, tuple | list) and all(isinstance(value, str) for value in values)
