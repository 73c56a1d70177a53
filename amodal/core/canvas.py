"""Zooming in on the object and pasting the result back, exactly (section 3.4).

The canvas is the original picture grown on some sides. It is only copied when something is pasted;
everything else works on the crop's window. `Crop` (payloads) is the bookkeeping.
"""

import torch
import torch.nn.functional as F

from . import mask_ops, validate
from .errors import BadInput
from .types import Box, Crop

UNKNOWN = 0.5  # the gray of canvas that nobody has painted yet
CHANGED = 2 / 255  # a difference in colour that no resizing makes
Point = tuple[float, float]


def canvas_of(image: torch.Tensor, canvas: Crop | None, name: str = "canvas") -> Crop:
    """The map of a canvas [1, H, W, 3]: the one given, which must be of its size, or a new one."""
    height, width = image.shape[1:3]
    if canvas is None:
        return Crop.whole(width, height)
    if canvas.canvas != (width, height):
        raise BadInput(
            name,
            f"is of {canvas.canvas[0]}x{canvas.canvas[1]} pixels, the image of {width}x{height}",
            "take image, mask and canvas from one and the same node",
        )
    return canvas


def check_origin(image: torch.Tensor, crop: Crop) -> None:
    """Raises BadInput unless `crop` can have been cut from the canvas image [1, H, W, 3]."""
    height, width = image.shape[1:3]
    if crop.canvas[0] < width + crop.grown[0] or crop.canvas[1] < height + crop.grown[1]:
        raise BadInput(
            "image",
            f"of {width}x{height} pixels is not what the crop was cut from",
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
    x0, y0, x1, y1 = shifted(mask_ops.box_of(mask), left, top)
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
    """Boolean [h, w]: where the canvas in this box is neither original nor painted by a pass."""
    return unknown_at(canvas, torch.arange(box[1], box[3]), torch.arange(box[0], box[2]))


def unknown_at(canvas: Crop, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Boolean [rows, columns] at whole canvas pixels; what is beyond the canvas is as its edge."""
    x, y = columns.clamp(0, canvas.canvas[0] - 1), rows.clamp(0, canvas.canvas[1] - 1)
    corner = tuple(a + b for a, b in zip(canvas.offset, canvas.original))
    result = torch.ones(len(rows), len(columns), dtype=torch.bool)
    for x0, y0, x1, y1 in ((*canvas.offset, *corner), *canvas.painted):
        result &= ~(((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1)))
    return result


def unknown_in_crop(crop: Crop) -> torch.Tensor:
    """[1, S, S], 1 where a pixel of the crop shows anything of the canvas that is unknown."""
    x0, y0, x1, y1 = crop.box
    width, height = crop.size
    corners = unknown_at(crop, ends(y0, y1, height), ends(x0, x1, width))
    return corners.view(height, 2, width, 2).amax((1, 3)).float()[None]


def ends(low: int, high: int, size: int) -> torch.Tensor:
    """The first and last canvas pixel under each of `size` crop pixels between low and high."""
    edges = torch.arange(size + 1, dtype=torch.float64) * ((high - low) / size)
    first, last = edges[:-1].floor(), edges[1:].ceil() - 1
    return low + torch.stack([first, last], 1).flatten().long()


def inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box inside a canvas of (width, height); they must overlap."""
    return mask_ops.grown_box(box, 0, size)


def take(
    image: torch.Tensor, mask: torch.Tensor, crop: Crop
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The crop's image [1, S, S, 3], mask and beyond [1, S, S] (0 or 1), from the old canvas.

    image [1, H, W, 3] and mask [1, H, W] are the canvas before it grew; `crop` comes from `plan`.
    `beyond` is 1 where nothing is known yet: gray, and to be painted. Where the window is larger
    than the canvas, the canvas' edge is repeated; those pixels are never pasted back.
    """
    size = crop.size[::-1]
    beyond = unknown_in_crop(crop)
    picture = validate.resize(window(image, crop, repeat=True), size)
    cover = validate.resize(window(mask[..., None], crop, repeat=False), size, "bilinear")
    return (
        torch.where(beyond[..., None] > 0, UNKNOWN, picture),
        (cover[..., 0] > 0.5).float(),
        beyond,
    )


def of_original(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """A mask [1, H, W] of the original picture in a crop's pixels: [1, S, S], 0 or 1."""
    (x, y), (width, height) = crop.offset, crop.canvas
    around = (x, width - x - mask.shape[2], y, height - y - mask.shape[1])
    return window_mask(F.pad(mask, around), crop)


def repainted(image: torch.Tensor, picture: torch.Tensor, crop: Crop) -> torch.Tensor:
    """[1, S, S], 1 where the crop's image [1, S, S, 3] is not what the original picture
    [1, H, W, 3] shows there: where passes have painted, and beyond it."""
    part = window(picture, crop.but(grown=crop.offset), repeat=True)
    before = validate.resize(part, crop.size[::-1])
    beyond = unknown_in_crop(crop.but(painted=()))
    return torch.maximum(beyond, ((image - before).abs().amax(-1) > CHANGED).float())


def painted_in_crop(crop: Crop) -> torch.Tensor:
    """[1, S, S], 1 in the windows of earlier passes."""
    done = torch.zeros(1, crop.canvas[1], crop.canvas[0])
    for x0, y0, x1, y1 in crop.painted:
        done[:, y0:y1, x0:x1] = 1
    return window_mask(done, crop)


def window_mask(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """What a mask [1, H, W] of the grown canvas shows in the crop: [1, S, S], 0 or 1."""
    part = window(mask[..., None], crop.but(grown=(0, 0)), repeat=False)
    return (validate.resize(part, crop.size[::-1], "bilinear")[..., 0] > 0.5).float()


def window(pixels: torch.Tensor, crop: Crop, repeat: bool) -> torch.Tensor:
    """What [1, H, W, C] of the old canvas lies in the crop's box, [1, s, s, C] at the same scale.

    Around the old canvas its edge is repeated (lest gray bleed into it when it is resized), or 0.
    """
    height, width = pixels.shape[1:3]
    box = shifted(crop.box, -crop.grown[0], -crop.grown[1])
    x0, y0, x1, y1 = inside(box, (width, height))
    part = pixels[:, y0:y1, x0:x1]
    around = (x0 - box[0], box[2] - x1, y0 - box[1], box[3] - y1)
    if not any(around):
        return part
    mode = "replicate" if repeat else "constant"
    return F.pad(part.movedim(-1, 1), around, mode=mode).movedim(1, -1)


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
    amodal and inpaint [1, S, S] the crop's. Painted and unknown pixels are taken whole; around
    them the result fades out within `feather` times the crop's side; every other pixel stays equal
    to the bit. The object's mask only ever grows.
    """
    canvas, whole = grown(image, crop, UNKNOWN), grown(mask, crop, 0.0)
    x0, y0, x1, y1 = box = inside(crop.box, crop.canvas)
    painted = to_canvas(inpaint, crop, box) > 0.5
    painted |= unknown_in(crop, box)[None]
    fade = to_canvas(softly(inpaint, feather * crop.size[0]), crop, box)
    fade = torch.maximum(fade, painted.float())[..., None]
    canvas[:, y0:y1, x0:x1].lerp_(to_canvas(completed, crop, box), fade)
    whole[:, y0:y1, x0:x1][to_canvas(amodal, crop, box) > 0.5] = 1
    done = crop.but(box=None, size=None, grown=(0, 0), painted=(*crop.painted, box))
    return canvas, whole, done


def grown(pixels: torch.Tensor, crop: Crop, fill: float) -> torch.Tensor:
    """A copy of the old canvas [1, H, W, ...] on the crop's grown one, filled up with a value."""
    height, width = pixels.shape[1:3]
    left, top = crop.grown
    if crop.canvas == (width, height):
        return pixels.clone()
    result = pixels.new_full((1, crop.canvas[1], crop.canvas[0], *pixels.shape[3:]), fill)
    result[:, top : top + height, left : left + width] = pixels
    return result


def to_canvas(pixels: torch.Tensor, crop: Crop, box: Box) -> torch.Tensor:
    """A crop's picture [1, S, S, 3] or mask [1, S, S] at the canvas' scale, in a box inside it."""
    side = crop.box[2] - crop.box[0]
    x0, y0, x1, y1 = shifted(box, -crop.box[0], -crop.box[1])
    if pixels.ndim == 3:
        return validate.resize(pixels[..., None], (side, side), "bilinear")[:, y0:y1, x0:x1, 0]
    return validate.resize(pixels, (side, side))[:, y0:y1, x0:x1]


def softly(mask: torch.Tensor, width: float) -> torch.Tensor:
    """1 on the mask [1, H, W], falling to 0 at `width` pixels from it."""
    if width < 1:
        return mask
    return (1 - mask_ops.distance_to(mask, width) / width).clamp(0, 1)


def to_crop(crop: Crop, point: Point) -> Point:
    """A point (x, y) of the original picture, in pixels of the crop."""
    scale = crop.size[0] / (crop.box[2] - crop.box[0])
    return tuple((p + o - b) * scale for p, o, b in zip(point, crop.offset, crop.box[:2]))


def to_original(crop: Crop, point: Point) -> Point:
    """The inverse of `to_crop`."""
    scale = (crop.box[2] - crop.box[0]) / crop.size[0]
    return tuple(p * scale + b - o for p, o, b in zip(point, crop.offset, crop.box[:2]))
