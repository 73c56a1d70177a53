"""Draws masks (colours, translucent areas with outlines, names) and grids of pictures."""

import colorsys
import math

import numpy as np
import torch

from . import interrupts, mask_ops, validate

QUERY_COLOUR = (0.15, 0.8, 0.3)
CONTRAST_COLOUR = (0.95, 0.25, 0.2)  # beside the query: occluders, what has grown, what is hidden


def colour(index: int) -> tuple[float, float, float]:
    """The index-th colour of a series in which neighbours are easy to tell apart."""
    hue = (0.08 + index * 0.618034) % 1
    return colorsys.hsv_to_rgb(hue, 0.75, 1.0 if index % 2 == 0 else 0.85)


def coloured(clusters: torch.Tensor) -> torch.Tensor:
    """A picture [1, H, W, 3] of clusters [n, H, W], each in a colour of its own."""
    tints = torch.tensor([colour(number) for number in range(len(clusters))])
    return torch.einsum("nhw,nc->hwc", clusters.cpu(), tints)[None]


def overlay(
    image: torch.Tensor,
    masks: torch.Tensor,
    names: list[str] | None = None,
    colours=None,
    strength: float = 0.4,
) -> torch.Tensor:
    """Image [1, H, W, 3] with masks [n, H, W] as translucent areas with outlines and names.

    Pictures with a shorter side below 256 pixels get no names.
    """
    drawn = image.clone()
    height, width = image.shape[1:3]
    line = max(1, round(max(height, width) / 256))
    for i, mask in enumerate(masks):
        box = mask_ops.box_of(mask)
        if box is None:
            continue
        tint = torch.tensor(colours[i] if colours else colour(i))
        x0, y0, x1, y1 = mask_ops.grown_box(box, line, (width, height))
        area = mask_ops.hard(mask[y0:y1, x0:x1])
        rim = area & (mask_ops.erode(area, line) < 0.5)
        part = drawn[0, y0:y1, x0:x1]
        part[area] = part[area].lerp(tint, strength)
        part[rim] = tint
    return with_names(drawn, masks, names) if names else drawn


def with_names(image: torch.Tensor, masks: torch.Tensor, names: list[str]) -> torch.Tensor:
    """Image [1, H, W, 3] with each name in the middle of its mask."""
    height, width = image.shape[1:3]
    if min(height, width) < 256:
        return image
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray((image[0] * 255).round().byte().cpu().numpy())
    draw = ImageDraw.Draw(picture)
    size = max(12, round(min(height, width) / 30))
    font = ImageFont.load_default(size)
    for mask, name in zip(masks, names):
        interrupts.check()
        box = mask_ops.box_of(mask)
        if box is None or not name.isascii():
            continue
        draw.text(
            mask_ops.centre_of(mask, box),
            name,
            fill="white",
            font=font,
            anchor="mm",
            stroke_width=max(1, size // 10),
            stroke_fill=(30, 30, 30),
        )
    return torch.from_numpy(np.asarray(picture).copy())[None].float() / 255


def grid(
    pictures: list[torch.Tensor],
    labels: list[str],
    title: str = "",
    columns: int = 0,
    cell: int = 256,
) -> np.ndarray:
    """Pictures [H, W, 3 or 4] (0..1) in rows with a label under each: [H, W, 3] float32, 0..1.

    A picture without a label gets its number. columns: 0 makes the grid as square as possible.
    cell: the larger side of each picture in the grid, in pixels.
    """
    from PIL import Image, ImageDraw, ImageFont

    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows, gap = math.ceil(len(pictures) / columns), max(4, cell // 16)
    points = max(11, cell // 14)
    font, head = ImageFont.load_default(points), ImageFont.load_default(cell // 10)
    under, above = max(18, cell // 8), (cell // 6 if title else 0)
    width = columns * (cell + gap) + gap
    page = Image.new("RGB", (width, above + rows * (cell + under + gap) + gap), "white")
    draw = ImageDraw.Draw(page)
    draw.text((gap, gap), title, "black", font=head)
    for number, picture in enumerate(pictures):
        interrupts.check()
        left = gap + number % columns * (cell + gap)
        top = above + gap + number // columns * (cell + under + gap)
        tile = on_chequers(picture, cell)
        page.paste(tile, (left + (cell - tile.width) // 2, top + (cell - tile.height) // 2))
        label = labels[number] if number < len(labels) else str(number + 1)
        line = label.splitlines()[0] if label else ""
        wide = draw.textlength(line, font) / (cell + gap // 2)  # wider labels get a smaller font
        fitted_font = font if wide <= 1 else ImageFont.load_default(max(6, points / wide))
        draw.text(
            (left + cell // 2, top + cell + under // 2),
            line,
            "black",
            font=fitted_font,
            anchor="mm",
        )
    return np.asarray(page, np.float32) / 255


def on_chequers(picture: torch.Tensor, side: int):
    """A PIL picture of [H, W, 3 or 4], `side` at its larger side, on chequers if transparent."""
    from PIL import Image

    array = (picture.detach().cpu().float().clamp(0, 1) * 255).round().byte().numpy()
    scale = side / max(array.shape[:2])
    width, height = (max(1, round(length * scale)) for length in array.shape[1::-1])
    shown = Image.fromarray(array).convert("RGBa").resize((width, height), Image.Resampling.BICUBIC)
    y, x = np.indices((height, width)) // max(4, side // 16)
    ground = Image.fromarray(np.where((x + y) % 2, 232, 255).astype(np.uint8)).convert("RGBA")
    ground.alpha_composite(shown.convert("RGBA"))
    return ground.convert("RGB")


def fitted(image: torch.Tensor, side: int) -> torch.Tensor:
    """[1, H, W, C] scaled down to a longer side of at most `side` pixels."""
    height, width = image.shape[1:3]
    scale = min(1.0, side / max(height, width))
    return validate.resize(image, small_size(height, width, scale), "bilinear")


def small_size(height: int, width: int, scale: float) -> tuple[int, int]:
    return max(1, round(height * scale)), max(1, round(width * scale))


def thumbnail(image: torch.Tensor, mask: torch.Tensor, side: int = 512) -> torch.Tensor:
    """Image [1, H, W, 3] with the outline of mask [1, H, W], at most `side` pixels: [h, w, 3]."""
    small = fitted(image, side)
    cover = validate.resize(mask[..., None], validate.picture_size(small), "bilinear")[..., 0]
    return overlay(small, (cover > 0.5).float(), colours=[QUERY_COLOUR], strength=0.1)[0]


def veil(mask: torch.Tensor, side: int, strength: float = 0.45) -> torch.Tensor:
    """Mask [1, H, W] as a translucent colour to lay over its picture: RGBA [h, w, 4]."""
    cover = fitted(mask[..., None], side)[0]
    return torch.cat([torch.tensor(QUERY_COLOUR).expand(*cover.shape[:2], 3), cover * strength], -1)


def index_map(masks: torch.Tensor, side: int) -> torch.Tensor:
    """Which of masks [n, H, W] covers each pixel: uint8 [h, w], number + 1, 0 = none; at most 255.

    Of overlapping objects the smallest shows, because a click takes that one. Each pixel holds the
    mask's value at its middle, rounded to FRACTION_DIGITS, as a click there is read.
    """
    height, width = masks.shape[-2:]
    h, w = small_size(height, width, min(1.0, side / max(height, width)))
    rows = (middles(h) * height).long().clamp_(max=height - 1)
    columns = (middles(w) * width).long().clamp_(max=width - 1)
    result = torch.zeros(h, w, dtype=torch.uint8)
    areas = torch.tensor([mask_ops.area(mask) for mask in masks])
    for i in reversed(torch.argsort(areas, stable=True).tolist()):
        interrupts.check()
        if i < 255:
            result[mask_ops.hard(masks[i][rows][:, columns])] = i + 1
    return result


FRACTION_DIGITS = 5  # js/pick_object.js writes so many


def middles(count: int) -> torch.Tensor:
    """The middles of `count` pixels in a row as fractions 0..1, rounded half up."""
    scale = 10**FRACTION_DIGITS
    exact = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return (exact * scale + 0.5).floor() / scale
