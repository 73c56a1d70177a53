"""What helps against the limitations of section 5: bounds by size, and names to keep out."""

import torch
from comfy_api.latest import io

from ..amodal.core import outline, validate
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Canvas, Crop
from ..amodal.method import upper_bound
from ..amodal.method.upper_bound import on_canvas
from . import types
from .common import CATEGORY, names_itself


def bound_inputs() -> list:
    """The inputs of a stage that an upper bound limits."""
    return [
        io.Mask.Input(
            "upper_bound",
            optional=True,
            tooltip="The object reaches no further than this: a shape drawn on the input picture, "
            "any amodal mask, or Size Prior's.",
        ),
        types.Crop.Input(
            "crop",
            optional=True,
            tooltip="From Crop To Object: takes the upper bound into the crop.",
        ),
    ]


def drawn_bound_input():
    """The outline that a person draws in a node's picture."""
    return io.String.Input(
        "drawn_bound",
        default="",
        optional=True,
        tooltip="An outline that the object stays within: points x,y on the picture, separated by "
        "semicolons, in pixels or as fractions. Press Draw bound and drag in the node's picture. "
        "Empty: no bound.",
    )


def both_bounds(drawn: str, linked, size) -> torch.Tensor:
    """[1, H, W]: where the drawn bound and the linked one both allow the object."""
    bound = outline.drawn_mask(drawn, size, "drawn_bound")
    if linked is None:
        return bound
    bound = bound * validate.object_mask(linked, size, "upper_bound")
    if not bound.any():
        raise BadInput(
            "drawn_bound", "and 'upper_bound' have no pixel in common", "clear one of the two"
        )
    return bound


def forbidden(bound, crop: Crop | None, size):
    """[1, h, w]: 1 where an upper bound forbids the object; zeros without one."""
    if bound is None:
        return torch.zeros(1, *size)
    original = size if crop is None else crop.canvas.original[::-1]
    return upper_bound.forbidden(validate.object_mask(bound, original, "upper_bound"), crop)


def bounds_of(graph, links: dict, bounds, count: int, first: int = 0) -> list[dict]:
    """A link to the upper bound of each of `count` objects: one for all, or one for each.

    first: how many objects there are already.
    """
    if bounds is None:
        return [{}] * count
    link, bounds = links["upper_bound"], validate.as_masks(bounds, None, "upper_bound")
    validate.paired(count, bounds, "upper_bound")
    if len(bounds) == 1:
        return [{"upper_bound": link}] * count
    single = (
        graph.node("AmodalMaskFromBatch", f"bound{first + index}", masks=link, index=index)
        for index in range(count)
    )
    return [{"upper_bound": node.out(0)} for node in single]


class SizePrior(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSizePrior",
            display_name="Size Prior (Amodal)",
            category=f"{CATEGORY}/mask analysis",
            description="Bounds an object by the size of others of its kind in the picture, for "
            "the upper_bound of Amodal Completion. For objects that their occluder encloses.",
            inputs=[
                types.Objects.Input("objects", tooltip="The picture's objects, of Detect Objects."),
                io.Mask.Input("modal_mask", tooltip="The object's visible pixels."),
                io.String.Input("label", default="", tooltip="Its name, as the objects have it."),
                io.Float.Input(
                    "tolerance",
                    default=0.15,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    tooltip="By how much it may be larger than the median of the others, as a "
                    "fraction.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="upper_bound",
                    tooltip="Where the object may be; everywhere if there is no other one.",
                ),
                io.Int.Output(display_name="others", tooltip="How many others there are."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, objects, modal_mask, label, tolerance=0.15):
        size = validate.size_of(objects.masks) if len(objects) else None
        modal_mask = validate.object_mask(modal_mask, size, "modal_mask")
        return io.NodeOutput(*upper_bound.by_instances(objects, modal_mask, label, tolerance))


class NegativeFromOccluders(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalNegativeFromOccluders",
            display_name="Negative From Occluders (Amodal)",
            category=f"{CATEGORY}/mixed context",
            description="Adds the names of what hides the object to the negative prompt, so that "
            "the model does not paint it again because the object's pose suggests it.",
            inputs=[
                io.String.Input("negative", default="", tooltip="The negative prompt so far."),
                types.Occlusion.Input("occlusion", tooltip="From Select Occluders."),
                io.String.Input(
                    "label", default="", tooltip="The object's own name, which is left out."
                ),
            ],
            outputs=[io.String.Output(display_name="negative", tooltip="The negative prompt.")],
        )

    @classmethod
    @names_itself
    def execute(cls, negative, occlusion, label=""):
        names = dict.fromkeys(name for name in occlusion.occluders if name and name != label)
        return io.NodeOutput(", ".join(filter(None, [negative.strip(), *names])))


class KeepInBound(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalKeepInBound",
            display_name="Keep In Bound (Amodal)",
            category=f"{CATEGORY}/mask analysis",
            description="Keeps what a mask gains within the upper bound. Put it after Refine Modal "
            "Mask where the loop has an upper bound.",
            inputs=[
                io.Mask.Input("mask", tooltip="The mask, from Refine Modal Mask."),
                io.Mask.Input("before", tooltip="The mask before; it is kept wherever it reaches."),
                io.Mask.Input(
                    "upper_bound",
                    optional=True,
                    tooltip="The object reaches no further, on the input picture. Open: no bound.",
                ),
                types.Canvas.Input(
                    "canvas", optional=True, tooltip="The map of a grown canvas, from Loop Start."
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="The mask within the bound."),
                io.Mask.Output(
                    display_name="upper_bound",
                    tooltip="The bound as it came, for Segment Object; everywhere without one.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, mask, before, upper_bound=None, canvas=None):
        mask = validate.one_mask(mask)
        height, width = size = validate.size_of(mask)
        before = validate.one_mask(before, size, "before")
        canvas = canvas or Canvas.whole(width, height)
        if canvas.size != (width, height):
            raise BadInput("canvas", "is of another size than the mask", "take both from one loop")
        if upper_bound is None:
            return io.NodeOutput(mask, torch.ones(1, *canvas.original[::-1]))
        bound = validate.object_mask(upper_bound, canvas.original[::-1], "upper_bound")
        return io.NodeOutput(mask * torch.maximum(1 - on_canvas(bound, canvas), before), bound)


NODES = [SizePrior, NegativeFromOccluders, KeepInBound]
