"""Is a completion complete? The counterfactual test of section 3.6: outpaint it; does it grow?

An incomplete object calls for its missing part when everything around it is painted anew; a
complete one does not. Two measures decide: how much the mask's area grows, and how near the grown
object comes to the border of the picture.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ..core import mask_ops
from ..core.errors import BadInput

EXTENSION = 0.2  # more growth than this means incomplete (section 3.6, figure 5)
BORDER = 0.02  # nearer to the border than this part of the side: it goes on outside
TIE = 2  # scores that are the same to so many digits are decided by the fit to the visible part
SEAM = 3  # pixels beyond the visible part that are compared with it


@dataclass(frozen=True)
class Thresholds:
    """most: the largest extension of a complete object. least: the least distance to the border."""

    extension: float = EXTENSION
    border: float = BORDER


SHIPPED = Path(__file__).with_name("thresholds")  # <model>.json: fitted for that model


def read_thresholds(path: Path) -> Thresholds:
    """From a file that `write_thresholds` wrote. Raises BadInput."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = Thresholds(float(data["extension"]), float(data["border"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            "thresholds",
            f"cannot be read from {path.name} ({type(error).__name__}: {error})",
            'give a file like {"extension": 0.2, "border": 0.02}',
        ) from None
    if not (found.extension >= 0 and 0 <= found.border <= 0.5):
        raise BadInput(
            "thresholds",
            f"are {found} in {path.name}",
            "an extension is at least 0, a border between 0 and 0.5",
        )
    return found


def write_thresholds(path: Path, thresholds: Thresholds, **about) -> None:
    """`about` says what they were fitted on, for whoever reads the file."""
    rounded = {name: round(value, 4) for name, value in asdict(thresholds).items()}
    path.write_text(json.dumps({**rounded, **about}, indent=1) + "\n", encoding="utf-8")


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
    box = mask_ops.box_of(mask)
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
    gained, distance = measured(before, after)
    return decided(sum(gained) / len(gained), sum(distance) / len(distance), most, least)


def measured(before: torch.Tensor, after: torch.Tensor) -> tuple[list[float], list[float]]:
    """(extensions, distances to the border), one of each for each counterfactual's mask."""
    grown = torch.maximum(after, before)
    return [extension(before[0], one) for one in grown], [distance_to_border(one) for one in grown]


def decided(gained: float, distance: float, most: float, least: float) -> Verdict:
    """The verdict on both measures; see `judge`."""
    by_growth = 0.5 ** (gained / most) if most else float(gained == 0)
    by_border = distance / (distance + least) if least else 1.0
    return Verdict(gained, distance, min(by_growth, by_border))


def fit(gained: list[float], distance: list[float], complete: list[bool]) -> Thresholds:
    """The thresholds that decide most of the labelled completions rightly (section 3.6).

    gained, distance: measures of each completion; complete: what it is. Candidates lie midway
    between neighbouring measures; of equally good ones those in the middle of the largest gap are
    taken, first of the extension, then of the border. Raises BadInput where a class is missing.
    """
    if len(set(complete)) < 2:
        raise BadInput(
            "labels", "are all the same", "give complete and incomplete objects to fit thresholds"
        )
    best: list[tuple[tuple, Thresholds]] = []
    for most, gap in midway(gained):
        for least, room in midway(distance):
            right = sum(
                decided(g, d, most, least).complete == is_so
                for g, d, is_so in zip(gained, distance, complete)
            )
            best.append(((right, gap, room), Thresholds(most, least)))
    return max(best, key=lambda one: one[0])[1]


def midway(values: list[float]) -> list[tuple[float, float]]:
    """(candidate, width of its gap): half way between neighbours, and just at the extremes."""
    found = sorted({float(value) for value in values})
    between = [((a + b) / 2, b - a) for a, b in zip(found, found[1:])]
    return [(found[0], 0.0), *between, (found[-1], 0.0)]


def ranked(scores: list[float], fits: list[float] | None = None) -> list[int]:
    """Numbers of the completions, the best score first, equal ones in their order.

    fits (see `fit_to_visible`) decide between scores that are the same to TIE digits.
    """
    if fits is None:
        return sorted(range(len(scores)), key=lambda i: -scores[i])
    return sorted(range(len(scores)), key=lambda i: (-round(scores[i], TIE), -fits[i], -scores[i]))


def fit_to_visible(image: torch.Tensor, amodal: torch.Tensor, visible: torch.Tensor) -> float:
    """How well a completion goes with what is seen of its object, 0..1.

    The part of the visible object that the amodal mask keeps, times 1 - the colour's step at the
    seam. image [1, H, W, 3]; amodal, visible [1, H, W], 0 or 1.
    """
    kept = mask_ops.share_inside(visible[0], amodal[0])
    return kept * (1 - seam_step(image[0], amodal[0], visible[0]))


def seam_step(image: torch.Tensor, amodal: torch.Tensor, visible: torch.Tensor) -> float:
    """Mean difference in colour, 0..1, of the completed pixels within SEAM of the visible part from
    the visible pixel nearest to each; 0 where nothing was completed there. Shapes without batch."""
    from scipy.ndimage import distance_transform_edt

    seen = (visible > 0.5).cpu().numpy()
    if not seen.any():
        return 0.0
    far, (rows, columns) = distance_transform_edt(~seen, return_indices=True)
    beside = torch.from_numpy(far <= SEAM) & ((amodal > 0.5) & (visible <= 0.5)).cpu()
    if not beside.any():
        return 0.0
    nearest = image.cpu()[torch.from_numpy(rows), torch.from_numpy(columns)]
    return float((image.cpu() - nearest)[beside].abs().mean())


def on_canvas(mask: torch.Tensor, size: tuple[int, int], x: int, y: int) -> torch.Tensor:
    """A mask [1, h, w] of the picture on a canvas of `size` (height, width) whose corner lies at
    (x, y) of the picture, both at most 0."""
    placed = mask.new_zeros(1, *size)
    inside = placed[:, -y : mask.shape[1] - y, -x : mask.shape[2] - x]
    if x > 0 or y > 0 or inside.shape != mask.shape:
        raise BadInput(
            "visible",
            f"of {tuple(mask.shape[1:])} does not lie on a canvas of {size} at {x}, {y}",
            "give the mask on the original picture, and x and y of the same node as the objects",
        )
    inside.copy_(mask)
    return placed


def plain_colours(count: int, seed: int) -> torch.Tensor:
    """[count, 3], 0..1: gray (section 3.5), then light colours drawn from the seed."""
    generator = torch.Generator().manual_seed(seed)
    drawn = 0.55 + 0.4 * torch.rand(count - 1, 3, generator=generator)
    return torch.cat([torch.full((1, 3), 0.5), drawn])


def on_plain(image: torch.Tensor, mask: torch.Tensor, count: int, seed: int) -> torch.Tensor:
    """The object alone on `count` plain backgrounds, [count, H, W, 3], to be outpainted each.

    image [1, H, W, 3]; mask [1, H, W], 0 or 1.
    """
    grounds = plain_colours(count, seed)[:, None, None]
    return torch.where(mask[..., None] > 0.5, image, grounds.to(image))
