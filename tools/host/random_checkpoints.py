"""Checkpoints of the Stable Diffusion families in their original key layout, with random weights.

Shapes and key names come from the host's own networks, built without memory on torch's meta device.
A file therefore has the size and the keys of a published checkpoint. Import this after the host.
"""

from pathlib import Path

import comfy.ldm.models.autoencoder
import comfy.sd1_clip
import comfy.supported_models
import comfy.text_encoders.sd2_clip
import torch

META = torch.device("meta")
NUMBERS = 2**22 - 3  # not a power of two, so that the rows of a matrix differ
UNET = {
    "use_checkpoint": False,
    "image_size": 32,
    "use_spatial_transformer": True,
    "legacy": False,
    "adm_in_channels": None,
    "out_channels": 4,
    "model_channels": 320,
    "use_temporal_resblock": False,
    "use_temporal_attention": False,
}
VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}


def sd_unet(mult, blocks: int, depth, middle: int) -> dict:
    """The part of a UNet configuration that depends on the depth at each level."""
    return {
        "num_res_blocks": [blocks] * len(mult),
        "channel_mult": list(mult),
        "transformer_depth": [d for d in depth for _ in range(blocks)],
        "transformer_depth_output": [d for d in depth for _ in range(blocks + 1)],
        "transformer_depth_middle": middle,
    }


FAMILIES = {  # (the host's model class, its text encoder, the UNet configuration)
    "sd15": (
        comfy.supported_models.SD15,
        comfy.sd1_clip.SD1ClipModel,
        {
            **UNET,
            **sd_unet((1, 2, 4, 4), 2, (1, 1, 1, 0), 1),
            "context_dim": 768,
            "use_linear_in_transformer": False,
        },
    ),
    "sd2": (
        comfy.supported_models.SD20,
        comfy.text_encoders.sd2_clip.SD2ClipModel,
        {
            **UNET,
            **sd_unet((1, 2, 4, 4), 2, (1, 1, 1, 0), 1),
            "context_dim": 1024,
            "use_linear_in_transformer": True,
        },
    ),
    "sdxl": (
        comfy.supported_models.SDXL,
        None,
        {
            **UNET,
            **sd_unet((1, 2, 4), 2, (0, 2, 10), 10),
            "context_dim": 2048,
            "use_linear_in_transformer": True,
            "num_classes": "sequential",
            "adm_in_channels": 2816,
        },
    ),
    "sv3d": (  # with the elevation as an input (sv3d_p)
        comfy.supported_models.SV3D_p,
        None,
        {
            **UNET,
            **sd_unet((1, 2, 4, 4), 2, (1, 1, 1, 0), 1),
            "context_dim": 1024,
            "use_linear_in_transformer": True,
            "num_classes": "sequential",
            "adm_in_channels": 1280,
            "use_temporal_resblock": True,
            "use_temporal_attention": True,
            "disable_temporal_crossattention": False,
            "extra_ff_mix_layer": True,
            "use_spatial_context": True,
            "merge_strategy": "learned_with_images",
            "merge_factor": 0.0,
            "video_kernel_size": [3, 1, 1],
        },
    ),
}


def unet_layout(family: str, inputs: int = 9, **changes) -> dict:
    """{key: meta tensor} of a checkpoint's UNet; `changes` override its configuration."""
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
        **prefixed(meta(vae.state_dict()), "first_stage_model."),
        **meta(words),
    }


def meta(state: dict) -> dict:
    """The same tensors on the meta device."""
    return {key: value.to(META) for key, value in state.items()}


def prefixed(state: dict, prefix: str) -> dict:
    """The same tensors with `prefix` before each key."""
    return {prefix + key: value for key, value in state.items()}


def random(key: str, like: torch.Tensor, noise: torch.Tensor, dtype) -> torch.Tensor:
    """A weight of the shape of `like` that keeps activations of order 1.

    Norms are the identity, biases are 0. The noise is repeated, because drawing billions of random
    numbers takes minutes.
    """
    if like.ndim > 1:
        scaled = (noise * like[0].numel() ** -0.5).to(dtype)
        return scaled.repeat(-(-like.numel() // len(scaled)))[: like.numel()].reshape(like.shape)
    return torch.full(like.shape, 1.0 if key.endswith("weight") else 0.0, dtype=dtype)


def write(path: Path, family: str, inputs: int = 9, seed: int = 0, **changes) -> int:
    """Writes a checkpoint in half precision; returns the number of its parameters."""
    return save(path, layout(family, inputs, **changes), torch.float16, seed)


def save(path: Path, shapes: dict, dtype, seed: int = 0) -> int:
    """Writes random weights for {key: meta tensor}; returns the number of parameters."""
    from safetensors.torch import save_file

    noise = torch.randn(NUMBERS, generator=torch.Generator().manual_seed(seed))
    state = {key: random(key, like, noise, dtype) for key, like in shapes.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    return sum(value.numel() for value in state.values())


def flux_fill_layout(depth: int = 1, single: int = 3) -> dict:
    """{key: meta tensor} of flux1-fill-dev.safetensors with fewer blocks.

    The published file has depth 19 and 38 single blocks. The host detects both numbers from the
    keys. All other sizes are those that it expects.
    """
    config = comfy.supported_models.FluxInpaint(
        {
            "image_model": "flux",
            "guidance_embed": True,
            "in_channels": 96,
            "out_channels": 16,
            "vec_in_dim": 768,
            "context_in_dim": 4096,
            "hidden_size": 3072,
            "mlp_ratio": 4.0,
            "num_heads": 24,
            "depth": depth,
            "depth_single_blocks": single,
            "axes_dim": [16, 56, 56],
            "theta": 10000,
            "patch_size": 2,
            "qkv_bias": True,
        }
    )
    config.set_inference_dtype(torch.bfloat16, None)
    return config.get_model({}, "", device=META).diffusion_model.state_dict()
