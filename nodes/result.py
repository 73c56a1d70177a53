"""What the user takes home: the cut-out object, and the picture with it in place."""

from comfy_api.latest import io

from ..amodal import result as results
from ..amodal import shapes
from ..amodal.crop import canvas_of
from ..amodal.errors import BadInput
from . import types
from .common import CATEGORY, names_itself


class TrimAndOverlay(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalTrimAndOverlay",
            display_name="Trim And Overlay (Amodal)",
            category=f"{CATEGORY}/result",
            description="Cuts the completed object out, and shows it in its picture, in front of "
            "what hid it.",
            inputs=[
                io.Image.Input("image", tooltip="The canvas, from Loop End."),
                io.Mask.Input("mask", tooltip="The amodal mask, from Loop End."),
                types.Crop.Input(
                    "canvas", optional=True, tooltip="Where the original lies, from Loop End."
                ),
                io.Image.Input("picture", tooltip="The original picture."),
                io.Float.Input(
                    "edge", optional=True, default=1.5, min=0.0, max=64.0, step=0.1,
                    tooltip="Pixels over which the cut-out's edge fades; 0 cuts it hard.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="object", tooltip="The object on the canvas, with transparency."
                ),
                io.Image.Output(display_name="trimmed", tooltip="The same, cut to its box."),
                io.Mask.Output(display_name="mask", tooltip="The amodal mask on the canvas."),
                io.Image.Output(
                    display_name="overlay", tooltip="The picture with the object in front."
                ),
                io.Int.Output(
                    display_name="x",
                    tooltip="The canvas' left edge in the original picture, 0 or negative.",
                ),
                io.Int.Output(
                    display_name="y",
                    tooltip="The canvas' upper edge in the original picture, 0 or negative.",
                ),
                io.String.Output(display_name="offset", tooltip="x,y of the canvas' corner."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, picture, canvas=None, edge=1.5):
        image = shapes.one_image(image)
        picture = shapes.one_image(picture, "picture")
        mask = shapes.object_mask(mask, tuple(image.shape[1:3]))
        canvas = canvas_of(image, canvas)
        if tuple(picture.shape[1:3]) != canvas.original[::-1]:
            raise BadInput(
                "picture", f"is of {picture.shape[2]}x{picture.shape[1]} pixels, the original of "
                f"{canvas.original[0]}x{canvas.original[1]}", "connect the picture it began with",
            )
        made = results.result(image, mask, canvas, picture, edge)
        offset = f"{made.x},{made.y}"
        return io.NodeOutput(
            made.object, made.trimmed, mask, made.overlay, made.x, made.y, offset
        )


NODES = [TrimAndOverlay]
