"""Zoom in on the object, and paste the result back (section 3.4)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.canvas import canvas_of, check_origin, cut_crop, paste_crop, plan_crop
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Crop, Padding
from ..amodal.core.zoom import SHAPES, check_completed, has_aspect, scale_in_words
from ..amodal.method.colour_match import matched
from . import types, ui
from .common import CATEGORY, aliases, names_itself, shows_results

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
            description="Cuts a window with the object, its context and the padding, at the size "
            "the diffusion model works at (section 3.4).",
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
                io.Combo.Input(
                    "shape",
                    options=list(SHAPES),
                    default=SHAPES[0],
                    optional=True,
                    tooltip="square: size x size pixels. rectangle: as many pixels, with the "
                    "aspect of the window, up to 1:4, and sides in multiples of 64. A wide object "
                    "then fills the crop. Most diffusion models take rectangles; the sticker "
                    "models do not.",
                ),
                io.Int.Input(
                    "largest",
                    default=0,
                    min=0,
                    max=4096,
                    step=8,
                    optional=True,
                    tooltip="Where the window has more pixels than the crop, the crop grows up to "
                    "this side, so that less is enlarged when it is pasted back. 0: it is always "
                    "of 'size'. Flux paints up to 1408.",
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
                io.String.Output(
                    "crop_info",
                    display_name="info",
                    tooltip="The window's size, and by how much what is painted gets enlarged.",
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
        shape=SHAPES[0],
        largest=0,
    ):
        image = validate.one_image(image)
        canvas = canvas_of(image, canvas)
        modal_mask = validate.object_mask(modal_mask, validate.picture_size(image), "modal_mask")
        for name, side in (("size", size), ("largest", largest or size)):
            if side < 8 or side % 8:
                near = max(1, side // 8) * 8
                raise BadInput(name, f"{side} is not a multiple of 8", f"use {near}")
        if shape not in SHAPES:
            raise BadInput("shape", f"is '{shape}'", f"choose {' or '.join(SHAPES)}")
        amounts = (padding or Padding()).amounts
        pads = tuple(a + b for a, b in zip(amounts, (left, top, right, bottom)))
        crop = plan_crop(modal_mask, canvas, pads, context, size, shape, largest)
        return io.NodeOutput(*cut_crop(image, modal_mask, crop), crop, scale_in_words(crop))


class PasteBack(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPasteBack",
            **shows_results(),
            **aliases("stitch", "uncrop"),
            display_name="Paste Back (Amodal)",
            category=CROP,
            description="Puts the painted crop into the canvas, which grows by the padding. All "
            "other pixels stay unchanged, bit for bit (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The canvas that the crop was cut from."),
                io.Mask.Input("modal_mask", tooltip="The object on that canvas."),
                types.Crop.Input("crop", tooltip="From Crop To Object."),
                io.Image.Input(
                    "completed",
                    tooltip="The crop with the completed object. It may be enlarged, by an "
                    "upscaler for example, and is then pasted from its own pixels.",
                ),
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
                io.Float.Input(
                    "match_colours",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="Shifts colour and contrast of the painted part so that the pixels "
                    "around it are as in the picture. 1 in full, 0 not at all. No other pixel "
                    "changes.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The canvas after this pass."),
                io.Mask.Output(display_name="amodal_mask", tooltip="The object on that canvas."),
                types.Canvas.Output(
                    display_name="canvas", tooltip="The map of that canvas. To Loop End."
                ),
                io.String.Output(
                    "paste_info",
                    display_name="info",
                    tooltip="The window's size, and by how much what was painted was enlarged.",
                ),
            ],
            hidden=[io.Hidden.dynprompt],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        modal_mask,
        crop,
        completed,
        amodal_mask,
        inpaint_mask,
        feather=0.01,
        match_colours=0.0,
    ):
        image = validate.one_image(image)
        modal_mask = validate.one_mask(modal_mask, validate.picture_size(image), "modal_mask")
        check_origin(image, crop)
        completed = validate.one_image(completed, "completed")
        check_completed(completed, crop)
        amodal_mask = of_crop(amodal_mask, crop, "amodal_mask")
        inpaint_mask = of_crop(inpaint_mask, crop, "inpaint_mask")
        info = scale_in_words(crop, completed.shape[2])
        if match_colours:
            before, _, unknown = cut_crop(image, modal_mask, crop)
            painted = validate.resize_mask(inpaint_mask, crop.size[::-1])
            completed = matched(completed, before, painted, unknown, match_colours)
        pasted = paste_crop(image, modal_mask, crop, completed, amodal_mask, inpaint_mask, feather)
        return io.NodeOutput(*pasted, info, ui=ui.say(cls.hidden, "AmodalPasteBack", info))


def of_crop(mask, crop: Crop, name: str):
    """A mask [1, h, w] of the crop, which may be enlarged like the completed picture."""
    mask = validate.one_mask(mask, None, name)
    if has_aspect(validate.size_of(mask), crop):
        return mask
    return validate.one_mask(mask, crop.size[::-1], name)


NODES = [CropToObject, PasteBack]
