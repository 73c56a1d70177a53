"""Where a scene is put together: places cut-outs on a sheet until they hide what they should."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image
from scipy import ndimage

from .scenes import Layer, Scene, overlap, scaled

GRAIN = 2.5  # of 255: sensor noise, the same in the picture and in its truth
TRIES = 60
COARSE = 128  # pixels of the query's side while places are looked for
ONE_PIECE = 0.9  # the largest visible part of the query, of all that is visible
LEAST_SHOWN = 400  # pixels of the query
MARGIN = 64  # pixels of the sheet around a picture that cuts nothing off


class Impossible(Exception):
    """This arrangement does not work; another one may."""


class Desk:
    """side: the query's longer side in pixels. beyond: the query reaches beyond the border."""

    def __init__(self, rng, source, size: tuple[int, int], side: float, beyond: bool = False):
        self.rng, self.source, self.size, self.side = rng, source, size, side
        self.margin = int(1.3 * side) + 16 if beyond else MARGIN
        self.behind: list[Layer] = []
        self.front: list[Layer] = []
        self.grayed = False
        self.query: Layer

    # --- cut-outs

    def thing(self, side: float, name: str | None = None) -> tuple[str, str, np.ndarray]:
        """(label, name, rgba) of a random cut-out, turned a little."""
        name = name or self.source.names[self.rng.integers(len(self.source.names))]
        label, picture = self.source.read(name)
        angle, mirror = self.rng.uniform(-25, 25), bool(self.rng.integers(2))
        return label, name, self.as_photographed(scaled(picture, side, angle, mirror))

    def pole(self, length: float, width: float) -> tuple[str, str, np.ndarray]:
        """A round pole, lit from one side."""
        across = np.sin(np.linspace(0.15, 1, max(3, round(width))) * np.pi * 0.9)
        hue = self.rng.uniform(0.2, 1, 3)
        colour = (60 + 170 * across[:, None] * hue).astype(np.uint8)
        bar = np.dstack([np.repeat(colour[None], round(length), 0), self.opaque(length, width)])
        turned = scaled(Image.fromarray(bar), length, self.rng.uniform(0, 180))
        return "pole", "pole", self.as_photographed(turned)

    @staticmethod
    def opaque(length: float, width: float) -> np.ndarray:
        return np.full((round(length), max(3, round(width))), 255, np.uint8)

    def as_photographed(self, rgba: np.ndarray) -> np.ndarray:
        colour = rgba[..., :3].astype(np.float32)
        if self.grayed:
            colour = 128 + 0.35 * (colour.mean(-1, keepdims=True).repeat(3, -1) - 128)
        grain = self.rng.normal(0, GRAIN, colour.shape[:2])[..., None]
        return np.dstack([(colour + grain).clip(0, 255).astype(np.uint8), rgba[..., 3]])

    def at(self, thing: tuple[str, str, np.ndarray], centre) -> Layer:
        label, name, rgba = thing
        height, width = rgba.shape[:2]
        x, y = (round(float(c) - length / 2) for c, length in zip(centre, (width, height)))
        return Layer(label, name, rgba, x, y)

    # --- the query, and what hides it

    @property
    def middle(self) -> np.ndarray:
        """The centroid of the query on the sheet."""
        ys, xs = np.nonzero(self.query.mask)
        return np.array([self.query.x + xs.mean(), self.query.y + ys.mean()])

    def query_in(self, box) -> np.ndarray:
        """The query's mask in a box of the sheet."""
        out = np.zeros((box[3] - box[1], box[2] - box[0]), bool)
        moved = Layer("", "", self.query.rgba, self.query.x - box[0], self.query.y - box[1])
        there, here = overlap(out.shape, moved)
        out[there] = self.query.mask[here]
        return out

    def place_query(self) -> None:
        """Puts the query wholly inside the picture, clear of its border."""
        thing = self.thing(self.side)
        height, width = thing[2].shape[:2]
        room = [(s - length) / 2 - 8 for s, length in zip(self.size, (width, height))]
        if min(room) < 0:
            raise Impossible
        shift = self.rng.uniform(-1, 1, 2) * np.minimum(room, np.array(self.size) * 0.3)
        self.query = self.at(thing, self.margin + np.array(self.size) / 2 + shift)

    def hide(self, low: float, high: float) -> None:
        """Moves a random thing over the query until it hides low..high of it."""
        aim = self.rng.uniform(low, high)
        for _ in range(TRIES):
            bigger = 0.7 + 0.9 * aim
            thing = self.thing(self.side * self.rng.uniform(bigger, bigger + 0.5))
            angle = self.rng.uniform(0, 2 * np.pi)
            away = np.array([np.cos(angle), np.sin(angle)])
            layer = self.slid(thing, away, aim)
            if layer is None or not low - 0.01 <= hidden_by(self.query, [layer]) <= high + 0.01:
                continue
            if shows_enough(cut(self.query, [layer]), self.side):
                self.front.append(layer)
                return
        raise Impossible

    def slid(self, thing, away: np.ndarray, aim: float) -> Layer | None:
        """The thing as far from the query's middle as it hides `aim` of it."""
        near, far = 0.0, 1.5 * max(self.side, *thing[2].shape[:2])
        if hidden_by(self.query, [self.at(thing, self.middle)]) < aim:
            return None
        for _ in range(12):
            between = (near + far) / 2
            layer = self.at(thing, self.middle + between * away)
            if hidden_by(self.query, [layer]) > aim:
                near = between
            else:
                far = between
        return self.at(thing, self.middle + near * away)

    def push_out(self, directions, low: float, high: float) -> None:
        """Moves the query over the picture's border until low..high of it is cut off."""
        self.place_query()
        aim, start = self.rng.uniform(low, high), (self.query.x, self.query.y)
        way = np.sum(directions, 0).astype(float)
        if not way.all():  # along the border it stays near the middle
            way = np.where(way == 0, 0, way)
        near, far = 0.0, float(max(self.size))
        edge = np.array(self.size) / 2
        for _ in range(24):
            between = (near + far) / 2
            self.query.x, self.query.y = (round(s + w * between) for s, w in zip(start, way))
            for axis, w in enumerate(way):  # a corner: both borders are reached together
                if len(directions) == 2:
                    length = self.query.rgba.shape[1 - axis]
                    corner = self.margin + edge[axis] + w * edge[axis] - w * self.side - length / 2
                    setattr(self.query, "xy"[axis], round(corner + w * between))
            if self.cut_off() < aim:
                near = between
            else:
                far = between
        if not low - 0.02 <= self.cut_off() <= high + 0.02:
            raise Impossible
        if not shows_enough(self.inside(), self.side):
            raise Impossible

    def inside(self) -> np.ndarray:
        """The part of the query's mask that lies in the picture."""
        m, (width, height) = self.margin, self.size
        frame = Layer("", "", self.query.rgba, self.query.x - m, self.query.y - m)
        _, here = overlap((height, width), frame)
        return self.query.mask[here]

    def cut_off(self) -> float:
        return 1 - self.inside().sum() / self.query.mask.sum()

    # --- other objects

    def add_twin(self, direction) -> None:
        """Another one of the query's kind behind it, touching it from this side."""
        thing = self.thing(self.side * self.rng.uniform(0.9, 1.1), self.query.name)
        for distance in np.linspace(0.5, 1.6, 56) * self.side:
            twin = self.at(thing, self.middle + np.array(direction) * distance)
            if hidden_by(self.query, [twin]) < 0.002 and not hidden_by(twin, [self.query]) > 0.002:
                if self.is_free(twin, self.front):
                    self.behind.append(twin)
                return

    def add_behind(self, count: int) -> None:
        """Objects behind the query; it covers some of them."""
        for _ in range(count):
            thing = self.thing(self.side * self.rng.uniform(0.4, 0.9))
            self.behind.append(self.at(thing, self.somewhere()))

    def add_bystanders(self, count: int, among_themselves: bool = False) -> None:
        """Objects in front that cover neither the query nor what hides it.

        among_themselves: they may cover one another.
        """
        taken = [self.query, *self.front, *([] if among_themselves else self.behind)]
        for _ in range(count):
            thing = self.thing(self.side * self.rng.uniform(0.3, 0.8))
            for _ in range(TRIES):
                layer = self.at(thing, self.somewhere())
                if self.is_free(layer, taken):
                    self.front.append(layer)
                    taken += [] if among_themselves else [layer]
                    break

    def somewhere(self) -> np.ndarray:
        return self.margin + self.rng.uniform(0.06, 0.94, 2) * np.array(self.size)

    @staticmethod
    def is_free(layer: Layer, taken: list[Layer]) -> bool:
        return all(
            not hidden_by(other, [layer]) and not boxes_meet(layer, other) for other in taken
        )

    def scene(self, kind: str, number: int, seed: int) -> Scene:
        wide, tall = (side + 2 * self.margin for side in self.size)
        ground = self.as_photographed(background(self.rng, wide, tall))[..., :3]
        layers = [*self.behind, self.query, *self.front]
        at = len(self.behind)
        scene = Scene(
            kind, number, seed, self.size, self.margin, np.ascontiguousarray(ground), layers, at
        )
        if int(scene.modal.sum()) < LEAST_SHOWN:
            raise Impossible
        return scene


def boxes_meet(first: Layer, second: Layer) -> bool:
    (a, b, c, d), (e, f, g, h) = first.box, second.box
    return a < g and e < c and b < h and f < d


def cut(query: Layer, front: list[Layer]) -> np.ndarray:
    """The query's mask [h, w] without what these layers cover."""
    shown = query.mask.copy()
    for layer in front:
        moved = Layer("", "", layer.rgba, layer.x - query.x, layer.y - query.y)
        there, here = overlap(shown.shape, moved)
        shown[there] &= ~layer.mask[here]
    return shown


def hidden_by(query: Layer, front: list[Layer]) -> float:
    """The part of a layer that others cover, 0..1, at a coarse scale."""
    step = max(1, max(query.rgba.shape[:2]) // COARSE)
    shown = query.mask[::step, ::step].copy()
    area = shown.sum()
    rows, columns = (np.arange(length)[::step] for length in query.rgba.shape[:2])
    for layer in front:
        if boxes_meet(query, layer):
            ys, xs = rows + query.y - layer.y, columns + query.x - layer.x
            height, width = layer.rgba.shape[:2]
            in_y, in_x = (ys >= 0) & (ys < height), (xs >= 0) & (xs < width)
            part = layer.rgba[np.ix_(ys[in_y], xs[in_x])][..., 3] > 127
            shown[np.ix_(in_y, in_x)] &= ~part
    return 1 - float(shown.sum() / area)


def shows_enough(shown: np.ndarray, side: float) -> bool:
    """Is what remains in one piece, and not a sliver?"""
    step = max(1, round(side / COARSE))
    small = shown[::step, ::step]
    parts, count = ndimage.label(small)
    if not count:
        return False
    largest = np.bincount(parts.ravel())[1:].max()
    thick = ndimage.distance_transform_edt(np.pad(small, 1)).max() * step
    return largest >= ONE_PIECE * small.sum() and thick >= 0.02 * side


def background(rng, width: int, height: int) -> np.ndarray:
    """[height, width, 4] uint8: a part of a photograph, out of focus, or soft noise."""
    from PIL import ImageFilter

    photograph = photographs()[rng.integers(3)]
    if photograph is None:
        waves = rng.uniform(70, 190, (int(rng.integers(3, 9)), int(rng.integers(3, 9)), 3))
        page = Image.fromarray(waves.astype(np.uint8))
    else:
        wide, tall = (int(length * rng.uniform(0.5, 0.9)) for length in photograph.size)
        x, y = rng.integers(photograph.size[0] - wide), rng.integers(photograph.size[1] - tall)
        page = photograph.crop((int(x), int(y), int(x + wide), int(y + tall)))
        page = page.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 4))))
    page = page.resize((width, height), Image.Resampling.BICUBIC)
    return np.dstack([np.asarray(page), np.full((height, width), 255, np.uint8)])


@cache
def photographs() -> list:
    """The two sample photographs that scikit-learn brings, and None."""
    from sklearn.datasets import load_sample_image

    return [*map(Image.fromarray, map(load_sample_image, ("china.jpg", "flower.jpg"))), None]
