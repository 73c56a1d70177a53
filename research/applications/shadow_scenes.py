"""Sticker scenes whose occluder casts a shadow, or is mirrored in the ground.

Each kind draws the scenes of one of the evaluation's cells anew, so that the same scenes exist
without a shadow. The truth has neither occluder nor shadow. A Kind is used like a Cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import numpy as np
from scipy import ndimage

from amodal.stickers import scenes
from amodal.stickers.scenes import NoPlacement, Scene

from ..evaluation.scenarios import CELLS

FIRST = 90_000_000  # seeds of the shadows begin here
FURTHER = 9  # further scenes to try
PLACES = 20  # shadows to try for a scene
DARKNESS = (0.4, 0.7)  # the part of the light that the occluder takes away
ASIDE, DOWN = (0.08, 0.35), (0.05, 0.3)  # how far a shadow falls, of the occluder's larger side
SOFT = (0.008, 0.025)  # standard deviation of its edge, of the picture's side
MIRRORED = (0.3, 0.6)  # how much of a reflection shows over the ground
LEAST = 0.015  # of the picture: the visible area of a shadow or reflection on the ground
SHOWN = 0.5  # a pixel belongs to a shadow with at least this part of its full darkness

SHADOW, REFLECTION, BARE = "shadow", "reflection", "without shadow"
CROWDED = "further objects behind"


@dataclass
class Shaded(Scene):
    """A scene whose nearest object darkens what is behind it, or is mirrored in the ground.

    shade [2S, 2S]: the part of the light that is missing, 0..1. reflection [2S, 2S, 4]: what the
    ground shows. Both go where their caster goes.
    """

    shade: np.ndarray = field(default=None, repr=False)
    reflection: np.ndarray = field(default=None, repr=False)

    def render(self, layers: list[int] | None = None) -> np.ndarray:
        layers = list(range(len(self.layers))) if layers is None else layers
        caster = len(self.layers) - 1
        if caster not in layers:
            return super().render(layers)
        bare, ground = self.background_sheet, self.background_sheet.copy()
        ground += (self.reflection[..., :3] - ground) * self.reflection[..., 3:]
        self.background_sheet = ground
        try:
            sheet = super().render([layer for layer in layers if layer != caster])
        finally:
            self.background_sheet = bare
        sheet *= 1 - self.shade[..., None]
        rgba = self.layers[caster].rgba
        return sheet + (rgba[..., :3] - sheet) * rgba[..., 3:]

    @property
    def marked(self) -> np.ndarray:
        """[S, S] bool: where shadow or reflection shows, be it on the ground or on an object."""
        full = max(float(self.shade.max()), 1e-6)
        dark = self.shade >= max(SHOWN * full, 1e-6)
        return self.window(dark | (self.reflection[..., 3] >= SHOWN * MIRRORED[0]))

    @property
    def on_ground(self) -> np.ndarray:
        """[S, S] bool: `marked`, where no object covers the ground."""
        return self.marked & ~np.any([self.amodal(i) for i in range(len(self.layers))], 0)

    @property
    def on_query(self) -> np.ndarray:
        """[S, S] bool: where the shadow falls on visible pixels of the query."""
        full = max(float(self.shade.max()), 1e-6)
        return self.window(self.shade >= max(SHOWN * full, 1e-6)) & self.modal()


@dataclass(frozen=True)
class Kind:
    """The scenes of the evaluation's cell `cell` with `draw(rng, scene)`'s shade and reflection.

    on_query: the least part of the query's visible pixels that the shadow covers. bare: the very
    same scenes, without it.
    """

    name: str
    cell: str
    draw: Callable = field(repr=False)
    on_query: float = 0.0
    bare: bool = False

    def scene(self, number: int, seed: int = 0, size: int = 128) -> Shaded:
        for further in range(FURTHER):  # another scene if no shadow fits this one
            key = number + 100 * further
            plain = CELLS[self.cell].scene(key, seed, size)
            rng = np.random.default_rng([seed, FIRST, key])
            for _ in range(PLACES):
                scene = shaded(plain, *self.draw(rng, plain))
                if self.fits(scene):
                    return shaded(plain, *nothing(plain)) if self.bare else scene
        raise NoPlacement(f"scene {number} of {self.name} cannot be drawn")

    def fits(self, scene: Shaded) -> bool:
        covered = scene.on_query.sum() / max(1, scene.modal().sum())
        return scene.on_ground.mean() >= LEAST and covered >= self.on_query


@dataclass(frozen=True)
class Crowded:
    """Scenes without shadows, in which two further objects lie behind the query."""

    name: str = CROWDED

    def scene(self, number: int, seed: int = 0, size: int = 128) -> Scene:
        key = FIRST + 1_000_000 * seed + 1_000 * number
        background = scenes.BACKGROUNDS[1 + number % 3]
        for further in range(PLACES):
            try:
                return scenes.make_scene(
                    key + further, size=size, occluder="other", behind=2, background=background
                )
            except NoPlacement:
                continue
        raise NoPlacement(f"scene {number} of {self.name} cannot be drawn")


def shaded(plain: Scene, shade: np.ndarray, reflection: np.ndarray) -> Shaded:
    kept = {f.name: getattr(plain, f.name) for f in fields(Scene)}
    return Shaded(**kept, shade=shade, reflection=reflection)


def nothing(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    side = 2 * scene.size
    return np.zeros((side, side), np.float32), np.zeros((side, side, 4), np.float32)


def drop_shadow(rng, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """The occluder's shape, moved down and aside, with a soft edge."""
    outline = scene.layers[-1].rgba[..., 3]
    ys, xs = np.nonzero(outline > 0.5)
    side = max(np.ptp(xs), np.ptp(ys)) + 1
    aside = rng.choice([-1, 1]) * rng.uniform(*ASIDE) * side
    fallen = ndimage.shift(outline, (rng.uniform(*DOWN) * side, aside), order=1)
    soft = ndimage.gaussian_filter(fallen, rng.uniform(*SOFT) * scene.size)
    return rng.uniform(*DARKNESS) * soft.astype(np.float32), nothing(scene)[1]


def mirrored(rng, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """The occluder upside down below its lowest pixel, fading downwards."""
    rgba = scene.layers[-1].rgba
    ys = np.flatnonzero((rgba[..., 3] > 0.5).any(1))
    line = ys[-1] + 1  # the first row below it
    reflection = np.zeros_like(rgba)
    height = min(line, len(rgba) - line)
    reflection[line : line + height] = rgba[line - height : line][::-1]
    fade = np.clip(1 - 0.6 * (np.arange(len(rgba)) - line) / (np.ptp(ys) + 1), 0, 1)
    reflection[..., 3] *= rng.uniform(*MIRRORED) * fade[:, None]
    return nothing(scene)[0], reflection


CELL = "companion-easy"  # an occluder that the model has learned to expect
KINDS = {
    kind.name: kind
    for kind in (
        Kind(SHADOW, CELL, drop_shadow, on_query=0.05),
        Kind(REFLECTION, CELL, mirrored),
        Kind(BARE, CELL, drop_shadow, on_query=0.05, bare=True),
        Crowded(),
    )
}
