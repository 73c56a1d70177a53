"""What a pass of the loop starts with: its seed, and what it has to paint (section 3.4)."""

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..amodal.core import canvas, mask_ops, validate
from ..amodal.core.types import OcclusionReport
from ..amodal.method import loop
from ..amodal.method import upper_bound as bounds
from . import types
from .common import LOOP_CATEGORY, names_itself
from .limits import bound_inputs, forbidden

EDGE = 1 / 32  # of the crop's side: this near to what a pass painted, a bound's edge is uncertain


class PassSeed(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPassSeed",
            display_name="Pass Seed (Amodal)",
            category=LOOP_CATEGORY,
            description="Derives a seed for each pass from the seed of the run.",
            inputs=[
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The seed of the whole run.",
                ),
                io.Int.Input(
                    "pass_number",
                    default=1,
                    min=1,
                    max=1000,
                    force_input=True,
                    optional=True,
                    tooltip="The pass, from Loop Start; 1 if nothing is connected.",
                ),
            ],
            outputs=[
                io.Int.Output("pass_seed", display_name="seed", tooltip="The seed of this pass.")
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, seed, pass_number=1):
        return io.NodeOutput(loop.pass_seed(seed, pass_number))


class CheckOcclusion(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCheckOcclusion",
            display_name="Check Occlusion (Amodal)",
            category=LOOP_CATEGORY,
            description="Decides whether anything is left to paint, and makes the inpaint mask. "
            "If nothing hides the object, every node after that mask is skipped in this pass.",
            inputs=[
                io.Mask.Input("occluder_mask", tooltip="M_occ, from Select Occluders."),
                io.Mask.Input("padding_mask", tooltip="Unknown pixels, from Crop To Object."),
                io.Mask.Input("modal_mask", tooltip="The object in the same crop."),
                types.Occlusion.Input(
                    "occlusion",
                    optional=True,
                    tooltip="Who hides the object, from Select Occluders. For the report.",
                ),
                types.Padding.Input(
                    "padding",
                    optional=True,
                    tooltip="Where the object is cut off, from Pad If Touching.",
                ),
                io.Float.Input(
                    "dilate",
                    default=0.03,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    tooltip="Dilates the inpaint mask, as a fraction of the crop's side, so that "
                    "soft edges and contact shadows of the occluder go too.",
                ),
                *bound_inputs(),
                io.Mask.Input(
                    "shadow_mask",
                    optional=True,
                    tooltip="From Find Shadows: painted together with the occluder.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="From Crop To Object. With an upper bound: what an earlier pass has "
                    "painted is not painted again for an occluder that goes on beyond the bound.",
                ),
                io.Image.Input(
                    "original_image",
                    optional=True,
                    tooltip="The input picture, for the same.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="inpaint_mask",
                    tooltip="The area to paint. If it is empty, the nodes after it are skipped.",
                ),
                io.Boolean.Output(
                    display_name="occluded", tooltip="True if there is anything to paint."
                ),
                types.Occlusion.Output(
                    "pass_occlusion",
                    display_name="occlusion",
                    tooltip="What hides the object in this pass. To Loop End.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        occluder_mask,
        padding_mask,
        modal_mask,
        occlusion=None,
        padding=None,
        dilate=0.03,
        upper_bound=None,
        crop=None,
        shadow_mask=None,
        image=None,
        original_image=None,
    ):
        modal_mask = validate.as_masks(modal_mask, None, "modal_mask")
        size = validate.size_of(modal_mask)
        occluder_mask = validate.one_mask(occluder_mask, size, "occluder_mask")
        padding_mask = validate.one_mask(padding_mask, size, "padding_mask")
        shadows = torch.zeros_like(occluder_mask)
        if shadow_mask is not None:
            shadows = validate.one_mask(shadow_mask, size, "shadow_mask") * (1 - modal_mask)
        sides = padding.sides if padding else ()
        report = (occlusion or OcclusionReport()).but(
            sides=sides, enclosed=mask_ops.surrounds(occluder_mask[0], modal_mask[0])
        )
        allowed = 1 - forbidden(upper_bound, crop, size)
        painted = painted_before(image, original_image, crop, size)
        left = bounds.left_over(occluder_mask, allowed, painted, EDGE * max(size))
        if left.any() or (sides and (padding_mask * allowed).any()):
            inpaint_mask = allowed * loop.inpaint_mask(
                torch.maximum(left, shadows * allowed),
                padding_mask * allowed,
                modal_mask,
                dilate,
                sides if padding else None,
            )
            if inpaint_mask.any():
                return io.NodeOutput(inpaint_mask, True, report)
        report = report.but(nothing_left=bool(occluder_mask.any()) or bool(sides))
        return io.NodeOutput(ExecutionBlocker(None), False, report)


def painted_before(image, original_image, crop, size: validate.Size) -> torch.Tensor:
    """[1, h, w]: 1 where an earlier pass painted; zeros where that is not known."""
    if image is None or original_image is None or crop is None or not crop.canvas.inpainted:
        return torch.zeros(1, *size)
    image = validate.resize(validate.one_image(image), size)
    original = validate.one_image(original_image, "original_image")
    canvas.check_original(original, crop.canvas)
    return canvas.inpainted_pixels(image, original, crop)


NODES = [PassSeed, CheckOcclusion]
