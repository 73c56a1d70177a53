"""The sticker world's models in ComfyUI: MODEL, CLIP and VAE, segmenter and order model.

Every network has a ModelPatcher, so ComfyUI loads and unloads it. A weights file that is missing,
broken or of another model raises BadInput (see amodal/stickers/weight_files.py).
"""

from __future__ import annotations

from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.supported_models_base
import comfy.taesd.taesd
import torch
from comfy.model_sampling import V_PREDICTION, ModelSamplingDiscrete, reshape_sigma

from ...amodal.stickers import catalog, weight_files
from ...amodal.stickers.autoencoder import CHANNELS, Autoencoder
from ...amodal.stickers.order_model import OrderNet, StickerOrder
from ...amodal.stickers.segmenter import SegmenterNet, StickerSegmenter

TOKENS, WIDTH = 32, 128  # number of learned tokens for each word, and their width


class StickerLatent(comfy.latent_formats.LatentFormat):
    """Eight channels of unit variance. The weights file has the factors for previews."""

    latent_channels = CHANNELS


class StickerConfig(comfy.supported_models.SD20):
    """The topology of Stable Diffusion 2, with v-prediction. The weights file has the sizes."""

    latent_format = StickerLatent
    unet_extra_config = {"num_heads": -1, "num_head_channels": 32, "attn_precision": torch.float32}

    def model_type(
        self, state_dict: weight_files.State, prefix: str = ""
    ) -> comfy.model_base.ModelType:
        return comfy.model_base.ModelType.V_PREDICTION


class StraightSampling(ModelSamplingDiscrete, V_PREDICTION):
    """v-prediction with x on the straight line from the clean latent to pure noise at sigma_max.

    With a small sigma_max, latent + sigma * noise is not on the path of sampling from pure noise:
    at sigma 3.65 it would still show much of a 16x16 latent. dx/dsigma = (x - x0) / sigma also
    holds on this line, so all samplers of ComfyUI work. Everything else is v-prediction.
    """

    def noise_scaling(
        self,
        sigma: torch.Tensor,
        noise: torch.Tensor,
        latent_image: torch.Tensor,
        max_denoise: bool = False,
    ) -> torch.Tensor:
        sigma = reshape_sigma(sigma, noise.ndim)
        return noise * sigma + latent_image * self.kept(sigma)

    def inverse_noise_scaling(self, sigma: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        sigma = reshape_sigma(sigma, latent.ndim)
        return latent / self.kept(sigma).clamp(min=1e-3)

    def kept(self, sigma: torch.Tensor) -> torch.Tensor:
        """Weight (0..1) of the clean latent in x."""
        return 1 - sigma / self.sigma_max.to(sigma)


def load_checkpoint() -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, StickerVAE]:
    """(MODEL, CLIP, VAE). Raises BadInput for missing or wrong weights."""
    return load_model(), load_clip(), StickerVAE()


def load_model() -> comfy.model_patcher.ModelPatcher:
    """The inpainting UNet. Its input has 8 channels of latent, 1 of mask, 8 of masked latent."""
    state, about = weight_files.read("stickers_unet", "unet", "sigma_scale")
    _, vae_about = weight_files.read("stickers_vae", "latent_rgb_factors", "latent_rgb_bias")
    config = StickerConfig(about["unet"])
    config.set_inference_dtype(torch.float32, None)
    config.latent_format.latent_rgb_factors = vae_about["latent_rgb_factors"]
    config.latent_format.latent_rgb_factors_bias = vae_about["latent_rgb_bias"]
    model = config.get_model({}, "", device=comfy.model_management.unet_offload_device())
    weight_files.load_into(model.diffusion_model, state, "stickers_unet")
    space = StraightSampling(config)
    space.set_sigmas(space.sigmas * about["sigma_scale"])
    model.model_sampling = space
    return managed(model)


def managed(net: torch.nn.Module) -> comfy.model_patcher.ModelPatcher:
    """A ModelPatcher, so that ComfyUI loads and unloads the network."""
    return comfy.model_patcher.ModelPatcher(
        net,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


class StickerVAE(comfy.sd.VAE):
    """ComfyUI's VAE with the pack's autoencoder, which takes pictures in 0..1."""

    def __init__(self) -> None:
        layout = comfy.taesd.taesd.TAESD(latent_channels=CHANNELS)  # 8x smaller, like ours
        super().__init__(sd=layout.state_dict(), dtype=torch.float32)
        state, _ = weight_files.read("stickers_vae")
        self.first_stage_model = weight_files.load_into(Autoencoder(), state, "stickers_vae")
        self.patcher = comfy.model_patcher.ModelPatcher(
            self.first_stage_model,
            load_device=self.device,
            offload_device=comfy.model_management.vae_offload_device(),
        )
        self.process_input = lambda image: image
        self.process_output = lambda image: image.clamp_(0.0, 1.0)  # newer hosts ignore the result
        # activations of the widest layers, in bytes
        self.memory_used_encode = lambda shape, dtype: 400 * shape[2] * shape[3] * 4
        self.memory_used_decode = lambda shape, dtype: 400 * shape[2] * shape[3] * 64 * 4
        self.size = None


class StickerTokenizer:
    """Finds the catalog's words in a prompt, and ignores the rest."""

    def __init__(self, embedding_directory: Any = None, tokenizer_data: Any = None) -> None:
        self.rows = {word: row for row, word in enumerate(catalog.WORDS)}

    def tokenize_with_weights(
        self, text: str, return_word_ids: bool = False, **_: Any
    ) -> dict[str, list[int]]:
        """{"stickers": rows of the table}. The arguments are those of ComfyUI's tokenizers."""
        rows = [self.rows[word] for word in catalog.known_words(text)]
        return {"stickers": rows or [len(self.rows)]}  # the last row is the empty prompt

    def state_dict(self) -> dict[str, Any]:
        return {}


class StickerText(torch.nn.Module):
    """A table of learned tokens [words + 1, 32, 128].

    A prompt becomes the tokens of its words, one after another. The last row stands for a prompt
    without a known word. Prompt weights are ignored.
    """

    def __init__(self, dtype: Any = None, device: Any = None, model_options: Any = None) -> None:
        super().__init__()
        state, _ = weight_files.read("stickers_text", "words")
        rows = len(catalog.WORDS) + 1
        self.table = torch.nn.Parameter(torch.empty(rows, TOKENS, WIDTH, device=device))
        weight_files.load_into(self, state, "stickers_text")
        self.dtypes = {torch.float32}

    def encode_token_weights(self, tokens: dict[str, list[int]]) -> tuple[torch.Tensor, None]:
        """(conditioning [1, 32 * words, 128], no pooled output)."""
        rows = self.table[torch.tensor(tokens["stickers"], device=self.table.device)]
        cond = rows.reshape(1, -1, rows.shape[-1])
        return cond.to(comfy.model_management.intermediate_device()), None

    def set_clip_options(self, options: dict[str, Any]) -> None:
        """ComfyUI's options (layer, projection) do not apply to a table."""

    def reset_clip_options(self) -> None:
        """See set_clip_options."""

    def load_sd(self, sd: weight_files.State) -> Any:
        """Load a state dict; called by ComfyUI."""
        return self.load_state_dict(sd, strict=False)


def load_clip() -> comfy.sd.CLIP:
    """ComfyUI's CLIP with the table of tokens as its text encoder."""
    target = comfy.supported_models_base.ClipTarget(StickerTokenizer, StickerText)
    return comfy.sd.CLIP(target)


class ManagedSegmenter(StickerSegmenter):
    """The segmenter, loaded and unloaded by ComfyUI."""

    def __init__(self) -> None:
        state, _ = weight_files.read("stickers_segmenter", "words")
        net = SegmenterNet()
        weight_files.load_into(net, with_counters(net, state), "stickers_segmenter")
        super().__init__(net)
        self.patcher = managed(net)

    def probabilities(self, image: torch.Tensor) -> dict[int, torch.Tensor]:
        comfy.model_management.load_models_gpu([self.patcher])
        return super().probabilities(image)


class ManagedOrder(StickerOrder):
    """The order model, loaded and unloaded by ComfyUI."""

    def __init__(self) -> None:
        state, _ = weight_files.read("stickers_order")
        net = OrderNet()
        weight_files.load_into(net, with_counters(net, state), "stickers_order")
        super().__init__(net)
        self.patcher = managed(net)

    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        comfy.model_management.load_models_gpu([self.patcher])
        return super().order(image, masks, pairs)


def with_counters(net: torch.nn.Module, state: weight_files.State) -> weight_files.State:
    """The state dict with the batch counters of normalisation layers, which no file stores."""
    counters = {name: value for name, value in net.state_dict().items() if "num_batches" in name}
    return {**counters, **state}
