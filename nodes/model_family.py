"""What suits a diffusion model, by its family: read from the host's own objects."""

import comfy.model_base
import comfy.supported_models

from .assembly import AUTOMATIC, sees_around_hole
from .loaders.sticker_models import StickerConfig

STICKER_SIZE = 128  # pixels
FIRST_SIZE = 512  # of Stable Diffusion 1 and 2
LATER_SIZE = 1024  # of SDXL, and of the transformers after it
FEW_STEPS = 8  # at most: a run of LCM, Lightning, Turbo and other distilled models
FLOWS = (comfy.model_base.ModelType.FLOW, comfy.model_base.ModelType.FLUX)
# Families that were trained at more than LATER_SIZE, with the side of their largest square.
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


def sampling_of_family(model, given: dict) -> dict:
    """Sampler, scheduler, cfg and guidance as a MODEL wants them, where they are not given.

    given: values of steps, cfg and guidance (0: not given), scheduler, positive_conditioning. The
    paper's ddim_uniform begins below the highest noise; what takes few steps begins at it, and so
    do flow models. The guidance, a number for models that take one, is None where it is left alone.
    """
    sticker = isinstance(model.model.model_config, StickerConfig)
    few = given["steps"] <= FEW_STEPS and not sticker
    flow = model.model.model_type in FLOWS
    scheduler = given.get("scheduler", AUTOMATIC)
    if scheduler == AUTOMATIC:
        scheduler = "simple" if flow else "sgm_uniform" if few else "ddim_uniform"
    return {
        "sampler": "euler" if flow or few else "ddim",
        "scheduler": scheduler,
        "cfg": given.get("cfg") or native_cfg(model, few),
        "guidance": guidance_of(model, given),
    }


def native_cfg(model, few: bool) -> float:
    """Classifier-free guidance that suits a MODEL, and distilled ones where steps are few."""
    if isinstance(model.model.model_config, StickerConfig):
        return 2.5
    if few or takes_guidance(model):
        return 1.0
    return 4.0 if model.model.model_type in FLOWS else 7.5


def guidance_of(model, given: dict) -> float | None:
    """The guidance for a MODEL that takes it as a number; None leaves the conditioning alone."""
    if not takes_guidance(model):
        return None
    if given.get("guidance"):
        return given["guidance"]
    if given.get("positive_conditioning") is not None:
        return None
    return 30.0 if sees_around_hole(model) else 3.5


def takes_guidance(model) -> bool:
    """Was a MODEL distilled so that it takes its guidance as a number, as Flux dev and Fill?"""
    return bool(model.model.model_config.unet_config.get("guidance_embed"))
