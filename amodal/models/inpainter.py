"""The removed background by a learned inpainter: LaMa, MAT, or whatever takes image and mask.

The other way to remove, without a model, is `removal.smooth`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


class Needs:
    """What sizes a net takes: at least `minimum`, a multiple of `multiple`, square or not."""

    def __init__(self, minimum: int = 0, multiple: int = 1, square: bool = False):
        self.minimum, self.multiple, self.square = minimum, max(1, multiple), square

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The smallest (height, width) that fits and holds a picture of this one."""
        if self.square:
            height = width = max(height, width)
        return self.up(height), self.up(width)

    def up(self, side: int) -> int:
        return -(-max(side, self.minimum) // self.multiple) * self.multiple


def fill(call, image: torch.Tensor, removed: torch.Tensor, needs: Needs) -> torch.Tensor:
    """image [1, H, W, 3] with the pixels of removed [1, H, W] painted, the others untouched.

    `call(picture, hole)` takes [1, 3, h, w] in 0..1 with 0 in the hole, and [1, 1, h, w] of 0 and
    1, of a size that the net takes, and gives [1, 3, h, w]. The picture is grown at the right and
    below by its own mirror image, hole and all, so that what is unknown at the border stays
    unknown. Gray where no pixel is known.
    """
    hole = (removed > 0.5).float()[:, None]
    if not hole.any():
        return image
    if hole.all():
        return torch.full_like(image, 0.5)
    height, width = image.shape[1:3]
    size = needs.size(height, width)
    picture, mask = (mirrored(one, size) for one in (image.movedim(-1, 1), hole))
    painted = call(picture * (1 - mask), mask)[..., :height, :width]
    painted = torch.nan_to_num(painted.float(), nan=0.5).clamp(0, 1).to(image)
    return torch.where(hole > 0, painted, image.movedim(-1, 1)).movedim(1, -1)


def mirrored(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[1, C, H, W] grown to [1, C, *size] at the right and below, mirrored as often as it takes."""
    while tuple(picture.shape[-2:]) != tuple(size):
        height, width = picture.shape[-2:]
        right = min(size[1] - width, max(width - 1, 0))
        below = min(size[0] - height, max(height - 1, 0))
        if right or below:
            picture = F.pad(picture, (0, right, 0, below), mode="reflect")
        else:  # a single row or column has no mirror image
            picture = F.pad(picture, (0, size[1] - width, 0, size[0] - height), mode="replicate")
    return picture
