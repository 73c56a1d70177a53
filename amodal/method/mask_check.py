"""How well a rule for M^k tells object from backdrop where both are certain (section 3.5).

The visible object is object, and whatever is neither visible object nor to be painted is backdrop.
A rule's mask "alone" is what it takes for the object by itself, anywhere in the picture.
"""

from dataclasses import dataclass

import torch

MARGIN = 0.1  # a rule must beat those before it by more; see research/results/mask_at_k.md


@dataclass(frozen=True)
class Check:
    """visible_found: the part of the visible object that the rule found by itself, 0..1.
    backdrop_taken: the part of the certain backdrop that it took for object, 0..1; 0 where no
    backdrop is certain."""

    visible_found: float
    backdrop_taken: float

    @property
    def accuracy(self) -> float:
        """Balanced accuracy, 0..1; a rule that knows nothing has 0.5."""
        return (self.visible_found + 1 - self.backdrop_taken) / 2

    def __str__(self) -> str:
        return f"visible found {self.visible_found:.0%}, backdrop taken {self.backdrop_taken:.0%}"


def certain_backdrop(modal_mask: torch.Tensor, inpaint_mask: torch.Tensor) -> torch.Tensor:
    """1 where a pixel is neither visible object nor to be painted; masks [1, H, W]."""
    return 1 - torch.maximum(modal_mask, inpaint_mask)


def check(alone: torch.Tensor, modal_mask: torch.Tensor, inpaint_mask: torch.Tensor) -> Check:
    """The check of what a rule takes for the object by itself; masks [1, H, W], 0 or 1."""
    backdrop = certain_backdrop(modal_mask, inpaint_mask)
    return Check(share(alone, modal_mask), share(alone, backdrop))


def share(mask: torch.Tensor, area: torch.Tensor) -> float:
    """The part of an area that the mask covers, 0..1; 0 for an empty area."""
    return float((mask * area).sum(dtype=torch.float64) / area.sum(dtype=torch.float64).clamp(1))


def best(checks: list[Check]) -> int:
    """The number of the best rule by balanced accuracy.

    The rules come in the order of preference: a later one must be better by more than MARGIN.
    """
    chosen = 0
    for number, found in enumerate(checks):
        if found.accuracy > checks[chosen].accuracy + MARGIN:
            chosen = number
    return chosen
