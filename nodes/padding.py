"""Conditional padding: grow the canvas where the object is cut off (section 3.4)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.canvas import canvas_of
from ..amodal.method.padding import padding_for
from . import types
from .common import CATEGORY, aliases, names_itself


class PadIfTouching(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPadIfTouching",
            **aliases("outpaint", "pad", "beyond the border"),
            display_name="Pad If Touching (Amodal)",
            category=f"{CATEGORY}/mask analysis",
            description="Finds the sides where the picture's border cuts the object off, and how "
            "many pixels to add there, in proportion to the object (section 3.4).",
            inputs=[
                io.Mask.Input("modal_mask", tooltip="The object on the canvas."),
                types.Canvas.Input(
                    "canvas",
                    optional=True,
                    tooltip="The map of a grown canvas, from Loop Start. Leave it open for a plain "
                    "picture.",
                ),
                io.Float.Input(
                    "amount",
                    default=0.5,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    tooltip="Pixels to add at a touched side, as a fraction of the object's larger "
                    "side.",
                ),
                io.Int.Input(
                    "margin",
                    default=2,
                    min=0,
                    max=256,
                    optional=True,
                    tooltip="The object touches a side if it comes this close, in pixels.",
                ),
                io.Float.Input(
                    "reach",
                    default=0.01,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    optional=True,
                    tooltip="Or this close, as a fraction of the object's larger side; the larger "
                    "of the two counts. Masks of large objects end some pixels before the border.",
                ),
            ],
            outputs=[
                types.Padding.Output(
                    display_name="padding",
                    tooltip="The pixels to add and the touched sides. To Crop To Object and Check "
                    "Occlusion.",
                ),
                io.Int.Output(display_name="left", tooltip="Pixels to add on the left."),
                io.Int.Output(display_name="top", tooltip="Pixels to add at the top."),
                io.Int.Output(display_name="right", tooltip="Pixels to add on the right."),
                io.Int.Output(display_name="bottom", tooltip="Pixels to add at the bottom."),
                io.Boolean.Output(
                    display_name="touching", tooltip="True if the object is cut off at any side."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, modal_mask, canvas=None, amount=0.5, margin=2, reach=0.01):
        size = canvas.size[::-1] if canvas else None
        modal_mask = validate.object_mask(modal_mask, size, "modal_mask")
        canvas = canvas_of(modal_mask, canvas)
        padding = padding_for(modal_mask, canvas, amount, margin, reach)
        return io.NodeOutput(padding, *padding.amounts, bool(padding.sides))


NODES = [PadIfTouching]
