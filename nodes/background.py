"""The two backgrounds of mixed context: the swapped one and the removed one (section 3.5)."""

import torch
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
            description="Makes I_syn: the visible object alone on a clean background, where "
            "nothing suggests the usual co-occurring objects (section 3.5).",
            inputs=[
                io.Image.Input("image", tooltip="The crop."),
                io.Mask.Input("modal_mask", tooltip="M_modal: the object's visible pixels."),
                io.Combo.Input(
                    "background",
                    options=swapped_background.CHOICES,
                    default="gray",
                    tooltip="What stands behind the object. Gray helps most (Figure 8). 'original' "
                    "changes nothing; 'image' uses own_background; 'contrasting gray' is middle, "
                    "dark or light gray, whichever is farthest from the object's colours.",
                ),
                io.Image.Input(
                    "own_background",
                    optional=True,
                    tooltip="For 'image': your background. It is scaled and cut to cover the crop.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    optional=True,
                    control_after_generate=False,
                    tooltip="For 'noise': seed of the random pixels.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="synthetic_image", tooltip="I_syn, the object on that background."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, modal_mask, background="gray", own_background=None, seed=0):
        image = validate.as_images(image)
        modal_mask = validate.as_masks(modal_mask, validate.picture_size(image), "modal_mask")
        modal_mask = validate.paired(len(image), (modal_mask > 0.5).float(), "modal_mask")
        if own_background is not None:
            own_background = validate.as_images(own_background, "own_background")
        return io.NodeOutput(
            swapped_background.swap(image, modal_mask, background, own_background, seed)
        )


class RemoveObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalRemoveObjects",
            **aliases("erase", "clean plate", "lama"),
            display_name="Remove Objects (Amodal)",
            category=BACKGROUND,
            description="Makes the background without the object and without its occluders "
            "(section 3.5).",
            inputs=[
                io.Image.Input("image", tooltip="The crop."),
                io.Mask.Input(
                    "modal_mask",
                    tooltip="M_modal: the object's visible pixels. All masks of a batch count.",
                ),
                io.Mask.Input(
                    "occluder_mask",
                    tooltip="M_occ, from Select Occluders. All masks of a batch count.",
                ),
                io.Mask.Input(
                    "padding_mask", optional=True, tooltip="Unknown pixels, from Crop To Object."
                ),
                io.Float.Input(
                    "dilate",
                    default=0.03,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    optional=True,
                    tooltip="Dilates what is removed, as a fraction of the larger side, so that "
                    "soft edges and contact shadows go too.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="smooth",
                    optional=True,
                    tooltip="How to fill without an inpaint_model. smooth continues the "
                    "surroundings and needs nothing. patchmatch continues textures and needs the "
                    "package pypatchmatch.",
                ),
                inpaint_models.InpaintModel.Input(
                    "inpaint_model",
                    optional=True,
                    tooltip="LaMa or MAT, from Load Inpaint Model or another pack's loader. Fills "
                    "textured backgrounds, and replaces 'method'.",
                ),
                io.Mask.Input(
                    "shadow_mask",
                    optional=True,
                    tooltip="From Find Shadows: removed with the occluders.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="background", tooltip="The picture without them."),
                io.Mask.Output(display_name="removed_mask", tooltip="The pixels that were filled."),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        modal_mask,
        occluder_mask,
        padding_mask=None,
        dilate=0.03,
        method="smooth",
        inpaint_model=None,
        shadow_mask=None,
    ):
        if method not in METHODS:
            raise BadInput(
                "method", f"'{method}' is unknown", f"choose one of {', '.join(METHODS)}"
            )
        image = validate.one_image(image)
        size = validate.picture_size(image)
        modal_mask = validate.as_masks(modal_mask, size, "modal_mask").amax(0, keepdim=True)
        occluder_mask = validate.as_masks(occluder_mask, size, "occluder_mask")
        occluder_mask = occluder_mask.amax(0, keepdim=True)
        if shadow_mask is not None:
            shadow_mask = validate.one_mask(shadow_mask, size, "shadow_mask")
            occluder_mask = torch.maximum(occluder_mask, shadow_mask)
        if padding_mask is not None:
            padding_mask = validate.one_mask(padding_mask, size, "padding_mask")
        removed = smooth_fill.removed_mask(modal_mask, occluder_mask, padding_mask, dilate)
        if inpaint_model is None:
            return io.NodeOutput(METHODS[method](image, removed), removed)
        return io.NodeOutput(inpaint_models.remove(inpaint_model, image, removed), removed)


NODES = [SwapBackground, RemoveObjects]
