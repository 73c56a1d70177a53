"""Swap the background: I_syn, the object alone on a clean background (section 3.5)."""

import torch
import torch.nn.functional as F

from ..core import validate
from ..core.errors import BadInput
from .known_background import quantile

PLAIN = {"gray": 0.5, "white": 1.0, "black": 0.0}
CONTRASTING = "contrasting gray"
CHOICES = [*PLAIN, "blur", "noise", "original", "image", CONTRASTING]
GRAYS = (0.5, 0.25, 0.75)  # those of CONTRASTING, in the order of preference
NEAREST = 0.1  # the part of the visible pixels whose colours count as nearest to a gray


def swap(
    image: torch.Tensor,
    modal_mask: torch.Tensor,
    background: str,
    own_background: torch.Tensor | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """I_syn [B, H, W, 3]: the image where the modal mask is 1, the chosen background elsewhere.

    image [B, H, W, 3]; modal_mask [B, H, W], 0 or 1. background is one of CHOICES; gray helps most
    (Figure 8). own_background [B, H, W, 3] is needed for 'image' only and is scaled and cut to
    cover the picture. seed is for 'noise' (uniform in 0..1). Raises BadInput.
    """
    if background == "original":
        return image
    if background == CONTRASTING:
        behind = contrasting(image, modal_mask)
    else:
        behind = backdrop(image, background, own_background, seed)
    return torch.where(modal_mask[..., None] > 0.5, image, behind)


def backdrop(
    image: torch.Tensor,
    background: str,
    own_background: torch.Tensor | None = None,
    seed: int = 0,
) -> torch.Tensor:
    """The background alone, in a shape that broadcasts with image [B, H, W, 3]."""
    if background in PLAIN:
        return image.new_full((1, 1, 1, 3), PLAIN[background])
    if background == "blur":
        return blurred(image)
    if background == "noise":
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(image.shape, generator=generator).to(image)
    if background == "image":
        if own_background is None:
            remedy = "connect it, or choose another background"
            raise BadInput("own_background", "is not connected", remedy)
        covered = covering(own_background, validate.picture_size(image))
        return validate.paired(len(image), covered, "own_background").to(image)
    raise BadInput(
        "background", f"'{background}' is unknown", f"choose one of {', '.join(CHOICES)}"
    )


def contrasting(image: torch.Tensor, modal_mask: torch.Tensor) -> torch.Tensor:
    """[B, 1, 1, 3]: of GRAYS, the one farthest from the colours of each picture's visible object.

    The distance is the mean absolute difference that a tenth of the visible pixels do not exceed.
    """
    chosen = []
    for picture, mask in zip(image, modal_mask):
        colours = picture[mask > 0.5]
        distances = [
            quantile((colours - gray).abs().mean(-1), NEAREST) if len(colours) else 0.0
            for gray in GRAYS
        ]
        chosen.append(GRAYS[distances.index(max(distances))])
    return image.new_tensor(chosen).reshape(-1, 1, 1, 1).expand(-1, 1, 1, 3)


def covering(picture: torch.Tensor, size: validate.Size) -> torch.Tensor:
    """A picture [B, h, w, 3], scaled and cut in the middle so that it covers (height, width)."""
    height, width = picture.shape[1:3]
    scale = max(size[0] / height, size[1] / width)
    tall, wide = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    scaled = validate.resize(picture, (tall, wide))
    y, x = (tall - size[0]) // 2, (wide - size[1]) // 2
    return scaled[:, y : y + size[0], x : x + size[1]]


def blurred(image: torch.Tensor, width: float = 0.08) -> torch.Tensor:
    """Image [B, H, W, 3], blurred by a Gaussian with a sigma of `width` times the larger side."""
    height, wide = image.shape[1:3]
    scale = min(1.0, 128 / max(height, wide))
    small = validate.resize(image, (max(1, round(height * scale)), max(1, round(wide * scale))))
    sigma = max(0.5, width * max(small.shape[1:3]))
    radius = int(3 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(image).expand(3, 1, -1)
    pixels = small.movedim(-1, 1)
    down, across = ((3, 1, -1, 1), (0, 0, radius, radius)), ((3, 1, 1, -1), (radius, radius, 0, 0))
    for shape, pad in (down, across):
        padded = F.pad(pixels, pad, mode="replicate")
        pixels = F.conv2d(padded, kernel.reshape(shape), groups=3)
    return validate.resize(pixels.movedim(1, -1).contiguous(), (height, wide), "bilinear")
