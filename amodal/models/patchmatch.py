"""Background removal with PatchMatch: continues textures with patches of the same picture.

Needs no weights, only the optional package pypatchmatch (MIT, 0.65 MB).
"""

from __future__ import annotations

from threading import Lock
from types import ModuleType

import numpy as np
import torch

from ..core import interrupts
from ..core.errors import BadInput
from . import inpainter

RADIUS = 3  # of the compared patches, in pixels
LEAST = 32  # minimum side in pixels: the search needs room for a few patches
ONE_AT_A_TIME = Lock()  # the library has one random state; a cancelled call still computes


def fill(image: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """image [1, H, W, 3] in 0..1 with the pixels of removed [1, H, W] inpainted, others unchanged.

    Deterministic. Raises BadInput if the package is not installed.
    """
    library = installed()

    def call(picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        pixels = (picture[0].movedim(0, -1).cpu() * 255).round().to(torch.uint8)
        holes = (hole[0, 0].cpu() > 0.5).to(torch.uint8) * 255
        arrays = pixels.contiguous().numpy(), holes.contiguous().numpy()
        painted = painted_by(library, *arrays)
        return torch.from_numpy(painted).movedim(-1, 0)[None].float() / 255

    return inpainter.fill(call, image, removed, inpainter.Needs(LEAST))


@interrupts.cancellable
def painted_by(library: ModuleType, pixels: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """The library's picture [H, W, 3] uint8, always the same for the same input."""
    with ONE_AT_A_TIME:
        library.set_random_seed(0)
        return library.inpaint(pixels, holes, patch_size=RADIUS)


def installed() -> ModuleType:
    """The package pypatchmatch. Raises BadInput if it or its native library is missing."""
    remedy = (
        "install it with ComfyUI's Python, 'pip install pypatchmatch' (0.65 MB), or choose "
        "smooth, or connect an inpaint_model"
    )
    try:
        import patchmatch
    except ImportError:
        raise BadInput(
            "method", "is patchmatch, but the package pypatchmatch is not installed", remedy
        ) from None
    if not patchmatch.patchmatch_available:
        raise BadInput(
            "method", "is patchmatch, but pypatchmatch has no library for this system", remedy
        )
    return patchmatch
