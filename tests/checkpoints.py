"""Checkpoints of Stable Diffusion's families in their original key layout, with random weights.

Shapes and key names are those of the host's own nets, made without memory (on torch's meta device);
so a file here has the size and the keys of a published one, and nothing of its contents. Import
after the host.
"""

from pathlib import Path

import comfy.ldm.models.autoencoder
import comfy.sd1_clip
import comfy.supported_models
import comfy.text_encoders.sd2_clip
import torch

META = torch.device("meta")
UNET = {
    "use_checkpoint": False, "image_size": 32, "use_spatial_transformer": True, "legacy": False,
    "adm_in_channels": None, "out_channels": 4, "model_channels": 320,
    "use_temporal_resblock": False, "use_temporal_attention": False,
}
VAE = {
    "double_z": True, "z_channels": 4, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128,
    "ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0,
}


def sd_unet(mult, blocks: int, depth, middle: int) -> dict:
    """The part of a configuration that the transformers' depths at each level make."""
    return {
        "num_res_blocks": [blocks] * len(mult), "channel_mult": list(mult),
        "transformer_depth": [d for d in depth for _ in range(blocks)],
        "transformer_depth_output": [d for d in depth for _ in range(blocks + 1)],
        "transformer_depth_middle": middle,
    }


FAMILIES = {  # the host's species, its text encoder, what a UNet of that family is
    "sd15": (comfy.supported_models.SD15, comfy.sd1_clip.SD1ClipModel, {
        **UNET, **sd_unet((1, 2, 4, 4), 2, (1, 1, 1, 0), 1), "context_dim": 768,
        "use_linear_in_transformer": False,
    }),
    "sd2": (comfy.supported_models.SD20, comfy.text_encoders.sd2_clip.SD2ClipModel, {
        **UNET, **sd_unet((1, 2, 4, 4), 2, (1, 1, 1, 0), 1), "context_dim": 1024,
        "use_linear_in_transformer": True,
    }),
    "sdxl": (comfy.supported_models.SDXL, None, {
        **UNET, **sd_unet((1, 2, 4), 2, (0, 2, 10), 10), "context_dim": 2048,
        "use_linear_in_transformer": True, "num_classes": "sequential", "adm_in_channels": 2816,
    }),
}


def unet_layout(family: str, inputs: int = 9, **changes) -> dict:
    """{key: meta tensor} of a checkpoint's UNet; `changes` to its configuration make it smaller."""
    species, _, config = FAMILIES[family]
    config = species({**config, **changes, "in_channels": inputs})
    config.set_inference_dtype(torch.float32, None)
    net = config.get_model({}, "", device=META).diffusion_model
    return prefixed(net.state_dict(), "model.diffusion_model.")


def layout(family: str, inputs: int = 9, **changes) -> dict:
    """{key: meta tensor} of a whole checkpoint: UNet, VAE and text encoder."""
    species, text, _ = FAMILIES[family]
    vae = comfy.ldm.models.autoencoder.AutoencoderKL(embed_dim=4, ddconfig=VAE)
    words = species.process_clip_state_dict_for_saving(None, meta(text(device="cpu").state_dict()))
    return {
        **unet_layout(family, inputs, **changes),
        **prefixed(meta(vae.state_dict()), "first_stage_model."), **meta(words),
    }


def meta(state: dict) -> dict:
    return {key: value.to(META) for key, value in state.items()}


def prefixed(state: dict, prefix: str) -> dict:
    return {prefix + key: value for key, value in state.items()}


def random(key: str, like: torch.Tensor, generator, dtype) -> torch.Tensor:
    """A weight that keeps activations of order 1; norms are the identity, biases nothing."""
    if like.ndim > 1:
        noise = torch.randn(like.shape, generator=generator)
        return noise.mul_(like[0].numel() ** -0.5).to(dtype)
    return torch.full(like.shape, 1.0 if key.endswith("weight") else 0.0, dtype=dtype)


def write(path: Path, family: str, inputs: int = 9, seed: int = 0, **changes) -> int:
    """Writes a checkpoint in half precision, as they are published; returns its parameters."""
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(seed)
    state = {
        key: random(key, like, generator, torch.float16)
        for key, like in layout(family, inputs, **changes).items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    return sum(value.numel() for value in state.values())
