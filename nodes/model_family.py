"""What a diffusion model was trained on, by its family: read from the host's own objects."""

import comfy.supported_models

from .loaders.sticker_models import StickerConfig

STICKER_SIZE = 128  # pixels
FIRST_SIZE = 512  # of Stable Diffusion 1 and 2
LATER_SIZE = 1024  # of SDXL, and of the transformers after it


def native_size(model) -> int:
    """The side in pixels of the square pictures that a MODEL was trained on."""
    config = model.model.model_config
    if isinstance(config, StickerConfig):
        return STICKER_SIZE
    first = (comfy.supported_models.SD15, comfy.supported_models.SD20)
    return FIRST_SIZE if isinstance(config, first) else LATER_SIZE


def square_only(model) -> bool:
    """Was a MODEL trained on square pictures alone, so that others lie outside what it knows?

    The families of the host also paint rectangles of about as many pixels.
    """
    return isinstance(model.model.model_config, StickerConfig)
