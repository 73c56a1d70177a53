"""What a diffusion model was trained on, by its family: read from the host's own objects."""

import comfy.model_base
import comfy.supported_models

from .loaders.sticker_models import StickerConfig

STICKER_SIZE = 128  # pixels
FIRST_SIZE = 512  # of Stable Diffusion 1 and 2
LATER_SIZE = 1024  # of SDXL, and of the transformers after it
# Families that were trained at more than that, with the side of their largest square.
LARGEST = ((comfy.model_base.Flux, 1408), (comfy.model_base.QwenImage, 1328))


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


def crop_of_family(model, size: int) -> dict:
    """Size, shape and largest side of the crop, and whether to match colours, as a MODEL allows.

    size: the side that the user asks for, 0 for the model's own. A side below that asks for little
    memory, so it is kept.
    """
    native = native_size(model)
    chosen = size or native
    if square_only(model):
        return {"size": chosen}
    largest = next((side for kind, side in LARGEST if isinstance(model.model, kind)), 0)
    return {
        "size": chosen,
        "shape": "rectangle",
        "largest": largest if chosen >= native else 0,
        "match_colours": 1.0,
    }
