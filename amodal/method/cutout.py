"""The completed object: cut out, trimmed, and put back into its picture (section 3.4)."""

from dataclasses import dataclass

import numpy as np
import torch

from ..core import mask_ops
from ..core.types import Box, Crop

PAPER = 0.93  # the light gray around the picture on a grown canvas
OPAQUE = 0.98  # softened alpha from here up is 1, and as near to 0 it is 0


@dataclass(frozen=True)
class Result:
    """object [1, H, W, 4] and overlay [1, H, W, 3] on the canvas, trimmed [1, h, w, 4] the object's
    box; RGBA with straight alpha. x, y (at most 0) place the canvas' corner in the original."""

    object: torch.Tensor
    trimmed: torch.Tensor
    overlay: torch.Tensor
    x: int
    y: int


def result(
    image: torch.Tensor, mask: torch.Tensor, canvas: Crop, picture: torch.Tensor, edge: float = 1.5
) -> Result:
    """Everything that is handed to the user.

    image [1, H, W, 3] and mask [1, H, W] (0 or 1, not empty) are the canvas, picture [1, h, w, 3]
    the original, which the overlay shows with the completed object in front of its occluders.
    The object's edge is softened over `edge` pixels, 0 cuts it hard; where the mask is 1 alpha
    stays above 0.5, elsewhere below.
    """
    box = mask_ops.grown_box(mask_ops.box_of(mask), int(2 * edge) + 2, image.shape[2:0:-1])
    alpha, colours = cut_out(*(within(pixels, box).cpu().numpy() for pixels in (image, mask)), edge)
    cut = image.new_zeros(*image.shape[:3], 4)
    within(cut, box).copy_(torch.from_numpy(np.dstack([colours * (alpha[..., None] > 0), alpha])))
    x, y = canvas.offset
    context = framed(picture, canvas)
    seen = within(context, box)
    seen.copy_(torch.lerp(seen, within(cut, box)[..., :3], within(cut, box)[..., 3:]))
    x0, y0, x1, y1 = mask_ops.box_of(cut[..., 3] > 0)
    return Result(cut, cut[:, y0:y1, x0:x1].clone(), context, -x, -y)


def framed(picture: torch.Tensor, canvas: Crop) -> torch.Tensor:
    """The original picture [1, h, w, 3] on its canvas [1, H, W, 3], paper around it."""
    x, y = canvas.offset
    width, height = canvas.original
    context = picture.new_full((1, *canvas.canvas[::-1], 3), PAPER)
    context[:, y : y + height, x : x + width] = picture
    return context


def within(pixels: torch.Tensor, box: Box) -> torch.Tensor:
    """The view [h, w, ...] of the one picture [1, H, W, ...] in a box."""
    x0, y0, x1, y1 = box
    return pixels[0, y0:y1, x0:x1]


def cut_out(image: np.ndarray, mask: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Alpha [h, w] and colours [h, w, 3] of the object in image [h, w, 3] under mask [h, w].

    Where alpha is below 1, colours are those of the nearest opaque pixel, so that no background
    shines through the soft edge; parts too thin to have one keep their own.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    if edge <= 0:
        return mask, image
    soft = gaussian_filter(mask, edge / 2, mode="nearest")
    soft = np.where(mask > 0.5, np.maximum(soft, 0.51), np.minimum(soft, 0.49))
    alpha = np.where(soft >= OPAQUE, 1, np.where(soft <= 1 - OPAQUE, 0, soft)).astype(np.float32)
    if not (alpha == 1).any():
        return alpha, image
    far, (rows, columns) = distance_transform_edt(alpha < 1, return_indices=True)
    near = (far > 0) & (far <= 2 * edge + 1)
    return alpha, np.where(near[..., None], image[rows, columns], image)
