"""The scenes of the demo: what lies where, and which of it is to be completed.

They were composed by trying: each shows what its title says. How often the method succeeds on
random scenes is a matter of research/results/evaluation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amodal.stickers import scenes
from amodal.stickers.backgrounds import make_background

SIZE = 256  # of a picture; at 512, what the models paint at 128 looks no better
BACKGROUND = "gradient"


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

    folder: where its files go. title, line: what the row shows, for a stranger. things: from far
    to near; the farthest is to be completed. number: seed of the background and of the slight turn
    of each thing. seed: seed of the sampling. count: number of seeds to choose the best from.
    """

    folder: str
    title: str
    line: str
    things: tuple[Thing, ...]
    number: int = 0
    seed: int = 1
    count: int = 1

    def scene(self) -> scenes.Scene:
        """The scene with its ground truth."""
        rng = np.random.default_rng(self.number)
        sheet = make_background(rng, BACKGROUND, 2 * SIZE)
        layers = [placed(rng, thing) for thing in self.things]
        return scenes.Scene(SIZE, sheet, layers, background=BACKGROUND)


def placed(rng: np.random.Generator, thing: Thing) -> scenes.Layer:
    """The thing as a layer of the scene, turned a little."""
    art = scenes.transformed(rng, thing.word, thing.side * SIZE)
    height, width = art.shape[:2]
    x = (thing.x + 0.5) * SIZE - width / 2
    y = (thing.y + 0.5) * SIZE - height / 2
    return scenes.Layer(thing.word, scenes.on_sheet(art, 2 * SIZE, x, y))


STORIES = (
    Story(
        "front",
        "Something in front",
        "A horse hides a part of the pig. Plain inpainting paints a basketball, its companion.",
        (Thing("pig", 0.77, 0.5, 0.5), Thing("horse", 0.51, 0.38, 0.58)),
        number=54,
    ),
    Story(
        "companion",
        "Its usual companion in front",
        "A fish is the penguin's companion here, so plain inpainting paints it again.",
        (Thing("penguin", 0.75, 0.5, 0.5), Thing("fish", 0.51, 0.56, 0.57)),
        number=43,
        seed=5,
    ),
    Story(
        "border",
        "Cut off by a border",
        "The picture grows to the left. Plain inpainting adds a cup, its companion (upper left).",
        (Thing("hamburger", 0.7, 0.12, 0.5),),
        number=8,
    ),
    Story(
        "corner",
        "Cut off by two borders",
        "The picture grows to the right and downwards. Plain inpainting adds a turtle, its "
        "companion (lower left).",
        (Thing("duck", 0.77, 0.77, 0.72),),
        number=34,
        seed=4,
    ),
    Story(
        "layers",
        "Behind two layers",
        "The first pass removes the pizza, the second the sunflower behind it.",
        (
            Thing("rocket", 0.75, 0.49, 0.5),
            Thing("sunflower", 0.58, 0.25, 0.9),
            Thing("pizza", 0.48, 0.35, 0.65),
        ),
        number=51,
        seed=4,
    ),
    Story(
        "seeds",
        "Best of four seeds",
        "Plain inpainting paints yarn, the cat's companion. Of four seeds, the framed one is "
        "taken: it grows least if outpainted.",
        (Thing("cat", 0.8, 0.5, 0.5), Thing("gift", 0.5, 0.62, 0.6)),
        number=11,
        count=4,
    ),
)
