"""The embedded sticker world as nodes: loaders of its models, and its scenes."""

import torch
from comfy_api.latest import io

from ..amodal.core.errors import BadInput
from ..amodal.stickers import catalog
from . import types
from .common import CATEGORY, names_itself
from .loaders import sticker_models

STICKERS = f"{CATEGORY}/stickers"


class Checkpoint(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalStickerCheckpoint",
            display_name="Sticker Checkpoint (Amodal)",
            category=STICKERS,
            description="The embedded inpainting diffusion model, for pictures of 128x128.",
            inputs=[],
            outputs=[
                io.Model.Output(
                    "model",
                    display_name="model",
                    tooltip="Inpainting model (latent, mask, masked latent).",
                ),
                io.Clip.Output(
                    "clip", display_name="clip", tooltip="Knows the sticker world's words."
                ),
                io.Vae.Output("vae", display_name="vae", tooltip="8x smaller, 8 channels."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls):
        return io.NodeOutput(*sticker_models.load_checkpoint())


class Segmenter(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalStickerSegmenter",
            display_name="Sticker Segmenter (Amodal)",
            category=STICKERS,
            description="Finds the sticker world's objects by name.",
            inputs=[],
            outputs=[
                types.Segmenter.Output(
                    "segmenter", display_name="segmenter", tooltip="Detects and segments."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls):
        return io.NodeOutput(sticker_models.ManagedSegmenter())


class Order(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalStickerOrder",
            display_name="Sticker Order Model (Amodal)",
            category=STICKERS,
            description="Tells which of two stickers hides the other.",
            inputs=[],
            outputs=[
                types.OrderModel.Output(
                    "order_model", display_name="order_model", tooltip="Pairwise occlusion order."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls):
        return io.NodeOutput(sticker_models.ManagedOrder())


class Scene(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        from ..amodal.stickers.scenes import BACKGROUNDS, SIDES

        return io.Schema(
            node_id="AmodalStickerScene",
            display_name="Sticker Scene (Amodal)",
            category=STICKERS,
            description="A picture of the sticker world with its ground truth.",
            inputs=[
                io.Int.Input(
                    "seed",
                    default=1,
                    min=0,
                    max=2**53,
                    control_after_generate=True,
                    tooltip="The same seed and settings give the same scene.",
                ),
                io.Combo.Input(
                    "query",
                    options=["any", *catalog.WORDS],
                    default="any",
                    tooltip="The object to complete.",
                ),
                io.Combo.Input(
                    "occluder",
                    options=["companion", "other", "none", *catalog.WORDS],
                    default="companion",
                    tooltip="What stands in front of it.",
                ),
                io.Float.Input(
                    "hidden_from",
                    default=0.2,
                    min=0.0,
                    max=0.95,
                    step=0.05,
                    tooltip="At least this fraction of the object is hidden.",
                ),
                io.Float.Input(
                    "hidden_to",
                    default=0.5,
                    min=0.0,
                    max=0.95,
                    step=0.05,
                    tooltip="At most this fraction of the object is hidden.",
                ),
                io.Combo.Input(
                    "cut",
                    options=["none", *SIDES],
                    default="none",
                    tooltip="The border the object hangs over.",
                ),
                io.Combo.Input(
                    "background",
                    options=["any", *BACKGROUNDS],
                    default="any",
                    tooltip="What is behind the objects.",
                ),
                io.Int.Input(
                    "size",
                    default=128,
                    min=64,
                    max=1024,
                    step=8,
                    tooltip="Side of the picture in pixels.",
                ),
            ],
            outputs=[
                io.Image.Output("image", display_name="image", tooltip="The scene."),
                io.Mask.Output(
                    "mask",
                    display_name="mask",
                    tooltip="Modal mask of the object: its visible pixels.",
                ),
                io.String.Output("label", display_name="label", tooltip="The object's word."),
                io.Image.Output(
                    "truth",
                    display_name="truth",
                    tooltip="The scene without what hides the object.",
                ),
                io.Mask.Output(
                    "amodal",
                    display_name="amodal",
                    tooltip="Amodal mask of the object within the picture.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, seed, query, occluder, hidden_from, hidden_to, cut, background, size):
        from ..amodal.stickers.scenes import NoPlacement, make_scene

        try:
            scene = make_scene(
                seed,
                size=size,
                query=None if query == "any" else query,
                occluder=None if occluder == "none" else occluder,
                hidden=(hidden_from, hidden_to),
                cut=None if cut == "none" else cut,
                background=None if background == "any" else background,
            )
        except NoPlacement as error:
            raise BadInput(
                "hidden_from", f"cannot be met: {error}", "widen the range or take another seed"
            ) from error
        return io.NodeOutput(
            picture(scene.image),
            picture(scene.modal()),
            scene.word,
            picture(scene.truth),
            picture(scene.amodal()),
        )


def picture(array) -> torch.Tensor:
    return torch.from_numpy(array.copy()).float()[None]


NODES = [Checkpoint, Segmenter, Order, Scene]
