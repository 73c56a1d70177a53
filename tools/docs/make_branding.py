"""Draws the registry's icon.png and banner.png in docs/images/ from the pack's stickers.

python -m tools.docs.make_branding
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

ROOT = Path(__file__).resolve().parents[2]
ART, DOCS = ROOT / "amodal" / "stickers" / "art", ROOT / "docs" / "images"
SKY, GROUND, INK = (232, 238, 246), (214, 224, 238), (44, 52, 66)


def sticker(name: str, side: int) -> Image.Image:
    """An RGBA sticker, `side` pixels wide and high."""
    picture = Image.open(ART / f"{name}.webp").convert("RGBA")
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def half_hidden(name: str, side: int) -> Image.Image:
    """A sticker with its right half replaced by a dashed outline."""
    whole = sticker(name, side)
    alpha = whole.getchannel("A")
    wide = alpha.filter(ImageFilter.MaxFilter(2 * (side // 80) + 1))
    rim = np.asarray(wide, int) - np.asarray(alpha.filter(ImageFilter.MinFilter(3)), int) > 90
    y, x = np.indices(rim.shape)
    dashes = (x + y) // (side // 22) % 2 == 0
    hidden = x > 0.52 * side
    pixels = np.asarray(whole).copy()
    pixels[hidden] = 0
    pixels[hidden & rim & dashes] = (*INK, 255)
    return Image.fromarray(pixels)


def backdrop(width: int, height: int) -> Image.Image:
    fade = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(SKY) * (1 - fade) + np.array(GROUND) * fade
    return Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))


def icon() -> Image.Image:
    page = backdrop(400, 400)
    elephant = half_hidden("elephant", 340)
    page.paste(elephant, (30, 30), elephant)
    return page


def banner() -> Image.Image:
    page = backdrop(2100, 900)
    draw = ImageDraw.Draw(page)
    for left, name in ((1000, "elephant"), (1530, "camera")):
        picture = half_hidden(name, 520)
        page.paste(picture, (left, 190), picture)
    draw.text((110, 300), "Amodal", INK, font=ImageFont.load_default(150))
    draw.text((110, 450), "Completion", INK, font=ImageFont.load_default(150))
    draw.text(
        (116, 640),
        "completes partly hidden objects in pictures",
        INK,
        font=ImageFont.load_default(44),
    )
    return page


if __name__ == "__main__":
    for name, picture in (("icon", icon()), ("banner", banner())):
        picture.quantize(192).save(DOCS / f"{name}.png", optimize=True)
        print(f"docs/images/{name}.png")
