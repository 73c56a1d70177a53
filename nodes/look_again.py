"""What a pass has found to be seen of the object, beside what was known before (section 3.4)."""

from comfy_api.latest import io

from ..amodal import passes, shapes
from ..amodal.payloads import Crop
from . import types
from .common import LOOP_CATEGORY, aliases, names_itself


class LookAgain(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLookAgain",
            **aliases("refine mask"),
            display_name="Look Again (Amodal)",
            category=LOOP_CATEGORY,
            description="The visible mask with what a pass found to belong to the object where the "
            "picture is as it was: pieces that were missed before. Loop End begins again with it.",
            inputs=[
                io.Image.Input("image", tooltip="The canvas before the pass."),
                io.Mask.Input("mask", tooltip="What was known to be seen of the object on it."),
                io.Image.Input("new_image", tooltip="The canvas after the pass."),
                io.Mask.Input("new_mask", tooltip="The amodal mask after the pass."),
                types.Crop.Input(
                    "canvas", optional=True, tooltip="Where the original lies on the canvas before."
                ),
                types.Crop.Input(
                    "new_canvas", optional=True, tooltip="Where it lies on the canvas after."
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask", tooltip="The visible object on the canvas before."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, new_image, new_mask, canvas=None, new_canvas=None):
        image, new_image = shapes.one_image(image), shapes.one_image(new_image, "new_image")
        size, new_size = image.shape[1:3], new_image.shape[1:3]
        mask = shapes.one_mask(mask, tuple(size))
        new_mask = shapes.one_mask(new_mask, tuple(new_size), "new_mask")
        before = canvas or Crop.whole(size[1], size[0])
        after = new_canvas or Crop.whole(new_size[1], new_size[0])
        return io.NodeOutput(passes.seen(image, mask, before, new_image, new_mask, after))


NODES = [LookAgain]
