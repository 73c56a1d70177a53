"""Zooming in on the object, and pasting the result back (section 3.4)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.canvas import canvas_of, check_origin, paste, plan, take
from ..amodal.core.errors import BadInput
from . import types
from .common import CATEGORY, aliases, names_itself

CROP = f"{CATEGORY}/crop"


def pad_input(side: str):
    return io.Int.Input(
        side,
        default=0,
        min=0,
        max=16384,
        optional=True,
        tooltip=f"Pixels to grow the canvas by: {side}. From Pad If Touching.",
    )


class CropToObject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCropToObject",
            **aliases("zoom", "crop to mask", "inpaint crop"),
            display_name="Crop To Object (Amodal)",
            category=CROP,
            description="A square window with the object, its context and the padding, at the "
            "size the diffusion model wants (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The canvas."),
                io.Mask.Input("mask", tooltip="The object on the canvas."),
                types.Crop.Input(
                    "canvas",
                    optional=True,
                    tooltip="Where the picture lies on a grown canvas, from Loop Start.",
                ),
                *(pad_input(side) for side in ("left", "top", "right", "bottom")),
                io.Float.Input(
                    "context",
                    default=0.3,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    optional=True,
                    tooltip="Margin on each side, as a fraction of the object's larger side.",
                ),
                io.Int.Input(
                    "size",
                    default=512,
                    min=64,
                    max=4096,
                    step=8,
                    optional=True,
                    tooltip="The crop's side in pixels: what the model is made for, 8, 16, ...",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The crop; gray where unknown."),
                io.Mask.Output(display_name="mask", tooltip="The object in the crop."),
                io.Mask.Output(
                    display_name="beyond", tooltip="What is unknown and to be painted: padding."
                ),
                types.Crop.Output(display_name="crop", tooltip="To Paste Back."),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        mask,
        canvas=None,
        left=0,
        top=0,
        right=0,
        bottom=0,
        context=0.3,
        size=512,
    ):
        image = validate.one_image(image)
        canvas = canvas_of(image, canvas)
        mask = validate.object_mask(mask, tuple(image.shape[1:3]))
        if size < 8 or size % 8:
            near = max(1, size // 8) * 8
            raise BadInput("size", f"{size} is not a multiple of 8", f"take {near}")
        crop = plan(mask, canvas, (left, top, right, bottom), context, size)
        return io.NodeOutput(*take(image, mask, crop), crop)


class PasteBack(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPasteBack",
            **aliases("stitch", "uncrop"),
            display_name="Paste Back (Amodal)",
            category=CROP,
            description="Puts what was painted into the (grown) canvas; every other pixel stays "
            "as it was, to the bit (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The canvas that the crop was taken from."),
                io.Mask.Input("mask", tooltip="The object on that canvas."),
                types.Crop.Input("crop", tooltip="From Crop To Object."),
                io.Image.Input("completed", tooltip="The crop with the completed object."),
                io.Mask.Input("amodal", tooltip="The completed object's mask in the crop."),
                io.Mask.Input("inpaint", tooltip="What was painted in the crop."),
                io.Float.Input(
                    "feather",
                    default=0.01,
                    min=0.0,
                    max=0.2,
                    step=0.005,
                    optional=True,
                    tooltip="How far the painted part fades into the picture around it, as a "
                    "fraction of the crop's side. 0: a hard seam.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The canvas after this pass."),
                io.Mask.Output(display_name="mask", tooltip="The amodal mask on that canvas."),
                types.Crop.Output(display_name="canvas", tooltip="Where the original lies on it."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, crop, completed, amodal, inpaint, feather=0.01):
        image = validate.one_image(image)
        mask = validate.one_mask(mask, tuple(image.shape[1:3]))
        if crop.box is None:
            raise BadInput("crop", "is a whole canvas", "take it from Crop To Object")
        check_origin(image, crop)
        completed = validate.one_image(completed, "completed")
        completed = validate.resize(completed, crop.size[::-1])
        amodal = validate.one_mask(amodal, crop.size[::-1], "amodal")
        inpaint = validate.one_mask(inpaint, crop.size[::-1], "inpaint")
        return io.NodeOutput(*paste(image, mask, crop, completed, amodal, inpaint, feather))


NODES = [CropToObject, PasteBack]
