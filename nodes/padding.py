"""Conditional padding: grow the canvas where the object is cut off (section 3.4)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.canvas import canvas_of
from ..amodal.method import padding
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
            description="On which sides the border cuts the object off, and how many pixels to "
            "add there: exactly the touched sides, in proportion to the object (section 3.4).",
            inputs=[
                io.Mask.Input("mask", tooltip="The object on the canvas."),
                types.Crop.Input(
                    "canvas",
                    optional=True,
                    tooltip="Where the picture lies on a grown canvas, from Loop Start.",
                ),
                io.Float.Input(
                    "amount",
                    default=0.5,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    tooltip="How much to add, as a fraction of the object's larger side.",
                ),
                io.Int.Input(
                    "margin",
                    default=2,
                    min=0,
                    max=256,
                    optional=True,
                    tooltip="So near to the border, in pixels, counts as touching it.",
                ),
            ],
            outputs=[
                io.Int.Output(display_name="left", tooltip="Pixels to add on the left."),
                io.Int.Output(display_name="top", tooltip="Pixels to add at the top."),
                io.Int.Output(display_name="right", tooltip="Pixels to add on the right."),
                io.Int.Output(display_name="bottom", tooltip="Pixels to add at the bottom."),
                io.Boolean.Output(
                    display_name="touching", tooltip="Does anything cut the object off?"
                ),
                io.String.Output(display_name="sides", tooltip="The touched sides, in words."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, mask, canvas=None, amount=0.5, margin=2):
        mask = validate.object_mask(mask, canvas.canvas[::-1] if canvas else None)
        needed = padding.needed(mask, canvas_of(mask, canvas), amount, margin)
        return io.NodeOutput(*needed.amounts, bool(needed.sides), ", ".join(needed.sides))


NODES = [PadIfTouching]
