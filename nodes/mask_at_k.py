"""Segment the object at step k (section 3.5): decoder features, clusters, M^k."""

import torch
from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Features
from ..amodal.method import feature_levels, mask_at_k, sampling
from . import types, ui
from .common import CATEGORY, aliases, names_itself, shows_results
from .mask_rules import averages, certain, checked, checks, maps_at
from .sampler_segment import exact_of
from .unet_features import capture, depth_of

FEATURES = f"{CATEGORY}/mixed context"
SHOWN = 512  # longer side of the picture in Select Clusters


class CaptureFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCaptureFeatures",
            **shows_results(),
            display_name="Capture Features (Amodal)",
            category=FEATURES,
            description="Captures the model's features at step k with one more call of the model: "
            "of a UNet's decoder, or of a transformer's blocks. Nothing is sampled again.",
            inputs=[
                io.Guider.Input("guider", tooltip="The guider given to Sample To Step."),
                io.Sigmas.Input("sigmas", tooltip="The remaining SIGMAS of Sample To Step."),
                io.Latent.Input("latent", tooltip="The latent at step k, from Sample To Step."),
                io.String.Input(
                    "levels",
                    default=feature_levels.PAPER,
                    tooltip="'paper': the last but one level, which is the paper's 3 of 4 "
                    "(figure 9) and SDXL's 2 of 3. 'last': the finest. Or numbers of decoder "
                    "levels, 1 the deepest; of a transformer, quarters of its blocks.",
                ),
            ],
            outputs=[
                types.Features.Output(
                    display_name="features", tooltip="Features of the positive prompt's branch."
                ),
                io.String.Output(
                    display_name="taken", tooltip="Which levels were captured, of how many."
                ),
            ],
            hidden=[io.Hidden.dynprompt],
        )

    @classmethod
    @names_itself
    def execute(cls, guider, sigmas, latent, levels):
        depth = depth_of(guider)
        wanted = feature_levels.levels_of(levels, depth)
        sigmas = sampling.check_sigmas(sigmas)
        exact = exact_of(guider.model_patcher, latent, sigmas)
        features = capture(guider, sigmas, exact, latent.get("noise_mask"), wanted)
        layout = guider.model_patcher.get_model_object("latent_format")
        scale = getattr(layout, "spacial_downscale_ratio", 8)  # hosts before 0.4 only know 8
        height, width = validate.size_of(exact.x)
        size = height * scale, width * scale
        taken = f"level {', '.join(map(str, wanted))} of {depth}"
        found = Features(features, exact.sigma, exact.k or 0, size, depth)
        shown = ui.say(cls.hidden, "AmodalCaptureFeatures", taken)
        return io.NodeOutput(found, taken, ui=shown)


class ClusterFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalClusterFeatures",
            **aliases("k-means", "feature map"),
            display_name="Cluster Features (Amodal)",
            category=FEATURES,
            description="k-means on the features: proposals for where the object is.",
            inputs=[
                types.Features.Input("features", tooltip="From Capture Features."),
                io.Int.Input(
                    "level",
                    default=0,
                    min=0,
                    max=16,
                    tooltip="Which of the captured levels. 0: the paper's, the last but one of the "
                    "model's.",
                ),
                io.Int.Input(
                    "clusters",
                    default=4,
                    min=1,
                    max=64,
                    tooltip="Number of clusters. The authors' release uses 4. With more, the "
                    "object splits into several clusters.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=False,
                    tooltip="Seed of k-means.",
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
    def execute(cls, features, level, clusters=4, seed=0):
        level = level or feature_levels.paper_level(features.depth)
        masks = [
            mask_at_k.cluster(maps, clusters, seed, features.size)
            for maps in maps_at(features, level)
        ]
        picture = torch.cat([visualize.coloured(of_picture) for of_picture in masks])
        return io.NodeOutput(torch.cat(masks), picture)


class SelectClusters(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSelectClusters",
            **shows_results(),
            display_name="Select Clusters (Amodal)",
            category=FEATURES,
            description="Makes M^k by the paper's rule: the clusters that cover enough of the "
            "visible object, within the modal mask and the inpaint mask (section 3.5).",
            inputs=[
                io.Mask.Input("clusters", tooltip="From Cluster Features, or any masks."),
                io.Mask.Input("modal_mask", tooltip="M_modal: the object's visible pixels."),
                io.Mask.Input("inpaint_mask", tooltip="The area to paint, from Check Occlusion."),
                io.Float.Input(
                    "overlap",
                    default=0.2,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="A cluster is kept if it holds more than this part of the modal mask.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The picture that the node shows under the clusters.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask_at_k", tooltip="M^k: the object at step k."),
                io.String.Output(
                    display_name="kept", tooltip="The kept clusters, and the overlap of each."
                ),
                *checks(),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, clusters, modal_mask, inpaint_mask, overlap=0.2, image=None):
        clusters = (validate.as_masks(clusters, None, "clusters") > 0.5).float()
        size = validate.size_of(clusters)
        modal_masks = len(validate.as_masks(modal_mask, size, "modal_mask"))
        pictures = modal_masks if modal_masks > 1 else pictures_in(clusters)
        modal_mask, inpaint_mask = certain(pictures, size, modal_mask, inpaint_mask)
        if len(clusters) % pictures:
            raise BadInput(
                "modal_mask",
                f"is a batch of {pictures} for {len(clusters)} clusters",
                "give one mask for each sampled picture",
            )
        groups = clusters.reshape(pictures, -1, *size)
        masks, lines, kept, takes = [], [], [], []
        for group, modal, area in zip(groups, modal_mask[:, None], inpaint_mask[:, None]):
            mask, numbers = mask_at_k.select(group, modal, area, overlap)
            masks.append(mask)
            lines.append(mask_at_k.describe(group, modal, numbers))
            kept.append(numbers)
            takes.append(mask_at_k.union(group, numbers))
        ground = torch.full((1, *size, 3), 0.5) if image is None else validate.as_images(image)[:1]
        shown = overlay(cls.hidden, ground, groups[0], modal_mask[:1], kept[0])
        alone = torch.cat(takes)
        found = averages(checked(alone, modal_mask, inpaint_mask))
        return io.NodeOutput(torch.cat(masks), "\n".join(lines), *found, alone, ui=shown)


def pictures_in(clusters: torch.Tensor) -> int:
    """How many pictures the clusters [K, H, W] come from, if each has the same number; else 1."""
    at_each_pixel = clusters.sum(0)
    pictures = int(at_each_pixel.max())
    parted = pictures > 1 and bool((at_each_pixel == pictures).all())
    return pictures if parted and len(clusters) % pictures == 0 else 1


def overlay(hidden, image, clusters, modal_mask, kept: list[int]) -> dict:
    """What the node shows of the first picture: its clusters in colours, which of them were kept,
    and the part of the modal mask in each."""
    node = ui.in_graph(hidden, "AmodalSelectClusters")
    if node is None:
        return {}
    colours = [[round(255 * part) for part in visualize.colour(c)] for c in range(len(clusters))]
    shares = mask_at_k.overlaps(clusters, modal_mask).tolist()
    shown = ui.entry(
        hidden,
        node=node,
        kept=kept,
        colours=colours,
        overlaps=[round(share, 4) for share in shares],
        areas=ui.saved(visualize.index_map(clusters, SHOWN), "clusters"),
        image=ui.saved(visualize.fitted(image, SHOWN)[0], "picture"),
    )
    return {"amodal_clusters": [ui.tell("amodal.clusters", shown)]}


NODES = [CaptureFeatures, ClusterFeatures, SelectClusters]
