"""Swapping the background: I_syn, the object alone on a clean backdrop (section 3.5)."""

import torch
import torch.nn.functional as F

from ..core import validate
from ..core.errors import BadInput

PLAIN = {"gray": 0.5, "white": 1.0, "black": 0.0}
CHOICES = [*PLAIN, "blur", "noise", "original", "image"]


def swap(
    image: torch.Tensor, modal: torch.Tensor, background: str, own=None, seed: int = 0
) -> torch.Tensor:
    """I_syn [B, H, W, 3]: image where modal is 1, the background of one's choice elsewhere.

    image [B, H, W, 3]; modal [B, H, W], 0 or 1. Figure 8: gray helps most. `own` [B, H, W, 3] is
    cut to cover the picture and wanted by 'image' only; `seed` is for 'noise' (uniform 0..1).
    """
    if background == "original":
        return image
    return torch.where(modal[..., None] > 0.5, image, backdrop(image, background, own, seed))


def backdrop(image: torch.Tensor, background: str, own=None, seed: int = 0) -> torch.Tensor:
    """The bare background, of a shape that broadcasts with image [B, H, W, 3]."""
    if background in PLAIN:
        return image.new_full((1, 1, 1, 3), PLAIN[background])
    if background == "blur":
        return blurred(image)
    if background == "noise":
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(image.shape, generator=generator).to(image)
    if background == "image":
        if own is None:
            raise BadInput("own", "is not connected", "connect it or choose another background")
        return validate.paired(len(image), covering(own, tuple(image.shape[1:3])), "own").to(image)
    raise BadInput("background", f"'{background}' is unknown", f"choose of {', '.join(CHOICES)}")


def covering(own: torch.Tensor, size: validate.Size) -> torch.Tensor:
    """A picture scaled and cut in the middle so that it just covers (height, width)."""
    height, width = own.shape[1:3]
    scale = max(size[0] / height, size[1] / width)
    tall, wide = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    scaled = validate.resize(own, (tall, wide))
    y, x = (tall - size[0]) // 2, (wide - size[1]) // 2
    return scaled[:, y : y + size[0], x : x + size[1]]


def blurred(image: torch.Tensor, width: float = 0.08) -> torch.Tensor:
    """Image [B, H, W, 3] blurred by a Gaussian of `width` times the larger side."""
    height, wide = image.shape[1:3]
    scale = min(1.0, 128 / max(height, wide))
    small = validate.resize(image, (max(1, round(height * scale)), max(1, round(wide * scale))))
    sigma = max(0.5, width * max(small.shape[1:3]))
    reach = int(3 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(image).expand(3, 1, -1)
    pixels = small.movedim(-1, 1)
    down, across = ((3, 1, -1, 1), (0, 0, reach, reach)), ((3, 1, 1, -1), (reach, reach, 0, 0))
    for shape, pad in (down, across):
        padded = F.pad(pixels, pad, mode="replicate")
        pixels = F.conv2d(padded, kernel.reshape(shape), groups=3)
    return validate.resize(pixels.movedim(1, -1).contiguous(), (height, wide), "bilinear")
