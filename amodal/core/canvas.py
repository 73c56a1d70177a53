"""Zoom in on the object, and paste the result back exactly (section 3.4).

The canvas is the original picture, grown on some sides. Only `paste_crop` copies it; everything
else works on the crop's window. `Canvas` and `Crop` (types.py) are the bookkeeping.
"""

import math

import torch
import torch.nn.functional as F

from . import interrupts, mask_ops, validate, zoom
from .errors import BadInput
from .types import Box, Canvas, Crop

UNKNOWN = 0.5  # the gray of canvas pixels that no pass has painted
CHANGED = 2 / 255  # resizing alone changes a colour by less than this
MOST_PIXELS = 2**28  # of a grown canvas, 3.2 GB as an IMAGE


def canvas_of(image: torch.Tensor, canvas: Canvas | None, name: str = "canvas") -> Canvas:
    """The given map of a canvas image [1, H, W, 3], or a new one where `canvas` is None.

    Raises BadInput for a map of another size; `name` is the input it came from.
    """
    height, width = image.shape[1:3]
    if canvas is None:
        return Canvas.whole(width, height)
    if canvas.size != (width, height):
        raise BadInput(
            name,
            f"has {canvas.size[0]}x{canvas.size[1]} pixels, but the image has {width}x{height}",
            "take image, mask and canvas from one and the same node",
        )
    return canvas


def check_original(original: torch.Tensor, canvas: Canvas) -> None:
    """Raises BadInput unless the picture [1, h, w, 3] has the size of the canvas's original."""
    size = original.shape[2], original.shape[1]
    if size != canvas.original:
        raise BadInput(
            "original_image",
            f"has {size[0]}x{size[1]} pixels, but the canvas was made from a picture of "
            f"{canvas.original[0]}x{canvas.original[1]}",
            "connect the picture that went into Loop Start",
        )


def check_origin(image: torch.Tensor, crop: Crop) -> None:
    """Raises BadInput unless `crop` can have been cut from the canvas image [1, H, W, 3]."""
    height, width = image.shape[1:3]
    wide, tall = crop.canvas.size
    if wide < width + crop.grown[0] or tall < height + crop.grown[1]:
        raise BadInput(
            "image",
            f"has {width}x{height} pixels, which do not match the canvas of the crop",
            "connect the image that went into Crop To Object",
        )


def plan_crop(
    mask: torch.Tensor,
    canvas: Canvas,
    pads: tuple[int, int, int, int],
    context: float,
    size: int,
    shape: str = "square",
    largest: int = 0,
) -> Crop:
    """The grown canvas, and the window on it that shows the object with its context.

    mask [1, H, W] is the object on the canvas before it grows, not empty. pads are the pixels
    (left, top, right, bottom) to grow it by. context is the margin on each side as a fraction of
    the object's larger side. The window takes in the new pads and lies inside the grown canvas
    where it fits; a rectangle gives up context for that. `size`, `shape` (of zoom.SHAPES) and
    `largest` decide the crop's own size: see `zoom.crop_size`. Raises BadInput for too large a
    canvas.
    """
    left, top, right, bottom = pads
    width, height = canvas.size[0] + left + right, canvas.size[1] + top + bottom
    check_grown(pads, width, height)
    x0, y0, x1, y1 = shifted(mask_ops.object_box(mask), left, top)
    margin = round(context * max(x1 - x0, y1 - y0))

    def shown(left: int, top: int, right: int, bottom: int) -> Box:
        return inside((x0 - left, y0 - top, x1 + right, y1 + bottom), (width, height))

    wanted = shown(*(max(margin, pad) for pad in pads))
    needed = wanted if shape == "square" else shown(*pads)
    sides = wanted[2] - wanted[0], wanted[3] - wanted[1]
    pixels = zoom.crop_size(sides, size, shape, largest)
    grown_canvas = canvas.but(
        size=(width, height),
        offset=(canvas.offset[0] + left, canvas.offset[1] + top),
        inpainted=tuple(shifted(box, left, top) for box in canvas.inpainted),
    )
    box = zoom.window_of(wanted, needed, pixels, grown_canvas.size)
    return Crop(grown_canvas, box, pixels, (left, top))


def check_grown(pads: tuple[int, int, int, int], width: int, height: int) -> None:
    """Raises BadInput if pads (left, top, right, bottom) make a canvas of too many pixels."""
    if any(pads) and width * height > MOST_PIXELS:
        most = max(zip(pads, ("left", "top", "right", "bottom")))[1]
        raise BadInput(
            most,
            f"and the other pads make a canvas of {width}x{height} pixels",
            f"pad less; a canvas may have {MOST_PIXELS // 10**6} megapixels",
        )


def shifted(box: Box, x: int, y: int) -> Box:
    """A box moved by (x, y) pixels."""
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def unknown_in(canvas: Canvas, box: Box) -> torch.Tensor:
    """Boolean [h, w]: True where this box of the canvas is neither original nor inpainted."""
    return unknown_at(canvas, torch.arange(box[1], box[3]), torch.arange(box[0], box[2]))


def unknown_at(canvas: Canvas, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Boolean [rows, columns] at whole canvas pixels. Beyond the canvas everything is unknown."""
    left, top = canvas.offset
    original = (left, top, left + canvas.original[0], top + canvas.original[1])
    result = torch.ones(len(rows), len(columns), dtype=torch.bool)
    for x0, y0, x1, y1 in (original, *canvas.inpainted):
        known_rows, known_columns = (rows >= y0) & (rows < y1), (columns >= x0) & (columns < x1)
        result &= ~(known_rows[:, None] & known_columns)
    return result


def unknown_in_crop(crop: Crop) -> torch.Tensor:
    """[1, h, w]: 1 where a pixel of the crop covers any unknown pixel of the canvas."""
    x0, y0, x1, y1 = crop.box
    width, height = crop.size
    corners = unknown_at(crop.canvas, ends(y0, y1, height), ends(x0, x1, width))
    return corners.view(height, 2, width, 2).amax((1, 3)).float()[None]


def ends(low: int, high: int, size: int) -> torch.Tensor:
    """The first and last canvas pixel under each of `size` crop pixels between low and high."""
    edges = torch.arange(size + 1, dtype=torch.float64) * ((high - low) / size)
    first, last = edges[:-1].floor(), edges[1:].ceil() - 1
    return low + torch.stack([first, last], 1).flatten().long()


def inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box inside a canvas of (width, height). The two must overlap."""
    return mask_ops.grown_box(box, 0, size)


@interrupts.cancellable
def cut_crop(
    image: torch.Tensor, mask: torch.Tensor, crop: Crop
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The crop's image [1, h, w, 3], mask and padding mask [1, h, w] (0 or 1).

    image [1, H, W, 3] and mask [1, H, W] are the canvas before it grew; `crop` comes from
    `plan_crop`. The padding mask is 1 where nothing is known yet: gray, and to be painted. Pixels
    beyond the canvas are unknown too; they are never pasted back. Thin parts of the mask keep a
    line of pixels.
    """
    padding_mask = unknown_in_crop(crop)
    picture = validate.resize(window(image, crop, repeat=True), crop.size[::-1])
    shown = torch.where(padding_mask[..., None] > 0, UNKNOWN, picture)
    return shown, cut_mask(mask, crop), padding_mask


def of_original(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """A mask [1, H, W] of the original picture in the crop's pixels: [1, h, w], 0 or 1."""
    (x, y), (width, height) = crop.canvas.offset, crop.canvas.size
    around = (x, width - x - mask.shape[2], y, height - y - mask.shape[1])
    return window_mask(F.pad(mask, around), crop)


def inpainted_pixels(image: torch.Tensor, original: torch.Tensor, crop: Crop) -> torch.Tensor:
    """[1, h, w]: 1 where the crop's image differs from the original picture, or lies beyond it.

    image [1, h, w, 3] is the crop, original [1, H, W, 3] the whole input picture.
    """
    part = window(original, crop.but(grown=crop.canvas.offset), repeat=True)
    before = validate.resize(part, crop.size[::-1])
    beyond = unknown_in_crop(crop.but(canvas=crop.canvas.but(inpainted=())))
    return torch.maximum(beyond, ((image - before).abs().amax(-1) > CHANGED).float())


def inpainted_windows(crop: Crop) -> torch.Tensor:
    """[1, h, w]: 1 in the windows of earlier passes."""
    width, height = crop.canvas.size
    done = torch.zeros(1, height, width)
    for x0, y0, x1, y1 in crop.canvas.inpainted:
        done[:, y0:y1, x0:x1] = 1
    return window_mask(done, crop)


def window_mask(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """A mask [1, H, W] of the grown canvas in the crop's pixels: [1, h, w], 0 or 1."""
    return cut_mask(mask, crop.but(grown=(0, 0)))


def cut_mask(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """A mask [1, H, W] of the canvas before it grew in the crop's pixels: [1, h, w], 0 or 1."""
    part = window(mask[..., None], crop, repeat=False)[..., 0]
    return validate.resize_mask(part, crop.size[::-1])


def window(pixels: torch.Tensor, crop: Crop, repeat: bool) -> torch.Tensor:
    """The part [1, s, s, C] of the old canvas [1, H, W, C] in the crop's box, at the same scale.

    Outside the old canvas its edge is repeated, so that no gray bleeds in when the part is
    resized; with repeat=False those pixels are 0.
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


@interrupts.cancellable
def paste_crop(
    image: torch.Tensor,
    modal_mask: torch.Tensor,
    crop: Crop,
    completed: torch.Tensor,
    amodal_mask: torch.Tensor,
    inpaint_mask: torch.Tensor,
    feather: float,
) -> tuple[torch.Tensor, torch.Tensor, Canvas]:
    """The grown canvas image [1, H', W', 3] with the crop's result, its amodal mask, and its map.

    image [1, H, W, 3] and modal_mask [1, H, W] are the canvas before it grew; completed
    [1, h, w, 3], amodal_mask and inpaint_mask [1, h, w] belong to the crop. Each may have been
    enlarged, and is used as it is. Inpainted and unknown pixels are replaced. Around them the
    result fades out within `feather` times the crop's side (a rectangle's: the root of its area).
    Every other pixel stays equal to the bit. The object's mask only ever grows.
    """
    canvas, whole = grown(image, crop, UNKNOWN), grown(modal_mask, crop, 0.0)
    x0, y0, x1, y1 = box = inside(crop.box, crop.canvas.size)
    painted = held_inside(inpaint_mask, crop)
    replaced = to_canvas(painted, crop, box) > 0.5
    replaced |= unknown_in(crop.canvas, box)[None]
    fade = to_canvas(softly(painted, feather * mask_ops.mean_side(painted)), crop, box)
    fade = torch.maximum(fade, replaced.float())[..., None]
    canvas[:, y0:y1, x0:x1].lerp_(to_canvas(completed, crop, box), fade)
    whole[:, y0:y1, x0:x1][to_canvas(amodal_mask, crop, box) > 0.5] = 1
    return canvas, whole, crop.canvas.but(inpainted=(*crop.canvas.inpainted, box))


def held_inside(mask: torch.Tensor, crop: Crop) -> torch.Tensor:
    """A crop's mask [1, h, w] with the nearest pixel inside the canvas wherever it lies beyond.

    What is painted beyond the canvas must not fade into it.
    """
    x0, y0, x1, y1 = crop.box
    index = []
    for low, high, limit, count in (
        (y0, y1, crop.canvas.size[1], mask.shape[1]),
        (x0, x1, crop.canvas.size[0], mask.shape[2]),
    ):
        each = (high - low) / count
        first, last = math.ceil(-low / each - 1e-9), math.floor((limit - low) / each + 1e-9) - 1
        first, last = max(0, first), min(count - 1, last)
        index.append(torch.arange(count).clamp(min(first, last), last))
    return mask[:, index[0]][:, :, index[1]]


def grown(pixels: torch.Tensor, crop: Crop, fill: float) -> torch.Tensor:
    """A copy of the old canvas [1, H, W, ...] on the crop's grown one, padded with `fill`."""
    height, width = pixels.shape[1:3]
    left, top = crop.grown
    if crop.canvas.size == (width, height):
        return pixels.clone()
    wide, tall = crop.canvas.size
    result = pixels.new_full((1, tall, wide, *pixels.shape[3:]), fill)
    result[:, top : top + height, left : left + width] = pixels
    return result


def to_canvas(pixels: torch.Tensor, crop: Crop, box: Box) -> torch.Tensor:
    """A crop's picture [1, h, w, 3] or mask [1, h, w] at the canvas' scale, in a box inside it.

    The picture or mask may have other sides than the crop; it is resized once.
    """
    size = crop.box[3] - crop.box[1], crop.box[2] - crop.box[0]
    x0, y0, x1, y1 = shifted(box, -crop.box[0], -crop.box[1])
    if pixels.ndim == 3:
        return validate.resize(pixels[..., None], size, "bilinear")[:, y0:y1, x0:x1, 0]
    return validate.resize(pixels, size)[:, y0:y1, x0:x1]


def softly(mask: torch.Tensor, width: float) -> torch.Tensor:
    """1 on the mask [1, H, W], falling to 0 at `width` pixels from it."""
    if width < 1:
        return mask
    return (1 - mask_ops.distance_to(mask, width) / width).clamp(0, 1)
