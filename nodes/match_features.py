"""Dense correspondence between completed objects (section 5, figure 10)."""

import json

import torch
from comfy_api.latest import io

from ..amodal.applications import correspondence, framing, match_pictures
from ..amodal.core import validate
from ..amodal.method import feature_levels
from . import object_features
from .common import CATEGORY, aliases, names_itself
from .model_family import native_size

APPLICATIONS = f"{CATEGORY}/applications"
GROUND = 0.5  # the gray behind the objects, as in the paper's swapped background
SHOWN = 512  # side of each object in the pictures
MARGIN = 0.1  # of the square around an object


class MatchFeatures(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalMatchFeatures",
            **aliases("dense correspondence", "DIFT", "keypoints", "warp"),
            display_name="Match Features (Amodal)",
            category=APPLICATIONS,
            description="Finds, for each point of one completed object, the matching point of "
            "another: dense correspondence by the diffusion model's features (section 5, "
            "figure 10), with those of CLIP or DINO beside them.",
            inputs=[
                io.Model.Input(
                    "model", tooltip="A UNet or a transformer, as for Capture Features."
                ),
                io.Vae.Input("vae", tooltip="Its autoencoder."),
                io.Conditioning.Input(
                    "positive", tooltip="What both objects are, in words; may be of an empty text."
                ),
                io.Image.Input(
                    "object", tooltip="The first objects, RGBA, as Trim And Overlay gives them."
                ),
                io.Image.Input(
                    "other", tooltip="The second objects, RGBA: one for all, or one for each."
                ),
                io.Float.Input(
                    "noise",
                    default=0.26,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    tooltip="The noise level at which the features are read, as a fraction of the "
                    "model's training steps. DIFT uses 261 of 1000.",
                ),
                io.String.Input(
                    "levels",
                    default=feature_levels.PAPER,
                    tooltip="'paper', 'last', or numbers of decoder levels, as for Capture "
                    "Features. Several are weighted alike. DIFT uses 2 for Stable Diffusion 2.",
                ),
                io.Int.Input(
                    "ensemble",
                    default=8,
                    min=1,
                    max=64,
                    tooltip="Over how many noises the features are averaged. Each is one picture "
                    "in a batch of one call of the model.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=False,
                    tooltip="Seed of these noises.",
                ),
                io.Int.Input(
                    "size",
                    default=0,
                    min=0,
                    max=4096,
                    step=8,
                    tooltip="Side of the square in which the model sees each object. 0: the size "
                    "that the model was trained at.",
                ),
                io.Int.Input(
                    "cells",
                    default=48,
                    min=8,
                    max=128,
                    tooltip="The objects are compared on a grid of so many cells along a side.",
                ),
                io.Int.Input(
                    "count", default=16, min=1, max=256, tooltip="Number of lines and of points."
                ),
                io.Float.Input(
                    "tolerance",
                    default=0.1,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="A point counts as matched if the way there and back ends within this "
                    "fraction of the object's larger side. Others are gray in the map.",
                ),
                io.Mask.Input(
                    "object_mask",
                    optional=True,
                    tooltip="The first objects, where their pictures have no alpha: 1 on them.",
                ),
                io.Mask.Input(
                    "other_mask", optional=True, tooltip="The same of the second objects."
                ),
                io.ClipVision.Input(
                    "clip_vision",
                    optional=True,
                    tooltip="Second features of equal weight, from Load CLIP Vision: DINOv2, "
                    "SigLIP or CLIP.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="map",
                    tooltip="Both objects side by side; equal colours correspond.",
                ),
                io.Image.Output(
                    display_name="lines",
                    tooltip="Both objects, with lines between the best points.",
                ),
                io.Image.Output(
                    display_name="warped",
                    tooltip="The first object's colours in the second one's shape, RGBA.",
                ),
                io.String.Output(
                    display_name="points",
                    tooltip="JSON, a list for each pair: x, y of both points in pixels, "
                    "confidence, and cycle (how far the way back misses, in pixels).",
                ),
                io.Mask.Output(
                    display_name="confidence",
                    tooltip="The similarity of each pixel of the first objects to its match.",
                ),
                io.Float.Output(
                    display_name="agreement",
                    tooltip="The part of the first objects (0 to 1) that comes back to itself, "
                    "within the tolerance; the mean over all pairs.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls, object, other, tolerance=0.1, count=16, object_mask=None, other_mask=None, **how
    ):
        firsts = framing.with_alpha(object, object_mask, "object", "object_mask")
        seconds = framing.with_alpha(other, other_mask, "other", "other_mask")
        seconds = validate.paired(len(firsts), seconds, "other")
        ours, theirs = objects_of(firsts, **how), objects_of(seconds, **how)
        shown = [
            matched(*both, tolerance, count)
            for both in zip(zip(firsts, *ours), zip(seconds, *theirs))
        ]
        maps, lines, warped, points, confidence, agreement = zip(*shown)
        return io.NodeOutput(
            torch.stack(maps),
            torch.stack(lines),
            torch.stack(warped),
            json.dumps(points),
            torch.stack(confidence),
            sum(agreement) / len(agreement),
        )


def objects_of(
    pictures, model, vae, positive, noise, levels, ensemble, seed, size, cells, clip_vision=None
) -> tuple[list, list]:
    """(frames, objects) of RGBA pictures [B, H, W, 4]."""
    side = size or native_size(model)
    frames = [framing.frame_of(picture[..., 3], MARGIN) for picture in pictures]
    squares = torch.stack(
        [framing.cut_out(picture, frame, side) for picture, frame in zip(pictures, frames)]
    )
    plain = framing.on_ground(squares, GROUND)
    groups = [
        object_features.of_diffusion(model, vae, positive, plain, noise, levels, ensemble, seed)
    ]
    if clip_vision is not None:
        groups.append(object_features.of_vision(clip_vision, plain))
    objects = [
        correspondence.object_of(list(maps), square[..., 3], cells)
        for *maps, square in zip(*groups, squares)
    ]
    return frames, objects


def matched(first: tuple, second: tuple, tolerance: float, count: int) -> tuple:
    """map, lines, warped, points, confidence and agreement of two (picture, frame, object)."""
    (picture, frame, ours), (other, other_frame, theirs) = first, second
    there, back = correspondence.match(ours, theirs)
    cells, limits = ours.cells, (tolerance * ours.side, tolerance * theirs.side)
    best = correspondence.best_pairs(there, limits[0], count)
    pixels = match_pictures.pixels_of(frame, validate.size_of(picture[..., 3]), cells)
    _, confidence, _ = correspondence.at(there, pixels)
    one, two = framing.cut_out(picture, frame, SHOWN), framing.cut_out(other, other_frame, SHOWN)
    return (
        match_pictures.side_by_side(*match_pictures.maps(one, two, there, back, limits)),
        match_pictures.lines(one, two, best[:, :4] / cells),
        match_pictures.warped(picture, frame, other, other_frame, back),
        as_points(best, frame, other_frame, cells),
        confidence * (picture[..., 3] >= framing.VISIBLE),
        correspondence.agreement(there, limits[0]),
    )


def as_points(best, frame, other_frame, cells: int) -> list[dict]:
    """The rows of `best_pairs` as plain numbers; places and cycle in pixels of the pictures."""
    own = match_pictures.in_pixels(best[:, :2], frame, cells)
    others = match_pictures.in_pixels(best[:, 2:4], other_frame, cells)
    sure, miss = best[:, 4:5], best[:, 5:] * frame.side / cells
    names = ("x", "y", "other_x", "other_y", "confidence", "cycle")
    return [
        {name: round(value, 3) for name, value in zip(names, row)}
        for row in torch.cat([own, others, sure, miss], 1).tolist()
    ]


NODES = [MatchFeatures]
