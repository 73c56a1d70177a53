"""The removed background by PatchMatch: textures continued with patches of the picture's own.

Needs no weights, but the package pypatchmatch (MIT, 0.65 MB), which is used where it is installed.
"""

import torch

from ..core.errors import BadInput
from . import inpainter

RADIUS = 3  # of the patches that are compared, in pixels
LEAST = 32  # pixels a side: the search needs room for a few patches


def fill(image: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """image [1, H, W, 3] with the pixels of removed [1, H, W] filled in, the others untouched.

    The same picture is always filled the same way. Raises BadInput where the package is missing.
    """
    library = installed()

    def call(picture, hole):
        library.set_random_seed(0)
        pixels = (picture[0].movedim(0, -1).cpu() * 255).round().to(torch.uint8)
        holes = (hole[0, 0].cpu() > 0.5).to(torch.uint8) * 255
        made = library.inpaint(
            pixels.contiguous().numpy(), holes.contiguous().numpy(), patch_size=RADIUS
        )
        return torch.from_numpy(made).movedim(-1, 0)[None].float() / 255

    return inpainter.fill(call, image, removed, inpainter.Needs(LEAST))


def installed():
    """The package, if it and its native library are there."""
    remedy = (
        "install it with ComfyUI's Python, 'pip install pypatchmatch' (0.65 MB), or choose "
        "smooth, or connect an inpaint_model"
    )
    try:
        import patchmatch
    except ImportError:
        raise BadInput(
            "method", "is patchmatch, whose package pypatchmatch is not installed", remedy
        ) from None
    if not patchmatch.patchmatch_available:
        raise BadInput(
            "method", "is patchmatch, whose package has no library for this system", remedy
        )
    return patchmatch
