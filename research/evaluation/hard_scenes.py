"""Hard scenes: several occluders, an enclosing one, thin things, two layers, two borders, size.

A Kind is used like a Cell of `scenarios`. `hidden_by_each`, `is_enclosed` and `freed` check what a
kind promises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from amodal.stickers import scenes
from amodal.stickers.catalog import WORDS
from amodal.stickers.scenes import Layer, NoPlacement, Scene

from ..dataset.occlusion import hole_in

FIRST = 70_000_000  # seeds of these scenes begin here
PLACES = 400  # placements to try for a scene
OWN = 0.04  # the least fraction of the query that each of several occluders hides alone
NEAR = 1 / 20  # of the picture's side: the loop may take nearer objects for neighbours
SHOWN = 0.25  # the least visible fraction of the query

THIN = ("bicycle", "chair", "flamingo", "giraffe", "key", "scooter", "trumpet")
ROUND = (
    "apple",
    "backpack",
    "basketball",
    "cake",
    "doughnut",
    "gift",
    "hamburger",
    "soccer ball",
)  # without gaps in their outline: these can enclose another object
COMPACT = (*ROUND, "alarm clock", "bus", "car", "cup", "elephant", "fish", "owl", "penguin", "pig")
LONG = (
    "airplane",
    "banana",
    "bicycle",
    "chair",
    "flamingo",
    "giraffe",
    "guitar",
    "key",
    "rocket",
    "scooter",
    "strawberry",
    "trumpet",
    "umbrella",
)  # an occluder can cut these in two


@dataclass(frozen=True)
class Kind:
    """One kind of hard scene.

    draw(rng, word, background, size) gives a scene with the query `word`, or raises NoPlacement.
    words: the queries, in turn.
    """

    name: str
    title: str
    draw: Callable = field(repr=False)
    words: tuple[str, ...] = WORDS

    def scene(self, number: int, seed: int = 0, size: int = 128) -> Scene:
        """Scene `number` (0, 1, ...). Backgrounds without studio gray take turns."""
        words = np.random.default_rng([seed, FIRST]).permutation(self.words)
        background = scenes.BACKGROUNDS[1 + number % 3]
        for further in range(len(words)):  # another query if this one does not fit
            rng = np.random.default_rng([seed, FIRST, number, further])
            try:
                return self.draw(rng, str(words[(number + further) % len(words)]), background, size)
            except NoPlacement:
                continue
        raise NoPlacement(f"scene {number} of {self.name} cannot be drawn")


# --- drawing -----------------------------------------------------------------------------------


def placed(rng, word: str, side: float, at: tuple[float, float], size: int) -> Layer:
    """An object whose larger side has `side` pixels, centred at (x, y) of the picture."""
    return centred(word, scenes.transformed(rng, word, side), at, size)


def centred(name: str, art: np.ndarray, at: tuple[float, float], size: int) -> Layer:
    """`art` [h, w, 4] as a layer, centred at (x, y) of the picture."""
    x, y = (size / 2 + middle - length / 2 for middle, length in zip(at, art.shape[1::-1]))
    return Layer(name, scenes.on_sheet(art, 2 * size, x, y))


def others(rng, count: int, *words: str) -> list[str]:
    """`count` different words, none of them in `words`."""
    return [str(w) for w in rng.choice([w for w in WORDS if w not in words], count, replace=False)]


def first_that_fits(rng, background: str, size: int, layers, fits) -> Scene:
    """The first scene of `layers()` (the query first) that `fits`; else raises NoPlacement."""
    for _ in range(PLACES):
        scene = Scene(size, np.zeros((2 * size, 2 * size, 3), np.float32), background=background)
        scene.layers = layers()
        if fits(scene):
            scene.background_sheet = scenes.make_background(rng, background, 2 * size)
            return scene
    raise NoPlacement("no placement fits")


def several(count: int) -> Callable:
    """`count` occluders, each of which hides a part that no other hides."""

    def draw(rng, word, background, size):
        def layers():
            middle = size / 2 + rng.uniform(-0.1, 0.1, 2) * size
            query = placed(rng, word, rng.uniform(0.6, 0.8) * size, middle, size)
            stack = [query]
            ys, xs = np.nonzero(query.amodal)
            for front in others(rng, count, word):
                at = rng.integers(len(xs))
                point = (xs[at] - size / 2, ys[at] - size / 2)
                stack.append(placed(rng, front, rng.uniform(0.22, 0.4) * size, point, size))
            return stack

        def fits(scene):
            return 0.2 <= scene.hidden() <= 0.65 and min(hidden_by_each(scene)) >= OWN

        return first_that_fits(rng, background, size, layers, fits)

    return draw


def enclosing(rng, word, background, size):
    """One large occluder with a hole that shows the query."""

    def layers():
        middle = size / 2 + rng.uniform(-0.04, 0.04, 2) * size
        query = placed(rng, word, rng.uniform(0.35, 0.5) * size, middle, size)
        front = str(rng.choice([w for w in ROUND if w != word]))
        around = placed(rng, front, rng.uniform(0.85, 1.0) * size, (size / 2, size / 2), size)
        around.rgba[hole_in(query.amodal, rng.uniform(0.3, 0.55)), 3] = 0
        return [query, around]

    def fits(scene):
        return SHOWN <= 1 - scene.hidden() <= 0.7 and is_enclosed(scene)

    return first_that_fits(rng, background, size, layers, fits)


def thin_occluder(rng, word, background, size):
    front = str(rng.choice([w for w in THIN if w != word]))
    return scenes.make_scene(
        int(rng.integers(2**40)),
        size=size,
        query=word,
        occluder=front,
        hidden=(0.12, 0.5),
        background=background,
    )


def thin_object(rng, word, background, size):
    return scenes.make_scene(
        int(rng.integers(2**40)),
        size=size,
        query=word,
        occluder="other",
        hidden=(0.2, 0.5),
        background=background,
    )


def layered(rng, word, background, size):
    """The query behind two layers.

    The nearest object cuts the query in two and hides a part of the second object. The second
    object hides one end of the query, so the loop meets it only at inpainted pixels.
    """

    def layers():
        query = placed(rng, word, rng.uniform(0.8, 1.0) * size, (size / 2, size / 2), size)
        back, front = rng.choice([w for w in COMPACT if w != word], 2, replace=False)
        ys, xs = np.nonzero(query.amodal)
        points = np.stack([xs, ys], 1) - size / 2
        point = between_ends(points, rng.uniform(0.3, 0.7))
        nearest = placed(rng, str(front), rng.uniform(0.45, 0.65) * size, point, size)
        parts, count = ndimage.label(query.amodal & ~nearest.amodal)
        areas = np.bincount(parts.ravel(), minlength=count + 1)[1:] / len(xs)
        ends = np.flatnonzero((areas >= 0.05) & (areas < areas.max()))
        if not len(ends):
            return [query, nearest]
        ys, xs = np.nonzero(parts == 1 + rng.choice(ends))
        spread = max(np.ptp(xs), np.ptp(ys)) + 1
        middle = np.array([xs.mean(), ys.mean()]) - size / 2
        away = middle - point
        middle += 0.1 * spread * away / max(1, np.linalg.norm(away))
        return [query, placed(rng, str(back), rng.uniform(1.3, 2) * spread, middle, size), nearest]

    def fits(scene):
        if len(scene.layers) < 3 or not 0.3 <= scene.hidden() <= 1 - SHOWN:
            return False
        second, passes = scene.amodal(1), freed(scene)
        covered = (second & scene.amodal(2)).sum() / max(1, second.sum())
        found = len(passes) == 3 and (passes[-1] == scene.amodal()).all()
        return found and 0.05 <= covered <= 0.6 and min(hidden_by_each(scene)) >= OWN

    return first_that_fits(rng, background, size, layers, fits)


def between_ends(points: np.ndarray, share: float) -> np.ndarray:
    """The point of [n, 2] at the quantile `share` along the direction of the largest spread."""
    spread = (points - points.mean(0)) @ np.linalg.eigh(np.cov(points.T))[1][:, -1]
    return points[np.abs(spread - np.quantile(spread, share)).argmin()]


def two_borders(rng, word, background, size):
    """The query over a corner of the picture."""

    def layers():
        side = rng.uniform(0.5, 0.8) * size
        corner = rng.choice([0, size], 2)
        inwards = np.where(corner == 0, 1, -1) * rng.uniform(0.05, 0.35, 2) * side
        return [placed(rng, word, side, corner + inwards, size)]

    def fits(scene):
        return 0.2 <= scene.hidden() <= 0.55 and len(cut_sides(scene)) == 2

    return first_that_fits(rng, background, size, layers, fits)


def larger(rng, word, background, size):
    """A picture of twice the side, which the models see resized or cropped."""
    return scenes.make_scene(
        int(rng.integers(2**40)),
        size=2 * size,
        query=word,
        occluder="other",
        hidden=(0.2, 0.5),
        background=background,
    )


# --- properties of a scene -----------------------------------------------------------------------


def hidden_by_each(scene: Scene) -> list[float]:
    """The fraction of the query that each nearer object hides and no other does."""
    nearer = [scene.amodal(i) for i in range(scene.query + 1, len(scene.layers))]
    alone = np.sum(nearer, 0) == 1
    query = scene.amodal()
    return [float((mask & alone & query).sum() / max(1, query.sum())) for mask in nearer]


def is_enclosed(scene: Scene) -> bool:
    """True if the whole query lies within the outline of one nearer object."""
    whole = scene.amodal_sheet()
    nearer = [scene.amodal_sheet(i) for i in range(scene.query + 1, len(scene.layers))]
    return any((ndimage.binary_fill_holes(mask) | ~whole).all() for mask in nearer)


def freed(scene: Scene) -> list[np.ndarray]:
    """Masks [S, S] of the query's known pixels in a faultless loop: at the start, after each pass.

    A pass paints the visible pixels of occluders that come near the known part. The last mask is
    the whole query, unless no pass comes near one of its occluders.
    """
    whole, known = scene.amodal(), [scene.modal()]
    hiding = [
        scene.modal(i)
        for i in range(scene.query + 1, len(scene.layers))
        if (scene.amodal(i) & whole).any()
    ]
    while (known[-1] != whole).any() and known[-1].any():
        near = ndimage.distance_transform_edt(~known[-1]) <= NEAR * scene.size
        met = [mask for mask in hiding if (mask & near).any()]
        more = known[-1] | (whole & np.any(met, 0)) if met else known[-1]
        if (more == known[-1]).all():
            break
        known.append(more)
    return known


def cut_sides(scene: Scene) -> list[str]:
    """The borders that cut the query off."""
    edge, sheet = scene.size // 2, scene.amodal_sheet()
    beyond = (sheet[:, :edge], sheet[:edge], sheet[:, -edge:], sheet[-edge:])
    return [side for side, part in zip(scenes.SIDES, beyond) if part.any()]


ROBUST = {
    kind.name: kind
    for kind in (
        Kind("two-occluders", "two others hide it at once", several(2)),
        Kind("three-occluders", "three others hide it at once", several(3)),
        Kind("four-occluders", "four others hide it at once", several(4)),
        Kind("enclosed", "its occluder encloses it", enclosing, COMPACT),
        Kind("thin-occluder", "a thin thing hides it", thin_occluder),
        Kind("thin-object", "a thin thing is hidden", thin_object, THIN),
        Kind("two-layers", "behind two layers, to be freed in two passes", layered, LONG),
        Kind("two-borders", "two borders cut it off", two_borders),
        Kind("larger", "another object hides 20-50 %, in a picture of 256x256", larger),
    )
}
