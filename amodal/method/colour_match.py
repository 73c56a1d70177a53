"""The colours of what was painted, matched to the picture around it (section 3.4, paste back)."""

import torch

from ..core import mask_ops, validate

RING = 1 / 16  # of the crop's side: how far around the painted part the colours are compared
ENOUGH = 64  # pixels of the ring; with fewer nothing is matched
GAIN = 1.25  # contrast changes by at most this factor
SHIFT = 0.1  # the mean colour (0..1) changes by at most this much
FLAT = 0.02  # standard deviations well below this are noise and do not decide the contrast


def matched(
    completed: torch.Tensor,
    before: torch.Tensor,
    inpaint_mask: torch.Tensor,
    padding_mask: torch.Tensor,
    strength: float = 1.0,
) -> torch.Tensor:
    """The completed crop with mean and contrast of each channel as in the picture around it.

    completed and before [1, h, w, 3] are the crop after and before painting, inpaint_mask and
    padding_mask [1, h, w] what was painted and what was unknown. They are compared in a ring of
    known, unpainted pixels around the painted ones, where both should be the same. `strength` 0
    changes nothing. completed may be enlarged; the result has its size, and values in 0..1.
    """
    radius = max(2.0, RING * mask_ops.mean_side(inpaint_mask))
    near = mask_ops.dilate(inpaint_mask, radius) > 0.5
    ring = near & (inpaint_mask <= 0.5) & (padding_mask <= 0.5)
    if not strength or int(ring.sum()) < ENOUGH:
        return completed
    seen = validate.resize(completed, validate.picture_size(before))
    wanted, painted = before[ring], seen[ring]
    gain = (wanted.std(0) + FLAT) / (painted.std(0) + FLAT)
    mean, shift = painted.mean(0), wanted.mean(0) - painted.mean(0)
    like = (completed - mean) * gain.clamp(1 / GAIN, GAIN) + mean + shift.clamp(-SHIFT, SHIFT)
    return torch.lerp(completed, like.clamp(0, 1), strength)
