"""How close a completion of a sticker scene comes to the truth (section 4.1).

Everything is compared on the scene's sheet: the picture with half a picture around it, 2S x 2S for
a picture of S x S pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scenes import Scene


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of two boolean masks; 1 if both are empty."""
    either = (a | b).sum()
    return float((a & b).sum() / either) if either else 1.0


def seen_on_sheet(scene: Scene) -> np.ndarray:
    """The query's visible pixels, [2S, 2S] bool."""
    seen = np.zeros((2 * scene.size,) * 2, bool)
    scene.window(seen)[:] = scene.modal()
    return seen


@dataclass(frozen=True)
class Closeness:
    """How close a completion is to the truth.

    amodal_iou, occluded_iou: IoU of the amodal mask, and of its occluded part alone. colour: mean
    absolute difference (0..1) at occluded pixels of the object in both truth and completion; 1 if
    they share none.
    """

    amodal_iou: float
    occluded_iou: float
    colour: float

    def __str__(self) -> str:
        return (
            f"amodal IoU {self.amodal_iou:.2f}, occluded IoU {self.occluded_iou:.2f}, "
            f"colour error {self.colour:.3f}"
        )


def overlaps(painted: np.ndarray, truth: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """{"amodal_iou", "occluded_iou"} of two amodal masks; all masks [H, W] bool."""
    return {
        "amodal_iou": iou(painted, truth),
        "occluded_iou": iou(painted & ~seen, truth & ~seen),
    }


def closeness(scene: Scene, completed: np.ndarray) -> Closeness:
    """Of a completed object [2S, 2S, 4] on the scene's sheet."""
    painted, truth, seen = completed[..., 3] > 0.5, scene.amodal_sheet(), seen_on_sheet(scene)
    both = painted & truth & ~seen
    difference = np.abs(completed[..., :3] - scene.truth_sheet)[both]
    colour = float(difference.mean()) if both.any() else 1.0
    return Closeness(**overlaps(painted, truth, seen), colour=colour)
