"""Pictures of masks: colours, translucent areas with outlines, and names."""

import colorsys

import torch

from . import masks as algebra


def colour(index: int) -> tuple[float, float, float]:
    """The index-th of an endless row of colours that are easily told apart."""
    hue = (0.08 + index * 0.618034) % 1
    return colorsys.hsv_to_rgb(hue, 0.75, 1.0 if index % 2 == 0 else 0.85)


def overlay(
    image: torch.Tensor, masks: torch.Tensor, names: list[str] | None = None, colours=None,
    strength: float = 0.4,
) -> torch.Tensor:
    """Image [1, H, W, 3] with masks [n, H, W] as translucent areas with outlines and names.

    Names are left out of pictures too small to read them in (shorter side below 256).
    """
    drawn = image.clone()
    height, width = image.shape[1:3]
    line = max(1, round(max(height, width) / 256))
    for i, mask in enumerate(masks):
        box = algebra.box_of(mask)
        if box is None:
            continue
        tint = torch.tensor(colours[i] if colours else colour(i))
        x0, y0, x1, y1 = algebra.grown_box(box, line, (width, height))
        area = mask[y0:y1, x0:x1] > 0.5
        rim = area & (algebra.erode(area.float(), line) < 0.5)
        part = drawn[0, y0:y1, x0:x1]
        part[area] = part[area].lerp(tint, strength)
        part[rim] = tint
    return with_names(drawn, masks, names) if names else drawn


def with_names(image: torch.Tensor, masks: torch.Tensor, names: list[str]) -> torch.Tensor:
    """Image [1, H, W, 3] with each name in the middle of its mask."""
    height, width = image.shape[1:3]
    if min(height, width) < 256:
        return image
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray((image[0] * 255).round().byte().cpu().numpy())
    draw = ImageDraw.Draw(picture)
    size = max(12, round(min(height, width) / 30))
    font = ImageFont.load_default(size)
    for mask, name in zip(masks, names):
        place = (mask > 0.5).nonzero().float()
        if not len(place) or not name.isascii():
            continue
        y, x = place.mean(0).tolist()
        draw.text(
            (x, y), name, fill="white", font=font, anchor="mm",
            stroke_width=max(1, size // 10), stroke_fill=(30, 30, 30),
        )
    return torch.from_numpy(np.asarray(picture).copy())[None].float() / 255
