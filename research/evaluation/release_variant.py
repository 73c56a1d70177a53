"""What the authors' released code does where it differs from the paper, to compare with.

SETTINGS are the differences that are choices of the nodes; `window` and `textured` are the two that
need a rule of their own. Not followed: unseeded noise, the photograph used as gray (a texture of
its mean colour stands for it), the stale prediction in the step after the composite, PNDM's
doubled first step, objects dropped without a word, and the mixed-up upper and lower borders.
"""

import torch
import torch.nn.functional as F

from ...amodal.core import mask_ops
from ...amodal.core.types import Crop

SETTINGS = {
    "prompt": "{label}",  # the bare class name
    "negative": "",
    "sampler": "ipndm",  # the host's nearest to PNDM, the checkpoint's own; steps as in the paper
    "k": 0.68,  # step 34 of 50, t = 301, which PNDM reaches with its 35th of 51 calls
    "begin": "noise",  # pure, instead of the noised latent of the grayed picture
    "background": "textured gray",
    "mask_rule": "clusters",
    "margin": 10,  # pixels from the border that count as touching it
    "window": "first",  # the crop is that of the first pass, never of the grown object
    "order": "model alone",  # also where the object meets another in painted pixels only
    "grow": 6 / 512,  # of the mask to paint: three dilations by 5 x 5 pixels
    "into_object": True,  # ... which eat into what is seen of the object
    "plate": "with object",  # only the occluders are gone from the background
    "plate_noise": "fresh",  # another one than the object's
    "round_trip": True,  # the composite goes through the VAE and 8 bits
    "condition": "plate",  # what steps k to N are conditioned on
    "floor": 0.0,  # the segmenter is always believed ...
    "reach": 2.0,  # ... wherever it finds the object
    "paste": "all",  # what is seen is encoded anew in each pass and not kept
}
AROUND, AT_BORDER = 60, 10  # pixels
GRAY = (137 / 255, 133 / 255, 132 / 255)


def applied(source: dict) -> dict:
    """The source of a graph (nodes/assembly/) with the release's settings in place of its own."""
    return {**source, **SETTINGS}


def window(first: torch.Tensor, canvas: Crop, size: int) -> Crop:
    """The crop of every pass: the first mask's box, 60 pixels around it, 60 more at a cut side.

    first [1, H, W] is the object on the original picture. The canvas grows to hold the whole
    window, and what is beyond the picture is to be painted, on cut sides or not.
    """
    x0, y0, x1, y1 = mask_ops.box_of(first)
    width, height = canvas.original
    cut = (x0 <= AT_BORDER, y0 <= AT_BORDER, x1 >= width - AT_BORDER, y1 >= height - AT_BORDER)
    left, top, right, bottom = (AROUND * (1 + hit) for hit in cut)
    x0, y0, x1, y1 = x0 - left, y0 - top, x1 + right, y1 + bottom
    side = max(x1 - x0, y1 - y0)
    x, y = (x0 + x1 - side) // 2 + canvas.offset[0], (y0 + y1 - side) // 2 + canvas.offset[1]
    wide, tall = canvas.canvas
    left, top = max(0, -x), max(0, -y)
    wide, tall = max(wide, x + side) + left, max(tall, y + side) + top
    x, y = x + left, y + top
    return canvas.but(
        canvas=(wide, tall),
        offset=(canvas.offset[0] + left, canvas.offset[1] + top),
        box=(x, y, x + side, y + side),
        size=(size, size),
        grown=(left, top),
        painted=tuple((a + left, b + top, c + left, d + top) for a, b, c, d in canvas.painted),
    )


def textured(image: torch.Tensor, seed: int) -> torch.Tensor:
    """A faintly mottled gray [1, H, W, 3] for image [B, H, W, 3], of the release's mean colour."""
    generator = torch.Generator().manual_seed(seed)
    size = tuple(image.shape[1:3])
    mottled = sum(
        F.interpolate(torch.randn(1, 1, cells, cells, generator=generator), size, mode="bilinear")
        for cells in (16, 64)
    )
    return (torch.tensor(GRAY) + 0.02 * mottled.movedim(1, -1)).clamp(0, 1).to(image)
