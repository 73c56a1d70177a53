"""Draws the demo's contact sheet: one row for each scene, one column for each step."""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

TILE, GAP, MARGIN = 232, 14, 36
HEAD, COLUMN_HEAD, ROW_HEAD, CAPTION = 150, 60, 46, 46
PAPER, INK, FAINT, FRAME, CHOSEN = "#fbfaf7", "#22262b", "#6b7077", "#d9d6cf", "#2563eb"
CHECKS = ("#ffffff", "#e9e7e2")
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass
class Row:
    """A row: `title`, `line` beside it, and tiles (caption, picture or None) below."""

    title: str
    line: str
    tiles: list[tuple[str, Image.Image | None]] = field(default_factory=list)


def sheet(title: str, line: str, heads: list[tuple[str, int]], rows: list[Row]) -> Image.Image:
    """An RGB picture with a title, a text of two lines, the heads of the columns, and all rows.

    heads: (text, number of columns that it stands above).
    """
    columns = max(sum(span for _, span in heads), *(len(row.tiles) for row in rows))
    size = (
        2 * MARGIN + columns * TILE + (columns - 1) * GAP,
        MARGIN + HEAD + COLUMN_HEAD + len(rows) * (ROW_HEAD + TILE + CAPTION),
    )
    page = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, MARGIN - 8), title, INK, font(44))
    draw.text((MARGIN, MARGIN + 54), line, FAINT, font(26))
    draw_heads(draw, heads, MARGIN + HEAD)
    for number, row in enumerate(rows):
        top = MARGIN + HEAD + COLUMN_HEAD + number * (ROW_HEAD + TILE + CAPTION)
        draw_row(page, draw, row, top)
    return page


def draw_heads(draw: ImageDraw.ImageDraw, heads: list[tuple[str, int]], top: int) -> None:
    """Writes the heads, each above a line as wide as its columns."""
    left = MARGIN
    for text, span in heads:
        width = span * TILE + (span - 1) * GAP
        draw.text((left + width / 2, top), text, INK, font(27), anchor="ma")
        draw.line((left, top + 37, left + width - 1, top + 37), INK, 2)
        left += width + GAP


def draw_row(page: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    """Draws a row on the page, `top` pixels from its upper edge."""
    title = font(29)
    draw.text((MARGIN, top), row.title, INK, title)
    left = MARGIN + draw.textlength(row.title, title) + 16
    draw.text((left, top + 3), row.line, FAINT, font(26))
    upper = top + ROW_HEAD
    for column, (caption, picture) in enumerate(row.tiles):
        left = MARGIN + column * (TILE + GAP)
        if picture is not None:
            page.paste(tile(picture), (left, upper))
            draw.rectangle((left, upper, left + TILE - 1, upper + TILE - 1), outline=FRAME)
        text = fitting(draw, caption, font(24))
        draw.text((left + TILE / 2, upper + TILE + 3), text, FAINT, font(24), anchor="ma")


def tile(picture: Image.Image, side: int = TILE) -> Image.Image:
    """The picture, scaled to fit a square, on a chequered background."""
    ground = chequered(side)
    factor = side / max(picture.size)
    width, height = picture.size
    size = max(1, round(width * factor)), max(1, round(height * factor))
    picture = picture.convert("RGBa").resize(size, Image.Resampling.BICUBIC).convert("RGBA")
    at = ((side - size[0]) // 2, (side - size[1]) // 2)
    ground.paste(picture, at, picture)
    return ground


def mosaic(pictures: list[Image.Image], chosen: int) -> Image.Image:
    """Pictures two by two in one tile, with a frame around number `chosen`."""
    side = TILE // 2
    page = Image.new("RGB", (TILE, TILE), PAPER)
    draw = ImageDraw.Draw(page)
    for number, picture in enumerate(pictures):
        page.paste(tile(picture, side), (number % 2 * side, number // 2 * side))
    left, upper = chosen % 2 * side, chosen // 2 * side
    draw.rectangle((left, upper, left + side - 1, upper + side - 1), outline=CHOSEN, width=4)
    return page


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
