"""What the user takes home: the cut-out object, and the picture with it in place."""

from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.canvas import canvas_of
from ..amodal.core.errors import BadInput
from ..amodal.method import cutout
from . import types, ui
from .common import CATEGORY, aliases, names_itself

SHOWN = 1024  # longer side of the pictures in the slider


class TrimAndOverlay(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalTrimAndOverlay",
            **aliases("cut out", "alpha", "transparent background"),
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
                    "edge",
                    optional=True,
                    default=1.5,
                    min=0.0,
                    max=64.0,
                    step=0.1,
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
            hidden=[io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, picture, canvas=None, edge=1.5):
        image = validate.one_image(image)
        picture = validate.one_image(picture, "picture")
        mask = validate.object_mask(mask, tuple(image.shape[1:3]))
        canvas = canvas_of(image, canvas)
        if tuple(picture.shape[1:3]) != canvas.original[::-1]:
            raise BadInput(
                "picture",
                f"is of {picture.shape[2]}x{picture.shape[1]} pixels, the original of "
                f"{canvas.original[0]}x{canvas.original[1]}",
                "connect the picture it began with",
            )
        made = cutout.result(image, mask, canvas, picture, edge)
        offset = f"{made.x},{made.y}"
        return io.NodeOutput(
            made.object,
            made.trimmed,
            mask,
            made.overlay,
            made.x,
            made.y,
            offset,
            ui=before_and_after(cls.hidden, made, cutout.framed(picture, canvas), mask),
        )


def before_and_after(hidden, made, before, mask) -> dict:
    """What the slider in the node shows; nothing where the node is another one's inner stage."""
    if not ui.is_in_graph(ui.node_id()):
        return {}
    pictures = {
        "before": visualize.fitted(before, SHOWN)[0],
        "after": visualize.fitted(made.overlay, SHOWN)[0],
        "object": visualize.fitted(made.object, SHOWN)[0],
        "mask": visualize.veil(mask, SHOWN),
    }
    height, width = pictures["before"].shape[:2]
    shown = ui.entry(
        hidden,
        size=[width, height],
        **{name: ui.saved(pixels, name) for name, pixels in pictures.items()},
    )
    return {"amodal_result": [ui.tell("amodal.result", shown)]}


NODES = [TrimAndOverlay]
