"""Zoom in on the object, and paste the result back (section 3.4)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.canvas import canvas_of, check_origin, cut_crop, paste_crop, plan_crop
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Padding
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
        tooltip=f"More pixels to add at the {side}, beside those of 'padding'.",
    )


class CropToObject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCropToObject",
            **aliases("zoom", "crop to mask", "inpaint crop"),
            display_name="Crop To Object (Amodal)",
            category=CROP,
            description="Cuts a square window with the object, its context and the padding, at the "
            "size the diffusion model works at (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The canvas, from Loop Start, or any picture."),
                io.Mask.Input("modal_mask", tooltip="The object on that canvas."),
                types.Canvas.Input(
                    "canvas",
                    optional=True,
                    tooltip="The map of a grown canvas, from Loop Start. Leave it open for a plain "
                    "picture.",
                ),
                types.Padding.Input(
                    "padding",
                    optional=True,
                    tooltip="From Pad If Touching: pixels to grow the canvas by.",
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
                    tooltip="The crop's side in pixels, a multiple of 8. Use the size the model "
                    "was trained at: 512 for SD 1.5 and 2, 1024 for SDXL and Flux.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The crop; unknown pixels are gray."),
                io.Mask.Output(display_name="modal_mask", tooltip="The object in the crop."),
                io.Mask.Output(
                    display_name="padding_mask", tooltip="Unknown pixels, which are to be painted."
                ),
                types.Crop.Output(
                    display_name="crop", tooltip="The map of this window. To Paste Back."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        modal_mask,
        canvas=None,
        padding=None,
        left=0,
        top=0,
        right=0,
        bottom=0,
        context=0.3,
        size=512,
    ):
        image = validate.one_image(image)
        canvas = canvas_of(image, canvas)
        modal_mask = validate.object_mask(modal_mask, validate.picture_size(image), "modal_mask")
        if size < 8 or size % 8:
            near = max(1, size // 8) * 8
            raise BadInput("size", f"{size} is not a multiple of 8", f"use {near}")
        amounts = (padding or Padding()).amounts
        pads = tuple(a + b for a, b in zip(amounts, (left, top, right, bottom)))
        crop = plan_crop(modal_mask, canvas, pads, context, size)
        return io.NodeOutput(*cut_crop(image, modal_mask, crop), crop)


class PasteBack(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPasteBack",
            **aliases("stitch", "uncrop"),
            display_name="Paste Back (Amodal)",
            category=CROP,
            description="Puts the painted crop into the canvas, which grows by the padding. All "
            "other pixels stay unchanged, bit for bit (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The canvas that the crop was cut from."),
                io.Mask.Input("modal_mask", tooltip="The object on that canvas."),
                types.Crop.Input("crop", tooltip="From Crop To Object."),
                io.Image.Input("completed", tooltip="The crop with the completed object."),
                io.Mask.Input("amodal_mask", tooltip="The completed object in the crop."),
                io.Mask.Input("inpaint_mask", tooltip="The painted pixels of the crop."),
                io.Float.Input(
                    "feather",
                    default=0.01,
                    min=0.0,
                    max=0.2,
                    step=0.005,
                    optional=True,
                    tooltip="Width over which the painted part fades into the picture, as a "
                    "fraction of the crop's side. 0 gives a hard seam.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The canvas after this pass."),
                io.Mask.Output(display_name="amodal_mask", tooltip="The object on that canvas."),
                types.Canvas.Output(
                    display_name="canvas", tooltip="The map of that canvas. To Loop End."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, modal_mask, crop, completed, amodal_mask, inpaint_mask, feather=0.01):
        image = validate.one_image(image)
        modal_mask = validate.one_mask(modal_mask, validate.picture_size(image), "modal_mask")
        check_origin(image, crop)
        size = crop.size[::-1]
        completed = validate.resize(validate.one_image(completed, "completed"), size)
        amodal_mask = validate.one_mask(amodal_mask, size, "amodal_mask")
        inpaint_mask = validate.one_mask(inpaint_mask, size, "inpaint_mask")
        pasted = paste_crop(image, modal_mask, crop, completed, amodal_mask, inpaint_mask, feather)
        return io.NodeOutput(*pasted)


NODES = [CropToObject, PasteBack]
