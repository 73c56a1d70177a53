"""Draws the demo's contact sheet: one row for each scene, with its steps from left to right."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

TILE, GAP, MARGIN = 190, 18, 40
HEAD, ROW_HEAD, CAPTION, FOOT = 96, 34, 26, 40
PAPER, INK, FAINT, FRAME = "#fbfaf7", "#22262b", "#7b8087", "#d9d6cf"
CHECKS = ("#ffffff", "#e9e7e2")
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass
class Row:
    """A row: `title` in bold, `line` beside it, and tiles (caption, picture) below."""

    title: str
    line: str
    tiles: list[tuple[str, Image.Image]] = field(default_factory=list)


def sheet(title: str, line: str, rows: list[Row]) -> Image.Image:
    """An RGB picture with a title, a line below it, and all rows, aligned to the left."""
    columns = max(len(row.tiles) for row in rows)
    row_height = ROW_HEAD + TILE + CAPTION + GAP
    size = (
        2 * MARGIN + columns * TILE + (columns - 1) * GAP,
        MARGIN + HEAD + len(rows) * row_height + FOOT,
    )
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN - 6), title, INK, font=font(32))
    draw.text((MARGIN, MARGIN + 40), line, FAINT, font=font(17))
    for number, row in enumerate(rows):
        draw_row(page, draw, row, MARGIN + HEAD + number * row_height)
    return page


def draw_row(page: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    """Draws a row on the page, `top` pixels from its upper edge."""
    bold = font(20)
    draw.text((MARGIN, top), row.title, INK, font=bold)
    draw.text((MARGIN + draw.textlength(row.title, bold) + 14, top + 3), row.line, FAINT, font(16))
    for column, (caption, picture) in enumerate(row.tiles):
        left, upper = MARGIN + column * (TILE + GAP), top + ROW_HEAD
        page.paste(tile(picture), (left, upper))
        draw.rectangle((left, upper, left + TILE - 1, upper + TILE - 1), outline=FRAME)
        draw.text((left, upper + TILE + 5), fitting(draw, caption, font(15)), FAINT, font(15))


def tile(picture: Image.Image) -> Image.Image:
    """The picture, scaled to fit a TILE x TILE square, on a chequered background."""
    ground = chequered(TILE)
    factor = TILE / max(picture.size)
    width, height = picture.size
    size = max(1, round(width * factor)), max(1, round(height * factor))
    picture = picture.convert("RGBa").resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    at = ((TILE - size[0]) // 2, (TILE - size[1]) // 2)
    ground.paste(picture, at, picture)
    return ground


def chequered(side: int, cell: int = 12) -> Image.Image:
    """A chequered square, as background of transparent pictures."""
    ground = Image.new("RGB", (side, side), CHECKS[0])
    draw = ImageDraw.Draw(ground)
    for y in range(0, side, cell):
        for x in range(0, side, cell):
            if (x // cell + y // cell) % 2:
                draw.rectangle((x, y, x + cell - 1, y + cell - 1), CHECKS[1])
    return ground


def fitting(draw: ImageDraw.ImageDraw, text: str, typeface: Font) -> str:
    """The text, shortened with "..." if it is wider than a tile."""
    if draw.textlength(text, typeface) <= TILE:
        return text
    while text and draw.textlength(text + "...", typeface) > TILE:
        text = text[:-1]
    return text.rstrip() + "..."


def font(size: int) -> Font:
    """Pillow's built-in font."""
    return ImageFont.load_default(size)
