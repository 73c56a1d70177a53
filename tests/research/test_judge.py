"""How well the judge finds painted objects that are known to be spurious."""

import numpy as np

from research.evaluation import judge
from research.evaluation.scenarios import CELLS

SCENES = [
    CELLS[cell].scene(n, seed=5) for cell in ("companion-hard", "other-easy") for n in range(20)
]


def judged(sheet_of) -> np.ndarray:
    known = np.ones(SCENES[0].truth_sheet.shape[:2], bool)
    return np.array([judge.spurious(scene, sheet_of(scene), known) for scene in SCENES])


def test_the_true_picture_holds_nothing_spurious():
    """A little off in colour, as what was painted is, so that all of it is looked at."""
    shares = judged(lambda scene: (scene.truth_sheet + 0.02).clip(0, 1))
    assert (shares < judge.SPURIOUS).mean() >= 0.95


def test_an_occluder_painted_once_more_is_spurious():
    shares = judged(repainted)
    assert (shares >= judge.SPURIOUS).mean() >= 0.9


def repainted(scene) -> np.ndarray:
    """The true picture with another object of the scene's own painted where the query was hidden,
    a little to the side."""
    nearest = scene.layers[-1].rgba
    moved = np.roll(nearest, (3, 3), (0, 1))
    return scene.truth_sheet + (moved[..., :3] - scene.truth_sheet) * moved[..., 3:]


def test_larger_sheets_are_judged_as_smaller_ones_are():
    for scene in SCENES[:3]:
        small = judge.classes(scene.truth_sheet)
        large = judge.classes(scene.truth_sheet.repeat(2, 0).repeat(2, 1))
        assert large.shape == (512, 512) and np.array_equal(large[::2, ::2], small)
