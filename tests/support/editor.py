"""A stand-in for an edit model: it draws the whole object, moved, scaled and recoloured by known
amounts."""

import torch

from amodal.method.registration import Motion, warped

GAIN, OFFSET = torch.tensor([1.1, 0.95, 0.9]), torch.tensor([0.02, -0.02, 0.03])


def edited(whole: torch.Tensor, motion: Motion, recolour: bool = True) -> torch.Tensor:
    """A picture [1, h, w, 3] whose content is moved by `motion`, in 0..1."""
    back = Motion(1 / motion.scale, -motion.right / motion.scale, -motion.down / motion.scale)
    moved = warped(whole.movedim(-1, 1), back, whole.shape[1:3]).movedim(1, -1)
    return (moved * GAIN + OFFSET if recolour else moved).clamp(0, 1)


def residual(found: Motion, true: Motion, mask: torch.Tensor) -> float:
    """How far the found motion leads from the true one, in pixels, on average over a mask."""
    rows, columns = torch.nonzero(mask.squeeze() > 0.5, as_tuple=True)
    height, width = mask.shape[-2:]
    scale = found.scale - true.scale
    right = scale * (columns - (width - 1) / 2) + found.right - true.right
    down = scale * (rows - (height - 1) / 2) + found.down - true.down
    return float(torch.hypot(right, down).mean())
