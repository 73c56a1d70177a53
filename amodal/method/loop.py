"""Progressive passes: what is still hidden, what to paint next, and when to stop (section 3.4)."""

import hashlib
import re

import torch

from ..core import mask_ops

UNCHANGED = 0.005  # a pass that changes the mask by less than this fraction has changed nothing
ENCLOSED = "enclosed by"  # how the reason begins where the occluders surround the object
BESIDE = re.compile(r"\((.+)\)")  # a name of what is around the object and does not hide it


NOTHING_LEFT = "nothing of it is left to paint"  # though the object is not free


def pass_seed(seed: int, number: int) -> int:
    """The seed of pass `number` (1, 2, ...): `seed` itself in the first, a hash of both later.

    Returns an integer in 0 .. 2**64 - 1; the same pair always gives the same seed.
    """
    if number <= 1:
        return seed
    digest = hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def inpaint_mask(
    occluders: torch.Tensor,
    beyond: torch.Tensor,
    modal: torch.Tensor,
    grow: float,
) -> torch.Tensor:
    """What the diffusion model is to paint: M_occ and the unknown beyond the picture (section 3.4).

    All masks are [1, H, W], 0 or 1. The union is grown by `grow` times the larger side, so that the
    occluder's soft edge and contact shadow go too, but never eats into the visible object
    by more than one pixel in 128. Returns [1, H, W]; empty where nothing hides the object.
    """
    side = max(modal.shape[-2:])
    hidden = torch.maximum(occluders, beyond)
    if not hidden.any():
        return torch.zeros_like(modal)
    grown = mask_ops.dilate(hidden, round(grow * side))
    kept = mask_ops.erode(modal, max(1, side // 128))
    return grown * (1 - kept)


def mask_change(before: torch.Tensor, after: torch.Tensor, offset: tuple[int, int]) -> float:
    """1 - IoU of a canvas mask before and after a pass, 0 = unchanged.

    before [1, h, w] lies at `offset` (x, y) on the grown canvas of after [1, H, W].
    """
    x, y = offset
    height, width = before.shape[-2:]
    old = before[0] > 0.5
    new = after[0] > 0.5
    common = int((new[y : y + height, x : x + width] & old).sum())
    union = int(old.sum()) + int(new.sum()) - common
    return 1 - common / union if union else 0.0


def reason(names: list[str], sides: list[str], around: bool = False) -> str:
    """In words, what hides the object: 'hidden by yarn, key; cut at the left'.

    around: the occluders surround it, 'enclosed by yarn'. A name in brackets is of what
    takes part in surrounding the object but is not taken for an occluder: 'enclosed by cake (taken
    to be behind it)'.
    """
    beside = [name.strip("()") for name in names if BESIDE.fullmatch(name)]
    names = [name for name in names if not BESIDE.fullmatch(name)]
    parts = []
    if names or around:
        parts.append(f"{ENCLOSED if around else 'hidden by'} {', '.join(names) or 'its occluders'}")
    if beside:
        parts.append(f"{ENCLOSED} {', '.join(beside)} (taken to be behind it)")
    if sides:
        parts.append("cut at the " + ", ".join(sides))
    return "; ".join(parts) or "nothing hides the object"


def warned(status: str, reasons: list[str], last: str = "") -> str:
    """The status of a loop whose passes began with these reasons, and its end with the `last`.

    It says where the object was enclosed, for nothing shows then how far it reaches (the paper's
    failure case, Figure 10), and where it is not free, but nothing of it is left to paint.
    """
    if any(ENCLOSED in reason for reason in reasons):
        status = f"{status} (enclosed)"
    return f"{status} ({NOTHING_LEFT})" if last.endswith(NOTHING_LEFT) else status


def outcome(number: int, occluded: bool, change: float, cap: int, found: bool = True) -> str | None:
    """The status with which the loop stops before pass `number`, or None to go on.

    `change` is the last pass' `mask_change` (1 in the first pass), `cap` the most passes allowed;
    `found` says whether the segmenter found the object again in what the last pass painted.
    """
    if number > 1 and not found:
        return "not found again"
    if not occluded:
        return "nothing to complete" if number == 1 else "completed"
    if number > 1 and change < UNCHANGED:
        return "unchanged"
    if number > cap:
        return "stopped at cap"
    return None
