"""Progressive passes: what is still hidden, what to paint next, and when to stop (section 3.4)."""

import hashlib

import torch

from ..core import mask_ops
from ..core.status import LoopWarning, Status
from ..core.types import OcclusionReport

UNCHANGED = 0.005  # a pass that changes the mask by less than this fraction changed nothing


def pass_seed(seed: int, number: int) -> int:
    """The seed of pass `number` (1, 2, ...): `seed` itself in pass 1, later a hash of both.

    Returns an integer in 0 .. 2**64 - 1. The same pair always gives the same seed.
    """
    if number <= 1:
        return seed
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def inpaint_mask(
    occluder_mask: torch.Tensor,
    padding_mask: torch.Tensor,
    modal_mask: torch.Tensor,
    dilate: float,
    sides: tuple[str, ...] | None = None,
) -> torch.Tensor:
    """What the diffusion model paints: M_occ and the padding (section 3.4).

    All masks are [1, H, W], 0 or 1. The union is dilated by `dilate` times the larger side, so
    that the occluder's soft edge and contact shadow go too. It covers at most one pixel in 128 of
    the visible object's rim. Where the object's cut `sides` are given, unknown strips at other
    sides hide nothing: they are painted, but the picture beside them stays. Returns [1, H, W]; all
    zeros where nothing hides the object.
    """
    side = max(modal_mask.shape[-2:])
    apart = torch.zeros_like(padding_mask) if sides is None else strips(padding_mask, sides)
    unseen = torch.maximum(occluder_mask, padding_mask - apart)
    if not unseen.any():
        return torch.zeros_like(modal_mask)
    dilated = mask_ops.dilate(unseen, round(dilate * side))
    kept = mask_ops.erode(modal_mask, max(1, side // 128))
    return torch.maximum(dilated, apart) * (1 - kept)


def strips(unknown: torch.Tensor, sides: tuple[str, ...]) -> torch.Tensor:
    """The strips of `unknown` [1, H, W] along whole sides of the crop, other than `sides`.

    There the window reaches beyond the canvas, or shows padding that the object does not meet.
    """
    result = torch.zeros_like(unknown)
    rows, columns = unknown[0].amin(1), unknown[0].amin(0)
    for name, lines, axis in (
        ("left", columns, 2),
        ("top", rows, 1),
        ("right", columns.flip(0), 2),
        ("bottom", rows.flip(0), 1),
    ):
        thick = 0 if name in sides else int(lines.cumprod(0).sum())
        begin = result.shape[axis] - thick if name in ("right", "bottom") else 0
        result.narrow(axis, begin, thick).fill_(1)
    return result


def mask_change(before: torch.Tensor, after: torch.Tensor, offset: tuple[int, int]) -> float:
    """1 - IoU of the canvas mask before and after a pass, 0..1; 0 = unchanged.

    before [1, h, w] lies at `offset` (x, y) on the grown canvas of after [1, H, W].
    """
    x, y = offset
    height, width = before.shape[-2:]
    old = before[0] > 0.5
    new = after[0] > 0.5
    common = int((new[y : y + height, x : x + width] & old).sum())
    union = int(old.sum()) + int(new.sum()) - common
    return 1 - common / union if union else 0.0


def outcome(
    number: int, occluded: bool, change: float, cap: int, found: bool = True
) -> Status | None:
    """The status with which the loop stops before pass `number`, or None to go on.

    `change` is `mask_change` of the last pass (1 before pass 1), `cap` the largest number of
    passes. `found`: the segmenter found the object again in what the last pass painted.
    """
    if number > 1 and not found:
        return Status.NOT_FOUND_AGAIN
    if not occluded:
        return Status.NOTHING_TO_COMPLETE if number == 1 else Status.COMPLETED
    if number > 1 and change < UNCHANGED:
        return Status.UNCHANGED
    if number > cap:
        return Status.STOPPED_AT_CAP
    return None


def warnings_of(
    passes: list[OcclusionReport], last: OcclusionReport, joined: bool = False
) -> list[LoopWarning]:
    """What to warn of at the end of a loop.

    `passes` are the reports with which the painted passes began, `last` the report at the end.
    `joined`: a pass joined the object with its part beyond what was painted.
    """
    warnings = []
    if any(report.enclosed or report.surrounding for report in passes or [last]):
        warnings.append(LoopWarning.ENCLOSED)
    if last.nothing_left:
        warnings.append(LoopWarning.NOTHING_LEFT)
    if joined:
        warnings.append(LoopWarning.JOINED)
    return warnings


def describe(report: OcclusionReport) -> str:
    """A report in words: 'hidden by yarn, key; cut at the left'.

    Where nothing hides the object, it also says what was looked for.
    """
    parts = []
    if report.occluders or report.enclosed:
        verb = "enclosed by" if report.enclosed else "hidden by"
        parts.append(f"{verb} {', '.join(report.occluders) or 'its occluders'}")
    if report.surrounding:
        parts.append(f"enclosed by {', '.join(report.surrounding)} (judged to be behind it)")
    if report.sides:
        parts.append(f"cut at the {', '.join(report.sides)}")
    free = "nothing hides the object"
    if report.sought:
        free = f"{free} (looked for {report.sought})"
    text = "; ".join(parts) or free
    return f"{text}; {LoopWarning.NOTHING_LEFT.value}" if report.nothing_left else text
