"""Mask analysis, third part: the occluders of the query (section 3.4)."""

from dataclasses import replace

import torch
from comfy_api.latest import io

from ..amodal.core import canvas, detections, validate, visualize
from ..amodal.core.types import Crop, Objects, OcclusionReport
from ..amodal.method import occluder_hints, occluder_selection
from . import types
from .common import aliases, names_itself
from .occluder_order import ORDER, ORDERED, QUERY, check_crop, fitted

OTHER_COLOUR = (0.6, 0.6, 0.65)


class ApplyOccluderHints(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalApplyOccluderHints",
            display_name="Apply Occluder Hints (Amodal)",
            category=ORDER,
            description="Applies the marks of Pick Object to the order; they overrule the order "
            "model. An object marked as in front is an occluder until a pass has painted over it.",
            inputs=[
                types.Objects.Input("objects", tooltip=ORDERED),
                types.Order.Input("order", tooltip="From the same node."),
                io.Mask.Input("modal_mask", tooltip=QUERY),
                io.Mask.Input(
                    "front_hint",
                    optional=True,
                    tooltip="From Pick Object: objects that hide the query.",
                ),
                io.Mask.Input(
                    "behind_hint",
                    optional=True,
                    tooltip="From Pick Object: objects that do not hide the query.",
                ),
                types.Crop.Input(
                    "crop",
                    optional=True,
                    tooltip="From Crop To Object: takes the hints into the crop. Leave it open "
                    "where the objects belong to the whole picture.",
                ),
            ],
            outputs=[
                types.Order.Output(display_name="order", tooltip="The order with the hints."),
                types.Objects.Output(
                    display_name="objects",
                    tooltip="The objects; a hinted occluder that was not detected is added.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, objects, order, modal_mask, front_hint=None, behind_hint=None, crop=None):
        size = validate.size_of(objects.masks) if len(objects) else None
        modal_mask = validate.object_mask(modal_mask, size, "modal_mask")
        front, behind = hints_on(crop, modal_mask, front_hint, behind_hint)
        hinted, order = occluder_hints.apply_hints(objects, order, modal_mask, front, behind)
        return io.NodeOutput(order, replace(hinted, sought=objects.sought))


class SelectOccluders(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSelectOccluders",
            **aliases("occlusion", "what hides it"),
            display_name="Select Occluders (Amodal)",
            category=ORDER,
            description="Makes M_occ: the union of the objects in front of the query, minus its "
            "modal mask (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture, for the overlay."),
                types.Objects.Input("objects", tooltip=ORDERED),
                types.Order.Input("order", tooltip="From the same node."),
                io.Mask.Input("modal_mask", tooltip=QUERY),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=0.99,
                    step=0.01,
                    optional=True,
                    tooltip="An object is an occluder if it hides the query with a higher "
                    "probability. Lower it if occluders are missed.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="occluder_mask", tooltip="M_occ; all zeros if nothing hides it."
                ),
                types.Occlusion.Output(
                    display_name="occlusion",
                    tooltip="The labels of the occluders, and of objects that surround the query "
                    "without being judged to be in front. To Check Occlusion.",
                ),
                io.Image.Output(
                    display_name="overlay",
                    tooltip="The query in green, its occluders in red, other objects in gray.",
                ),
                io.Mask.Output(
                    display_name="modal_mask",
                    tooltip="The query's visible pixels: its modal mask without the occluders that "
                    "lie on it.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, objects, order, modal_mask, threshold=0.5):
        image = fitted(image, objects, "image")
        modal_mask = validate.object_mask(modal_mask, validate.picture_size(image), "modal_mask")
        occluder_mask, chosen = occluder_selection.occluders(objects, order, modal_mask, threshold)
        visible = occluder_selection.visible_part(objects, modal_mask, chosen)
        around = occluder_selection.surrounding(objects, modal_mask)
        report = OcclusionReport(
            occluders=tuple(objects.labels[i] for i in chosen),
            surrounding=tuple(objects.labels[i] for i in around if i not in chosen),
            sought=objects.sought,
        )
        shown = overlay(image, objects, modal_mask, chosen)
        return io.NodeOutput(occluder_mask, report, shown, visible)


def hints_on(crop: Crop | None, modal_mask, front_hint, behind_hint) -> tuple:
    """Both hint masks in the pixels of the modal mask [1, H, W]; all zeros where not given."""
    if crop is None:
        original = validate.size_of(modal_mask)
    else:
        check_crop(crop, modal_mask)
        original = crop.canvas.original[::-1]
    front, behind = (
        torch.zeros(1, *original) if hint is None else validate.one_mask(hint, original, name)
        for name, hint in (("front_hint", front_hint), ("behind_hint", behind_hint))
    )
    if crop is None:
        return front, behind
    front = occluder_hints.not_inpainted(front, crop, modal_mask)
    return front, canvas.of_original(behind, crop)


def overlay(image, objects: Objects, modal_mask, occluders: list[int]) -> torch.Tensor:
    query, _ = detections.best_overlap(objects, modal_mask)
    colours = [
        visualize.CONTRAST_COLOUR if i in occluders else OTHER_COLOUR for i in range(len(objects))
    ]
    colours[query] = visualize.QUERY_COLOUR
    return visualize.overlay(image, objects.masks, objects.labels, colours)


NODES = [ApplyOccluderHints, SelectOccluders]
