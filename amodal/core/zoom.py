"""The crop's size in pixels, and its window on the canvas (section 3.4). Whole numbers only."""

import math

from .errors import BadInput
from .types import Box, Crop

SHAPES = ("square", "rectangle")
UNIT = 64  # sides of a rectangle are multiples of it, as diffusion models were trained with
SPREAD = 0.15  # the area of a rectangle differs from that of the square by at most this part
STRETCH = 4  # the longest rectangle is 1:4, as the longest of Stable Diffusion XL's training


def crop_size(
    wanted: tuple[int, int], size: int, shape: str = "square", largest: int = 0
) -> tuple[int, int]:
    """(width, height) of a crop that shows a window of `wanted` (width, height) canvas pixels.

    A square has the side `size`. A rectangle has about its area and, up to 1:4, the aspect of
    the window. Where the window has more pixels than that, both get larger, up to the side or the
    area of `largest`, so that less has to be enlarged when the crop is pasted back.
    """
    if shape == "square":
        return (grown_side(max(wanted), size, largest),) * 2
    side = grown_side(math.sqrt(wanted[0] * wanted[1]), size, largest)
    aspect = math.log(wanted[0] / wanted[1])

    def unlike(sides: tuple[int, int]) -> tuple[float, int]:
        width, height = sides
        return round(abs(math.log(width / height) - aspect), 6), abs(width * height - side**2)

    return min(rectangles(side), key=unlike)


def grown_side(native: float, size: int, largest: int) -> int:
    """The side for a window of `native` pixels a side: at least `size`, at most `largest`."""
    return max(size, min(largest, math.ceil(native / UNIT) * UNIT))


def rectangles(side: int) -> list[tuple[int, int]]:
    """All (width, height) in multiples of UNIT with about the area of a square of this side."""
    square = max(1, round(side / UNIT))
    found = [(square * UNIT, square * UNIT)]
    for across in range(1, square * STRETCH + 1):
        for down in range(math.ceil(across / STRETCH), across * STRETCH + 1):
            sides = across * UNIT, down * UNIT
            if abs(sides[0] * sides[1] / side**2 - 1) <= SPREAD and sides not in found:
                found.append(sides)
    return found


def window_of(wanted: Box, needed: Box, pixels: tuple[int, int], limits: tuple[int, int]) -> Box:
    """The window around `wanted` with the aspect of a crop of `pixels` (width, height).

    `limits` are the (width, height) of the canvas. Where the window would reach beyond, it gives
    up some of the wanted context, but nothing of the box `needed`, which lies inside `wanted`.
    """
    wide, tall = pixels
    scale = max((wanted[2] - wanted[0]) / wide, (wanted[3] - wanted[1]) / tall)
    if wide != tall:
        least = max((needed[2] - needed[0]) / wide, (needed[3] - needed[1]) / tall)
        scale = max(least, min(scale, limits[0] / wide, limits[1] / tall))
    width, height = round(scale * wide), round(scale * tall)
    x = placed(wanted[0], wanted[2], needed[0], needed[2], width, limits[0])
    y = placed(wanted[1], wanted[3], needed[1], needed[3], height, limits[1])
    return x, y, x + width, y + height


def placed(low: int, high: int, first: int, last: int, side: int, limit: int) -> int:
    """Where a window of `side` around low..high begins: inside 0..limit if that is possible.

    It always holds first..last.
    """
    if side > limit:
        return (limit - side) // 2
    begin = min(max((low + high - side) // 2, 0), limit - side)
    return min(max(begin, last - side), first)


def has_aspect(size: tuple[int, int], crop: Crop) -> bool:
    """Is a (height, width) the crop's, or an enlargement of it, to a pixel of rounding?"""
    height, width = size
    return abs(width * crop.size[1] - height * crop.size[0]) <= max(crop.size)


def check_completed(completed, crop: Crop) -> None:
    """Raises BadInput for a completed picture [1, h, w, 3] with another aspect than the crop's."""
    height, width = completed.shape[1:3]
    if not has_aspect((height, width), crop):
        raise BadInput(
            "completed",
            f"has {width}x{height} pixels, but the crop has {crop.size[0]}x{crop.size[1]}",
            "give the crop that was painted; it may be enlarged, but not stretched or cut",
        )


def scale_in_words(crop: Crop, width: int = 0) -> str:
    """How much of the canvas a crop shows, and by how much what is painted on it is enlarged.

    width: of the painted picture, if it is not the crop's own.
    """
    across, down = crop.box[2] - crop.box[0], crop.box[3] - crop.box[1]
    scale = across / (width or crop.size[0])
    size = f"{across}x{down} canvas pixels in a crop of {crop.size[0]}x{crop.size[1]}"
    if width and width != crop.size[0]:
        size = f"{size}, painted at {width / crop.size[0]:.2g} times that"
    return f"{size}; " + (
        f"enlarged {scale:.2g} times when pasted back" if scale > 1.05 else "nothing is enlarged"
    )
