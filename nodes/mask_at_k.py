"""Segment the object in the noisy picture (section 3.5): decoder features, clusters, M^k."""

import torch
from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Features
from ..amodal.method import mask_at_k, sampling
from . import types, ui
from .common import CATEGORY, aliases, names_itself
from .sampler_segment import exact_of
from .unet_features import capture

FEATURES = f"{CATEGORY}/mixed context"
SHOWN = 512  # longer side of the picture in Select Clusters


class CaptureFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCaptureFeatures",
            display_name="Capture Features (Amodal)",
            category=FEATURES,
            description="The model's features at step k, of a UNet's decoder or a transformer's "
            "blocks, from one more call of the model. Nothing is sampled again.",
            inputs=[
                io.Guider.Input("guider", tooltip="The guider given to Sample To Step."),
                io.Sigmas.Input("sigmas", tooltip="The remaining SIGMAS of Sample To Step."),
                io.Latent.Input("latent", tooltip="The latent at step k, from Sample To Step."),
                io.String.Input(
                    "levels",
                    default="3",
                    tooltip="Decoder levels, 1 the deepest; of a transformer, quarters of its "
                    "blocks. The paper uses 3 (figure 9).",
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
        wanted = mask_at_k.levels_of(levels)
        sigmas = sampling.check_sigmas(sigmas)
        exact = exact_of(guider.model_patcher, latent, sigmas)
        found = capture(guider, sigmas, exact, latent.get("noise_mask"), wanted)
        layout = guider.model_patcher.get_model_object("latent_format")
        scale = getattr(layout, "spacial_downscale_ratio", 8)  # hosts before 0.4 know but 8
        size = tuple(side * scale for side in exact.x.shape[-2:])
        return io.NodeOutput(Features(found, exact.sigma, exact.k or 0, size))


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
                io.Int.Input("level", default=3, min=1, max=16, tooltip="Which decoder level."),
                io.Int.Input(
                    "clusters",
                    default=4,
                    min=1,
                    max=64,
                    tooltip="How many; 4 as in the paper's release. More cut the object in pieces.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
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
                "level",
                f"is {level}, captured were {sorted(features.levels)}",
                "ask Capture Features for it too",
            )
        found = [
            mask_at_k.cluster(one, clusters, seed, features.size) for one in features.levels[level]
        ]
        picture = torch.cat([mask_at_k.coloured(one) for one in found])
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
                    "overlap",
                    default=0.2,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Keep a cluster that holds more than this part of the object.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The picture, to be shown in the node under the clusters.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="M^k, the object at step k."),
                io.String.Output(display_name="kept", tooltip="Which clusters were kept, and why."),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, clusters, mask, inpaint, overlap, image=None):
        clusters = (validate.as_masks(clusters, None, "clusters") > 0.5).float()
        size = tuple(clusters.shape[-2:])
        modal = hard(mask, size, "mask")
        if len(modal) == 1:
            modal = modal.repeat(pictures_in(clusters), 1, 1)
        inpaint = validate.paired(len(modal), hard(inpaint, size, "inpaint"), "inpaint")
        if len(clusters) % len(modal):
            raise BadInput(
                "mask",
                f"is a batch of {len(modal)} for {len(clusters)} clusters",
                "give one mask for each picture that was sampled",
            )
        groups = clusters.reshape(len(modal), -1, *size)
        found, told, chosen = [], [], []
        for group, one, area in zip(groups, modal[:, None], inpaint[:, None]):
            mask_k, kept = mask_at_k.select(group, one, area, overlap)
            found.append(mask_k)
            told.append(mask_at_k.told(group, one, kept))
            chosen.append(kept)
        ground = torch.full((1, *size, 3), 0.5) if image is None else validate.as_images(image)[:1]
        shown = overlay(cls.hidden, ground, groups[0], modal[:1], chosen[0])
        return io.NodeOutput(torch.cat(found), "\n".join(told), ui=shown)


def pictures_in(clusters: torch.Tensor) -> int:
    """Of how many pictures these clusters [K, H, W] are, each parted into as many; else 1."""
    at_each_pixel = clusters.sum(0)
    pictures = int(at_each_pixel.max())
    parted = pictures > 1 and bool((at_each_pixel == pictures).all())
    return pictures if parted and len(clusters) % pictures == 0 else 1


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
                    "threshold",
                    default=0.05,
                    min=0.0,
                    max=1.0,
                    step=0.005,
                    tooltip="How much a pixel must differ (0..1) to belong to the object.",
                ),
            ],
            outputs=[io.Mask.Output(display_name="mask", tooltip="M^k, the object at step k.")],
        )

    @classmethod
    @names_itself
    def execute(cls, estimate, background, mask, inpaint, threshold):
        estimate = validate.as_images(estimate, "estimate")
        size, count = tuple(estimate.shape[1:3]), len(estimate)
        background = validate.resize(validate.as_images(background, "background"), size)
        background = validate.paired(count, background, "background")
        modal = validate.paired(count, hard(mask, size, "mask"), "mask")
        inpaint = validate.paired(count, hard(inpaint, size, "inpaint"), "inpaint")
        return io.NodeOutput(
            torch.cat(
                [
                    mask_at_k.known_background(
                        estimate[i : i + 1],
                        background[i : i + 1],
                        modal[i : i + 1],
                        inpaint[i : i + 1],
                        threshold,
                    )
                    for i in range(count)
                ]
            )
        )


def overlay(hidden, image, clusters, modal, kept: list[int]) -> dict:
    """What the node shows of the first picture: clusters in their colours, which were kept, and
    which part of the visible object each holds."""
    node = ui.in_graph(hidden, "AmodalSelectClusters")
    if node is None:
        return {}
    colours = [[round(255 * part) for part in visualize.colour(c)] for c in range(len(clusters))]
    shown = ui.entry(
        hidden,
        node=node,
        kept=kept,
        colours=colours,
        overlaps=[round(share, 4) for share in mask_at_k.overlaps(clusters, modal).tolist()],
        areas=ui.saved(visualize.index_map(clusters, SHOWN), "clusters"),
        image=ui.saved(visualize.fitted(image, SHOWN)[0], "picture"),
    )
    return {"amodal_clusters": [ui.tell("amodal.clusters", shown)]}


def hard(mask, size, name: str) -> torch.Tensor:
    return (validate.as_masks(mask, size, name) > 0.5).float()


NODES = [CaptureFeatures, ClusterFeatures, SelectClusters, KnownBackgroundMask]
