"""What a pass of the loop begins with: is anything left to paint, and with which seed."""

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..amodal.core import mask_ops, validate
from ..amodal.method import loop
from .common import LOOP_CATEGORY, names_itself


class PassSeed(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPassSeed",
            display_name="Pass Seed (Amodal)",
            category=LOOP_CATEGORY,
            description="A seed for each pass, derived from (seed, pass).",
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
                    "number",
                    default=1,
                    min=1,
                    max=1000,
                    force_input=True,
                    optional=True,
                    tooltip="The pass, from Loop Start; 1 where nothing is connected.",
                ),
            ],
            outputs=[
                io.Int.Output("pass_seed", display_name="seed", tooltip="The seed of this pass.")
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, seed, number=1):
        return io.NodeOutput(loop.pass_seed(seed, number))


class CheckOcclusion(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCheckOcclusion",
            display_name="Check Occlusion (Amodal)",
            category=LOOP_CATEGORY,
            description="Is anything left to paint? Gives the mask for the inpainting model; when "
            "the object is free, whatever hangs on that mask is skipped in this pass.",
            inputs=[
                io.Mask.Input("occluders", tooltip="M_occ: what stands in front of the object."),
                io.Mask.Input("beyond", tooltip="Where the picture is unknown (padding)."),
                io.Mask.Input("mask", tooltip="The object's mask on the same crop."),
                io.Boolean.Input(
                    "touching",
                    default=False,
                    force_input=True,
                    tooltip="Does the object touch the picture's border?",
                ),
                io.String.Input(
                    "names",
                    default="",
                    force_input=True,
                    optional=True,
                    tooltip="Names of the occluders, for the report; in brackets what "
                    "takes part in surrounding the object without hiding it.",
                ),
                io.String.Input(
                    "sides",
                    default="",
                    force_input=True,
                    optional=True,
                    tooltip="The touched sides, for the report.",
                ),
                io.Float.Input(
                    "grow",
                    default=0.03,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    tooltip="How far to grow the mask, as a fraction of the crop's side.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    "inpaint",
                    display_name="inpaint",
                    tooltip="What to paint. Skips what follows when empty.",
                ),
                io.Boolean.Output(
                    "occluded", display_name="occluded", tooltip="Is there anything to paint?"
                ),
                io.String.Output(
                    "reason", display_name="reason", tooltip="What hides the object, in words."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, occluders, beyond, mask, touching, names="", sides="", grow=0.03):
        mask = validate.as_masks(mask, None, "mask")
        size = tuple(mask.shape[-2:])
        occluders = validate.one_mask(occluders, size, "occluders")
        beyond = validate.one_mask(beyond, size, "beyond")
        around = mask_ops.surrounds(occluders[0], mask[0])
        reason = loop.reason(split_words(names), split_words(sides), around)
        hidden = bool(occluders.any())
        if hidden or (touching and beyond.any()):
            inpaint = loop.inpaint_mask(occluders, beyond, mask, grow)
            if inpaint.any():
                return io.NodeOutput(inpaint, True, reason)
        if hidden or touching:
            reason = f"{reason}; {loop.NOTHING_LEFT}"
        return io.NodeOutput(ExecutionBlocker(None), False, reason)


def split_words(text: str) -> list[str]:
    return [word.strip() for word in text.replace("\n", ",").split(",") if word.strip()]


NODES = [PassSeed, CheckOcclusion]
