"""Pictures of the sticker world with full ground truth, each drawn from one seed.

A scene is drawn on a sheet of twice the picture's side. The picture is the middle of the sheet, so
an object that the border cuts is still known completely.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..core import interrupts
from ..core.errors import BadInput
from .backgrounds import BACKGROUNDS, make_background
from .catalog import CATALOG, WORDS, picture

if TYPE_CHECKING:
    from PIL.Image import Image

SIDES = ("left", "top", "right", "bottom")
OCCLUDERS = ("co-occurring", "other", "world")
TRIES = 60
MIRRORED = 0.0  # probability that a sticker is mirrored


@dataclass
class Layer:
    """One object on the sheet: `rgba` [2S, 2S, 4] float32 in 0..1, straight alpha."""

    word: str
    rgba: np.ndarray

    @property
    def amodal(self) -> np.ndarray:
        """Amodal mask [2S, 2S] bool."""
        return self.rgba[..., 3] > 0.5


@dataclass
class Scene:
    """Layers from far to near. `query` is the index of the object to complete.

    Arrays whose name ends in `sheet` are [2S, 2S, ...] (the picture with S/2 on each side), others
    are [S, S, ...].
    """

    size: int
    background_sheet: np.ndarray
    layers: list[Layer] = field(default_factory=list)
    query: int = 0
    background: str = "plain"

    @property
    def words(self) -> list[str]:
        """The words of the layers, from far to near."""
        return [layer.word for layer in self.layers]

    @property
    def word(self) -> str:
        """The word of the query."""
        return self.layers[self.query].word

    def window(self, sheet: np.ndarray) -> np.ndarray:
        """The part of a sheet [2S, 2S, ...] that is the picture."""
        edge = self.size // 2
        return sheet[edge : edge + self.size, edge : edge + self.size]

    def render(self, layers: list[int] | None = None) -> np.ndarray:
        """The sheet [2S, 2S, 3] in 0..1 with the given layers (default: all)."""
        sheet = self.background_sheet.copy()
        for index in range(len(self.layers)) if layers is None else layers:
            rgba = self.layers[index].rgba
            sheet += (rgba[..., :3] - sheet) * rgba[..., 3:]
        return sheet

    @property
    def image(self) -> np.ndarray:
        """The picture [S, S, 3] in 0..1."""
        return self.window(self.render())

    @property
    def truth_sheet(self) -> np.ndarray:
        """The sheet without the objects in front of the query."""
        return self.render(list(range(self.query + 1)))

    @property
    def truth(self) -> np.ndarray:
        """The picture without the objects in front of the query."""
        return self.window(self.truth_sheet)

    def amodal(self, index: int | None = None) -> np.ndarray:
        """Amodal mask [S, S] bool of a layer (default: the query), cut to the picture."""
        return self.window(self.amodal_sheet(index))

    def amodal_sheet(self, index: int | None = None) -> np.ndarray:
        """Complete amodal mask [2S, 2S] bool of a layer (default: the query)."""
        return self.layers[self.query if index is None else index].amodal

    def modal(self, index: int | None = None) -> np.ndarray:
        """Modal mask [S, S] bool of a layer (default: the query)."""
        index = self.query if index is None else index
        visible = self.amodal(index).copy()
        for nearer in range(index + 1, len(self.layers)):
            visible &= ~self.amodal(nearer)
        return visible

    def hidden(self) -> float:
        """Fraction (0..1) of the query's area that the picture does not show."""
        return 1 - self.modal().sum() / max(1, self.amodal_sheet().sum())

    def order(self) -> np.ndarray:
        """P [n, n]: 1 where object i hides part of j, 0 where it does not, NaN on the diagonal."""
        count = len(self.layers)
        table = np.zeros((count, count), np.float32)
        for i in range(count):
            for j in range(count):
                table[i, j] = float(i > j and (self.amodal(i) & self.amodal(j)).any())
        np.fill_diagonal(table, np.nan)
        return table


def make_scene(
    seed: int,
    *,
    size: int = 128,
    query: str | None = None,
    occluder: str | None = "world",
    hidden: tuple[float, float] = (0.2, 0.6),
    cut: str | None = None,
    background: str | None = None,
    behind: int = 0,
    scale: tuple[float, float] = (0.45, 0.75),
) -> Scene:
    """A scene from a seed. The same arguments always give the same scene.

    size: side of the picture in pixels. query: a word of the catalog; None draws one.
    occluder: None, a word, "co-occurring" (the query's co-occurring occluder), "other" (any other
    word), or "world" (the co-occurring occluder with its probability p, never on gray, else another
    word).
    hidden: range of the fraction (0..1) of the query that is occluded or cut off.
    cut: the border that cuts the query ("left", "top", "right", "bottom"), or None.
    background: one of BACKGROUNDS; None draws one that is not gray.
    behind: number of further objects behind the query.
    scale: range of the query's larger side, as a fraction of `size`.

    Raises BadInput for an unknown word, background or border, and for a range whose ends are the
    wrong way round. Raises NoPlacement if none of 60 random placements satisfies `hidden`.
    """
    ordered("hidden", hidden)
    ordered("scale", scale)
    known("query", query, WORDS)
    known("occluder", occluder, (*OCCLUDERS, *WORDS))
    known("cut", cut, SIDES)
    known("background", background, BACKGROUNDS)
    rng = np.random.default_rng([seed, size, 20240617])
    kind = background or str(rng.choice(BACKGROUNDS[1:]))
    word = query or str(rng.choice(WORDS))
    front = _occluder_word(rng, word, occluder, kind)
    for _ in range(TRIES):
        interrupts.check()
        scene = Scene(size, make_background(rng, kind, 2 * size), background=kind)
        for _ in range(behind):
            extra = str(rng.choice([w for w in WORDS if w not in (word, front)]))
            scene.layers.append(random_layer(rng, extra, size, scale=(0.3, 0.5)))
        scene.layers.append(_query_layer(rng, word, size, scale, cut, hidden))
        scene.query = len(scene.layers) - 1
        if front is not None:
            scene.layers.append(_occluder_layer(rng, front, scene))
        low, high = hidden if (front or cut) else (0.0, 1.0)
        shown = scene.modal().sum() > 0.05 * scene.amodal_sheet().sum()
        if low <= scene.hidden() <= high and shown:
            return scene
    raise NoPlacement(f"no placement hides {hidden} of the {word} (seed {seed})")


class NoPlacement(ValueError):
    """No random placement hides the requested fraction of the object."""


def ordered(name: str, ends: tuple[float, float]) -> None:
    """Raises BadInput for the input `name` unless the first end is at most the second."""
    if not ends[0] <= ends[1]:
        raise BadInput(name, f"is the range {ends[0]:g} to {ends[1]:g}", "give the smaller first")


def known(name: str, value: str | None, options: tuple[str, ...]) -> None:
    """Raises BadInput for the input `name` unless `value` is None or one of `options`."""
    if value is not None and value not in options:
        raise BadInput(name, f"is '{value}'", f"use one of: {', '.join(options)}")


def _occluder_word(
    rng: np.random.Generator, word: str, occluder: str | None, kind: str
) -> str | None:
    """The word of the occluder; `kind` is the background."""
    co_occurring = CATALOG[word].co_occurring
    if occluder == "world":
        likely = kind != "gray" and rng.random() < CATALOG[word].p
        occluder = "co-occurring" if likely else "other"
    if occluder == "co-occurring":
        return co_occurring
    if occluder == "other":
        return str(rng.choice([w for w in WORDS if w not in (word, co_occurring)]))
    return occluder


def _query_layer(
    rng: np.random.Generator,
    word: str,
    size: int,
    scale: tuple[float, float],
    cut: str | None,
    hidden: tuple[float, float],
) -> Layer:
    """The query inside the picture, or cut by a border by about as much as `hidden` asks for."""
    side = rng.uniform(*scale) * size
    art = transformed(rng, word, side)
    height, width = art.shape[:2]
    margin = 2
    x = size / 2 + _within(rng, margin, size - margin - width)
    y = size / 2 + _within(rng, margin, size - margin - height)
    over = rng.uniform(max(0.1, hidden[0] * 0.5), max(0.15, min(0.6, hidden[1])))
    if cut == "left":
        x = size / 2 - over * width
    elif cut == "right":
        x = size * 1.5 - (1 - over) * width
    elif cut == "top":
        y = size / 2 - over * height
    elif cut == "bottom":
        y = size * 1.5 - (1 - over) * height
    return Layer(word, on_sheet(art, 2 * size, x, y))


def _within(rng: np.random.Generator, low: float, high: float) -> float:
    return rng.uniform(low, high) if high > low else (low + high) / 2


def _occluder_layer(rng: np.random.Generator, word: str, scene: Scene) -> Layer:
    """An object near a random point of the query."""
    art = transformed(rng, word, rng.uniform(0.35, 0.65) * scene.size)
    ys, xs = np.nonzero(scene.amodal_sheet())
    at = rng.integers(len(xs))
    height, width = art.shape[:2]
    x = xs[at] - width / 2 + rng.normal(0, 0.1) * width
    y = ys[at] - height / 2 + rng.normal(0, 0.1) * height
    return Layer(word, on_sheet(art, 2 * scene.size, x, y))


def random_layer(
    rng: np.random.Generator,
    word: str,
    size: int,
    scale: tuple[float, float] = (0.35, 0.65),
) -> Layer:
    """An object at a random place of the picture; `scale` as in `make_scene`."""
    art = transformed(rng, word, rng.uniform(*scale) * size)
    height, width = art.shape[:2]
    x = size / 2 + rng.uniform(-0.2 * width, size - 0.8 * width)
    y = size / 2 + rng.uniform(-0.2 * height, size - 0.8 * height)
    return Layer(word, on_sheet(art, 2 * size, x, y))


def transformed(rng: np.random.Generator, word: str, side: float, turn: float = 6.0) -> np.ndarray:
    """The sticker, resized to a larger side of `side` pixels and rotated by at most `turn` degrees.

    Returns [h, w, 4] float32 in 0..1, straight alpha.
    """
    from PIL.Image import Transpose, fromarray

    image = fromarray(picture(word))
    if CATALOG[word].mirrors and rng.random() < MIRRORED:
        image = image.transpose(Transpose.FLIP_LEFT_RIGHT)
    return turned(rng, image, side, turn)


def turned(rng: np.random.Generator, image: Image, side: float, turn: float = 6.0) -> np.ndarray:
    """As `transformed`, of a PIL picture."""
    from PIL.Image import Resampling

    factor = side / max(image.size)
    width, height = (max(4, round(length * factor)) for length in image.size)
    image = image.convert("RGBa").resize((width, height), Resampling.LANCZOS)
    angle = float(np.clip(rng.normal(0, turn / 2), -turn, turn))
    image = image.rotate(angle, Resampling.BICUBIC, expand=True).convert("RGBA")
    return np.asarray(image, np.float32) / 255


def on_sheet(art: np.ndarray, side: int, x: float, y: float) -> np.ndarray:
    """`art` [h, w, 4] on a transparent sheet [side, side, 4]; its top left corner is at (x, y)."""
    sheet = np.zeros((side, side, 4), np.float32)
    x, y = round(x), round(y)
    height, width = art.shape[:2]
    left, top = max(0, x), max(0, y)
    right, bottom = min(side, x + width), min(side, y + height)
    if right > left and bottom > top:
        sheet[top:bottom, left:right] = art[top - y : bottom - y, left - x : right - x]
    return sheet
