"""Dense correspondence between two objects by features of a model (section 5, figure 10; ref. 61).

An object lies on a square grid of cells. Points are (x, y) in cells: the middle of the first cell
is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..core import interrupts
from ..core.errors import BadInput

ROWS = 2048  # of a table of similarities at a time


@dataclass(frozen=True)
class Object:
    """features [G, G, C] of unit length in each cell; inside [G, G] bool, not empty: its cells."""

    features: torch.Tensor
    inside: torch.Tensor

    @property
    def cells(self) -> int:
        """G, the cells along a side."""
        return len(self.inside)

    @property
    def side(self) -> int:
        """The larger side of the object's box, in cells."""
        rows, columns = self.inside.any(1).nonzero(), self.inside.any(0).nonzero()
        return 1 + int(max(rows[-1] - rows[0], columns[-1] - columns[0]))


@dataclass(frozen=True)
class Field:
    """Where each cell of one object lies on another one.

    targets [G, G, 2] are (x, y) in the other's cells, confidence [G, G] the cosine of the two
    features (0 to 1), cycle [G, G] how far from itself a cell ends that goes there and back, in
    cells, and mutual [G, G] whether each of the two is the other's best. Outside `inside` [G, G]
    confidence is 0, cycle infinite, and mutual False.
    """

    targets: torch.Tensor
    confidence: torch.Tensor
    cycle: torch.Tensor
    mutual: torch.Tensor
    inside: torch.Tensor


def object_of(maps: list[list[torch.Tensor]], mask: torch.Tensor, cells: int) -> Object:
    """An object on a grid of `cells` x `cells`, from groups of feature maps of its square.

    maps: groups, such as a diffusion model's levels and DINO's last layer, of maps [C, h, w]. Each
    group has the same weight in a similarity, each map the same weight in its group, however many
    channels it has: each is of unit length before they are concatenated (ref. 61). mask [S, S]
    (0 to 1) is the object in the same square; a cell is inside where more than half of it is, and
    the fullest cell always is.
    """
    parts = []
    for group in maps:
        parts += [on_cells(single, cells) / (len(group) * len(maps)) ** 0.5 for single in group]
    cover = F.interpolate(mask[None, None].float(), (cells, cells), mode="area")[0, 0]
    return Object(torch.cat(parts, -1), cover >= min(0.5, float(cover.max())))


def on_cells(features: torch.Tensor, cells: int) -> torch.Tensor:
    """Features [C, h, w] as unit vectors [cells, cells, C]."""
    scaled = F.interpolate(features[None].float(), (cells, cells), mode="bilinear")[0]
    return F.normalize(scaled, dim=0).movedim(0, -1)


def match(first: Object, second: Object) -> tuple[Field, Field]:
    """The fields from the first object to the second, and back. Both have the same cells.

    Raises BadInput for features of different models.
    """
    if first.features.shape != second.features.shape:
        raise BadInput(
            "features",
            f"are {list(first.features.shape)} against {list(second.features.shape)}",
            "take both from one model at one level",
        )
    ours, theirs = first.features[first.inside], second.features[second.inside]
    there, near = nearest(ours, theirs)
    back, close = nearest(theirs, ours)
    return (
        field_of(first.inside, second.inside, there, back, near),
        field_of(second.inside, first.inside, back, there, close),
    )


def nearest(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each of ours [n, C] the index [n] of the most similar of theirs [m, C]; their cosines."""
    indices, cosines = [], []
    for rows in ours.split(ROWS):
        interrupts.check()
        cosine, index = (rows @ theirs.T).max(1)
        indices.append(index)
        cosines.append(cosine)
    return torch.cat(indices), torch.cat(cosines)


def field_of(inside, other_inside, there, back, cosine) -> Field:
    """A Field from the indices of `nearest` in both directions, and the cosines of one."""
    own, others = points_in(inside), points_in(other_inside)
    returned = back[there]
    size = inside.shape

    def spread(values: torch.Tensor, outside: float) -> torch.Tensor:
        whole = values.new_full((*size, *values.shape[1:]), outside)
        whole[inside] = values
        return whole

    return Field(
        spread(others[there], 0),
        spread(cosine.clamp(0, 1), 0),
        spread((own[returned] - own).norm(dim=1), float("inf")),
        spread(returned == torch.arange(len(own)), False),
        inside,
    )


def points_in(inside: torch.Tensor) -> torch.Tensor:
    """The middles (x, y) [n, 2] of the cells of a boolean grid, in the order of indexing."""
    return inside.nonzero().flip(1) + 0.5


def at(field: Field, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Targets [..., 2], confidence and cycle [...] at points [..., 2] in cells.

    A point moves as the cells inside around it do, weighted by nearness; with none around it, as
    the nearest cell. Confidence and cycle are those of the cell under the point.
    """
    moves = moves_of(field)
    cells = len(moves)
    places = (points / cells * 2 - 1).view(1, 1, -1, 2).float()

    def sampled(values: torch.Tensor, mode: str) -> torch.Tensor:
        found = F.grid_sample(
            values.movedim(-1, 0)[None].float(),
            places,
            mode,
            padding_mode="border",
            align_corners=False,
        )
        return found[0, :, 0].T

    inside = field.inside[..., None].float()
    weight = sampled(inside, "bilinear")
    move = sampled(moves * inside, "bilinear") / weight.clamp(min=1e-6)
    move = torch.where(weight > 1e-3, move, sampled(moves, "nearest"))
    cycle = torch.where(field.inside, field.cycle, 2.0 * cells)
    shape = points.shape[:-1]
    return (
        points + move.view(*shape, 2),
        sampled(field.confidence[..., None], "nearest").view(shape),
        sampled(cycle[..., None], "nearest").view(shape),
    )


def moves_of(field: Field) -> torch.Tensor:
    """From each cell to its target [G, G, 2]; outside the object as its nearest cell moves."""
    from scipy.ndimage import distance_transform_edt

    moves = field.targets - points_in(torch.ones_like(field.inside)).view_as(field.targets)
    outside = (~field.inside).numpy()
    rows, columns = distance_transform_edt(outside, return_distances=False, return_indices=True)
    return moves[torch.from_numpy(rows).long(), torch.from_numpy(columns).long()]


def agreement(field: Field, tolerance: float) -> float:
    """The part (0 to 1) of the cells that come back to within `tolerance` cells of themselves."""
    return float((field.cycle[field.inside] <= tolerance).float().mean())


def best_pairs(field: Field, tolerance: float, count: int) -> torch.Tensor:
    """Up to `count` pairs, the most similar first: rows (x, y, x on the other, y, confidence,
    cycle).

    They are mutual, come back to within `tolerance` cells, and lie apart from each other, so that
    they cover the object.
    """
    kept = field.mutual & (field.cycle <= tolerance)
    own, targets = points_in(kept), field.targets[kept]
    confidence, cycle = field.confidence[kept], field.cycle[kept]
    apart = (float(field.inside.sum()) / max(1, count)) ** 0.5 / 1.5
    chosen: list[int] = []
    for index in torch.argsort(confidence, descending=True, stable=True).tolist():
        if len(chosen) == count:
            break
        if not chosen or float((own[chosen] - own[index]).norm(dim=1).min()) >= apart:
            chosen.append(index)
    rows = torch.cat([own, targets, confidence[:, None], cycle[:, None]], 1)
    return rows[chosen]
