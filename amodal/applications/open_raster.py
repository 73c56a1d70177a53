"""Layers as a file that image editors open: OpenRaster (.ora), which Krita and GIMP read.

The format: a zip archive of `mimetype` (first, stored), `stack.xml`, a PNG for each layer, the
merged picture, and a thumbnail (www.openraster.org).
"""

from __future__ import annotations

import io
import re
import zipfile
from xml.sax.saxutils import quoteattr

import torch

from .scene_layers import Layer

THUMBNAIL = 256  # its longer side, in pixels
MYPAINT = "http://mypaint.org/ns/openraster"
UNSPEAKABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML


def open_raster(layers: list[Layer], merged: torch.Tensor) -> bytes:
    """The bytes of an .ora file of layers from back to front; merged [H, W, 3] is their picture."""
    from PIL import Image

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "image/openraster", zipfile.ZIP_STORED)
        archive.writestr("stack.xml", stack(layers, (merged.shape[0], merged.shape[1])))
        for number, layer in enumerate(layers):
            archive.writestr(path_of(number), png(layer.image), zipfile.ZIP_STORED)
        whole = png(merged)
        archive.writestr("mergedimage.png", whole, zipfile.ZIP_STORED)
        small = Image.open(io.BytesIO(whole))
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        thumbnail = io.BytesIO()
        small.save(thumbnail, "PNG")
        archive.writestr("Thumbnails/thumbnail.png", thumbnail.getvalue(), zipfile.ZIP_STORED)
    return buffer.getvalue()


def path_of(number: int) -> str:
    """A layer's picture inside the archive."""
    return f"data/layer{number:03}.png"


def stack(layers: list[Layer], size: tuple[int, int]) -> str:
    """The text of stack.xml for a picture of (height, width): the topmost layer comes first."""
    lines = []
    for number, layer in reversed(list(enumerate(layers))):
        name = quoteattr(UNSPEAKABLE.sub("", layer.name))
        place = f'src="{path_of(number)}" x="{layer.x}" y="{layer.y}"'
        look = 'opacity="1.0" visibility="visible" composite-op="svg:src-over"'
        lines.append(f"  <layer name={name} {place} {look}/>")
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<image version="0.0.5" w="{size[1]}" h="{size[0]}"',
            # as the format says: MyPaint would blend soft edges in linear light
            f'       xmlns:mypaint="{MYPAINT}" mypaint:eotf="1.0">',
            " <stack>",
            *lines,
            " </stack>",
            "</image>\n",
        ]
    )


def png(image: torch.Tensor) -> bytes:
    """A picture [h, w, 3 or 4] (0 to 1) as a PNG of 8 bits."""
    from PIL import Image

    buffer = io.BytesIO()
    pixels = (image.clamp(0, 1) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
