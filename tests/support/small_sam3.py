"""A SAM 3.1 of the host's own classes, narrow and shallow, with random weights, as a checkpoint.

Import after the host. The host takes a checkpoint for SAM 3.1 by its names alone and then builds
the published sizes; `shrunk` makes it build these.
"""

from pathlib import Path

import comfy.model_detection
import comfy.supported_models
import comfy.text_encoders.sam3_clip as text
import safetensors.torch
import torch

SHAPE = {
    "d_model": 64,
    "mem_dim": 64,
    "embed_dim": 64,
    "depth": 2,
    "global_att_blocks": (1,),
    "mlp_ratio": 1.0,
    "num_queries": 24,
}
TEXT = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
}


def shrunk(monkeypatch) -> None:
    """The host builds SAM 3.1 in these sizes."""
    detect = comfy.model_detection.detect_unet_config

    def small(*args, **options):
        config = detect(*args, **options)
        return {**config, **SHAPE} if config and config.get("image_model") == "SAM31" else config

    monkeypatch.setattr(comfy.model_detection, "detect_unet_config", small)
    for name, value in TEXT.items():
        monkeypatch.setitem(text.SAM3_CLIP_CONFIG, name, value)


def write(path: Path, seed: int = 0) -> None:
    """A checkpoint whose tensors are random, in the sizes of `shrunk`, which must be in force."""
    config = comfy.supported_models.SAM31({"image_model": "SAM31", **SHAPE})
    config.set_inference_dtype(torch.float32, None)
    net = config.get_model({}, "", device=torch.device("cpu")).diffusion_model
    reader = text.SAM3ClipModel(dtype=torch.float32)
    words = {
        f"detector.backbone.language_backbone.sam3_clip.{name}": value
        for name, value in reader.state_dict().items()
        if name.startswith("transformer.")
    }
    state = {**net.state_dict(), **words}
    generator = torch.Generator().manual_seed(seed)
    tensors = {name: random(name, value, generator) for name, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(tensors, path)


def random(name: str, value: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(value.shape, generator=generator)
    if value.ndim < 2:
        is_scale = name.endswith("weight") and "norm" in name
        return 0.1 * noise + (1.0 if is_scale else 0.0)
    return noise * value[0].numel() ** -0.5
