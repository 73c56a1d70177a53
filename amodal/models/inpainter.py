"""Background removal with a learned inpainter: LaMa, MAT, or any model of image and mask.

The alternatives without such a model are `method.smooth_fill` and `patchmatch`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F


class Needs:
    """The sizes a network accepts: at least `minimum` pixels a side, a multiple of `multiple`, and
    square if `square` is set."""

    def __init__(self, minimum: int = 0, multiple: int = 1, square: bool = False) -> None:
        self.minimum, self.multiple, self.square = minimum, max(1, multiple), square

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The smallest accepted (height, width) that holds a picture of this size."""
        if self.square:
            height = width = max(height, width)
        return self.up(height), self.up(width)

    def up(self, side: int) -> int:
        """The smallest accepted length that is at least `side`."""
        return -(-max(side, self.minimum) // self.multiple) * self.multiple


def fill(
    call: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    image: torch.Tensor,
    removed: torch.Tensor,
    needs: Needs,
) -> torch.Tensor:
    """image [1, H, W, 3] in 0..1 with the pixels of removed [1, H, W] inpainted, others unchanged.

    `call(picture, hole)` takes [1, 3, h, w] in 0..1, with 0 inside the hole, and the hole
    [1, 1, h, w] (0 or 1), both of an accepted size. It returns [1, 3, h, w]. The picture and its
    hole are padded on the right and at the bottom by reflection, so a hole at the border stays
    unknown. The result is gray (0.5) if every pixel is removed.
    """
    hole = (removed > 0.5).float()[:, None]
    if not hole.any():
        return image
    if hole.all():
        return torch.full_like(image, 0.5)
    height, width = image.shape[1:3]
    size = needs.size(height, width)
    picture, mask = mirrored(image.movedim(-1, 1), size), mirrored(hole, size)
    painted = call(picture * (1 - mask), mask)[..., :height, :width]
    painted = torch.nan_to_num(painted.float(), nan=0.5).clamp(0, 1).to(image)
    return torch.where(hole > 0, painted, image.movedim(-1, 1)).movedim(1, -1)


def mirrored(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[1, C, H, W] padded to [1, C, *size] on the right and at the bottom, by reflection.

    Reflection is repeated where one is not enough.
    """
    while tuple(picture.shape[-2:]) != tuple(size):
        height, width = picture.shape[-2:]
        right = min(size[1] - width, max(width - 1, 0))
        below = min(size[0] - height, max(height - 1, 0))
        if right or below:
            picture = F.pad(picture, (0, right, 0, below), mode="reflect")
        else:  # a single row or column cannot be reflected
            picture = F.pad(picture, (0, size[1] - width, 0, size[0] - height), mode="replicate")
    return picture
