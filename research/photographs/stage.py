"""What the pictures of a run show. The stand-ins ask it; nothing is hidden in the pictures.

Wrapper nodes register the crops, painted crops and canvases of the run by the digest of their
pixels. A picture that a stand-in gets is looked up by its own digest. A part of a known picture is
found by comparing pixels, and whatever the pack resizes is registered too, so the pack may show
windows to its segmenter at any scale. After each pass the stage marks what was painted on the
sheet, so that later crops show the truth there and the original elsewhere.
"""

from __future__ import annotations

import hashlib
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import torch
from scipy import ndimage

from .scenes import NOTHING, Layer, Scene, overlap, owners, render

SPENT: list[float] = [0.0]  # processor seconds in stand-ins, which stand for the nets


@dataclass
class Content:
    """What the painter paints: sheets as of `Scene`, and the mask the object then has."""

    picture: np.ndarray
    owners: np.ndarray
    amodal: np.ndarray
    labels: list[str]


@dataclass
class View:
    """A picture of the run. owners [h, w] int16: the layer that each pixel shows.

    number: 0 for the input picture, then in order of appearance. painted: it came from the painter.
    seen: its objects, once someone has looked for them.
    """

    owners: np.ndarray
    number: int
    painted: bool
    pixels: np.ndarray = field(repr=False)
    seen: list | None = field(default=None, repr=False)


class Unknown(LookupError):
    """A stand-in got a picture that is no part of a registered one."""


class Stage:
    """The run of a scene. content: what the painter paints in place of the scene's truth."""

    def __init__(self, scene: Scene, content: Content | None = None):
        self.scene = scene
        self.content = content or truth_of(scene)
        self.done = np.zeros(scene.shape, bool)  # painted by earlier passes
        self.allowed = np.zeros(scene.shape, bool)  # where any pass might change a pixel
        self.views: dict[str, View] = {}
        self.crop: tuple = ()  # (image [1, h, w, 3], crop) of the current pass
        picture = scene.owners[scene.window]
        self.add(torch.from_numpy(scene.picture.astype(np.float32) / 255), picture, False)

    def add(self, image: torch.Tensor, shown: np.ndarray, painted: bool) -> None:
        """Registers a picture [h, w, 3]."""
        pixels = np.ascontiguousarray(image.numpy(), np.float32)
        view = View(shown, len(self.views), painted, pixels)
        self.views.setdefault(digest(pixels), view)

    def view(self, image: torch.Tensor) -> View:
        """The view of a picture [h, w, 3] or of a part of one. Raises Unknown."""
        pixels = np.ascontiguousarray(image[..., :3].float().numpy())
        known = self.views.get(digest(pixels))
        if known is not None:
            return known
        for view in reversed(list(self.views.values())):
            place = found_in(pixels, view.pixels)
            if place is not None:
                return replace(view, owners=view.owners[place], pixels=pixels, seen=None)
        raise Unknown(f"a picture of {tuple(pixels.shape)} that no wrapper registered")

    @contextmanager
    def watching(self):
        """Registers the pictures that the pack resizes in here, if they are parts of known ones."""
        modules = [m for name, m in sys.modules.items() if name.endswith("amodal.core.validate")]
        resize = [module.resize for module in modules]

        def told(original, images, size, *words, **named):
            result = original(images, size, *words, **named)
            if images.ndim == 4 and images.shape[-1] == 3 and result is not images:
                with not_counted(), suppress(Unknown):
                    view = self.view(images[0])
                    rows, columns = (
                        ((np.arange(new) + 0.5) * old / new).astype(int)
                        for new, old in zip(size, view.owners.shape)
                    )
                    self.add(result[0], view.owners[np.ix_(rows, columns)], view.painted)
            return result

        for module, original in zip(modules, resize):
            module.resize = partial(told, original)
        try:
            yield
        finally:
            for module, original in zip(modules, resize):
                module.resize = original

    # --- the crop's map

    def places(self, crop) -> tuple[np.ndarray, np.ndarray]:
        """The sheet's rows and columns under the crop's pixels, at their centres."""
        x0, y0, x1, y1 = crop.box
        shift_x, shift_y = (self.scene.margin - offset for offset in crop.canvas.offset)
        width, height = crop.size
        columns = x0 + (np.arange(width) + 0.5) * ((x1 - x0) / width) + shift_x
        rows = y0 + (np.arange(height) + 0.5) * ((y1 - y0) / height) + shift_y
        return np.floor(rows).astype(int), np.floor(columns).astype(int)

    def shown_in(self, crop, painting: np.ndarray | None = None) -> np.ndarray:
        """Owners [h, w] of a crop's pixels. painting [h, w] bool: painted in this pass."""
        places = self.places(crop)
        done = sampled(self.done, places, False)
        if painting is not None:
            done = done | painting
        before = sampled(self.before, places, NOTHING)
        return np.where(done, sampled(self.content.owners, places, NOTHING), before)

    @cached_property
    def before(self) -> np.ndarray:
        """Owners on the sheet, NOTHING beyond the picture's border."""
        result = np.full(self.scene.shape, NOTHING, np.int16)
        result[self.scene.window] = self.scene.owners[self.scene.window]
        return result

    def painting_in(self, crop) -> torch.Tensor:
        """What the painter paints, [h, w, 3] in 0..1, in the crop."""
        x0, y0, x1, y1 = crop.box
        shift_x, shift_y = (self.scene.margin - offset for offset in crop.canvas.offset)
        rows, columns = np.arange(y0, y1) + shift_y, np.arange(x0, x1) + shift_x
        part = torch.from_numpy(sampled(self.content.picture, (rows, columns), None)).float()
        part = (part / 255).permute(2, 0, 1)[None]
        resized = torch.nn.functional.interpolate(
            part, size=crop.size[::-1], mode="bilinear", antialias=True
        )
        return resized[0].permute(1, 2, 0).clamp(0, 1)

    def amodal_in(self, crop) -> torch.Tensor:
        """[h, w] float, 0 or 1: the whole object, as it is painted, in the crop."""
        return torch.from_numpy(sampled(self.content.amodal, self.places(crop), False)).float()

    def pasted(self, canvas: torch.Tensor, crop, inpaint_mask: torch.Tensor, feather: float):
        """Marks what a pass has changed on its canvas [1, H, W, 3], and registers the canvas."""
        mask, size = inpaint_mask[0].numpy() > 0.5, max(crop.size)
        distance = ndimage.distance_transform_edt(~mask)
        softened = 2 + 2 * max(1.0, size / max(crop.box[2] - crop.box[0], 1))  # by resizing
        self.mark(self.done, distance <= 1, crop)
        self.mark(self.allowed, distance <= softened + feather * size, crop)
        self.done &= ~self.unchanged(canvas, crop.canvas)
        self.add(canvas[0], self.shown_on(crop.canvas), painted=False)

    def shown_on(self, the_map) -> np.ndarray:
        """Owners [H, W] of a canvas' pixels."""
        x, y = (self.scene.margin - offset for offset in the_map.offset)
        places = np.arange(the_map.size[1]) + y, np.arange(the_map.size[0]) + x
        painted = sampled(self.content.owners, places, NOTHING)
        before = sampled(self.before, places, NOTHING)
        return np.where(sampled(self.done, places, False), painted, before)

    def mark(self, target: np.ndarray, mask: np.ndarray, crop) -> None:
        """Sets the sheet's pixels [H, W] under a mask [h, w] of the crop."""
        x0, y0, x1, y1 = crop.box
        ys = ((np.arange(y1 - y0) + 0.5) * crop.size[1] / (y1 - y0)).astype(int)
        xs = ((np.arange(x1 - x0) + 0.5) * crop.size[0] / (x1 - x0)).astype(int)
        left, top = (self.scene.margin - offset for offset in crop.canvas.offset)
        layer = Layer("", "", np.zeros((y1 - y0, x1 - x0, 0)), x0 + left, y0 + top)
        there, (rows, columns) = overlap(target.shape, layer)
        target[there] |= mask[np.ix_(ys[rows], xs[columns])]

    def unchanged(self, canvas: torch.Tensor, the_map) -> np.ndarray:
        """[H, W] bool on the sheet: pixels of the picture that a canvas shows bit for bit."""
        x, y = the_map.offset
        width, height = the_map.original
        part = canvas[0, y : y + height, x : x + width].numpy()
        same = np.zeros(self.scene.shape, bool)
        original = self.scene.picture.astype(np.float32) / 255
        same[self.scene.window] = (part == original).all(-1)
        return same


def truth_of(scene: Scene) -> Content:
    labels = [layer.label for layer in scene.layers]
    return Content(scene.truth, scene.true_owners, scene.amodal, labels)


def redrawn(scene: Scene, layers: list[Layer], leave_out, query: int | None = None) -> Content:
    """The content that a changed list of layers shows."""
    shape = scene.shape
    picture = render(scene.background, layers, leave_out)
    shown = owners(shape, layers, leave_out)
    amodal = owners(shape, [layers[scene.query if query is None else query]]) == 0
    return Content(picture, shown, amodal, [layer.label for layer in layers])


def sampled(sheet: np.ndarray, places, beyond):
    """A sheet at rows and columns. Beyond the sheet: `beyond`, or its edge where that is None."""
    rows, columns = places
    height, width = sheet.shape[:2]
    part = sheet[np.ix_(rows.clip(0, height - 1), columns.clip(0, width - 1))]
    if beyond is not None:
        part[(rows < 0) | (rows >= height)] = beyond
        part[:, (columns < 0) | (columns >= width)] = beyond
    return part


def digest(pixels: np.ndarray) -> str:
    return hashlib.sha1(pixels.tobytes() + repr(pixels.shape).encode()).hexdigest()


def found_in(part: np.ndarray, whole: np.ndarray):
    """Where a picture lies in a larger one, pixel by pixel, as slices; else None."""
    height, width = part.shape[:2]
    rows, columns = (a - b + 1 for a, b in zip(whole.shape[:2], part.shape[:2]))
    if rows < 1 or columns < 1:
        return None
    possible = np.ones((rows, columns), bool)
    for y, x in ((0.5, 0.5), (0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9)):
        y, x = int(y * height), int(x * width)
        possible &= (whole[y : y + rows, x : x + columns] == part[y, x]).all(-1)
    for row, column in np.argwhere(possible):
        place = slice(row, row + height), slice(column, column + width)
        if np.array_equal(whole[place], part):
            return place
    return None


@contextmanager
def not_counted():
    """Time in here is a net's, not the workflow's."""
    began = time.process_time()
    try:
        yield
    finally:
        SPENT[0] += time.process_time() - began
