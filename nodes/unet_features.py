"""Captures features of a UNet's decoder in one forward pass; model and guider stay unchanged.

`transformer_features` does the same for transformers.
"""

import copy

import comfy.model_patcher
import comfy.patcher_extension
import comfy.samplers
import torch

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.method.sampling import check_made
from .regions import Regions
from .sampler_segment import Segment, schedule_of
from .transformer_features import STREAMS, BlockProbe, blocks_of, quarter_ends


def level_ends(unet) -> list[int]:
    """The last output block of each decoder level of a UNet; SD2: 2, 5, 8, 11."""
    ends = [
        index
        for index, block in enumerate(unet.output_blocks)
        if any(type(module).__name__ == "Upsample" for module in block)
    ]
    last = len(unet.output_blocks) - 1
    return ends if last in ends else [*ends, last]


class Probe:
    """Captures decoder levels of the positive prompt's branch in one forward pass.

    A level is the output of its last block, before any patch on the next block. The last level is
    the input of the UNet's `out`, after every patch.
    """

    def __init__(self, unet, levels: list[int], regions: Regions):
        ends = level_ends(unet)
        self.unet, self.regions = unet, regions
        self.at_block = {ends[level - 1] + 1: level for level in levels}
        self.last = self.at_block.pop(len(unet.output_blocks), None)

    def patch(self, h, skip, options):
        kind, index = options["block"]
        if kind == "output" and index in self.at_block:
            self.regions.keep(self.at_block[index], h, options)
        return h, skip

    def wrap(self, executor, x, timesteps, context, y, control, options, **kwargs):
        if self.last is None:
            return executor(x, timesteps, context, y, control, options, **kwargs)
        hook = self.unet.out.register_forward_pre_hook(
            lambda _module, inputs: self.regions.keep(self.last, inputs[0], options)
        )
        try:
            return executor(x, timesteps, context, y, control, options, **kwargs)
        finally:
            hook.remove()

    def attach(self, model_options: dict) -> dict:
        """A copy of a guider's model options with this probe before every other patch."""
        model_options = comfy.model_patcher.create_model_options_clone(model_options)
        inner = model_options.setdefault("transformer_options", {})
        patches = inner.setdefault("patches", {})
        patches["output_block_patch"] = [self.patch, *patches.get("output_block_patch", [])]
        comfy.patcher_extension.add_wrapper(
            comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, self.wrap, inner
        )
        self.regions.attach(inner)
        return model_options


def one_call(mask_noise):
    """A sampler that calls the model once, at the first sigma."""

    def call(model, x, sigmas, extra_args=None, callback=None, disable=None, **options):
        if mask_noise is not None:
            model.noise = mask_noise.to(x)
        return model(x, sigmas[0] * x.new_ones([x.shape[0]]), **extra_args)

    return comfy.samplers.KSAMPLER(call)


def shows_features(model) -> bool:
    """Can features of this MODEL be captured?"""
    net = model.get_model_object("diffusion_model")
    return is_unet(net) or bool(blocks_of(net))


def depth_of(guider) -> int:
    """How many levels the guider's model has: of a UNet's decoder, or quarters of its blocks.

    Raises BadInput for a model with neither.
    """
    net = guider.model_patcher.get_model_object("diffusion_model")
    if is_unet(net):
        return len(level_ends(net))
    if blocks_of(net):
        return len(quarter_ends(len(blocks_of(net))))
    raise BadInput(
        "guider",
        f"holds a {type(net).__name__}, which has no UNet decoder, nor blocks whose "
        f"order of tokens is known ({', '.join(STREAMS)})",
        "use a UNet (SD 1.5, 2, XL) or a transformer such as Flux, SD3 or Qwen Image, or Known "
        "Background Mask instead of features, which takes any model",
    )


def is_unet(net) -> bool:
    """Has the network a UNet's decoder?"""
    return hasattr(net, "output_blocks") and hasattr(net, "out")


def probe_of(guider, levels: list[int], regions: Regions):
    """The probe for the guider's model, which `depth_of` accepts."""
    net = guider.model_patcher.get_model_object("diffusion_model")
    if is_unet(net):
        return Probe(net, levels, regions)
    return BlockProbe(net, levels, regions)


def capture(guider, sigmas, exact, mask, levels: list[int]) -> dict[int, torch.Tensor]:
    """Features of one forward pass at (x_k, sigma_k), by level; the guider stays unchanged.

    levels: from 1 to `depth_of(guider)`. Raises BadInput if the features are not finite.
    """
    watched = copy.copy(guider)
    regions = Regions(
        lambda: {cond["uuid"] for cond in watched.conds.get("positive", []) if "uuid" in cond}
    )
    watched.model_options = probe_of(guider, levels, regions).attach(guider.model_options)
    whole, first = schedule_of(exact, sigmas)
    segment = Segment(one_call(exact.mask_noise), first, len(whole) - 1, exact.x)
    watched.sample(
        torch.zeros_like(exact.x),
        exact.image,
        segment.sampler,
        whole,
        seed=0,
        denoise_mask=None if exact.mask_noise is None else mask,
    )
    features = regions.features(validate.size_of(exact.x))
    if set(features) != set(levels):
        raise BadInput(
            "guider",
            "showed no features for its positive prompt",
            "use CFG Guider or Basic Guider, with a positive prompt that is active at this step",
        )
    return {level: check_made(maps, "latent") for level, maps in features.items()}
