"""The completed object as models of novel views and of shapes want it (figure 10; ref. 28)."""

import torch
from comfy_api.latest import io

from ..amodal.applications import framing, view
from ..amodal.core import mask_ops, validate
from .common import aliases, names_itself
from .match_features import APPLICATIONS

GROUNDS = {"white": 1.0, "gray": 0.5, "black": 0.0}


class PrepareFor3D(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPrepareFor3D",
            **aliases("zero123", "sv3d", "novel view", "hunyuan3d", "triposplat"),
            display_name="Prepare For 3D (Amodal)",
            category=APPLICATIONS,
            description="Puts a completed object into the middle of a plain square, as models of "
            "novel views and of 3D shapes expect it.",
            inputs=[
                io.Image.Input("object", tooltip="RGBA, from Trim And Overlay. May be a batch."),
                io.Int.Input(
                    "size",
                    default=256,
                    min=16,
                    max=4096,
                    step=8,
                    tooltip="Side of the square: 256 for Stable Zero123, 576 for SV3D, 1024 for "
                    "models of shapes.",
                ),
                io.Float.Input(
                    "margin",
                    default=0.1,
                    min=0.0,
                    max=0.45,
                    step=0.01,
                    tooltip="Free on each side of the object, as a fraction of the square's side.",
                ),
                io.Combo.Input(
                    "background",
                    options=list(GROUNDS),
                    default="white",
                    tooltip="The ground behind it.",
                ),
                io.Mask.Input(
                    "object_mask",
                    optional=True,
                    tooltip="The object, where its picture has no alpha: 1 on it.",
                ),
                io.Image.Input(
                    "original_image",
                    optional=True,
                    tooltip="The photograph it comes from, for the guess of the elevation. Without "
                    "it, the object's canvas stands for it.",
                ),
                io.Int.Input(
                    "y",
                    default=0,
                    min=-(2**20),
                    max=2**20,
                    force_input=True,
                    optional=True,
                    tooltip="Top edge of the object's canvas in the photograph, from Trim And "
                    "Overlay.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The object on the ground."),
                io.Mask.Output(display_name="mask", tooltip="The object in that square."),
                io.Float.Output(
                    display_name="elevation",
                    tooltip="A guess in degrees of how far from above the camera looks, by the "
                    "object's height in the photograph. For elevation of Stable Zero123 and SV3D.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        object,
        size=256,
        margin=0.1,
        background="white",
        object_mask=None,
        original_image=None,
        y=0,
    ):
        pictures = framing.with_alpha(object, object_mask, "object", "object_mask")
        squares = torch.stack(
            [
                framing.cut_out(picture, framing.frame_of(picture[..., 3], margin), size)
                for picture in pictures
            ]
        )
        height = pictures.shape[1]
        if original_image is not None:
            height = validate.as_images(original_image, "original_image").shape[1]
        box = mask_ops.object_box(pictures[0, ..., 3] >= framing.VISIBLE)
        return io.NodeOutput(
            framing.on_ground(squares, GROUNDS[background]),
            squares[..., 3],
            view.elevation_guess((box[1] + box[3]) / 2 + y, height),
        )


NODES = [PrepareFor3D]
