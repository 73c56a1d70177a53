"""The scenes of the demo: what lies where, and which of it is to be completed.

They were composed by trying: each shows what its title says. How often the method succeeds on
random scenes is a matter of research/results/evaluation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amodal.stickers import scenes
from amodal.stickers.backgrounds import make_background


@dataclass(frozen=True)
class Thing:
    """A sticker: its larger side and its centre, as fractions of the picture's side."""

    word: str
    side: float
    x: float
    y: float


@dataclass(frozen=True)
class Story:
    """One row of the sheet.

    folder: where its files go. title, line: what the row shows, in two sentences for a stranger.
    things: from far to near. query: index of the object to complete. number: seed of the
    background and of the slight turn of each thing. seed: seed of the sampling.
    """

    folder: str
    title: str
    line: str
    things: tuple[Thing, ...]
    number: int = 0
    seed: int = 1
    background: str = "gradient"
    query: int = 0
    size: int = 256
    count: int = 1

    def scene(self) -> scenes.Scene:
        """The scene with its ground truth."""
        rng = np.random.default_rng(self.number)
        sheet = make_background(rng, self.background, 2 * self.size)
        layers = [placed(rng, thing, self.size) for thing in self.things]
        return scenes.Scene(self.size, sheet, layers, self.query, self.background)


def placed(rng: np.random.Generator, thing: Thing, size: int) -> scenes.Layer:
    """The thing as a layer of a picture of size x size pixels, turned a little."""
    art = scenes.transformed(rng, thing.word, thing.side * size)
    height, width = art.shape[:2]
    x = (thing.x + 0.5) * size - width / 2
    y = (thing.y + 0.5) * size - height / 2
    return scenes.Layer(thing.word, scenes.on_sheet(art, 2 * size, x, y))


STORIES = (
    Story(
        "front",
        "1  Something in front",
        "A penguin stands in front of a bus.",
        (Thing("bus", 0.8, 0.5, 0.5), Thing("penguin", 0.48, 0.45, 0.62)),
        number=10,
    ),
    Story(
        "companion",
        "2  Its usual companion in front",
        "Where these models see a rabbit, they expect a carrot. Plain inpainting paints it again.",
        (Thing("rabbit", 0.75, 0.5, 0.5), Thing("carrot", 0.5, 0.5, 0.65)),
        number=5,
    ),
    Story(
        "border",
        "3  Cut off by a border",
        "The picture grows to the left.",
        (Thing("hamburger", 0.7, 0.12, 0.5),),
        number=8,
    ),
    Story(
        "corner",
        "4  Cut off by two borders",
        "The picture grows to the left and downwards.",
        (Thing("penguin", 0.8, 0.24, 0.74),),
        number=6,
    ),
    Story(
        "layers",
        "5  Behind two layers",
        "The first pass removes the owl, the second the backpack.",
        (
            Thing("umbrella", 0.92, 0.53, 0.5),
            Thing("backpack", 0.62, 0.14, 0.40),
            Thing("owl", 0.48, 0.36, 0.33),
        ),
        number=15,
        seed=2,
    ),
    Story(
        "seeds",
        "6  Best of four seeds",
        "Each is tested by painting on around it: what grows (red) was not whole. The framed one "
        "grows least.",
        (Thing("cat", 0.8, 0.5, 0.5), Thing("gift", 0.5, 0.62, 0.6)),
        number=11,
        count=4,
    ),
)
