"""Pairs of hidden stickers whose true correspondence is known.

Both scenes of a pair show one word, each in another size, place and slight turn, behind another
object. The second cut-out is turned again once it is completed, by up to TURN degrees and to
another size: so the diffusion model paints what it was trained for, and the features meet what it
was not. Pictures are on the scene's sheet, [2S, 2S, ...], in its pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from amodal.stickers import scenes
from amodal.stickers.catalog import WORDS, picture
from amodal.stickers.scenes import NoPlacement, Scene

from ..evaluation.hard_scenes import centred, first_that_fits, others, placed

FIRST = 110_000_000  # seeds of these scenes begin here
SIZE = 128
HIDDEN = (0.25, 0.6)  # of each object
TURN = 30.0  # degrees
SCALE = (0.8, 1.25)
POINTS = 64  # of each pair, drawn on the whole object


@dataclass(frozen=True)
class Pose:
    """A sticker's larger side in pixels, its turn in degrees (counter-clockwise), its middle."""

    side: float
    turn: float
    middle: tuple[float, float]

    def places(self, points: np.ndarray) -> np.ndarray:
        """The pixels [n, 2] of points [n, 2] of the art, in larger sides from its middle."""
        angle = np.deg2rad(self.turn)
        cosine, sine = np.cos(angle), np.sin(angle)
        turned = points @ np.array([[cosine, -sine], [sine, cosine]])
        return turned * self.side + np.array(self.middle)

    def moved(self, turn: float, scale: float) -> Pose:
        """The pose after `moved`."""
        about = Pose(scale, turn, (SIZE, SIZE))
        middle = about.places(np.array([self.middle]) - SIZE)[0]
        return Pose(self.side * scale, self.turn + turn, (float(middle[0]), float(middle[1])))


@dataclass(frozen=True)
class Pair:
    """Two scenes of one word, the poses of their queries, and how the second one is moved."""

    word: str
    scenes: tuple[Scene, Scene]
    poses: tuple[Pose, Pose]
    turn: float
    scale: float
    points: np.ndarray

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """The pixels [n, 2] of `points` in the first and in the moved second object."""
        first, second = self.poses
        return first.places(self.points), second.moved(self.turn, self.scale).places(self.points)


def pair(number: int, seed: int) -> Pair:
    """Pair `number` (0, 1, ...); words take turns. The same arguments always give the same pair."""
    words = np.random.default_rng([FIRST, seed]).permutation(WORDS)
    for further in range(len(words)):
        word = str(words[(number + further) % len(words)])
        rng = np.random.default_rng([FIRST, seed, number, further])
        try:
            drawn = [hidden_sticker(rng, word, 1 + (number + side) % 3) for side in (0, 1)]
        except NoPlacement:
            continue
        turn = float(rng.uniform(TURN / 3, TURN) * rng.choice([-1, 1]))
        scale = float(rng.uniform(*SCALE))
        (one, here), (other, there) = drawn
        return Pair(word, (one, other), (here, there), turn, scale, points_of(rng, word))
    raise NoPlacement(f"pair {number} cannot be drawn")


def hidden_sticker(rng, word: str, background: int) -> tuple[Scene, Pose]:
    """A scene in which another object hides a part of the word's sticker, and its pose."""
    poses: list[Pose] = []

    def layers():
        side, turn = rng.uniform(0.55, 0.75) * SIZE, float(rng.uniform(-6, 6))
        art = art_of(word, side, turn)
        lengths = np.array(art.shape[1::-1])
        corner = np.round(SIZE + rng.uniform(-0.08, 0.08, 2) * SIZE - lengths / 2)
        middle = corner + lengths / 2
        poses.append(Pose(side, turn, (float(middle[0]), float(middle[1]))))
        query = centred(word, art, middle - SIZE / 2, SIZE)
        ys, xs = np.nonzero(query.amodal)
        at = rng.integers(len(xs))
        point = (xs[at] - SIZE / 2, ys[at] - SIZE / 2)
        (front,) = others(rng, 1, word)
        return [query, placed(rng, front, rng.uniform(0.35, 0.6) * SIZE, point, SIZE)]

    def fits(scene):
        whole = scene.amodal().sum() == scene.amodal_sheet().sum()
        return whole and HIDDEN[0] <= scene.hidden() <= HIDDEN[1]

    scene = first_that_fits(rng, scenes.BACKGROUNDS[background], SIZE, layers, fits)
    return scene, poses[-1]


def art_of(word: str, side: float, turn: float) -> np.ndarray:
    """The sticker [h, w, 4] (0 to 1), turned by exactly `turn` degrees around its middle."""
    image = Image.fromarray(picture(word)).convert("RGBa")
    factor = side / max(image.size)
    size = [max(4, round(length * factor)) for length in image.size]
    image = image.resize(size, Image.Resampling.LANCZOS)
    turned = image.rotate(turn, Image.Resampling.BICUBIC, expand=True).convert("RGBA")
    return np.asarray(turned, np.float32) / 255


def points_of(rng, word: str) -> np.ndarray:
    """POINTS random points [n, 2] of the art, in larger sides from its middle."""
    art = picture(word)
    ys, xs = np.nonzero(art[..., 3] > 127)
    at = rng.choice(len(xs), POINTS, replace=False)
    places = np.stack([xs[at], ys[at]], 1) + 0.5
    return (places - np.array(art.shape[1::-1]) / 2) / max(art.shape[:2])


def moved(rgba: np.ndarray, turn: float, scale: float) -> np.ndarray:
    """RGBA [2S, 2S, 4] turned counter-clockwise around the sheet's middle, and scaled."""
    image = Image.fromarray((rgba.clip(0, 1) * 255).round().astype(np.uint8)).convert("RGBa")
    angle = np.deg2rad(turn)
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    middle = SIZE - (cosine - sine) * SIZE, SIZE - (sine + cosine) * SIZE
    back = (cosine, -sine, middle[0], sine, cosine, middle[1])  # from new pixels to old ones
    turned = image.transform(image.size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC)
    return np.asarray(turned.convert("RGBA"), np.float32) / 255


def shown(pixels: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Boolean [n]: whether a mask [2S, 2S] is set at each of the places [n, 2]."""
    x, y = np.floor(places).astype(int).clip(0, 2 * SIZE - 1).T
    return pixels[y, x] > 0.5
