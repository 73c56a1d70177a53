"""Zooming in on the object and pasting the result back, exactly (section 3.4).

The canvas is the original picture grown on some sides. It is only copied when something is pasted;
everything else works on the crop's window. `Crop` (payloads) is the bookkeeping.
"""

import torch
import torch.nn.functional as F

from . import masks as algebra
from . import shapes
from .errors import BadInput
from .payloads import Box, Crop

UNKNOWN = 0.5  # the gray of canvas that nobody has painted yet
Point = tuple[float, float]


def canvas_of(image: torch.Tensor, canvas: Crop | None, name: str = "canvas") -> Crop:
    """The map of a canvas [1, H, W, 3]: the one given, which must be of its size, or a new one."""
    height, width = image.shape[1:3]
    if canvas is None:
        return Crop.whole(width, height)
    if canvas.canvas != (width, height):
        raise BadInput(
            name, f"is of {canvas.canvas[0]}x{canvas.canvas[1]} pixels, the image of "
            f"{width}x{height}", "take image, mask and canvas from one and the same node",
        )
    return canvas


def check_origin(image: torch.Tensor, crop: Crop) -> None:
    """Raises BadInput unless `crop` can have been cut from the canvas image [1, H, W, 3]."""
    height, width = image.shape[1:3]
    if crop.canvas[0] < width + crop.grown[0] or crop.canvas[1] < height + crop.grown[1]:
        raise BadInput(
            "image", f"of {width}x{height} pixels is not what the crop was cut from",
            "give it the canvas that went into Crop To Object",
        )


def plan(
    mask: torch.Tensor,
    canvas: Crop,
    pads: tuple[int, int, int, int],
    context: float,
    size: int,
) -> Crop:
    """The grown canvas and the square window on it that shows the object with its context.

    mask [1, H, W] on the canvas as it is; pads (left, top, right, bottom) pixels to grow it by;
    context is the margin on each side as a fraction of the object's larger side. The window takes
    in the new pads, lies inside the grown canvas where it fits, and is resized to size x size.
    """
    left, top, right, bottom = pads
    width, height = canvas.canvas[0] + left + right, canvas.canvas[1] + top + bottom
    x0, y0, x1, y1 = shifted(algebra.box_of(mask), left, top)
    margin = round(context * max(x1 - x0, y1 - y0))
    x0, y0 = x0 - max(margin, left), y0 - max(margin, top)
    x1, y1 = x1 + max(margin, right), y1 + max(margin, bottom)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    side = max(x1 - x0, y1 - y0)
    x, y = placed(x0, x1, side, width), placed(y0, y1, side, height)
    return canvas.but(
        canvas=(width, height),
        offset=(canvas.offset[0] + left, canvas.offset[1] + top),
        box=(x, y, x + side, y + side),
        size=(size, size),
        painted=tuple(shifted(box, left, top) for box in canvas.painted),
        grown=(left, top),
    )


def placed(low: int, high: int, side: int, limit: int) -> int:
    """Where a window of `side` around low..high begins: inside 0..limit if that is possible."""
    begin = (low + high - side) // 2
    return (limit - side) // 2 if side > limit else min(max(begin, 0), limit - side)


def shifted(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def unknown_in(canvas: Crop, box: Box) -> torch.Tensor:
    """[h, w], 1 where the canvas in this box is neither original nor painted by a pass.

    Parts of the box beyond the canvas count as its edge does.
    """
    x0, y0, x1, y1 = box
    result = torch.ones(y1 - y0, x1 - x0)
    known = (*canvas.offset, *(a + b for a, b in zip(canvas.offset, canvas.original)))
    for kx0, ky0, kx1, ky1 in (known, *canvas.painted):
        rows = slice(max(ky0 - y0, 0), max(ky1 - y0, 0))
        columns = slice(max(kx0 - x0, 0), max(kx1 - x0, 0))
        result[rows, columns] = 0
    inner = inside(box, canvas.canvas)
    return window(result[None, ..., None], box, inner, shifted(inner, -x0, -y0))[0, ..., 0]


def inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box inside a canvas of (width, height); they must overlap."""
    return algebra.grown_box(box, 0, size)


def window(pixels: torch.Tensor, box: Box, inner: Box, source: Box) -> torch.Tensor:
    """pixels [1, H, W, C] at `source`, laid at `inner` of `box`, its edge repeated around it."""
    sx0, sy0, sx1, sy1 = source
    part = pixels[:, sy0:sy1, sx0:sx1]
    around = (inner[0] - box[0], box[2] - inner[2], inner[1] - box[1], box[3] - inner[3])
    if not any(around):
        return part
    return F.pad(part.movedim(-1, 1), around, mode="replicate").movedim(1, -1)


def take(
    image: torch.Tensor, mask: torch.Tensor, crop: Crop
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The crop's image [1, S, S, 3], mask and beyond [1, S, S] (0 or 1), from the old canvas.

    image [1, H, W, 3] and mask [1, H, W] are the canvas before it grew; `crop` comes from `plan`.
    `beyond` is 1 where nothing is known yet: gray, and to be painted. Where the window is larger
    than the canvas the canvas' edge is repeated; those pixels are never pasted back.
    """
    seen, cover = on_grown_canvas(image, mask, crop)
    size = crop.size[::-1]
    beyond = unknown_in(crop, crop.box)[None]
    beyond = (shapes.resize(beyond[..., None], size, "bilinear")[..., 0] > 0.01).float()
    picture = shapes.resize(seen, size)
    hard = (shapes.resize(cover, size, "bilinear")[..., 0] > 0.5).float()
    return torch.where(beyond[..., None] > 0, UNKNOWN, picture), hard, beyond


def on_grown_canvas(image: torch.Tensor, mask: torch.Tensor, crop: Crop):
    """The window's pixels [1, s, s, 3] and mask [1, s, s, 1] at the canvas' own scale.

    Old canvas is repeated into the unknown, lest the gray bleed into it when resized.
    """
    left, top = crop.grown
    height, width = image.shape[1:3]
    x0, y0, x1, y1 = crop.box
    old = shifted((0, 0, width, height), left, top)
    inner = (max(x0, old[0]), max(y0, old[1]), min(x1, old[2]), min(y1, old[3]))
    source = shifted(inner, -left, -top)
    seen = window(image, crop.box, inner, source)
    sx0, sy0, sx1, sy1 = source
    cover = torch.zeros(1, y1 - y0, x1 - x0, 1)
    cover[:, inner[1] - y0 : inner[3] - y0, inner[0] - x0 : inner[2] - x0, 0] = mask[
        :, sy0:sy1, sx0:sx1
    ]
    return seen, cover


def paste(
    image: torch.Tensor,
    mask: torch.Tensor,
    crop: Crop,
    completed: torch.Tensor,
    amodal: torch.Tensor,
    inpaint: torch.Tensor,
    feather: float,
) -> tuple[torch.Tensor, torch.Tensor, Crop]:
    """The grown canvas [1, H', W', 3] with the crop's result in it, its mask, and its map.

    image [1, H, W, 3] and mask [1, H, W] are the canvas before it grew; completed [1, S, S, 3],
    amodal and inpaint [1, S, S] the crop's. Painted pixels are taken whole; around them the result
    fades out within `feather` times the crop's side; every other pixel stays equal to the bit.
    The object's mask only ever grows, and only where something was painted.
    """
    left, top = crop.grown
    height, width = image.shape[1:3]
    if crop.canvas == (width, height):
        canvas, whole = image.clone(), mask.clone()
    else:
        canvas = image.new_full((1, crop.canvas[1], crop.canvas[0], 3), UNKNOWN)
        whole = mask.new_zeros(1, crop.canvas[1], crop.canvas[0])
        canvas[:, top : top + height, left : left + width] = image
        whole[:, top : top + height, left : left + width] = mask
    x0, y0, x1, y1 = inside(crop.box, crop.canvas)
    part = shifted((x0, y0, x1, y1), -crop.box[0], -crop.box[1])
    painted = to_window(inpaint, crop, part)
    fade = softly(painted, feather * (crop.box[2] - crop.box[0]))
    fade = torch.maximum(fade, unknown_in(crop, (x0, y0, x1, y1))[None])[..., None]
    here = canvas[:, y0:y1, x0:x1]
    here.copy_(torch.lerp(here, to_window(completed, crop, part), fade))
    mine = whole[:, y0:y1, x0:x1]
    torch.maximum(mine, to_window(amodal, crop, part) * (fade[..., 0] >= 1), out=mine)
    done = crop.but(
        box=None, size=None, grown=(0, 0), painted=(*crop.painted, (x0, y0, x1, y1))
    )
    return canvas, whole, done


def to_window(pixels: torch.Tensor, crop: Crop, part: Box) -> torch.Tensor:
    """A crop's pictures [1, S, S, 3], or masks [1, S, S] (0 or 1), at the canvas' scale in `part`."""
    side = crop.box[2] - crop.box[0]
    x0, y0, x1, y1 = part
    if pixels.ndim == 4:
        return shapes.resize(pixels, (side, side))[:, y0:y1, x0:x1]
    scaled = shapes.resize(pixels[..., None], (side, side), "bilinear")[..., 0]
    return (scaled[:, y0:y1, x0:x1] > 0.5).float()


def softly(mask: torch.Tensor, width: float) -> torch.Tensor:
    """1 on the mask [1, H, W], falling to 0 at `width` pixels from it."""
    if width < 1:
        return mask
    return (1 - algebra.distance_to(mask, width) / width).clamp(0, 1)


def to_crop(crop: Crop, point: Point) -> Point:
    """A point (x, y) of the original picture, in pixels of the crop."""
    scale = crop.size[0] / (crop.box[2] - crop.box[0])
    return tuple((p + o - b) * scale for p, o, b in zip(point, crop.offset, crop.box[:2]))


def to_original(crop: Crop, point: Point) -> Point:
    """The inverse of `to_crop`."""
    scale = (crop.box[2] - crop.box[0]) / crop.size[0]
    return tuple(p * scale + b - o for p, o, b in zip(point, crop.offset, crop.box[:2]))
