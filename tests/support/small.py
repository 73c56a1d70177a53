"""Small models with seeded random weights that the host's own nodes accept. Import after the host.

SD2's topology: four decoder levels, text cross-attention; 9 input channels for inpainting. And
transformers of the host's own kinds, Flux Fill among them, of few and narrow blocks.
"""

import comfy.controlnet
import comfy.latent_formats
import comfy.ldm.models.autoencoder
import comfy.model_base
import comfy.model_management as management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.supported_models
import torch
from comfy.ldm.flux.model import FluxParams

CONTEXT = 32
MULT, DEPTH = (1, 2, 4, 4), (1, 1, 1, 0)
KINDS = {
    "eps": comfy.model_base.ModelType.EPS,
    "v": comfy.model_base.ModelType.V_PREDICTION,
    "flow": comfy.model_base.ModelType.FLOW,
}


def unet_config(
    inputs: int = 4, mult=MULT, depth=DEPTH, blocks: int = 1, context: int = CONTEXT
) -> dict:
    return {
        "use_checkpoint": False,
        "image_size": 32,
        "use_spatial_transformer": True,
        "legacy": False,
        "adm_in_channels": None,
        "in_channels": inputs,
        "out_channels": 4,
        "model_channels": 32,
        "num_res_blocks": [blocks] * len(mult),
        "channel_mult": list(mult),
        "transformer_depth": [d for d in depth for _ in range(blocks)],
        "transformer_depth_output": [d for d in depth for _ in range(blocks + 1)],
        "transformer_depth_middle": 1,
        "use_linear_in_transformer": True,
        "context_dim": context,
        "use_temporal_resblock": False,
        "use_temporal_attention": False,
    }


def fill(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Seeded weights that keep activations of order 1 (the host leaves them uninitialised)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if weight.ndim > 1:
                noise = torch.randn(weight.shape, generator=generator)
                weight.copy_(noise * (weight[0].numel() ** -0.5))
            else:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
    return module


FLUX = {
    "image_model": "flux",
    "guidance_embed": True,
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": CONTEXT,
    "context_in_dim": CONTEXT,
    "hidden_size": 64,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 6,
    "axes_dim": [8, 12, 12],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
}
if "txt_ids_dims" in FluxParams.__annotations__:  # newer hosts ask for it
    FLUX["txt_ids_dims"] = []
TRANSFORMERS = {
    "flux": (comfy.supported_models.Flux, FLUX),
    "flux fill": (comfy.supported_models.FluxInpaint, {**FLUX, "in_channels": 96}),
    "sd3": (
        comfy.supported_models.SD3,
        {
            "in_channels": 16,
            "patch_size": 2,
            "depth": 2,
            "num_blocks": 4,
            "input_size": None,
            "adm_in_channels": CONTEXT,
            "pos_embed_max_size": 16,
            "qk_norm": "rms",
            "context_embedder_config": {
                "target": "torch.nn.Linear",
                "params": {"in_features": CONTEXT, "out_features": 128},
            },
        },
    ),
    "qwen": (
        comfy.supported_models.QwenImage,
        {
            "image_model": "qwen_image",
            "in_channels": 64,
            "out_channels": 16,
            "num_layers": 4,
            "num_attention_heads": 2,
            "attention_head_dim": 32,
            "joint_attention_dim": CONTEXT,
            "axes_dims_rope": (8, 12, 12),
        },
    ),
}


def transformer(kind: str, seed: int = 0, **shape):
    """A MODEL of one of TRANSFORMERS; `shape` changes its configuration."""
    species, config = TRANSFORMERS[kind]
    config = species({**config, **shape})
    config.set_inference_dtype(torch.float32, None)
    net = config.get_model({}, "", device=torch.device("cpu"))
    fill(net.diffusion_model, seed)
    return managed(net)


def managed(net) -> comfy.model_patcher.ModelPatcher:
    return comfy.model_patcher.ModelPatcher(
        net,
        load_device=management.get_torch_device(),
        offload_device=management.unet_offload_device(),
    )


def model(kind: str = "eps", inputs: int = 4, seed: int = 0, **shape):
    """A MODEL; `kind` is eps, v or flow, `inputs` 4 or 9."""

    class Small(comfy.supported_models.SD20):
        unet_extra_config = {
            "num_heads": -1,
            "num_head_channels": 16,
            "attn_precision": torch.float32,
        }
        sampling_settings = {"shift": 1.0} if kind == "flow" else {}

        def model_type(self, state_dict, prefix=""):
            return KINDS[kind]

    config = Small(unet_config(inputs, **shape))
    config.set_inference_dtype(torch.float32, None)
    net = config.get_model({}, "", device=torch.device("cpu"))
    fill(net.diffusion_model, seed)
    return managed(net)


def instruct(seed: int = 0, **shape):
    """A MODEL of InstructPix2Pix' kind: 8 channels, noise beside the latent of the picture."""

    class Small(comfy.supported_models.SD15_instructpix2pix):
        unet_extra_config = {
            "num_heads": -1,
            "num_head_channels": 16,
            "attn_precision": torch.float32,
        }

    config = Small(unet_config(8, **shape))
    config.set_inference_dtype(torch.float32, None)
    net = config.get_model({}, "", device=torch.device("cpu"))
    fill(net.diffusion_model, seed)
    return managed(net)


def sdxl(inputs: int = 4, seed: int = 0):
    """A MODEL of Stable Diffusion XL's kind: three decoder levels, a prompt's pooled output."""
    config = comfy.supported_models.SDXL(
        {
            **unet_config(inputs, (1, 2, 4), (0, 1, 2), 2),
            "num_classes": "sequential",
            "adm_in_channels": 6 * 256 + CONTEXT,  # six sizes beside it
        }
    )
    config.set_inference_dtype(torch.float32, None)
    net = config.get_model({}, "", device=torch.device("cpu"))
    fill(net.diffusion_model, seed)
    return managed(net)


def vae(seed: int = 0, channels: int = 4) -> comfy.sd.VAE:
    """A VAE of Stable Diffusion's kind: four channels (Flux has 16), eight times smaller."""
    config = {
        "embed_dim": channels,
        "ddconfig": {
            "double_z": True,
            "z_channels": channels,
            "resolution": 256,
            "in_channels": 3,
            "out_ch": 3,
            "ch": 32,
            "ch_mult": [1, 1, 1, 1],
            "num_res_blocks": 1,
            "attn_resolutions": [],
            "dropout": 0.0,
        },
    }
    net = fill(comfy.ldm.models.autoencoder.AutoencoderKL(**config), seed)
    return comfy.sd.VAE(sd=net.state_dict(), config={"params": config})


def control_net(seed: int = 7):
    """A CONTROL_NET for `model`, with random instead of zero convolutions, so that it acts."""
    import comfy.cldm.cldm

    config = {
        key: value
        for key, value in unet_config().items()
        if key not in ("out_channels", "transformer_depth_output")
    }
    net = comfy.cldm.cldm.ControlNet(
        **config,
        num_heads=-1,
        num_head_channels=16,
        hint_channels=3,
        dtype=torch.float32,
        device=torch.device("cpu"),
        operations=comfy.ops.disable_weight_init,
    )
    return comfy.controlnet.ControlNet(fill(net, seed), load_device=management.get_torch_device())


def words(seed: int, **extra) -> list:
    """A CONDITIONING of 8 random tokens; `extra` goes beside them."""
    generator = torch.Generator().manual_seed(seed)
    return [[torch.randn(1, 8, CONTEXT, generator=generator), extra]]


def tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
