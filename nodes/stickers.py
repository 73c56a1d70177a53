"""The embedded sticker world: its models as ordinary MODEL, CLIP and VAE, and its scenes."""

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.supported_models_base
import comfy.taesd.taesd
import torch
from comfy_api.latest import io

from ..amodal.errors import BadInput
from ..amodal.stickers import catalog, weights
from ..amodal.stickers.autoencoder import CHANNELS, Autoencoder
from ..amodal.stickers.order_model import OrderNet, StickerOrder
from ..amodal.stickers.segmenter import SegmenterNet, StickerSegmenter
from . import types
from .common import CATEGORY, names_itself

STICKERS = f"{CATEGORY}/stickers"


class StickerLatent(comfy.latent_formats.LatentFormat):
    """Eight channels of unit variance; the factors for previews come with the weights."""

    latent_channels = CHANNELS


class StickerConfig(comfy.supported_models.SD20):
    latent_format = StickerLatent
    unet_extra_config = {"num_heads": -1, "num_head_channels": 32, "attn_precision": torch.float32}

    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.V_PREDICTION


def load_model() -> comfy.model_patcher.ModelPatcher:
    state, about = weights.read("stickers_unet")
    _, vae_about = weights.read("stickers_vae")
    config = StickerConfig(about["unet"])
    config.set_inference_dtype(torch.float32, None)
    config.latent_format.latent_rgb_factors = vae_about["latent_rgb_factors"]
    config.latent_format.latent_rgb_factors_bias = vae_about["latent_rgb_bias"]
    model = config.get_model({}, "", device=comfy.model_management.unet_offload_device())
    weights.load_into(model.diffusion_model, state, "stickers_unet")
    space = model.model_sampling
    space.set_sigmas(space.sigmas * about["sigma_scale"])
    return managed(model)


def managed(net: torch.nn.Module) -> comfy.model_patcher.ModelPatcher:
    return comfy.model_patcher.ModelPatcher(
        net,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


class StickerVAE(comfy.sd.VAE):
    """The host's VAE around the pack's own autoencoder, which works on pictures in 0..1."""

    def __init__(self):
        layout = comfy.taesd.taesd.TAESD(latent_channels=CHANNELS)  # 8x smaller, as ours
        super().__init__(sd=layout.state_dict(), dtype=torch.float32)
        state, _ = weights.read("stickers_vae")
        self.first_stage_model = weights.load_into(Autoencoder(), state, "stickers_vae")
        self.patcher = comfy.model_patcher.ModelPatcher(
            self.first_stage_model,
            load_device=self.device,
            offload_device=comfy.model_management.vae_offload_device(),
        )
        self.process_input = lambda image: image
        self.process_output = lambda image: image.clamp(0.0, 1.0)
        self.memory_used_encode = lambda shape, dtype: 400 * shape[2] * shape[3] * 4
        self.memory_used_decode = lambda shape, dtype: 400 * shape[2] * shape[3] * 64 * 4
        self.size = None


class StickerTokenizer:
    """Finds the catalog's words in a prompt; everything else is passed over."""

    def __init__(self, embedding_directory=None, tokenizer_data=None):
        self.rows = {word: row for row, word in enumerate(catalog.WORDS)}

    def tokenize_with_weights(self, text, return_word_ids=False, **_):
        rows = [self.rows[word] for word in catalog.known_words(text)]
        return {"stickers": rows or [len(self.rows)]}  # the last row is the empty prompt

    def state_dict(self):
        return {}


class StickerText(torch.nn.Module):
    """A table of learned tokens [words + 1, 32, 128]; a prompt is its words' tokens in a row."""

    def __init__(self, dtype=None, device=None, model_options=None):
        super().__init__()
        state, _ = weights.read("stickers_text")
        self.table = torch.nn.Parameter(state["table"].to(device), requires_grad=False)
        self.dtypes = {torch.float32}

    def encode_token_weights(self, tokens):
        found = self.table[torch.tensor(tokens["stickers"], device=self.table.device)]
        cond = found.reshape(1, -1, found.shape[-1])
        return cond.to(comfy.model_management.intermediate_device()), None

    def set_clip_options(self, options):
        """The host's options (layer, projection) mean nothing to a table."""

    def reset_clip_options(self):
        """See set_clip_options."""

    def load_sd(self, sd):
        return self.load_state_dict(sd, strict=False)


def load_clip() -> comfy.sd.CLIP:
    target = comfy.supported_models_base.ClipTarget(StickerTokenizer, StickerText)
    return comfy.sd.CLIP(target)


class ManagedSegmenter(StickerSegmenter):
    """The segmenter with its net in the host's care."""

    def __init__(self):
        state, _ = weights.read("stickers_segmenter")
        net = SegmenterNet()
        weights.load_into(net, with_counters(net, state), "stickers_segmenter")
        super().__init__(net)
        self.patcher = managed(net)

    def probabilities(self, image):
        comfy.model_management.load_models_gpu([self.patcher])
        return super().probabilities(image)


class ManagedOrder(StickerOrder):
    """The order model with its net in the host's care."""

    def __init__(self):
        state, _ = weights.read("stickers_order")
        net = OrderNet()
        weights.load_into(net, with_counters(net, state), "stickers_order")
        super().__init__(net)
        self.patcher = managed(net)

    def order(self, image, masks, pairs):
        comfy.model_management.load_models_gpu([self.patcher])
        return super().order(image, masks, pairs)


def with_counters(net, state):
    """Batch counters of normalisation layers are not worth storing."""
    return {**{k: v for k, v in net.state_dict().items() if "num_batches" in k}, **state}


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
        return io.NodeOutput(load_model(), load_clip(), StickerVAE())


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
        return io.NodeOutput(ManagedSegmenter())


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
        return io.NodeOutput(ManagedOrder())


class Scene(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        from ..amodal.stickers.scenes import BACKGROUNDS

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
                    options=["none", "left", "top", "right", "bottom"],
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
        from ..amodal.stickers.scenes import make_scene

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
        except ValueError as error:
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
