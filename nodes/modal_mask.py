"""The modal mask of a pass, asked for again where the object is seen large (section 3.4)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.canvas import canvas_of
from ..amodal.method.modal_mask import refine
from . import types
from .common import CATEGORY, aliases, names_itself


class RefineModalMask(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalRefineModalMask",
            **aliases("sharpen mask", "segment again"),
            display_name="Refine Modal Mask (Amodal)",
            category=f"{CATEGORY}/mask analysis",
            description="Asks the segmenter for the object again, in a window around it. A mask of "
            "a small object in a large picture gets finer edges, and an object that the last "
            "pass' crop cut off goes on.",
            inputs=[
                io.Image.Input("image", tooltip="The canvas, from Loop Start, or any picture."),
                io.Mask.Input("modal_mask", tooltip="The object on that canvas."),
                types.Segmenter.Input("segmenter", tooltip="From a segmenter's loader node."),
                io.String.Input(
                    "label", default="", optional=True, tooltip="The object's label, or empty."
                ),
                types.Canvas.Input(
                    "canvas",
                    optional=True,
                    tooltip="The map of a grown canvas, from Loop Start. Leave it open for a plain "
                    "picture.",
                ),
                io.Float.Input(
                    "context",
                    default=0.3,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    tooltip="Margin of the window, as a fraction of the object's larger side.",
                ),
                io.Boolean.Input(
                    "edges",
                    default=True,
                    optional=True,
                    tooltip="Take the edges that the segmenter finds now. Switch it off for a mask "
                    "that you drew by hand: then it stays as it is in pass 1.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="modal_mask", tooltip="The mask on the same canvas."),
                io.String.Output(
                    display_name="explanation", tooltip="Refined, or kept and why, in words."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, modal_mask, segmenter, label="", canvas=None, context=0.3, edges=True):
        image = validate.one_image(image)
        canvas = canvas_of(image, canvas)
        modal_mask = validate.object_mask(modal_mask, validate.picture_size(image), "modal_mask")
        first = not canvas.inpainted
        result = refine(image, modal_mask, segmenter, label, context, edges, first)
        return io.NodeOutput(result.mask, result.describe())


NODES = [RefineModalMask]
