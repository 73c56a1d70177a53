"""The sticker world's models in the host's care: MODEL, CLIP and VAE, segmenter and order model.

Every net sits in a ModelPatcher, so that the host decides where it is and when it leaves. A weights
file that is missing, broken or of another model raises BadInput (see amodal/stickers/weights.py).
"""

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

TOKENS, WIDTH = 32, 128  # learned tokens for each word, and their width


class StickerLatent(comfy.latent_formats.LatentFormat):
    """Eight channels of unit variance; the factors for previews come with the weights."""

    latent_channels = CHANNELS


class StickerConfig(comfy.supported_models.SD20):
    """Stable Diffusion 2's topology, v-prediction; the sizes come with the weights."""

    latent_format = StickerLatent
    unet_extra_config = {"num_heads": -1, "num_head_channels": 32, "attn_precision": torch.float32}

    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.V_PREDICTION


class StraightSampling(ModelSamplingDiscrete, V_PREDICTION):
    """x at sigma on the straight line from the clean latent to pure noise at the largest sigma.

    Where the largest sigma is small, latent + sigma * noise is not where sampling from pure noise
    passes through: at 3.65 it would show much of a 16x16 latent. dx/dsigma = (x - x0) / sigma holds
    on this line too, so every sampler of the host fits, and all else is v-prediction.
    """

    def noise_scaling(self, sigma, noise, latent_image, max_denoise=False):
        sigma = reshape_sigma(sigma, noise.ndim)
        return noise * sigma + latent_image * self.kept(sigma)

    def inverse_noise_scaling(self, sigma, latent):
        sigma = reshape_sigma(sigma, latent.ndim)
        return latent / self.kept(sigma).clamp(min=1e-3)

    def kept(self, sigma):
        """How much of the clean latent is left in x."""
        return 1 - sigma / self.sigma_max.to(sigma)


def load_checkpoint() -> tuple:
    """(MODEL, CLIP, VAE)."""
    return load_model(), load_clip(), StickerVAE()


def load_model() -> comfy.model_patcher.ModelPatcher:
    """The inpainting UNet: 8 channels of latent, 1 of mask, 8 of the masked picture's latent."""
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
    """A net the host may move between its devices."""
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
        state, _ = weight_files.read("stickers_vae")
        self.first_stage_model = weight_files.load_into(Autoencoder(), state, "stickers_vae")
        self.patcher = comfy.model_patcher.ModelPatcher(
            self.first_stage_model,
            load_device=self.device,
            offload_device=comfy.model_management.vae_offload_device(),
        )
        self.process_input = lambda image: image
        self.process_output = lambda image: image.clamp(0.0, 1.0)
        # the widest layers' activations, in bytes for each pixel
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
    """A table of learned tokens [words + 1, 32, 128]; a prompt is its words' tokens in a row.

    The last row is the prompt without a known word. Prompt weights are passed over.
    """

    def __init__(self, dtype=None, device=None, model_options=None):
        super().__init__()
        state, _ = weight_files.read("stickers_text", "words")
        rows = len(catalog.WORDS) + 1
        self.table = torch.nn.Parameter(torch.empty(rows, TOKENS, WIDTH, device=device))
        weight_files.load_into(self, state, "stickers_text")
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
    """The words' tokens behind the host's CLIP."""
    target = comfy.supported_models_base.ClipTarget(StickerTokenizer, StickerText)
    return comfy.sd.CLIP(target)


class ManagedSegmenter(StickerSegmenter):
    """The segmenter with its net in the host's care."""

    def __init__(self):
        state, _ = weight_files.read("stickers_segmenter", "words")
        net = SegmenterNet()
        weight_files.load_into(net, with_counters(net, state), "stickers_segmenter")
        super().__init__(net)
        self.patcher = managed(net)

    def probabilities(self, image):
        comfy.model_management.load_models_gpu([self.patcher])
        return super().probabilities(image)


class ManagedOrder(StickerOrder):
    """The order model with its net in the host's care."""

    def __init__(self):
        state, _ = weight_files.read("stickers_order")
        net = OrderNet()
        weight_files.load_into(net, with_counters(net, state), "stickers_order")
        super().__init__(net)
        self.patcher = managed(net)

    def order(self, image, masks, pairs):
        comfy.model_management.load_models_gpu([self.patcher])
        return super().order(image, masks, pairs)


def with_counters(net: torch.nn.Module, state: dict) -> dict:
    """The state with the batch counters of normalisation layers, which no file stores."""
    return {**{k: v for k, v in net.state_dict().items() if "num_batches" in k}, **state}
