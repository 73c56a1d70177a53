"""Puts an edit model's answer back in its place (`amodal/method/registration.py`)."""

from comfy_api.latest import io

from ..amodal.core import mask_ops, validate
from ..amodal.method import colour_match, registration
from .common import CATEGORY, aliases, names_itself

RIM = 1 / 128  # of the crop's larger side: the visible object's edge, whose colours are mixed


class RegisterToCrop(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalRegisterToCrop",
            **aliases("align", "image registration", "edit model", "kontext", "qwen image edit"),
            display_name="Register To Crop (Amodal)",
            category=f"{CATEGORY}/by instruction",
            description="Puts the answer of a model that edits by instruction back in its place: "
            "such models shift, scale and recolour what they keep. Finds by how much from the "
            "visible object, undoes it, and says it.",
            inputs=[
                io.Image.Input("image", tooltip="What the model was given: I_syn."),
                io.Image.Input("answer", tooltip="What the model made of it, at any size."),
                io.Mask.Input("modal_mask", tooltip="The visible object in the crop."),
                io.Mask.Input(
                    "inpaint_mask",
                    optional=True,
                    tooltip="What the model was to paint. It is not compared.",
                ),
                io.Float.Input(
                    "match_colours",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="Shifts colour and contrast so that the visible object is as in the "
                    "picture. 1 in full, 0 not at all.",
                ),
                io.Float.Input(
                    "min_match",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="An answer that is less alike than this is another picture. It is "
                    "neither moved nor recoloured, and info says so.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "registered",
                    display_name="image",
                    tooltip="The answer in the place and size of the crop.",
                ),
                io.String.Output("info", display_name="info", tooltip="What was undone, in words."),
                io.Float.Output(
                    "match", display_name="match", tooltip="How alike the two are, 0 to 1."
                ),
                io.Float.Output(
                    "scale",
                    display_name="scale",
                    tooltip="By how much the model enlarged the object. 1: not at all.",
                ),
                io.Float.Output(
                    "right",
                    display_name="right",
                    tooltip="By how many pixels of the crop it moved its centre to the right.",
                ),
                io.Float.Output(
                    "down",
                    display_name="down",
                    tooltip="By how many pixels of the crop it moved its centre down.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls, image, answer, modal_mask, inpaint_mask=None, match_colours=1.0, min_match=0.5
    ):
        image = validate.one_image(image)
        answer = validate.one_image(answer, "answer")
        size = validate.picture_size(image)
        modal_mask = validate.object_mask(modal_mask, size, "modal_mask")
        changed = modal_mask * 0
        if inpaint_mask is not None:
            changed = validate.one_mask(inpaint_mask, size, "inpaint_mask")
        motion = registration.estimated(image, answer, modal_mask, changed)
        if motion.match < min_match:
            words = f"not registered: {motion.describe()}, less than {min_match:.2f}"
            return io.NodeOutput(validate.resize(answer, size), words, motion.match, 1.0, 0.0, 0.0)
        placed = registration.undone(answer, motion, size)
        inside = mask_ops.erode(modal_mask, max(1, RIM * max(size)))  # without its soft edge
        placed = colour_match.matched(placed, image, 1 - inside, changed, match_colours)
        told = (motion.match, motion.scale, motion.right, motion.down)
        return io.NodeOutput(placed, motion.describe(), *told)


NODES = [RegisterToCrop]
