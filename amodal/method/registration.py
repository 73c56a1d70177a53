"""Where an edited picture has moved: scale and shift between a crop and an edit model's answer.

Section 3.5 paints by a mask. Models that edit by instruction take none: they draw the whole picture
anew, a little larger or smaller and at another place. The visible object is in both pictures. It
is searched for by normalised correlation at every shift and many scales (Padfield, "Masked object
registration in the Fourier domain", 2012), and the best one is refined by robust least squares with
a gain and an offset for each colour, since edit models also shift colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional

from ..core import interrupts, mask_ops, validate

LARGEST_ZOOM = 1.5  # scales from 1 / 1.5 to 1.5 are searched
FURTHEST_ZOOM = 2.0  # a refined scale stays within this
ZOOM_STEP = 1.03  # from one searched scale to the next
LEVELS = (96, 192, 384, 768)  # larger sides in pixels: the first is searched, the others refine
CANDIDATES = 3  # of the search that are refined before one is chosen
ROUNDS = 12  # of the refinement at each level
RIM = 0.03  # of the crop's larger side: known background beside the object that is compared too
FLAT = 1e-3  # a variance below this is no texture
ALIASED = 1.5  # pixels of the answer for one of the crop
ROBUST = 3.0  # times the usual difference; larger ones count less


@dataclass(frozen=True)
class Motion:
    """Where the crop's content is in the answer, both resized to the crop's size (width, height).

    A point at (x, y) pixels from the centre of the crop is at scale * (x, y) + (right, down) from
    the centre of the answer. match: correlation of the two, 0..1; below about 0.5 it is another
    picture.
    """

    scale: float = 1.0
    right: float = 0.0
    down: float = 0.0
    match: float = 0.0

    def describe(self) -> str:
        """What the editor did, for people."""
        sides = f"{abs(self.right):.1f} px {'right' if self.right >= 0 else 'left'}, "
        sides += f"{abs(self.down):.1f} px {'down' if self.down >= 0 else 'up'}"
        return f"moved {sides}, scaled by {self.scale:.3f}; match {self.match:.2f}"


@interrupts.cancellable
def estimated(
    crop: torch.Tensor, answer: torch.Tensor, modal_mask: torch.Tensor, changed: torch.Tensor
) -> Motion:
    """The motion from a crop to the answer of an edit model.

    crop [1, h, w, 3] is what the model saw, answer [1, H, W, 3] what it made of it, in 0..1.
    modal_mask [1, h, w] is the visible object, changed [1, h, w] what the model was to paint, both
    0 or 1. They are compared on the visible object, and on a rim of known background around it.
    """
    size = validate.picture_size(crop)
    answer = validate.resize(answer, size)
    weight = compared(modal_mask, changed)
    levels = [level_of(crop, answer, weight, side) for side in sides_of(size)]
    found = [refined(*levels[0], motion) for motion in searched(*levels[0])]
    for side, level in enumerate(levels[1:], 1):
        zoom = max(level[0].shape[-2:]) / max(levels[side - 1][0].shape[-2:])
        grown = [replace(m, right=m.right * zoom, down=m.down * zoom) for m in found]
        found = [refined(*level, motion) for motion in grown]
        found = [max(found, key=lambda motion: motion.match)]
    best = max(found, key=lambda motion: motion.match)
    zoom = max(size) / max(levels[-1][0].shape[-2:])
    return replace(best, right=best.right * zoom, down=best.down * zoom)


def undone(answer: torch.Tensor, motion: Motion, size: tuple[int, int]) -> torch.Tensor:
    """The answer [1, H, W, 3] moved back onto the crop: [1, h, w, 3] of size (height, width).

    It is sampled once, from the answer's own pixels. What lies beyond it repeats its border.
    """
    picture = answer.movedim(-1, 1)
    zoom = motion.scale * answer.shape[1] / size[0]
    if zoom > ALIASED:  # made smaller first, or its details would alias
        sides = tuple(max(1, round(side / zoom)) for side in picture.shape[-2:])
        picture = functional.interpolate(picture, sides, mode="area")
    return warped(picture, motion, size).clamp(0, 1).movedim(1, -1)


def compared(modal_mask: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
    """[1, 1, h, w]: 1 on the visible object and the known background beside it."""
    near = mask_ops.dilate(modal_mask, RIM * max(modal_mask.shape[-2:]))
    return (near * (1 - changed))[:, None]


def sides_of(size: tuple[int, int]) -> list[int]:
    """The larger sides of the levels for a crop of this size, small to large."""
    return [*(side for side in LEVELS[:-1] if side < max(size)), min(max(size), LEVELS[-1])]


def level_of(crop, answer, weight, side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Crop, answer [1, 3, h, w] and weight [1, 1, h, w] with this larger side."""
    height, width = crop.shape[1:3]
    zoom = side / max(height, width)
    size = max(8, round(height * zoom)), max(8, round(width * zoom))
    one, other = (validate.resize(picture, size).movedim(-1, 1) for picture in (crop, answer))
    return one, other, functional.interpolate(weight, size, mode="area")


def searched(crop, answer, weight) -> list[Motion]:
    """The best motions by correlation at each whole shift, one for each of the best scales."""
    steps = math.ceil(math.log(LARGEST_ZOOM) / math.log(ZOOM_STEP))
    found = []
    for scale in (ZOOM_STEP**step for step in range(-steps, steps + 1)):
        alike = warped(answer, Motion(scale), crop.shape[-2:])
        score = correlation(crop, alike, weight)
        at = int(score.argmax())
        places = zip(divmod(at, score.shape[1]), score.shape)
        down, right = (signed(place, side) for place, side in places)
        found.append(Motion(scale, right * scale, down * scale, float(score.flatten()[at])))
    return sorted(found, key=lambda motion: -motion.match)[:CANDIDATES]


def signed(place: int, side: int) -> int:
    """A shift from its index in a circular correlation."""
    return place - side if place > side // 2 else place


def correlation(crop, picture, weight) -> torch.Tensor:
    """[2h, 2w]: how alike they are where the picture is shifted by (row, column), circular."""
    height, width = crop.shape[-2:]
    sides = 2 * height, 2 * width
    total = weight.sum().clamp(min=1e-3)
    means = (crop * weight).sum((-2, -1), keepdim=True) / total
    template = (crop - means) * weight
    spread = (template * (crop - means)).sum((-2, -1))[..., None, None]

    def around(mask, values):
        product = torch.fft.rfft2(values, sides) * torch.fft.rfft2(mask, sides).conj()
        return torch.fft.irfft2(product, sides)

    level = picture.mean((-2, -1), keepdim=True)  # less rounding in the variances
    shifted = picture - level
    ones = torch.ones_like(weight)
    seen = around(weight, ones).clamp(min=1e-3)
    sums = around(weight, shifted)
    common = around(template, shifted)
    variance = around(weight, shifted.square()) - sums.square() / seen
    enough = FLAT * total
    scale = (spread.clamp(min=enough) * variance.clamp(min=enough)).sqrt().sum(1)
    score = common.sum(1) / scale
    return torch.where(seen[0, 0] > 0.7 * total, score[0], score.new_tensor(-1.0))


def refined(crop, answer, weight, motion: Motion) -> Motion:
    """The motion to a fraction of a pixel: robust least squares with a gain for each colour."""
    known = weight.flatten() > 0.5
    if not known.any():
        return motion
    wanted = crop.flatten(2)[0][:, known]
    rows, columns = (grid.flatten()[known] for grid in from_centre(crop.shape[-2:]))
    pixels = weight.flatten()[known]
    best = replace(motion, match=-1.0)
    for _ in range(ROUNDS):
        values, down, right = sampled(answer, motion, rows, columns)
        score = alike(values, wanted, pixels)
        if score > best.match:
            best = replace(motion, match=score)
        gain, offset = fitted_colours(values, wanted, pixels)
        rest = wanted - gain[:, None] * values - offset[:, None]
        slopes = torch.stack([right * columns + down * rows, right, down], -1)
        step = robust_step(gain[:, None, None] * slopes, rest, pixels)
        scale = min(max(motion.scale + step[0], 1 / FURTHEST_ZOOM), FURTHEST_ZOOM)
        motion = Motion(scale, motion.right + step[1], motion.down + step[2])
    return best


def robust_step(slopes, rest, pixels) -> list[float]:
    """The step that explains the differences [3, n] best by the slopes [3, n, 3]."""
    # an offset is fitted anew in each round, so only what differs from the mean slope counts
    slopes = slopes - (slopes * pixels[:, None]).sum(1, keepdim=True) / pixels.sum()
    usual = rest.abs().median().clamp(min=1 / 255)
    trust = pixels / (1 + (rest / (ROBUST * usual)).square()).square()
    weighted = (slopes * trust[..., None]).flatten(0, 1)
    matrix = weighted.T @ slopes.flatten(0, 1)
    matrix = matrix + torch.diag(1e-6 * matrix.diagonal() + 1e-9)
    return torch.linalg.solve(matrix, weighted.T @ rest.flatten()).tolist()


def fitted_colours(values, wanted, pixels) -> tuple[torch.Tensor, torch.Tensor]:
    """Gain and offset [3] that bring the values [3, n] nearest to the wanted ones."""
    share = pixels / pixels.sum()
    means, means_wanted = (values * share).sum(1), (wanted * share).sum(1)
    centred = values - means[:, None]
    gain = (centred * (wanted - means_wanted[:, None]) * share).sum(1)
    gain = (gain + FLAT) / ((centred.square() * share).sum(1) + FLAT)
    return gain, means_wanted - gain * means


def alike(values, wanted, pixels) -> float:
    """The correlation of colours [3, n], weighted by how much each channel varies."""
    share = pixels / pixels.sum()
    one = values - (values * share).sum(1, keepdim=True)
    two = wanted - (wanted * share).sum(1, keepdim=True)
    common = (one * two * share).sum(1)
    spreads = [(values.square() * share).sum(1).clamp(min=FLAT) for values in (one, two)]
    return float((common.sum() / (spreads[0] * spreads[1]).sqrt().sum()).clamp(0, 1))


def from_centre(size) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and columns [h, w] of pixels, counted from the centre of a picture of this size."""
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in size)
    return rows[:, None].expand(*size), columns[None].expand(*size)


def warped(picture, motion: Motion, size) -> torch.Tensor:
    """A picture [1, C, H, W] moved back onto one of this size (height, width)."""
    rows, columns = from_centre(size)
    return lookup(picture, motion, rows, columns, size)


def lookup(picture, motion: Motion, rows, columns, size) -> torch.Tensor:
    """A picture [1, C, H, W] at the places to which the motion takes points [h, w] of a crop.

    rows and columns count from the centre of the crop, whose size is (height, width).
    """
    x = (motion.scale * columns + motion.right) * (2 / size[1])
    y = (motion.scale * rows + motion.down) * (2 / size[0])
    grid = torch.stack([x, y], -1)[None].to(picture)
    return functional.grid_sample(
        picture, grid, mode="bicubic", padding_mode="border", align_corners=False
    )


def sampled(picture, motion: Motion, rows, columns):
    """Colours [3, n] of a picture there, and by how much they change down and to the right."""

    def at(right: float, down: float) -> torch.Tensor:
        moved = replace(motion, right=motion.right + right, down=motion.down + down)
        return lookup(picture, moved, rows[None], columns[None], picture.shape[-2:])[0, :, 0]

    return at(0, 0), at(0, 0.5) - at(0, -0.5), at(0.5, 0) - at(-0.5, 0)
