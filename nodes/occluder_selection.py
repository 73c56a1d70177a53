"""Mask analysis, second part: who hides whom, and the query's occluders (section 3.4)."""

import torch
from comfy_api.latest import io

from ..amodal.core import canvas, detections, validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.method import occluder_hints, occluder_selection
from . import types
from .common import CATEGORY, aliases, names_itself

ORDER = f"{CATEGORY}/mask analysis"
OBJECTS = "From Detect Objects or Objects From Masks."
OCCLUDER_COLOUR, OTHER_COLOUR = (0.95, 0.25, 0.2), (0.6, 0.6, 0.65)


def shared_inputs():
    return [
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="The query: the object to complete. It becomes the first of the objects, "
            "detections of it are dropped, and its pixels are taken from the others.",
        ),
        io.Float.Input(
            "reach",
            default=0.03,
            min=0.0,
            max=1.0,
            step=0.005,
            optional=True,
            tooltip="Objects that come this close are compared, as a fraction of the diagonal.",
        ),
    ]


def shared_outputs():
    return [
        types.Order.Output(
            display_name="order", tooltip="For each pair: the probability that one hides the other."
        ),
        types.Objects.Output(
            display_name="objects", tooltip="The objects that the order is of; the query first."
        ),
        io.String.Output(display_name="table", tooltip="The order in words, a line for each pair."),
    ]


def prepared(found, mask):
    if mask is None:
        return found
    size = tuple(found.masks.shape[-2:])
    return detections.with_query(found, validate.object_mask(mask, size if len(found) else None))


class OrderObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalOrderObjects",
            **aliases("occlusion order", "in front of", "instaorder"),
            display_name="Order Objects (Amodal)",
            category=ORDER,
            description="Asks an order network which of two neighbouring objects hides the other, "
            "all pairs in one batch (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture the objects are of."),
                types.Objects.Input("objects", tooltip=OBJECTS),
                types.OrderModel.Input("order_model", tooltip="From an order model's loader node."),
                *shared_inputs(),
            ],
            outputs=shared_outputs(),
        )

    @classmethod
    @names_itself
    def execute(cls, image, objects, order_model, mask=None, reach=0.03):
        found = prepared(objects, mask)
        image = fitted(image, found, "image")
        order = occluder_selection.by_model(order_model, image, found, reach)
        return io.NodeOutput(order, found, occluder_selection.table(found, order))


class OrderFromDepth(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalOrderFromDepth",
            display_name="Order From Depth (Amodal)",
            category=ORDER,
            description="Orders neighbouring objects by any depth picture, where they meet.",
            inputs=[
                io.Image.Input("depth", tooltip="A depth picture of the same scene."),
                types.Objects.Input("objects", tooltip=OBJECTS),
                io.Combo.Input(
                    "near",
                    options=["bright", "dark"],
                    default="bright",
                    tooltip="What near things look like in the depth picture.",
                ),
                *shared_inputs(),
            ],
            outputs=shared_outputs(),
        )

    @classmethod
    @names_itself
    def execute(cls, depth, objects, near="bright", mask=None, reach=0.03):
        found = prepared(objects, mask)
        depth = fitted(depth, found, "depth")
        order = occluder_selection.by_depth(depth, found, reach, near == "bright")
        return io.NodeOutput(order, found, occluder_selection.table(found, order))


class SelectOccluders(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSelectOccluders",
            **aliases("occlusion", "what hides it"),
            display_name="Select Occluders (Amodal)",
            category=ORDER,
            description="M_occ: the union of the neighbours in front of the query, less its "
            "visible pixels (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture, for the overlay."),
                types.Objects.Input("objects", tooltip="From the node that ordered them."),
                types.Order.Input("order", tooltip="From the same node."),
                io.Mask.Input("mask", tooltip="The query's mask that the order was made with."),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="An object with a higher probability of hiding the query occludes it.",
                ),
                io.Mask.Input(
                    "front",
                    optional=True,
                    tooltip="From Pick Object: what was marked by hand as an occluder. It is one, "
                    "whatever the order says, until a pass has painted over it.",
                ),
                io.Mask.Input(
                    "behind",
                    optional=True,
                    tooltip="From Pick Object: what was marked by hand as no occluder.",
                ),
                types.Crop.Input(
                    "crop",
                    optional=True,
                    tooltip="From Crop To Object, where the image is a crop: it takes the marks "
                    "there. Open: the marks are of this very image.",
                ),
                io.Image.Input(
                    "picture",
                    optional=True,
                    tooltip="The original picture. With the crop it tells what passes have "
                    "painted: what the query meets nowhere but there hides it.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="occluders", tooltip="M_occ; all zeros when nothing hides it."
                ),
                io.String.Output(
                    display_name="names",
                    tooltip="The occluders' labels; in brackets what else takes part in "
                    "surrounding the query.",
                ),
                io.Image.Output(
                    display_name="overlay",
                    tooltip="The query in green, its occluders in red, the others in gray.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        objects,
        order,
        mask,
        threshold=0.5,
        front=None,
        behind=None,
        crop=None,
        picture=None,
    ):
        image = fitted(image, objects, "image")
        mask = validate.object_mask(mask, tuple(image.shape[1:3]))
        front, behind = marked(front, behind, crop, mask)
        objects, order = occluder_hints.with_marked(objects, order, front)
        occluders, chosen = occluder_selection.occluders(
            objects, order, mask, threshold, front, behind, painted(image, picture, crop)
        )
        beside = [i for i in occluder_selection.surrounding(objects, mask) if i not in chosen]
        names = [*(objects.labels[i] for i in chosen), *(f"({objects.labels[i]})" for i in beside)]
        return io.NodeOutput(occluders, ", ".join(names), overlay(image, objects, mask, chosen))


def marked(front, behind, crop, mask) -> tuple:
    """The masks of what was marked by hand, on the picture that mask [1, H, W] is of."""
    size = tuple(mask.shape[-2:])
    if crop is not None and (crop.box is None or crop.size[::-1] != size):
        raise BadInput("crop", "is not the one of this image", "take both from Crop To Object")
    original = size if crop is None else crop.original[::-1]
    front, behind = (
        torch.zeros(1, *original) if one is None else validate.one_mask(one, original, name)
        for name, one in (("front", front), ("behind", behind))
    )
    if crop is None:
        return front, behind
    return occluder_hints.unpainted(front, crop, mask), canvas.of_original(behind, crop)


def painted(image, original, crop) -> torch.Tensor | None:
    """Where the crop's image is no longer that of the original picture, from the second pass on."""
    if original is None or crop is None or not crop.painted:
        return None
    original = validate.one_image(original, "picture")
    if tuple(original.shape[1:3]) != crop.original[::-1]:
        raise BadInput(
            "picture",
            f"of {original.shape[2]}x{original.shape[1]} pixels is not the crop's "
            f"original of {crop.original[0]}x{crop.original[1]}",
            "give it the picture that went into Loop Start",
        )
    return canvas.repainted(image, original, crop)


def fitted(image, found, name: str) -> torch.Tensor:
    """The picture, at the size of the objects' masks."""
    image = validate.one_image(image, name)
    return validate.resize(image, tuple(found.masks.shape[-2:])) if len(found) else image


def overlay(image, found, mask, occluders: list[int]) -> torch.Tensor:
    query, _ = detections.best_overlap(found, mask)
    colours = [OCCLUDER_COLOUR if i in occluders else OTHER_COLOUR for i in range(len(found))]
    colours[query] = visualize.QUERY_COLOUR
    return visualize.overlay(image, found.masks, found.labels, colours)


NODES = [OrderObjects, OrderFromDepth, SelectOccluders]
