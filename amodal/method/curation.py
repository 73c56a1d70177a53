"""Counterfactual curation (section 3.6): outpaint around a completion, and see whether it grows.

When everything around an object is outpainted, the diffusion model adds the missing part of an
incomplete object, but nothing to a complete one. Two measures decide: how much the area of the mask
grows, and how near the grown object comes to the border of the picture.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..core import mask_ops
from ..core.errors import BadInput
from ..core.files import is_number, parsed

EXTENSION = 0.2  # more growth means incomplete (section 3.6, figure 5)
BORDER = 0.02  # fraction of the larger side: an object nearer to the border continues outside
NO_VERDICT = -1.0  # the score of a completion that was not found again: below all others
TIE = 2  # digits: the fit to the visible part decides between scores that agree to them
SEAM = 3  # pixels around the visible part whose colours are compared with it, at least
SEAM_SHARE = 1 / 128  # of the larger side: as far, where that is more


@dataclass(frozen=True)
class Thresholds:
    """extension: the largest extension of a complete object, as a fraction of its area.

    border: its smallest distance to the border, as a fraction of the picture's larger side.
    """

    extension: float = EXTENSION
    border: float = BORDER


SHIPPED = Path(__file__).with_name("thresholds")  # <model>.json: fitted for this model


def read_thresholds(path: Path) -> Thresholds:
    """The thresholds of a file of `write_thresholds`. Raises BadInput if it is invalid."""
    try:
        data = parsed(path.read_bytes())
        thresholds = Thresholds(data["extension"], data["border"])
        if not (is_number(thresholds.extension) and is_number(thresholds.border)):
            raise TypeError("the thresholds must be finite numbers")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "thresholds",
            f"cannot be read from {path.name} ({type(error).__name__}: {error})",
            'give a file such as {"extension": 0.2, "border": 0.02}',
        ) from None
    if not (thresholds.extension >= 0 and 0 <= thresholds.border <= 0.5):
        raise BadInput(
            "thresholds",
            f"are {thresholds} in {path.name}",
            "give an extension of at least 0, and a border between 0 and 0.5",
        )
    return thresholds


def write_thresholds(path: Path, thresholds: Thresholds, **about: Any) -> None:
    """Write thresholds as JSON. `about` is added to the file, to say what they were fitted on."""
    rounded = {name: round(value, 4) for name, value in asdict(thresholds).items()}
    path.write_text(json.dumps({**rounded, **about}, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Verdict:
    """The mean over the counterfactuals.

    extension: gained area, as a fraction of the area before. border: distance of the grown object
    from the border, as a fraction of the picture's larger side. score: 0..1, complete from 0.5; -1
    where there is no verdict.
    """

    extension: float
    border: float
    score: float

    @property
    def complete(self) -> bool:
        """True if the score is at least 0.5."""
        return self.score >= 0.5


def counterfactual_mask(amodal_mask: torch.Tensor, corner: float) -> torch.Tensor:
    """The area to outpaint [n, H, W] (0 or 1): all but the amodal mask [n, H, W] and four corners.

    corner: side of the kept corner squares, as a fraction of the smaller side (0..0.5). The
    corners show the model the background (section 3.6).
    """
    height, width = amodal_mask.shape[-2:]
    side = round(corner * min(height, width))
    around = (amodal_mask <= 0.5).float()
    if side:
        for rows in (slice(0, side), slice(height - side, height)):
            for columns in (slice(0, side), slice(width - side, width)):
                around[:, rows, columns] = 0
    return around


def extension(before: torch.Tensor, after: torch.Tensor) -> float:
    """The area that `after` [H, W] adds to `before` [H, W], as a fraction of the area of `before`.

    Raises BadInput if `before` is empty.
    """
    old, new = before > 0.5, after > 0.5
    area = int(old.sum())
    if not area:
        raise BadInput("amodal_mask", "is empty", "connect the completed object's amodal mask")
    return int((new & ~old).sum()) / area


def distance_to_border(mask: torch.Tensor) -> float:
    """Distance of the bounding box of a mask [H, W] to the nearest border of the picture.

    A fraction (0..0.5) of the larger side; 0.5 for an empty mask.
    """
    box = mask_ops.box_of(mask)
    if box is None:
        return 0.5
    height, width = mask.shape
    left, top, right, bottom = box
    return min(left, top, width - right, height - bottom) / max(height, width)


def judge(
    before: torch.Tensor,
    after: torch.Tensor,
    most: float = EXTENSION,
    least: float = BORDER,
    found: bool = True,
) -> Verdict:
    """The verdict on a completion by its counterfactuals.

    before: amodal mask [1, H, W] of the completion. after: masks [n, H, W], one for each
    outpainting. most: the largest extension of a complete object. least: its smallest distance to
    the border. Each measure has a score that is 0.5 at its threshold. The verdict's score is the
    lower of the two. found: the segmenter found the object again; without it there is no verdict.
    """
    gained, distances = measured(before, after)
    extended, distance = sum(gained) / len(gained), sum(distances) / len(distances)
    verdict = decided(extended, distance, most, least)
    return verdict if found else Verdict(extended, distance, NO_VERDICT)


def measured(before: torch.Tensor, after: torch.Tensor) -> tuple[list[float], list[float]]:
    """(extensions, distances to the border), with one value for each counterfactual.

    Shapes as in `judge`.
    """
    grown = torch.maximum(after, before)
    extensions = [extension(before[0], mask) for mask in grown]
    return extensions, [distance_to_border(mask) for mask in grown]


def decided(gained: float, distance: float, most: float, least: float) -> Verdict:
    """The verdict on an extension and a distance to the border; see `judge`."""
    by_growth = 0.5 ** (gained / most) if most else float(gained == 0)
    by_border = distance / (distance + least) if least else 1.0
    return Verdict(gained, distance, min(by_growth, by_border))


def fit(gained: list[float], distance: list[float], complete: list[bool]) -> Thresholds:
    """The thresholds that classify most labelled completions correctly (section 3.6).

    gained, distance: extension and distance to the border of each completion. complete: its label.
    Candidates are midway between neighbouring values. Of equally good candidates, the one in the
    largest gap is taken: first of the extension, then of the border. Raises BadInput if all labels
    are the same.
    """
    if len(set(complete)) < 2:
        raise BadInput("labels", "are all the same", "give complete and incomplete objects")
    candidates: list[tuple[tuple[int, float, float], Thresholds]] = []
    for most, gap in midway(gained):
        for least, room in midway(distance):
            correct = sum(
                decided(g, d, most, least).complete == label
                for g, d, label in zip(gained, distance, complete)
            )
            candidates.append(((correct, gap, room), Thresholds(most, least)))
    return max(candidates, key=lambda candidate: candidate[0])[1]


def midway(values: list[float]) -> list[tuple[float, float]]:
    """(candidate, width of its gap): midway between neighbouring values, and the two extremes."""
    distinct = sorted({float(value) for value in values})
    between = [((a + b) / 2, b - a) for a, b in zip(distinct, distinct[1:])]
    return [(distinct[0], 0.0), *between, (distinct[-1], 0.0)]


def ranked(scores: list[float], fits: list[float] | None = None) -> list[int]:
    """Indices of the completions, best score first; equal ones keep their order.

    With `fits` (see `fit_to_visible`), the fit decides between scores that agree to TIE digits.
    """
    if fits is None:
        return sorted(range(len(scores)), key=lambda i: -scores[i])
    return sorted(range(len(scores)), key=lambda i: (-round(scores[i], TIE), -fits[i], -scores[i]))


def fit_to_visible(
    image: torch.Tensor, amodal_mask: torch.Tensor, modal_mask: torch.Tensor
) -> float:
    """How well a completion fits the visible part of its object, 0..1.

    The fraction of the modal mask that the amodal mask keeps, times (1 - colour step at the seam).
    image [1, H, W, 3] in 0..1; masks [1, H, W], 0 or 1.
    """
    kept = mask_ops.share_inside(modal_mask[0], amodal_mask[0])
    return kept * (1 - seam_step(image[0], amodal_mask[0], modal_mask[0]))


def seam_step(image: torch.Tensor, amodal_mask: torch.Tensor, modal_mask: torch.Tensor) -> float:
    """Mean colour difference (0..1) between completed pixels and their nearest visible pixels.

    Only completed pixels within SEAM or SEAM_SHARE of the modal mask count; 0 if there are none.
    image [H, W, 3] in 0..1; masks [H, W].
    """
    from scipy.ndimage import distance_transform_edt

    visible = (modal_mask > 0.5).cpu().numpy()
    if not visible.any():
        return 0.0
    distance, (rows, columns) = distance_transform_edt(~visible, return_indices=True)
    completed = ((amodal_mask > 0.5) & (modal_mask <= 0.5)).cpu()
    width = max(SEAM, SEAM_SHARE * max(modal_mask.shape))
    seam = torch.from_numpy(distance <= width) & completed
    if not seam.any():
        return 0.0
    nearest = image.cpu()[torch.from_numpy(rows), torch.from_numpy(columns)]
    return float((image.cpu() - nearest)[seam].abs().mean())


def on_canvas(mask: torch.Tensor, size: tuple[int, int], x: int, y: int) -> torch.Tensor:
    """A mask [1, h, w] of the picture on a canvas of `size` (height, width).

    (x, y) is the canvas's top left corner in the picture's pixels, both at most 0. Raises BadInput
    if the canvas does not contain the picture.
    """
    placed = mask.new_zeros(1, *size)
    inside = placed[:, -y : mask.shape[1] - y, -x : mask.shape[2] - x]
    if x > 0 or y > 0 or inside.shape != mask.shape:
        raise BadInput(
            "modal_mask",
            f"has the size {tuple(mask.shape[1:])}, which does not fit on a canvas of {size} "
            f"at x {x}, y {y}",
            "give the mask on the original picture, and x and y from the objects' own node",
        )
    inside.copy_(mask)
    return placed


def plain_colours(count: int, seed: int) -> torch.Tensor:
    """[count, 3] in 0..1: gray (section 3.5), then random light colours."""
    generator = torch.Generator().manual_seed(seed)
    drawn = 0.55 + 0.4 * torch.rand(count - 1, 3, generator=generator)
    return torch.cat([torch.full((1, 3), 0.5), drawn])


def on_plain(image: torch.Tensor, mask: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """The object on `count` plain backgrounds, [count, H, W, 3], each to be outpainted.

    image [1, H, W, 3] in 0..1; mask [1, H, W], 0 or 1.
    """
    colours = plain_colours(count, seed)[:, None, None]
    return torch.where(mask[..., None] > 0.5, image, colours.to(image))
