"""Which of the detected objects is meant: by mask, point, words or number (section 3.4)."""

import re

import torch

from . import mask_ops, validate
from .detections import SAME, best_overlap, looked_for
from .errors import BadInput
from .names import as_words, plain
from .types import Objects

NUMBER = r"(-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))"


def pick(
    objects: Objects | None = None,
    mask: torch.Tensor | None = None,
    point: tuple[float, float] | None = None,
    words: str = "",
    index: int = -1,
) -> tuple[torch.Tensor, str]:
    """The query object's modal mask [1, H, W] and label.

    The first one given decides: mask, point, words, index (from 0), else the largest object. Words
    that name nothing count as not given. Raises BadInput where it selects nothing.
    """
    words = words.strip() if as_words(words) else ""
    if mask is not None:
        if objects is None or not len(objects):
            return validate.object_mask(mask, None, "modal_mask"), words
        mask = validate.object_mask(mask, validate.size_of(objects.masks), "modal_mask")
        best, overlap = best_overlap(objects, mask)
        return mask, words or (objects.labels[best] if overlap > SAME else "")
    if objects is None:
        raise BadInput("objects", "is not connected, nor is a mask", "connect one of the two")
    if not len(objects):
        raise BadInput(
            "objects",
            f"is empty: nothing was detected{looked_for(objects)}",
            "detect with other words or a lower threshold, or give a mask",
        )
    chosen = choose(objects, point, words, index)
    return objects.masks[chosen][None].float(), objects.labels[chosen]


def choose(objects: Objects, point, words: str, index: int) -> int:
    if point is not None:
        return at_point(objects, *point)
    if words:
        return by_words(objects, words)
    if index >= len(objects):
        raise BadInput("index", f"{index} is too large", detected(objects))
    if index >= 0:
        return index
    return max(range(len(objects)), key=lambda i: mask_ops.area(objects.masks[i]))


def at_point(objects: Objects, x: float, y: float, name: str = "point") -> int:
    """The smallest object under a point in pixels. Raises BadInput where there is none.

    name: the input that the point comes from, for the error.
    """
    height, width = objects.masks.shape[-2:]
    if not (0 <= x < width and 0 <= y < height):
        raise BadInput(
            name,
            f"({x:g}, {y:g}) lies outside the {width}x{height} picture",
            "give x,y in pixels from the top left corner, or fractions like 0.43,0.61",
        )
    hit = [i for i, mask in enumerate(objects.masks) if mask[int(y), int(x)]]
    if not hit:
        raise BadInput(name, f"({x:g}, {y:g}) hits no detected object", detected(objects))
    return min(hit, key=lambda i: mask_ops.area(objects.masks[i]))


def by_words(objects: Objects, words: str) -> int:
    """The best-scored object whose label is `words` or one of the names in them, in any case.

    Other names for the same thing are the detector's business: `search` asks it for the words.
    Raises BadInput with the list of detected objects.
    """
    wanted = {plain(name) for name in (words, *as_words(words))}
    hit = [i for i, label in enumerate(objects.labels) if plain(label) in wanted]
    if hit:
        return max(hit, key=lambda i: float(objects.scores[i]))
    raise BadInput(
        "words",
        f"'{words.strip()}' is not among the detected objects",
        f"{detected(objects)}; or name it in Detect Objects, which then searches for it",
    )


def detected(objects: Objects) -> str:
    """A remedy that lists the objects to choose from."""
    names = ", ".join(f"{i}: {label}" for i, label in enumerate(objects.labels))
    return f"choose one of: {names}" if names else "detect with other words or a lower threshold"


def as_point(
    text: str, size: validate.Size = (1, 1), name: str = "point"
) -> tuple[float, float] | None:
    """(x, y) in pixels from 'x,y', None from an empty text. Raises BadInput for anything else.

    Two values from 0 to 1, both with a decimal point, are fractions of a picture of `size`
    (height, width). Such a point stays right when the picture's size changes.
    """
    if not text.strip():
        return None
    match = re.fullmatch(rf"[(\[]?\s*{NUMBER}\s*[,\s]\s*{NUMBER}\s*[)\]]?", text.strip())
    if match is None:
        raise BadInput(
            name,
            f"'{text.strip()}' is not a point",
            "write x,y in pixels, like 120,84, or as fractions of the picture, like 0.43,0.61",
        )
    numbers = match.groups()
    point = float(numbers[0]), float(numbers[1])
    if all("." in number and 0 <= value <= 1 for number, value in zip(numbers, point)):
        height, width = size
        below = 1 - 1e-6  # (1.0, 1.0) is the last pixel
        return min(point[0], below) * width, min(point[1], below) * height
    return point
