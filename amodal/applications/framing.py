"""An object in the middle of a square picture, and the way back to its own picture."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..core import mask_ops, validate
from ..core.errors import BadInput

VISIBLE = 1 / 255  # the least alpha that counts as part of the object


@dataclass(frozen=True)
class Frame:
    """A square window of a picture: its top left corner (x, y) and its side, in pixels.

    It may reach beyond the picture.
    """

    x: int
    y: int
    side: int


def with_alpha(pictures, masks=None, name: str = "object", mask_name: str = "mask"):
    """RGBA [B, H, W, 4] of pictures with alpha, or of pictures and masks (1 on the object).

    A mask takes precedence over alpha. Raises BadInput where there is neither, where the numbers
    of pictures and masks differ, and for an object without a visible pixel.
    """
    pictures = validate.as_pictures(pictures, name)
    if masks is not None:
        masks = validate.as_masks(masks, validate.picture_size(pictures), mask_name)
        masks = validate.paired(len(pictures), masks, mask_name)
        pictures = torch.cat([pictures[..., :3], masks[..., None]], -1)
    if pictures.shape[-1] == 3:
        raise BadInput(
            name,
            "has no alpha",
            f"connect an object of Trim And Overlay, or its mask to {mask_name}",
        )
    if not (pictures[..., 3] >= VISIBLE).flatten(1).any(1).all():
        raise BadInput(name, "is empty: nothing of it is visible", "connect a completed object")
    return pictures


def frame_of(alpha: torch.Tensor, margin: float) -> Frame:
    """The square around an object's alpha [H, W], not empty, with a margin on each side.

    margin: a fraction (0 to below 0.5) of the square's side, at the object's larger side.
    """
    x0, y0, x1, y1 = mask_ops.object_box(alpha >= VISIBLE)
    side = max(1, round(max(x1 - x0, y1 - y0) / (1 - 2 * margin)))
    return Frame((x0 + x1 - side) // 2, (y0 + y1 - side) // 2, side)


def cut_out(picture: torch.Tensor, frame: Frame, size: int) -> torch.Tensor:
    """The part [size, size, 4] of an RGBA picture [H, W, 4] in a frame, transparent beyond it.

    Alpha is straight, before and after; colours are weighted by it as they are resized.
    """
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = frame.x, frame.y, frame.x + frame.side, frame.y + frame.side
    part = picture[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    beyond = (max(0, -x0), max(0, x1 - width), max(0, -y0), max(0, y1 - height))
    part = F.pad(part.movedim(-1, 0), beyond).movedim(0, -1)
    alpha = part[..., 3:]
    weighted = torch.cat([part[..., :3] * alpha, alpha], -1)[None]
    small = validate.resize(weighted, (size, size), "bilinear")[0]
    alpha = small[..., 3:]
    return torch.cat([(small[..., :3] / alpha.clamp(min=1e-6)).clamp(0, 1), alpha], -1)


def on_ground(picture: torch.Tensor, ground: float) -> torch.Tensor:
    """RGBA [..., 4] on a plain gray of 0 to 1: [..., 3]."""
    alpha = picture[..., 3:]
    return picture[..., :3] * alpha + ground * (1 - alpha)
