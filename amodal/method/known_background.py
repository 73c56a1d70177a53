"""M^k without features: whatever differs from the known background is the object (section 3.5)."""

import torch

from .mask_at_k import tidied
from .mask_check import certain_backdrop

WITHOUT_BACKDROP = 0.05  # the threshold where no backdrop is certain; the usual one
NOISE, PALE = 0.99, 0.1  # the backdrop's differences up to here, the object's from here on
CLEAR = 2.0  # times the backdrop's noise: what differs by more is the object, however pale
HIGHEST = 0.1  # however noisy the backdrop: what was painted beside the object is no noise


def known_background(
    estimate: torch.Tensor,
    synthetic_image: torch.Tensor,
    modal_mask: torch.Tensor,
    inpaint_mask: torch.Tensor,
    threshold: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """(M^k [1, H, W], what the rule takes by itself [1, H, W], the threshold).

    estimate [1, H, W, 3] is the decoded estimate at step k, synthetic_image [1, H, W, 3] I_syn. A
    pixel differs where the mean absolute difference of its colour from the backdrop exceeds
    `threshold` (0..1). At 0 the threshold is found from the picture, after the backdrop's drift is
    removed. Only pixels of the inpaint mask count, and the modal mask is added. Holes of up to 1 %
    of the picture are filled, and parts that do not touch the object are dropped.
    """
    certain = certain_backdrop(modal_mask, inpaint_mask)[0] > 0
    difference = difference_from(estimate, synthetic_image, modal_mask)
    if not threshold and certain.any():
        difference = difference - difference[0, certain].median(0).values
    difference = difference.abs().mean(-1)
    threshold = threshold or between(difference[0, certain], difference[modal_mask > 0])
    alone = (difference > threshold).float()
    return tidied(alone, modal_mask, inpaint_mask), alone, threshold


def between(backdrop: torch.Tensor, visible: torch.Tensor) -> float:
    """The threshold from the differences [n] of the certain backdrop and [m] of the visible object.

    It is midway between the two, but at most 0.05, or at most 0.1 where the backdrop is noisy:
    what was painted may be paler than the visible part.
    """
    if not len(backdrop) or not len(visible):
        return WITHOUT_BACKDROP
    noise = quantile(backdrop, NOISE)
    midway = (noise + quantile(visible, PALE)) / 2
    return min(midway, HIGHEST, max(WITHOUT_BACKDROP, CLEAR * noise))


def quantile(values: torch.Tensor, part: float) -> float:
    """The value that `part` (0..1) of the values [n] do not exceed.

    torch.quantile refuses more than 16 million values, and a crop may have as many pixels.
    """
    return float(values.kthvalue(1 + round(part * (len(values) - 1))).values)


def difference_from(
    estimate: torch.Tensor, synthetic_image: torch.Tensor, modal_mask: torch.Tensor
) -> torch.Tensor:
    """[1, H, W, 3], -1..1: the estimate less the backdrop of I_syn, also where the object is."""
    return estimate - backdrop_everywhere(synthetic_image, modal_mask)


def backdrop_everywhere(synthetic_image: torch.Tensor, modal_mask: torch.Tensor) -> torch.Tensor:
    """I_syn [1, H, W, 3] without the object: its pixels get the colour of the nearest other one."""
    from scipy.ndimage import distance_transform_edt

    visible = modal_mask[0].bool()
    if bool(visible.all()):
        return synthetic_image
    rows, columns = distance_transform_edt(
        visible.numpy(), return_distances=False, return_indices=True
    )
    return synthetic_image[:, rows, columns]
