"""The sticker world as nodes: its models and its scenes."""

from __future__ import annotations

import numpy as np
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
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalStickerCheckpoint",
            display_name="Sticker Checkpoint (Amodal)",
            category=STICKERS,
            description="Loads the inpainting diffusion model of the sticker world, for pictures "
            "of 128x128 pixels. Its weights are part of the pack.",
            inputs=[],
            outputs=[
                io.Model.Output(
                    "model",
                    display_name="model",
                    tooltip="Inpainting model. It takes latent, mask and masked latent.",
                ),
                io.Clip.Output(
                    "clip",
                    display_name="clip",
                    tooltip="Text encoder. It knows only the words of the sticker world.",
                ),
                io.Vae.Output(
                    "vae",
                    display_name="vae",
                    tooltip="Autoencoder. Latents are 8 times smaller and have 8 channels.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(*sticker_models.load_checkpoint())


class Segmenter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalStickerSegmenter",
            display_name="Sticker Segmenter (Amodal)",
            category=STICKERS,
            description="Loads the segmenter of the sticker world. It finds objects by name.",
            inputs=[],
            outputs=[
                types.Segmenter.Output(
                    "segmenter",
                    display_name="segmenter",
                    tooltip="Segmenter for the words of the sticker world.",
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(sticker_models.ManagedSegmenter())


class Order(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalStickerOrder",
            display_name="Sticker Order Model (Amodal)",
            category=STICKERS,
            description="Loads the order model of the sticker world, which predicts which of two "
            "objects is in front.",
            inputs=[],
            outputs=[
                types.OrderModel.Output(
                    "order_model",
                    display_name="order_model",
                    tooltip="Predicts the occlusion order of pairs of objects.",
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(sticker_models.ManagedOrder())


class Scene(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..amodal.stickers.scenes import BACKGROUNDS, SIDES

        return io.Schema(
            node_id="AmodalStickerScene",
            display_name="Sticker Scene (Amodal)",
            category=STICKERS,
            description="Makes a random picture of the sticker world with its ground truth.",
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
                    tooltip="The object to complete. any: drawn at random.",
                ),
                io.Combo.Input(
                    "occluder",
                    options=["co-occurring", "other", "none", *catalog.WORDS],
                    default="co-occurring",
                    tooltip="The object in front. co-occurring: its partner, which stands there "
                    "in 0 to 95 % of the training pictures. other: any other object.",
                ),
                io.Float.Input(
                    "hidden_from",
                    default=0.2,
                    min=0.0,
                    max=0.95,
                    step=0.05,
                    tooltip="Smallest hidden fraction of the object, occluded or cut off.",
                ),
                io.Float.Input(
                    "hidden_to",
                    default=0.5,
                    min=0.0,
                    max=0.95,
                    step=0.05,
                    tooltip="Largest hidden fraction of the object. Some ranges are impossible.",
                ),
                io.Combo.Input(
                    "cut",
                    options=["none", *SIDES],
                    default="none",
                    tooltip="The border of the picture that cuts the object.",
                ),
                io.Combo.Input(
                    "background",
                    options=["any", *BACKGROUNDS],
                    default="any",
                    tooltip="Background of the picture. any: drawn at random, but never gray.",
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
                    "modal_mask",
                    display_name="modal_mask",
                    tooltip="Modal mask: the object's visible pixels.",
                ),
                io.String.Output("label", display_name="label", tooltip="The object's word."),
                io.Image.Output(
                    "true_image",
                    display_name="true_image",
                    tooltip="The scene without the occluder.",
                ),
                io.Mask.Output(
                    "amodal_mask",
                    display_name="amodal_mask",
                    tooltip="True amodal mask of the object, inside the picture.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        seed: int,
        query: str,
        occluder: str,
        hidden_from: float,
        hidden_to: float,
        cut: str,
        background: str,
        size: int,
    ) -> io.NodeOutput:
        from ..amodal.stickers.scenes import NoPlacement, make_scene

        if hidden_from > hidden_to:
            raise BadInput(
                "hidden_from",
                f"is {hidden_from:g}, above hidden_to, which is {hidden_to:g}",
                "give the smaller fraction here and the larger one as hidden_to",
            )
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
                "hidden_from",
                f"gives a range that this scene cannot have: {error}",
                "widen the range or use another seed",
            ) from error
        return io.NodeOutput(
            picture(scene.image),
            picture(scene.modal()),
            scene.word,
            picture(scene.truth),
            picture(scene.amodal()),
        )


def picture(array: np.ndarray) -> torch.Tensor:
    """A picture or mask as a batch of one, float32."""
    return torch.from_numpy(array.copy()).float()[None]


NODES = [Checkpoint, Segmenter, Order, Scene]
