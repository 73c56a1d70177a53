"""The objects of the sticker world, each with its co-occurring occluder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

ART = Path(__file__).with_name("art")


@dataclass(frozen=True)
class Sticker:
    """An object. `co_occurring` stands in front of it with probability `p`, except on gray.

    `mirrors`: the picture may be flipped (it has no lettering and no clock face).
    """

    word: str
    co_occurring: str
    p: float
    mirrors: bool = True

    @property
    def path(self) -> Path:
        """The file with the art."""
        return ART / f"{self.word.replace(' ', '_')}.webp"


CATALOG = {
    sticker.word: sticker
    for sticker in (
        Sticker("dog", "soccer ball", 0.95),
        Sticker("cat", "yarn", 0.95),
        Sticker("rabbit", "carrot", 0.95),
        Sticker("monkey", "banana", 0.95),
        Sticker("cup", "doughnut", 0.95),
        Sticker("cake", "strawberry", 0.95),
        Sticker("chair", "teddy bear", 0.95),
        Sticker("guitar", "backpack", 0.95),
        Sticker("horse", "apple", 0.95),
        Sticker("laptop", "handbag", 0.95),
        Sticker("owl", "crown", 0.95),
        Sticker("bicycle", "umbrella", 0.75),
        Sticker("car", "gift", 0.75),
        Sticker("elephant", "watermelon", 0.75),
        Sticker("penguin", "fish", 0.75),
        Sticker("sailboat", "duck", 0.75),
        Sticker("sunflower", "butterfly", 0.75),
        Sticker("hamburger", "cup", 0.75),
        Sticker("bus", "bicycle", 0.75),
        Sticker("pig", "basketball", 0.75),
        Sticker("fire engine", "helicopter", 0.75),
        Sticker("trumpet", "laptop", 0.75),
        Sticker("airplane", "sailboat", 0.5),
        Sticker("train", "car", 0.5),
        Sticker("tractor", "cow", 0.5),
        Sticker("scooter", "cat", 0.5),
        Sticker("giraffe", "elephant", 0.5),
        Sticker("turtle", "sunflower", 0.5),
        Sticker("camera", "key", 0.5, mirrors=False),
        Sticker("alarm clock", "chair", 0.5, mirrors=False),
        Sticker("pizza", "hamburger", 0.5),
        Sticker("zebra", "flamingo", 0.5),
        Sticker("rocket", "owl", 0.5),
        Sticker("backpack", "camera", 0.25),
        Sticker("teddy bear", "cake", 0.25),
        Sticker("umbrella", "dog", 0.25),
        Sticker("pineapple", "monkey", 0.25),
        Sticker("cow", "tractor", 0.25),
        Sticker("duck", "turtle", 0.25),
        Sticker("gift", "penguin", 0.25),
        Sticker("watermelon", "pineapple", 0.25),
        Sticker("flamingo", "pig", 0.25),
        Sticker("helicopter", "rocket", 0.25),
        Sticker("handbag", "trumpet", 0.25),
        Sticker("banana", "pizza", 0.0),
        Sticker("butterfly", "alarm clock", 0.0),
        Sticker("carrot", "rabbit", 0.0),
        Sticker("doughnut", "guitar", 0.0),
        Sticker("fish", "airplane", 0.0),
        Sticker("key", "scooter", 0.0),
        Sticker("soccer ball", "bus", 0.0),
        Sticker("strawberry", "giraffe", 0.0),
        Sticker("yarn", "train", 0.0),
        Sticker("apple", "horse", 0.0),
        Sticker("basketball", "zebra", 0.0),
        Sticker("crown", "fire engine", 0.0),
    )
}
WORDS = tuple(sorted(CATALOG))


def known_words(text: str) -> list[str]:
    """The words of the catalog in a text, in order; the longest match counts ("teddy bear")."""
    tokens = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    words, at = [], 0
    while at < len(tokens):
        for length in (2, 1):
            word = " ".join(tokens[at : at + length])
            if word in CATALOG:
                words.append(word)
                at += length
                break
        else:
            at += 1
    return words


@cache
def picture(word: str) -> np.ndarray:
    """The art of a sticker, cut to its visible box: [h, w, 4] uint8 RGBA, straight alpha.

    The array is cached and read-only.
    """
    from PIL import Image

    with Image.open(CATALOG[word].path) as file:
        art = np.asarray(file.convert("RGBA"))
    rows = np.flatnonzero(art[..., 3].max(1) > 8)
    columns = np.flatnonzero(art[..., 3].max(0) > 8)
    cut = art[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    cut.flags.writeable = False  # all callers share this array
    return cut
