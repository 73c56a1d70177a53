"""The scenes of the evaluation: what hides the object, and how much of it (Table 1, Table 2).

Their seeds are not used by tests, demo or training. Every method gets the same scenes. Cell names
are keys of records and file names: "companion-" cells hold the co-occurring occluder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amodal.stickers import scenes
from amodal.stickers.catalog import CATALOG, WORDS

from .hard_scenes import ROBUST

FIRST = 50_000_000  # seeds of the evaluation's scenes begin here
PLACES = 40  # seeds to try for a scene
EASY, HARD = (0.2, 0.5), (0.5, 0.8)
CO_OCCURRING = scenes.OCCLUDERS[0]  # what make_scene calls the occluder of training


@dataclass(frozen=True)
class Cell:
    """One kind of scene.

    share: range of the fraction of the object that is hidden. likely: range of the probability p of
    the co-occurring occluder. cut: the picture's border hides the object, and no other object does.
    """

    name: str
    title: str
    occluder: str | None
    share: tuple[float, float] = EASY
    likely: tuple[float, float] = (0.0, 1.0)
    cut: bool = False

    @property
    def words(self) -> list[str]:
        low, high = self.likely
        return [word for word in WORDS if low <= CATALOG[word].p <= high]

    def scene(self, number: int, seed: int = 0, size: int = 128) -> scenes.Scene:
        """Scene `number` (0, 1, ...). Words and backgrounds, without studio gray, take turns.

        Raises scenes.NoPlacement if no seed gives such a scene.
        """
        rng = np.random.default_rng([seed, FIRST])
        words = list(rng.permutation(self.words))
        key = FIRST + 1_000_000 * seed + 1_000 * number
        for attempt in range(PLACES):
            try:
                return scenes.make_scene(
                    key + attempt,
                    size=size,
                    query=str(words[number % len(words)]),
                    occluder=None if self.cut else self.occluder,
                    cut=scenes.SIDES[number % 4] if self.cut else None,
                    hidden=self.share,
                    background=scenes.BACKGROUNDS[1 + number % 3],
                )
            except scenes.NoPlacement:
                continue
        raise scenes.NoPlacement(f"scene {number} of {self.name} cannot be drawn")


COMMON = (0.5, 1.0)  # the co-occurring occluder is in front in at least half of the training
CELLS = {
    cell.name: cell
    for cell in (
        Cell(
            "companion-easy", "its co-occurring occluder hides 20-50 %", CO_OCCURRING, EASY, COMMON
        ),
        Cell(
            "companion-hard", "its co-occurring occluder hides 50-80 %", CO_OCCURRING, HARD, COMMON
        ),
        Cell("other-easy", "another object hides 20-50 %", "other", EASY),
        Cell("other-hard", "another object hides 50-80 %", "other", HARD),
        Cell("border", "the border cuts off 20-50 %", None, EASY, cut=True),
    )
}
DOSES = {
    cell.name: cell
    for cell in (
        Cell(f"dose-{p:.2f}", f"p = {p:g}", CO_OCCURRING, (0.25, 0.6), (p, p))
        for p in (0.0, 0.25, 0.5, 0.75, 0.95)
    )
}
EVERY = CELLS | DOSES | ROBUST
