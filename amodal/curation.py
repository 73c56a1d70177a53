"""Is a completion complete? The counterfactual test of section 3.6: outpaint it; does it grow?

An incomplete object calls for its missing part when everything around it is painted anew; a
complete one does not. Two measures decide: how much the mask's area grows, and how near the grown
object comes to the border of the picture.
"""

from dataclasses import dataclass

import torch

from . import masks as algebra
from .errors import BadInput

EXTENSION = 0.2  # more growth than this means incomplete (section 3.6, figure 5)
BORDER = 0.02  # nearer to the border than this part of the side: it goes on outside


@dataclass(frozen=True)
class Verdict:
    """extension: area gained over the area before, mean over the counterfactuals. border: distance
    of the grown object from the picture's border as a fraction of the larger side, mean likewise.
    score: 0..1, at least 0.5 where complete."""

    extension: float
    border: float
    score: float

    @property
    def complete(self) -> bool:
        return self.score >= 0.5


def counterfactual_mask(amodal: torch.Tensor, corner: float) -> torch.Tensor:
    """What to outpaint, [n, H, W] of 0 and 1: everywhere but the amodal mask and the four corners.

    corner: the side of the kept corner squares as a fraction of the picture's smaller side, 0 to
    0.5; they tell the model what background there is (section 3.6).
    """
    height, width = amodal.shape[-2:]
    side = round(corner * min(height, width))
    around = (amodal <= 0.5).float()
    if side:
        for rows in (slice(0, side), slice(height - side, height)):
            for columns in (slice(0, side), slice(width - side, width)):
                around[:, rows, columns] = 0
    return around


def extension(before: torch.Tensor, after: torch.Tensor) -> float:
    """The area that `after` [H, W] adds to `before` [H, W], over the area of `before`."""
    old, new = before > 0.5, after > 0.5
    area = int(old.sum())
    if not area:
        raise BadInput("mask", "is empty", "connect the completed object's amodal mask")
    return int((new & ~old).sum()) / area


def distance_to_border(mask: torch.Tensor) -> float:
    """From the mask's [H, W] box to the nearest border, over the larger side; 0.5 where empty."""
    box = algebra.box_of(mask)
    if box is None:
        return 0.5
    height, width = mask.shape
    left, top, right, bottom = box
    return min(left, top, width - right, height - bottom) / max(height, width)


def judge(
    before: torch.Tensor, after: torch.Tensor, most: float = EXTENSION, least: float = BORDER
) -> Verdict:
    """The verdict on a completion whose mask is before [1, H, W], by its counterfactuals' masks.

    after: [n, H, W], one for each outpainting. most: the largest extension of a complete object.
    least: the least distance to the border. The score is 0.5 where a measure is at its threshold,
    and the lower of both measures' scores.
    """
    grown = torch.maximum(after, before)
    gained = sum(extension(before[0], one) for one in grown) / len(grown)
    distance = sum(distance_to_border(one) for one in grown) / len(grown)
    by_growth = 0.5 ** (gained / most) if most else float(gained == 0)
    by_border = distance / (distance + least) if distance + least else 0.0
    return Verdict(gained, distance, min(by_growth, by_border))


def ranked(scores: list[float]) -> list[int]:
    """Numbers of the completions, the best score first, equal ones in their order."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])
