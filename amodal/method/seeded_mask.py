"""M^k by a classifier trained on the cells whose kind is certain (section 3.5, another rule).

Ridge regression on the features of one picture, in closed form. The visible object's cells are 1,
those of the certain backdrop -1, both kinds with the same weight.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..core import validate
from ..core.errors import BadInput
from .mask_at_k import tidied
from .mask_check import certain_backdrop

RIDGE = 0.01  # of the weight of all certain cells
PURE = 0.95  # the least part of a certain cell that is of its kind
MOSTLY = 0.5  # the same where the object has too few pure cells
LEAST = 4  # certain cells of each kind
BANDS = 4  # parts that are left out in turn to test the classifier


@dataclass(frozen=True)
class Seeded:
    """mask: M^k [1, H, W]. alone: what the rule takes by itself [1, H, W]; a certain cell is judged
    by a classifier that has not seen its part of the picture. note: "", or why there is none."""

    mask: torch.Tensor
    alone: torch.Tensor
    note: str = ""


def seeded(
    features: torch.Tensor,
    modal_mask: torch.Tensor,
    inpaint_mask: torch.Tensor,
    difference: torch.Tensor | None = None,
) -> Seeded:
    """M^k from features [C, h, w] of one picture; masks [1, H, W], 0 or 1.

    `difference` [1, H, W, 3], the decoded estimate less the known background, adds each cell's mean
    difference and mean absolute difference of each colour to its features.
    Holes and loose parts are treated as in `known_background`. With fewer than LEAST certain cells
    of a kind, M^k is the modal mask, and the note says so. Raises BadInput for NaN.
    """
    if not torch.isfinite(features).all():
        raise BadInput("features", "holds NaN or infinite values", "check the model's precision")
    grid = validate.size_of(features)
    visible = certain_cells(modal_mask, grid)
    backdrop = cells(certain_backdrop(modal_mask, inpaint_mask), grid) >= PURE
    for kind, found in (("the object", visible), ("certain backdrop", backdrop)):
        if int(found.sum()) < LEAST:
            note = f"only {int(found.sum())} cells show {kind}: M^k is the modal mask"
            return Seeded(modal_mask, torch.zeros_like(modal_mask), note)
    if difference is not None:
        colours = torch.cat([difference, difference.abs()], -1).movedim(-1, 1)[0]
        features = torch.cat([features, F.adaptive_avg_pool2d(colours, grid)])
    fitted, tested = scores(features.flatten(1).T, visible, backdrop)
    mask, alone = (
        F.interpolate(score.reshape(1, 1, *grid), modal_mask.shape[-2:], mode="bilinear")[0] > 0
        for score in (fitted, tested)
    )
    return Seeded(tidied(mask.float(), modal_mask, inpaint_mask), alone.float())


def cells(mask: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """[h * w]: the part of each cell of the grid that a mask [1, H, W] covers."""
    return F.adaptive_avg_pool2d(mask, grid).flatten()


def certain_cells(mask: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """[h * w] bool: pure cells of the mask, or those mostly of it where few are pure."""
    shares = cells(mask, grid)
    pure = shares >= PURE
    return pure if int(pure.sum()) >= LEAST else shares >= MOSTLY


def scores(
    points: torch.Tensor, visible: torch.Tensor, backdrop: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores [n] of points [n, C], positive on the object: fitted to all certain cells, and with
    each certain cell's band left out. visible, backdrop [n] bool."""
    weight = visible.double() / (2 * visible.sum()) + backdrop.double() / (2 * backdrop.sum())
    points = points.double()
    mean = weight @ points
    spread = (weight @ (points - mean).square()).sqrt().clamp(min=1e-6)
    points = torch.cat([(points - mean) / spread, torch.ones_like(points[:, :1])], 1)
    target = visible.double() - backdrop.double()
    bands = in_bands(visible) + in_bands(backdrop)  # 0: not certain; 1 to BANDS
    parts = [normal_equations(points[bands == b], target, weight, bands == b) for b in BAND_NUMBERS]
    gram, moment = (sum(part) for part in zip(*parts))
    fitted = points @ solved(gram, moment)
    tested = fitted.clone()
    for band, (own_gram, own_moment) in zip(BAND_NUMBERS, parts):
        left_out = bands == band
        tested[left_out] = points[left_out] @ solved(gram - own_gram, moment - own_moment)
    return fitted.float(), tested.float()


BAND_NUMBERS = range(1, BANDS + 1)


def in_bands(chosen: torch.Tensor) -> torch.Tensor:
    """[n]: the band 1 to BANDS of each chosen cell, from the top; all have as many. 0 elsewhere."""
    rank = chosen.cumsum(0) - 1
    return torch.where(chosen, rank * BANDS // chosen.sum() + 1, 0)


def normal_equations(points, target, weight, rows) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted Gram matrix [C, C] of points [m, C], and their moment [C] with the target."""
    weighted = points * weight[rows, None]
    return weighted.T @ points, weighted.T @ target[rows]


def solved(gram: torch.Tensor, moment: torch.Tensor) -> torch.Tensor:
    """The coefficients [C] of ridge regression."""
    return torch.linalg.solve(gram + RIDGE * torch.eye(len(gram), dtype=gram.dtype), moment)
