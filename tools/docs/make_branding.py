"""Draws docs/images/icon.png and banner.png, for the registry, from the pack's own stickers.

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
    picture = Image.open(ART / f"{name}.webp").convert("RGBA")
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def half_seen(name: str, side: int) -> Image.Image:
    """A sticker whose right half is only its outline: what amodal completion fills in."""
    whole = sticker(name, side)
    alpha = whole.getchannel("A")
    wide = alpha.filter(ImageFilter.MaxFilter(2 * (side // 80) + 1))
    rim = np.asarray(wide, int) - np.asarray(alpha.filter(ImageFilter.MinFilter(3)), int) > 90
    y, x = np.indices(rim.shape)
    dashes = (x + y) // (side // 22) % 2 == 0
    hidden = x > 0.52 * side
    seen = np.asarray(whole).copy()
    seen[hidden] = 0
    seen[hidden & rim & dashes] = (*INK, 255)
    return Image.fromarray(seen)


def backdrop(width: int, height: int) -> Image.Image:
    fade = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(SKY) * (1 - fade) + np.array(GROUND) * fade
    return Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))


def icon() -> Image.Image:
    page = backdrop(400, 400)
    elephant = half_seen("elephant", 340)
    page.paste(elephant, (30, 30), elephant)
    return page


def banner() -> Image.Image:
    page = backdrop(2100, 900)
    draw = ImageDraw.Draw(page)
    for left, name in ((1000, "elephant"), (1530, "camera")):
        shown = half_seen(name, 520)
        page.paste(shown, (left, 190), shown)
    draw.text((110, 300), "Amodal", INK, font=ImageFont.load_default(150))
    draw.text((110, 450), "Completion", INK, font=ImageFont.load_default(150))
    draw.text(
        (116, 640), "the whole of what a picture half shows", INK, font=ImageFont.load_default(44)
    )
    return page


if __name__ == "__main__":
    for name, picture in (("icon", icon()), ("banner", banner())):
        picture.quantize(192).save(DOCS / f"{name}.png", optimize=True)
        print(f"docs/{name}.png")
