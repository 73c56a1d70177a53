"""Mask analysis, second part: which object hides which, by one of three rules (section 3.4)."""

from dataclasses import replace

import torch
from comfy_api.latest import io

from ..amodal.core import canvas, detections, validate
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Crop, Objects
from ..amodal.method import occluder_selection
from . import types
from .common import CATEGORY, aliases, names_itself

ORDER = f"{CATEGORY}/mask analysis"
OBJECTS = "From Detect Objects or Objects From Masks."
ORDERED = "From the node that ordered them, or one after it."
QUERY = "M_modal: the mask that the objects were ordered with."


def query_input():
    return io.Mask.Input(
        "modal_mask",
        optional=True,
        tooltip="M_modal of the object to complete, the query. It becomes the first object; "
        "detections of it are dropped, and its pixels are taken from the others.",
    )


def max_gap_input():
    return io.Float.Input(
        "max_gap",
        default=0.03,
        min=0.0,
        max=1.0,
        step=0.005,
        optional=True,
        tooltip="Objects are compared if they come this close, as a fraction of the diagonal.",
    )


def order_outputs():
    return [
        types.Order.Output(
            display_name="order",
            tooltip="For each pair: the probability that one object hides the other.",
        ),
        types.Objects.Output(
            display_name="objects", tooltip="The objects in the order's order; the query first."
        ),
        io.String.Output(display_name="table", tooltip="The order in words, a line for each pair."),
    ]


def with_query(objects: Objects, modal_mask) -> Objects:
    if modal_mask is None:
        return objects
    size = validate.size_of(objects.masks) if len(objects) else None
    modal_mask = validate.object_mask(modal_mask, size, "modal_mask")
    return replace(detections.with_query(objects, modal_mask), sought=objects.sought)


class OrderObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalOrderObjects",
            **aliases("occlusion order", "in front of", "instaorder"),
            display_name="Order Objects (Amodal)",
            category=ORDER,
            description="Asks an order model which of two neighbouring objects hides the other, "
            "all pairs in one batch (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture of the objects."),
                types.Objects.Input("objects", tooltip=OBJECTS),
                types.OrderModel.Input("order_model", tooltip="From an order model's loader node."),
                query_input(),
                max_gap_input(),
            ],
            outputs=order_outputs(),
        )

    @classmethod
    @names_itself
    def execute(cls, image, objects, order_model, modal_mask=None, max_gap=0.03):
        objects = with_query(objects, modal_mask)
        image = fitted(image, objects, "image")
        order = occluder_selection.by_model(order_model, image, objects, max_gap)
        return io.NodeOutput(order, objects, occluder_selection.table(objects, order))


class OrderFromDepth(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalOrderFromDepth",
            display_name="Order From Depth (Amodal)",
            category=ORDER,
            description="Orders neighbouring objects by any depth picture, compared where they "
            "meet.",
            inputs=[
                types.DepthPicture(
                    "depth",
                    tooltip="A depth picture of the same scene, in shades of gray, or depth in "
                    "metres as an image.",
                ),
                types.Objects.Input("objects", tooltip=OBJECTS),
                io.Combo.Input(
                    "near",
                    options=["bright", "dark"],
                    default="bright",
                    tooltip="How near things look in the depth picture. bright: Depth Anything, "
                    "MoGe, Lotus after Invert Image, and most others. dark: Lotus before it, and "
                    "depth in metres (raw).",
                ),
                query_input(),
                max_gap_input(),
            ],
            outputs=order_outputs(),
        )

    @classmethod
    @names_itself
    def execute(cls, depth, objects, near="bright", modal_mask=None, max_gap=0.03):
        objects = with_query(objects, modal_mask)
        depth = fitted(depth, objects, "depth")
        order = occluder_selection.by_depth(depth, objects, max_gap, near == "bright")
        return io.NodeOutput(order, objects, occluder_selection.table(objects, order))


class OrderInpaintedContacts(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalOrderInpaintedContacts",
            display_name="Order Inpainted Contacts (Amodal)",
            category=ORDER,
            description="From pass 2 on, an object that touches the query only at inpainted pixels "
            "counts as an occluder: the picture does not show which of the two is in front there.",
            inputs=[
                types.Objects.Input("objects", tooltip=ORDERED),
                types.Order.Input("order", tooltip="From the same node."),
                io.Mask.Input("modal_mask", tooltip=QUERY),
                io.Image.Input("image", tooltip="The crop, from Crop To Object."),
                io.Image.Input(
                    "original_image",
                    tooltip="The input picture, as it went into Loop Start. Pixels of the crop "
                    "that differ from it are inpainted.",
                ),
                types.Crop.Input("crop", tooltip="From Crop To Object."),
            ],
            outputs=[
                types.Order.Output(
                    display_name="order", tooltip="The order with these occluders in front."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, objects, order, modal_mask, image, original_image, crop):
        if not crop.canvas.inpainted:
            return io.NodeOutput(order)
        image = fitted(image, objects, "image")
        modal_mask = validate.object_mask(modal_mask, validate.picture_size(image), "modal_mask")
        check_crop(crop, modal_mask)
        original = validate.one_image(original_image, "original_image")
        canvas.check_original(original, crop.canvas)
        inpainted = canvas.inpainted_pixels(image, original, crop)
        return io.NodeOutput(
            occluder_selection.order_inpainted(objects, order, modal_mask, inpainted)
        )


def check_crop(crop: Crop, modal_mask) -> None:
    """Raises BadInput unless the modal mask [1, H, W] has the size of the crop."""
    if crop.size[::-1] != validate.size_of(modal_mask):
        raise BadInput(
            "crop", "is not the crop of these objects", "take both from one Crop To Object"
        )


def fitted(image, objects: Objects, name: str) -> torch.Tensor:
    """The picture [1, H, W, 3] at the size of the objects' masks."""
    image = validate.one_image(image, name)
    return validate.resize(image, validate.size_of(objects.masks)) if len(objects) else image


NODES = [OrderObjects, OrderFromDepth, OrderInpaintedContacts]
