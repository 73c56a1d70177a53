"""The completed object: cut out, trimmed, and put back into its picture (section 3.4)."""

from dataclasses import dataclass

import numpy as np
import torch

from ..core import mask_ops
from ..core.types import Box, Canvas

PAPER = 0.93  # the light gray around the picture on a grown canvas
OPAQUE = 0.98  # softened alpha from here on is 1; below 1 - OPAQUE it is 0


@dataclass(frozen=True)
class Cutout:
    """object [1, H, W, 4] and overlay [1, H, W, 3] on the canvas, trimmed [1, h, w, 4] the
    object's box; RGBA with straight alpha. x, y (at most 0) are the canvas' top left corner in
    the original picture's pixels."""

    object: torch.Tensor
    trimmed: torch.Tensor
    overlay: torch.Tensor
    x: int
    y: int


def cut_out(
    image: torch.Tensor,
    amodal_mask: torch.Tensor,
    canvas: Canvas,
    original: torch.Tensor,
    edge: float = 1.5,
    softness: float = 0.0,
) -> Cutout:
    """The completed object as RGBA, and the original picture with it in front of its occluders.

    image [1, H, W, 3] and amodal_mask [1, H, W] (0 or 1, not empty) are the canvas, original
    [1, h, w, 3] the input picture. The object's edge fades over `edge` pixels, or over `softness`
    times its larger side if that is more; with an `edge` of 0 it is hard. Alpha is above 0.5 where
    the mask is 1, and below elsewhere.
    """
    size = image.shape[2], image.shape[1]
    x0, y0, x1, y1 = whole = mask_ops.object_box(amodal_mask)
    edge = max(edge, softness * max(x1 - x0, y1 - y0)) if edge else 0
    box = mask_ops.grown_box(whole, int(2 * edge) + 2, size)
    pixels, mask = within(image, box).cpu().numpy(), within(amodal_mask, box).cpu().numpy()
    alpha, colours = alpha_and_colours(pixels, mask, edge)
    cut = image.new_zeros(*image.shape[:3], 4)
    within(cut, box).copy_(torch.from_numpy(np.dstack([colours * (alpha[..., None] > 0), alpha])))
    x, y = canvas.offset
    overlay = on_canvas(original, canvas)
    shown = within(overlay, box)
    shown.copy_(torch.lerp(shown, within(cut, box)[..., :3], within(cut, box)[..., 3:]))
    x0, y0, x1, y1 = mask_ops.object_box(cut[..., 3] > 0)
    return Cutout(cut, cut[:, y0:y1, x0:x1].clone(), overlay, -x, -y)


def on_canvas(original: torch.Tensor, canvas: Canvas) -> torch.Tensor:
    """The original picture [1, h, w, 3] on its canvas [1, H, W, 3], light gray around it."""
    x, y = canvas.offset
    width, height = canvas.original
    result = original.new_full((1, *canvas.size[::-1], 3), PAPER)
    result[:, y : y + height, x : x + width] = original
    return result


def within(pixels: torch.Tensor, box: Box) -> torch.Tensor:
    """A view [h, w, ...] of the picture [1, H, W, ...] in a box."""
    x0, y0, x1, y1 = box
    return pixels[0, y0:y1, x0:x1]


def alpha_and_colours(
    image: np.ndarray, mask: np.ndarray, edge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Alpha [h, w] and colours [h, w, 3] of the object in image [h, w, 3] under mask [h, w].

    Where alpha is below 1 the colour is that of the nearest opaque pixel, so that no background
    shows through the soft edge. Parts without an opaque pixel keep their own colours.
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
