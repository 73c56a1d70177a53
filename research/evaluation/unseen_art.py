"""Segmentation, order and removal on art that no model was trained on, and on the stickers.

The art comes from two Debian packages and is not kept here. Completion is not measured: the models
know no words for these objects.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from amodal.core.detections import from_masks
from amodal.core.mask_ops import iou
from amodal.method import occluder_selection, smooth_fill
from amodal.stickers import catalog, scenes
from amodal.stickers.scenes import Layer, Scene

from .hard_scenes import centred, first_that_fits

FIRST = 90_000_000  # seeds of these scenes begin here
FOLDER = "AMODAL_UNSEEN_ART"  # environment variable: the folder with the unpacked packages
MAX_GAP = 0.03  # between neighbours, as in the shipped workflow
DILATE = 0.03  # of what is removed, as in the shipped workflow
OBJECTS = 3  # in each scene

GLYPHS = 109  # the only size the font has
FOOD, ANIMALS, VEHICLES = (0x1F32D, 0x1F37F), (0x1F400, 0x1F43E), (0x1F680, 0x1F6A4)
MORE_FOOD, MORE_ANIMALS, THINGS = (0x1F950, 0x1F96F), (0x1F980, 0x1F9A9), (0x1F9E2, 0x1F9FF)
POINTS = (FOOD, ANIMALS, VEHICLES, MORE_FOOD, MORE_ANIMALS, THINGS)
STAMPS = (
    "animals",
    "clothes",
    "food",
    "hobbies",
    "household",
    "plants",
    "seasonal",
    "sports",
    "vehicles",
)


def root() -> Path:
    return Path(os.environ.get(FOLDER, "/"))


def glyphs() -> Path:
    return root() / "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"


def stamps() -> Path:
    return root() / "usr/share/tuxpaint/stamps"


@dataclass(frozen=True)
class Art:
    """One source of pictures.

    names() lists them and read(name) gives one as RGBA. package: the Debian package that holds
    them; where(): the path it installs.
    """

    name: str
    title: str
    names: Callable = field(repr=False)
    read: Callable = field(repr=False)
    package: str = ""
    where: Callable | None = field(default=None, repr=False)

    def scene(self, number: int, seed: int = 0, size: int = 128) -> Scene:
        """Scene `number` (0, 1, ...): three overlapping objects; the query is the farthest."""
        rng = np.random.default_rng([seed, FIRST, number])
        background = scenes.BACKGROUNDS[1 + number % 3]
        return first_that_fits(rng, background, size, lambda: self.layers(rng, size), all_show)

    def layers(self, rng, size: int) -> list[Layer]:
        drawn = [self.layer(rng, size, (size / 2, size / 2) + rng.uniform(-0.15, 0.15, 2) * size)]
        for _ in range(OBJECTS - 1):
            ys, xs = np.nonzero(np.any([layer.amodal for layer in drawn], 0))
            at = rng.integers(len(xs))
            beside = rng.uniform(-0.1, 0.1, 2) * size
            drawn.append(self.layer(rng, size, (xs[at], ys[at]) - np.float64(size / 2) + beside))
        return drawn

    def layer(self, rng, size: int, at) -> Layer:
        names = self.names()
        while True:
            name = names[rng.integers(len(names))]
            art = self.read(name)
            if is_one_thing(art):
                turned = scenes.turned(rng, trimmed(art), rng.uniform(0.35, 0.6) * size)
                return centred(name, turned, at, size)

    def missing(self) -> str:
        """How to install the art; "" if it is there."""
        if self.where is None or (self.where().exists() and self.names()):
            return ""
        return (
            f"{self.title}: no {self.where()}. Install it (apt-get install {self.package}), or "
            f"unpack it (apt-get download {self.package}; dpkg -x {self.package}_*.deb FOLDER) and "
            "give --art FOLDER"
        )


def all_show(scene: Scene) -> bool:
    """True if the query is partly hidden and every object shows more than a speck."""
    seen = [scene.modal(i).sum() / scene.size**2 for i in range(len(scene.layers))]
    return 0.1 <= scene.hidden() <= 0.8 and min(seen) >= 0.015


def trimmed(art: Image.Image) -> Image.Image:
    return art.crop(art.getchannel("A").point(lambda a: 255 * (a > 8)).getbbox())


def is_one_thing(art: Image.Image) -> bool:
    """True for a cut-out in one piece: no full rectangle, no scattered parts, no line art."""
    solid = np.asarray(art.getchannel("A")) > 127
    if not solid.any():
        return False
    box = solid[np.ix_(solid.any(1), solid.any(0))]
    parts, _ = ndimage.label(box)
    largest = np.bincount(parts.ravel())[1:].max()
    return 0.25 <= box.mean() <= 0.97 and largest >= 0.95 * box.sum()


@cache
def sticker(word: str) -> Image.Image:
    return Image.fromarray(catalog.picture(word))


@cache
def points() -> tuple[str, ...]:
    return tuple(chr(point) for low, high in POINTS for point in range(low, high + 1))


@cache
def glyph(character: str) -> Image.Image:
    font = ImageFont.truetype(glyphs(), GLYPHS)
    page = Image.new("RGBA", (GLYPHS + 32, GLYPHS + 32))
    ImageDraw.Draw(page).text((0, 0), character, font=font, embedded_color=True)
    return page


@cache
def stamp_files() -> tuple[str, ...]:
    """Names of the stamps with an alpha channel, without mirrored ones and symbols."""
    names = []
    for folder in STAMPS:
        for path in sorted((stamps() / folder).rglob("*.png")):
            if "_mirror" in path.name or "_flip" in path.name:
                continue
            with Image.open(path) as file:
                if file.mode in ("RGBA", "LA") or "transparency" in file.info:
                    names.append(str(path.relative_to(stamps())))
    return tuple(names)


@cache
def stamp(name: str) -> Image.Image:
    with Image.open(stamps() / name) as file:
        picture = file.convert("RGBA")
    picture.thumbnail((256, 256))
    return picture


ART = {
    art.name: art
    for art in (
        Art("art-seen", "the stickers", lambda: catalog.WORDS, sticker),
        Art("art-noto", "Noto's emoji", points, glyph, "fonts-noto-color-emoji", glyphs),
        Art(
            "art-tuxpaint",
            "Tux Paint's stamps",
            stamp_files,
            stamp,
            "tuxpaint-stamps-default",
            stamps,
        ),
    )
}


# --- measures ----------------------------------------------------------------------------------


def analysed(scene: Scene, segmenter, order_model) -> tuple[dict, dict]:
    """(figures, pictures) of a scene by the pack's own segmenter, order model and removal.

    Order and removal get the true modal masks, so that each stage is measured alone.
    """
    image = torch.from_numpy(scene.image.copy()).float()
    seen = torch.from_numpy(np.stack([scene.modal(i) for i in range(len(scene.layers))])).float()
    detected = segmenter.detect(image)
    empty, error = emptied(scene, image, seen)
    figures = {
        "objects": [round(best_iou(mask, detected.masks), 4) for mask in seen],
        **order_figures(scene, ordering_of(order_model, image, seen)),
        "removal": round(error, 5),
    }
    pictures = {
        "image": scene.image,
        "truth": seen.numpy(),
        "found": detected.masks.numpy(),
        "empty": empty,
    }
    return figures, pictures


def best_iou(mask: torch.Tensor, masks: torch.Tensor) -> float:
    """The highest IoU of a mask [H, W] with one of masks [n, H, W], whatever its label."""
    return max((iou(mask, other) for other in masks), default=0.0)


def ordering_of(order_model, image: torch.Tensor, masks: torch.Tensor) -> np.ndarray:
    objects = from_masks(masks, [])
    return occluder_selection.by_model(order_model, image[None], objects, MAX_GAP).numpy()


def hides(scene: Scene, i: int, j: int) -> bool:
    """True if visible pixels of object i cover object j."""
    return i > j and bool((scene.modal(i) & scene.amodal(j)).any())


def order_figures(scene: Scene, chance: np.ndarray) -> dict:
    """Counts of pairs of neighbours.

    pairs: all; right: both answers correct (who hides whom, or neither); over: one hides the other;
    front: of those, the nearer one recognised.
    """
    figures = dict.fromkeys(("pairs", "right", "over", "front"), 0)
    for j in range(len(scene.layers)):
        for i in range(j + 1, len(scene.layers)):  # i is the nearer one
            if np.isnan(chance[i, j]):
                continue
            over = hides(scene, i, j)
            figures["pairs"] += 1
            figures["right"] += int((chance[i, j] > 0.5) == over and chance[j, i] <= 0.5)
            figures["over"] += int(over)
            figures["front"] += int(over and chance[i, j] > chance[j, i])
    return figures


def emptied(scene: Scene, image: torch.Tensor, seen: torch.Tensor) -> tuple[np.ndarray, float]:
    """The picture [S, S, 3] without the query and its occluders, and the mean error (0..1) there.

    The truth is the scene drawn without them.
    """
    gone = [0, *(i for i in range(1, len(scene.layers)) if hides(scene, i, 0))]
    left = [i for i in range(len(scene.layers)) if i not in gone]
    occluders = seen[gone].amax(0, keepdim=True)
    removed = smooth_fill.removed_mask(seen[:1], occluders, None, DILATE)
    filled = smooth_fill.smooth(image[None], removed)[0].numpy()
    truth = scene.window(scene.render(left))
    hole = removed[0].numpy() > 0.5
    return filled, float(np.abs(filled - truth)[hole].mean())


COLOURS = (
    np.array(
        [
            (230, 80, 60),
            (60, 150, 230),
            (90, 190, 80),
            (240, 190, 40),
            (170, 90, 210),
            (60, 200, 200),
            (240, 130, 190),
            (140, 110, 70),
        ],
        np.float32,
    )
    / 255
)


def tiles(shown: dict) -> list[np.ndarray]:
    """Pictures [S, S, 3] of `analysed`: scene, true masks, detected masks, emptied scene."""
    return [shown["image"], *(coloured(shown[name]) for name in ("truth", "found")), shown["empty"]]


def coloured(masks: np.ndarray) -> np.ndarray:
    """Masks [n, S, S] on white, each in a colour of its own."""
    page = np.ones((*masks.shape[-2:], 3), np.float32)
    for number, mask in enumerate(masks):
        page[mask > 0.5] = COLOURS[number % len(COLOURS)]
    return page
