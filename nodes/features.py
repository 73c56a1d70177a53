"""Segment the object in the noisy picture (section 3.5): decoder features, clusters, M^k."""

import copy

import comfy.model_management
import comfy.model_patcher
import comfy.patcher_extension
import comfy.samplers
import torch
from comfy_api.latest import io

from ..amodal import clusters as method
from ..amodal import sampling, shapes
from ..amodal.errors import BadInput
from ..amodal.payloads import Features
from . import types
from .common import CATEGORY, names_itself
from .sampling import Segment, inexact, schedule_of

FEATURES = f"{CATEGORY}/mixed context"


def level_ends(unet) -> list[int]:
    """The last output block of each decoder level of a UNet; SD2: 2, 5, 8, 11."""
    ends = [
        index for index, block in enumerate(unet.output_blocks)
        if any(type(module).__name__ == "Upsample" for module in block)
    ]
    last = len(unet.output_blocks) - 1
    return ends if last in ends else [*ends, last]


class Probe:
    """Keeps the wanted decoder levels of the positive prompt's branch of one forward pass.

    Level l is the output of its last block, before anybody's patches on the next block, and, for
    the last level, the input of the UNet's `out` (sees everybody's).
    """

    def __init__(self, unet, levels: list[int], positive):
        ends = level_ends(unet)
        if max(levels) > len(ends):
            raise BadInput(
                "levels", f"asks for {max(levels)} of {len(ends)}",
                f"this model's decoder has levels 1 (deepest) to {len(ends)}",
            )
        self.unet, self.positive, self.found = unet, positive, {}
        self.at_block = {ends[level - 1] + 1: level for level in levels}
        self.last = self.at_block.pop(len(unet.output_blocks), None)

    def keep(self, level: int, h, options: dict):
        """Store the rows of the first positive conditioning in a batch of several."""
        names = options.get("uuids", [])
        wanted = self.positive() & set(names)
        part = next((i for i, name in enumerate(names) if name in wanted), None)
        if part is None or level in self.found:
            return
        rows = h.shape[0] // len(names)
        device = comfy.model_management.intermediate_device()
        self.found[level] = h[part * rows : (part + 1) * rows].to(device, torch.float32, copy=True)

    def patch(self, h, skip, options):
        kind, index = options["block"]
        if kind == "output" and index in self.at_block:
            self.keep(self.at_block[index], h, options)
        return h, skip

    def wrap(self, executor, x, timesteps, context, y, control, options, **kwargs):
        if self.last is None:
            return executor(x, timesteps, context, y, control, options, **kwargs)
        hook = self.unet.out.register_forward_pre_hook(
            lambda _module, inputs: self.keep(self.last, inputs[0], options)
        )
        try:
            return executor(x, timesteps, context, y, control, options, **kwargs)
        finally:
            hook.remove()

    def attach(self, model_options: dict) -> dict:
        """A copy of a guider's model options with this probe in front of everybody's patches."""
        model_options = comfy.model_patcher.create_model_options_clone(model_options)
        inner = model_options.setdefault("transformer_options", {})
        patches = inner.setdefault("patches", {})
        patches["output_block_patch"] = [self.patch, *patches.get("output_block_patch", [])]
        comfy.patcher_extension.add_wrapper(
            comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, self.wrap, inner
        )
        return model_options


def one_call(mask_noise):
    """A sampler that asks the model once, at the first sigma, and is otherwise the run's own."""

    def call(model, x, sigmas, extra_args=None, callback=None, disable=None, **options):
        if mask_noise is not None:
            model.noise = mask_noise.to(x)
        return model(x, sigmas[0] * x.new_ones([x.shape[0]]), **extra_args)

    return comfy.samplers.KSAMPLER(call)


def decoder_of(guider):
    unet = guider.model_patcher.get_model_object("diffusion_model")
    if not hasattr(unet, "output_blocks") or not hasattr(unet, "out"):
        raise BadInput(
            "guider", f"holds a {type(unet).__name__}, which has no UNet decoder",
            "use a UNet such as SD 1.5, 2 or XL, or Known Background Mask instead of features",
        )
    return unet


def capture(guider, sigmas, exact, mask, levels: list[int]) -> dict[int, torch.Tensor]:
    """Decoder features of one forward pass at (x_k, sigma_k); the guider is left as it was."""
    unet = decoder_of(guider)
    watched = copy.copy(guider)
    probe = Probe(unet, levels, lambda: {
        cond["uuid"] for cond in watched.conds.get("positive", []) if "uuid" in cond
    })
    watched.model_options = probe.attach(guider.model_options)
    whole, first = schedule_of(exact, sigmas)
    segment = Segment(one_call(exact.mask_noise), first, len(whole) - 1, exact.x)
    watched.sample(
        torch.zeros_like(exact.x), exact.image, segment.sampler, whole, seed=0,
        denoise_mask=None if exact.mask_noise is None else mask,
    )
    if set(probe.found) != set(levels):
        raise BadInput(
            "guider", "showed no features for its positive prompt",
            "use CFG Guider or Basic Guider, with a positive prompt that is active at this step",
        )
    return probe.found


class CaptureFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCaptureFeatures",
            display_name="Capture Features (Amodal)",
            category=FEATURES,
            description="The UNet decoder's features at step k, from one more call of the model. "
            "Nothing is sampled again.",
            inputs=[
                io.Guider.Input("guider", tooltip="The guider given to Sample To Step."),
                io.Sigmas.Input("sigmas", tooltip="The remaining SIGMAS of Sample To Step."),
                io.Latent.Input("latent", tooltip="The latent at step k, from Sample To Step."),
                io.String.Input(
                    "levels", default="3",
                    tooltip="Decoder levels, 1 the deepest. The paper uses 3 (figure 9).",
                ),
            ],
            outputs=[
                types.Features.Output(
                    display_name="features", tooltip="Features of the positive prompt's branch."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, guider, sigmas, latent, levels):
        wanted = method.levels_of(levels)
        sigmas = sampling.check_sigmas(sigmas)
        samples = sampling.check_latent(latent, "latent")
        exact = sampling.exact_x(latent)
        exact = exact or inexact(guider.model_patcher, samples, float(sigmas[0]))
        sampling.check_sigma(exact.sigma, float(sigmas[0]), "sigmas")
        found = capture(guider, sigmas, exact, latent.get("noise_mask"), wanted)
        size = tuple(side * 8 for side in exact.x.shape[-2:])
        return io.NodeOutput(Features(found, exact.sigma, exact.k or 0, size))


class ClusterFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalClusterFeatures",
            display_name="Cluster Features (Amodal)",
            category=FEATURES,
            description="k-means on the features: proposals for where the object is.",
            inputs=[
                types.Features.Input("features", tooltip="From Capture Features."),
                io.Int.Input("level", default=3, min=1, max=16, tooltip="Which decoder level."),
                io.Int.Input(
                    "clusters", default=4, min=1, max=64,
                    tooltip="How many; 4 as in the paper's release. More cut the object in pieces.",
                ),
                io.Int.Input(
                    "seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF,
                    tooltip="Where k-means begins.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="clusters", tooltip="A mask for each cluster, picture by picture."
                ),
                io.Image.Output(display_name="picture", tooltip="The clusters in colours."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, features, level, clusters, seed):
        if level not in features.levels:
            raise BadInput(
                "level", f"is {level}, captured were {sorted(features.levels)}",
                "ask Capture Features for it too",
            )
        found = [
            method.cluster(one, clusters, seed, features.size) for one in features.levels[level]
        ]
        picture = torch.cat([method.coloured(one) for one in found])
        return io.NodeOutput(torch.cat(found), picture)


class SelectClusters(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSelectClusters",
            display_name="Select Clusters (Amodal)",
            category=FEATURES,
            description="M^k by the paper's rule: clusters that cover enough of the visible "
            "object, within the visible object and the area to paint.",
            inputs=[
                io.Mask.Input("clusters", tooltip="From Cluster Features, or any masks."),
                io.Mask.Input("mask", tooltip="M_modal: the object's visible pixels."),
                io.Mask.Input("inpaint", tooltip="The area to paint."),
                io.Float.Input(
                    "overlap", default=0.2, min=0.0, max=1.0, step=0.01,
                    tooltip="Keep a cluster that holds more than this part of the object.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="M^k, the object at step k."),
                io.String.Output(display_name="kept", tooltip="Which clusters were kept, and why."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, clusters, mask, inpaint, overlap):
        clusters = (shapes.as_masks(clusters, None, "clusters") > 0.5).float()
        size = tuple(clusters.shape[-2:])
        modal = hard(mask, size, "mask")
        inpaint = shapes.paired(len(modal), hard(inpaint, size, "inpaint"), "inpaint")
        if len(clusters) % len(modal):
            raise BadInput(
                "mask", f"is a batch of {len(modal)} for {len(clusters)} clusters",
                "give one mask for each picture that was sampled",
            )
        groups = clusters.reshape(len(modal), -1, *size)
        found, told = [], []
        for group, one, area in zip(groups, modal[:, None], inpaint[:, None]):
            chosen, kept = method.select(group, one, area, overlap)
            found.append(chosen)
            told.append(method.told(group, one, kept))
        return io.NodeOutput(torch.cat(found), "\n".join(told))


class KnownBackgroundMask(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalKnownBackgroundMask",
            display_name="Known Background Mask (Amodal)",
            category=FEATURES,
            description="M^k without features: the swapped background is known, so whatever "
            "differs from it in the estimate is the object. Costs one decode; works with any "
            "model.",
            inputs=[
                io.Image.Input("estimate", tooltip="Sample To Step's preview, decoded."),
                io.Image.Input("background", tooltip="Swap Background's picture (I_syn)."),
                io.Mask.Input("mask", tooltip="M_modal: the object's visible pixels."),
                io.Mask.Input("inpaint", tooltip="The area to paint."),
                io.Float.Input(
                    "threshold", default=0.08, min=0.0, max=1.0, step=0.005,
                    tooltip="How much a pixel must differ (0..1) to belong to the object.",
                ),
            ],
            outputs=[io.Mask.Output(display_name="mask", tooltip="M^k, the object at step k.")],
        )

    @classmethod
    @names_itself
    def execute(cls, estimate, background, mask, inpaint, threshold):
        estimate = shapes.as_images(estimate, "estimate")
        size, count = tuple(estimate.shape[1:3]), len(estimate)
        background = shapes.resize(shapes.as_images(background, "background"), size)
        background = shapes.paired(count, background, "background")
        modal = shapes.paired(count, hard(mask, size, "mask"), "mask")
        inpaint = shapes.paired(count, hard(inpaint, size, "inpaint"), "inpaint")
        return io.NodeOutput(torch.cat([
            method.known_background(
                estimate[i : i + 1], background[i : i + 1], modal[i : i + 1], inpaint[i : i + 1],
                threshold,
            )
            for i in range(count)
        ]))


def hard(mask, size, name: str) -> torch.Tensor:
    return (shapes.as_masks(mask, size, name) > 0.5).float()


NODES = [CaptureFeatures, ClusterFeatures, SelectClusters, KnownBackgroundMask]
