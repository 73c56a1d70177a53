"""A stand-in for the order model: the scene's own order, or wrong and unsure answers."""

from __future__ import annotations

import numpy as np
import torch

from . import faults
from .stage import Stage, not_counted


class Order:
    """AMODAL_ORDER_MODEL of a run."""

    def __init__(self, stage: Stage, fault: str = faults.PERFECT):
        self.stage, self.fault = stage, fault

    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        """P [n, n]; see core.types.OrderModel."""
        with not_counted():
            view = self.stage.view(image)
            layers = [owner_of(mask.numpy() > 0.5, view.owners) for mask in masks]
            result = torch.full((len(masks),) * 2, float("nan"))
            for i, j in pairs:
                result[i, j] = self.answer(layers[i], layers[j], view.number)
                result[j, i] = self.answer(layers[j], layers[i], view.number)
            return result

    def answer(self, front: int, back: int, view: int) -> float:
        """The probability that one layer hides another. What the painter adds lies on top."""
        count, scene = len(self.stage.scene.layers), self.stage.scene
        added = front >= count > back >= 0
        known = 0 <= front < count and 0 <= back < count
        chance = 0.98 if added or (known and scene.hides(front, back)) else 0.02
        rng = np.random.default_rng([scene.seed, view, min(front, back) + 1, max(front, back) + 1])
        if self.fault in faults.ORDER and rng.random() < faults.ORDER[self.fault].alone:
            if self.fault == "order-unsure":
                return 0.5 + 0.3 * (chance - 0.5) + float(rng.uniform(-0.15, 0.15))
            return 1 - chance
        return chance


def owner_of(mask: np.ndarray, owners: np.ndarray) -> int:
    """The layer that most of a mask's pixels show; -1 for the background, or an empty mask."""
    inside = owners[mask]
    return int(np.bincount(inside + 1).argmax()) - 1 if inside.size else -1
