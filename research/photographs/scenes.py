"""Pictures made of cut-outs, with full ground truth: masks, order, and what lies behind.

Everything lies on a sheet: the picture with a margin around it, which shows what the picture's
border cuts off. Layers go from back to front.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]
NOTHING = -1  # the owner of a pixel that shows the background


@dataclass
class Layer:
    """rgba [h, w, 4] uint8, whose top left corner lies at (x, y) on the sheet."""

    label: str
    name: str
    rgba: np.ndarray = field(repr=False)
    x: int
    y: int

    @property
    def mask(self) -> np.ndarray:
        """[h, w] bool: the pixels that belong to the object."""
        return self.rgba[..., 3] > 127

    @property
    def box(self) -> Box:
        height, width = self.rgba.shape[:2]
        return self.x, self.y, self.x + width, self.y + height


@dataclass
class Scene:
    """size: (width, height) of the picture; margin: of the sheet around it, in pixels.

    background [H, W, 3] uint8 on the sheet; query: the number of its layer.
    """

    kind: str
    number: int
    seed: int
    size: tuple[int, int]
    margin: int
    background: np.ndarray = field(repr=False)
    layers: list[Layer] = field(repr=False)
    query: int

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the sheet."""
        return self.size[1] + 2 * self.margin, self.size[0] + 2 * self.margin

    @property
    def window(self) -> tuple[slice, slice]:
        """The picture on the sheet."""
        return tuple(slice(self.margin, self.margin + side) for side in self.size[::-1])

    @property
    def label(self) -> str:
        return self.layers[self.query].label

    @cached_property
    def hiders(self) -> list[int]:
        """The layers in front of the query that cover a part of it."""
        return [i for i in range(self.query + 1, len(self.layers)) if self.hides(i, self.query)]

    def hides(self, front: int, back: int) -> bool:
        """Does a layer lie in front of another one and cover a part of it?"""
        if front <= back:
            return False
        return bool((self.amodal_in(front, self.layers[back].box) & self.layers[back].mask).any())

    def amodal_in(self, i: int, box: Box) -> np.ndarray:
        """The whole mask of a layer in a box of the sheet."""
        x0, y0, x1, y1 = box
        out = np.zeros((y1 - y0, x1 - x0), bool)
        left, top, right, bottom = self.layers[i].box
        a, b, c, d = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
        if c > a and d > b:
            part = self.layers[i].mask[b - top : d - top, a - left : c - left]
            out[b - y0 : d - y0, a - x0 : c - x0] = part
        return out

    @cached_property
    def amodal(self) -> np.ndarray:
        """[H, W] bool on the sheet: the whole query."""
        height, width = self.shape
        return self.amodal_in(self.query, (0, 0, width, height))

    @cached_property
    def modal(self) -> np.ndarray:
        """[H, W] bool on the sheet: the visible pixels of the query."""
        seen = np.zeros(self.shape, bool)
        seen[self.window] = self.owners[self.window] == self.query
        return seen

    @property
    def hidden(self) -> float:
        """The part of the query that is covered or cut off, 0..1."""
        return 1 - float(self.modal.sum() / self.amodal.sum())

    @cached_property
    def sheet(self) -> np.ndarray:
        """[H, W, 3] uint8: all layers, also beyond the picture's border."""
        return render(self.background, self.layers)

    @property
    def picture(self) -> np.ndarray:
        """[h, w, 3] uint8: what the workflow gets."""
        return self.sheet[self.window]

    @cached_property
    def owners(self) -> np.ndarray:
        """[H, W] int16 on the sheet: the layer that each pixel shows."""
        return owners(self.shape, self.layers)

    @cached_property
    def truth(self) -> np.ndarray:
        """[H, W, 3] uint8: the sheet without the layers that hide the query."""
        return render(self.background, self.layers, leave_out=self.hiders)

    @cached_property
    def true_owners(self) -> np.ndarray:
        """[H, W] int16: the layer that each pixel of `truth` shows."""
        return owners(self.shape, self.layers, leave_out=self.hiders)

    @cached_property
    def point(self) -> tuple[int, int]:
        """(x, y) in the picture, deep inside the query's visible part: a person's click."""
        from scipy.ndimage import distance_transform_edt

        depth = distance_transform_edt(np.pad(self.modal[self.window], 1))[1:-1, 1:-1]
        y, x = divmod(int(depth.argmax()), self.size[0])
        return x, y


def render(background: np.ndarray, layers: list[Layer], leave_out=()) -> np.ndarray:
    """The layers on a background [H, W, 3] uint8."""
    sheet = background.copy()
    for number, layer in enumerate(layers):
        if number in leave_out:
            continue
        there, here = overlap(sheet.shape[:2], layer)
        part = layer.rgba[here].astype(np.float32)
        alpha = part[..., 3:] / 255
        mixed = part[..., :3] * alpha + sheet[there] * (1 - alpha)
        sheet[there] = (mixed + 0.5).astype(np.uint8)
    return sheet


def owners(shape: tuple[int, int], layers: list[Layer], leave_out=()) -> np.ndarray:
    result = np.full(shape, NOTHING, np.int16)
    for number, layer in enumerate(layers):
        if number not in leave_out:
            there, here = overlap(shape, layer)
            result[there][layer.mask[here]] = number
    return result


def overlap(shape: tuple[int, int], layer: Layer):
    """The layer's place on a sheet, and the part of the layer that lies there, as slices."""
    x0, y0, x1, y1 = layer.box
    left, top, right, bottom = max(0, x0), max(0, y0), min(shape[1], x1), min(shape[0], y1)
    right, bottom = max(left, right), max(top, bottom)
    there = slice(top, bottom), slice(left, right)
    return there, (slice(top - y0, bottom - y0), slice(left - x0, right - x0))


def scaled(picture: Image.Image, side: float, angle: float = 0, mirror: bool = False):
    """A cut-out [h, w, 4] uint8 with a longer side of `side` pixels, turned by degrees.

    Colours are resized weighted by alpha, so that the outline shows no fringe.
    """
    pixels = np.asarray(picture, np.float32)[:, :: -1 if mirror else 1] / 255
    pixels = np.dstack([pixels[..., :3] * pixels[..., 3:], pixels[..., 3]])
    factor = side / max(pixels.shape[:2])
    size = tuple(max(2, round(length * factor)) for length in pixels.shape[1::-1])
    channels = [
        Image.fromarray(np.ascontiguousarray(pixels[..., c]))
        .resize(size, Image.Resampling.BICUBIC)
        .rotate(angle, Image.Resampling.BICUBIC, expand=True)
        for c in range(4)
    ]
    alpha = np.asarray(channels[3]).clip(0, 1)
    colour = np.stack([np.asarray(channel) for channel in channels[:3]], -1)
    colour = colour / np.maximum(alpha, 1 / 255)[..., None]
    rgba = (np.dstack([colour, alpha]).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    rows, columns = (np.flatnonzero((rgba[..., 3] > 8).any(axis)) for axis in (1, 0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
