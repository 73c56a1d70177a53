"""A checkpoint that knows the truth: MODEL, CLIP and VAE for section 3.5 as shipped.

The VAE folds 8 x 8 pixels into 192 latent channels and loses nothing. The MODEL is an inpainting
model of SD2's kind for the host: from the noise level and the conditioning it predicts the noise
whose removal gives the known latent. On the swapped background that is the object alone, in the
picture it is the picture without what hides the object. Its decoder's features tell the object,
the rest of the painted area, and the rest of the picture apart. Import after the host.
"""

from __future__ import annotations

import comfy.latent_formats
import comfy.model_base
import comfy.model_management as management
import comfy.model_patcher
import comfy.supported_models
import torch
import torch.nn.functional as F

from .stage import Stage, not_counted

CELL = 8  # pixels on a side of a latent cell
CHANNELS = 3 * CELL**2
BLOCKS, ENDS = 12, (2, 5, 8)  # of SD2's decoder; a level ends with an Upsample
FEATURES = 16  # channels
SAME = 1e-4  # a context that differs less from the crop is the crop


def folded(pixels: torch.Tensor) -> torch.Tensor:
    """[B, 192, H/8, W/8] in -1..1 from pixels [B, H, W, 3] in 0..1."""
    return F.pixel_unshuffle(pixels.movedim(-1, 1).float() * 2 - 1, CELL)


class Vae:
    downscale_ratio = CELL
    latent_channels = CHANNELS

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return folded(pixels[..., :3])

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return ((F.pixel_shuffle(latent.float(), CELL) + 1) / 2).movedim(1, -1).clamp(0, 1)

    def spacial_compression_encode(self) -> int:
        return CELL


class Clip:
    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str, **_options) -> list:
        return [[torch.zeros(1, 4, 8), {"pooled_output": torch.zeros(1, 8)}]]


class Folded(comfy.latent_formats.LatentFormat):
    latent_channels = CHANNELS


class Upsample(torch.nn.Identity):
    """Ends a level of the decoder, as the host names it."""


class Knowing(torch.nn.Module):
    """In the place of a UNet. `sampling` is the host's model_sampling."""

    def __init__(self, stage: Stage):
        super().__init__()
        self.stage, self.sampling = stage, None
        self.dtype = torch.float32
        self.weight = torch.nn.Parameter(torch.zeros(1))  # something for the host to move
        blocks = [[Upsample()] if i in ENDS else [torch.nn.Identity()] for i in range(BLOCKS)]
        self.output_blocks = torch.nn.ModuleList(map(torch.nn.ModuleList, blocks))
        self.out = torch.nn.Identity()

    def forward(self, x, timesteps, context=None, transformer_options=None, **_others):
        with not_counted():
            noisy, mask, given = x.split([CHANNELS, 1, CHANNELS], 1)
            sigma = self.sampling.sigma(timesteps).reshape(-1, 1, 1, 1).to(x)
            noisy = noisy * (sigma**2 + 1).sqrt()  # undoes the host's scaling
            wanted, features = self.known(mask[:1], given[:1])
            self.show(features.expand(len(x), -1, -1, -1), transformer_options or {})
            return (noisy - wanted) / sigma

    def known(self, mask: torch.Tensor, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(latent [1, 192, h, w] to arrive at, features [1, C, h, w]) for a conditioning."""
        image, crop = self.stage.crop
        painting = self.stage.painting_in(crop)[None]
        whole = self.stage.amodal_in(crop)[None, None]
        around = F.max_pool2d(mask, 3, 1, 1)
        inside = F.interpolate(around, scale_factor=CELL)[:, 0, ..., None] > 0.5
        in_picture = torch.where(inside, painting, image)
        alone = torch.where(whole[0, ..., None] > 0.5, in_picture, 0.5)
        untouched = (mask <= 0.5).expand_as(given)
        is_crop = (given - folded(image))[untouched].abs().median() < SAME
        cells = F.avg_pool2d(whole, CELL)
        features = torch.cat([cells, (1 - cells) * mask, (1 - cells) * (1 - mask)], 1)
        features = features.repeat(1, -(-FEATURES // 3), 1, 1)[:, :FEATURES]
        return folded(in_picture if is_crop else alone), features

    def show(self, features: torch.Tensor, options: dict) -> None:
        """Gives the features to the patches of the decoder's blocks, as the host's UNet does."""
        for number in range(BLOCKS):
            options["block"] = ("output", number)
            for patch in options.get("patches", {}).get("output_block_patch", []):
                features, _ = patch(features, features, options)
        self.out(features)


class Config(comfy.supported_models.SD20):
    """Nine input channels tell the host that this is an inpainting model."""

    latent_format = Folded

    def model_type(self, state_dict, prefix=""):
        return comfy.model_base.ModelType.EPS


def model(stage: Stage) -> comfy.model_patcher.ModelPatcher:
    """The MODEL of a run."""
    config = Config({"disable_unet_model_creation": True, "in_channels": 9})
    config.set_inference_dtype(torch.float32, None)
    net = config.get_model({}, "", device=torch.device("cpu"))
    net.diffusion_model = Knowing(stage)
    net.diffusion_model.sampling = net.model_sampling
    return comfy.model_patcher.ModelPatcher(
        net,
        load_device=management.get_torch_device(),
        offload_device=management.unet_offload_device(),
    )
