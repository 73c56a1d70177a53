"""The two backgrounds of mixed context: swapped, and freed of the occluders (section 3.5)."""

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.method import smooth_fill, swapped_background
from ..amodal.models import patchmatch
from .common import CATEGORY, aliases, names_itself
from .loaders import inpaint_models

BACKGROUND = f"{CATEGORY}/mixed context"
METHODS = {"smooth": smooth_fill.smooth, "patchmatch": patchmatch.fill}


class SwapBackground(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSwapBackground",
            **aliases("gray background", "replace the background"),
            display_name="Swap Background (Amodal)",
            category=BACKGROUND,
            description="I_syn: the visible object alone on a clean background, so that its "
            "surroundings do not call for their usual companions (section 3.5).",
            inputs=[
                io.Image.Input("image", tooltip="The crop."),
                io.Mask.Input("mask", tooltip="M_modal: the object's visible pixels."),
                io.Combo.Input(
                    "background",
                    options=swapped_background.CHOICES,
                    default="gray",
                    tooltip="Gray helps most (figure 8). 'original' changes nothing; 'image' takes "
                    "one of your own.",
                ),
                io.Image.Input(
                    "own", optional=True, tooltip="Your own background, cut to cover the crop."
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    optional=True,
                    tooltip="For 'noise'.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image", tooltip="I_syn.")],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, background="gray", own=None, seed=0):
        image = validate.as_images(image)
        mask = validate.as_masks(mask, tuple(image.shape[1:3]))
        mask = validate.paired(len(image), (mask > 0.5).float(), "mask")
        own = None if own is None else validate.as_images(own, "own")
        return io.NodeOutput(swapped_background.swap(image, mask, background, own, seed))


class RemoveObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalRemoveObjects",
            **aliases("erase", "clean plate", "lama"),
            display_name="Remove Objects (Amodal)",
            category=BACKGROUND,
            description="The background without the object and its occluders: both are really "
            "removed (section 3.5).",
            inputs=[
                io.Image.Input("image", tooltip="The crop."),
                io.Mask.Input(
                    "mask", tooltip="The object's visible pixels; of a batch of masks, all."
                ),
                io.Mask.Input(
                    "occluders", tooltip="M_occ, from Select Occluders; of a batch, all."
                ),
                io.Mask.Input(
                    "beyond", optional=True, tooltip="What is unknown, from Crop To Object."
                ),
                io.Float.Input(
                    "grow",
                    default=0.03,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    optional=True,
                    tooltip="Remove so much around them too, as a fraction of the larger side.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="smooth",
                    optional=True,
                    tooltip="smooth: continues the surroundings; needs nothing. patchmatch: "
                    "continues textures, where the package pypatchmatch is installed. Without "
                    "effect where an inpaint_model is connected.",
                ),
                inpaint_models.InpaintModel.Input(
                    "inpaint_model",
                    optional=True,
                    tooltip="LaMa or MAT, from Load Inpaint Model or another pack's loader: paints "
                    "textured backgrounds.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The empty background."),
                io.Mask.Output(display_name="removed", tooltip="What was filled in."),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls, image, mask, occluders, beyond=None, grow=0.03, method="smooth", inpaint_model=None
    ):
        if method not in METHODS:
            raise BadInput("method", f"'{method}' is unknown", f"choose of {', '.join(METHODS)}")
        image = validate.one_image(image)
        size = tuple(image.shape[1:3])
        mask = validate.as_masks(mask, size, "mask").amax(0, keepdim=True)
        occluders = validate.as_masks(occluders, size, "occluders").amax(0, keepdim=True)
        beyond = None if beyond is None else validate.one_mask(beyond, size, "beyond")
        removed = smooth_fill.hole(mask, occluders, beyond, grow)
        if inpaint_model is None:
            return io.NodeOutput(METHODS[method](image, removed), removed)
        return io.NodeOutput(inpaint_models.remove(inpaint_model, image, removed), removed)


NODES = [SwapBackground, RemoveObjects]
