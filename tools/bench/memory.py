"""Memory of each stage with the paper's models, computed from their sizes, without weights.

    python -m tools.bench.memory        # with the environment's Python

Weights are counted on torch's meta device. The UNet, VAE, text encoder and SAM count in half
precision; GroundingDINO, the order model and LaMa in single precision. Working memory is what the
host reserves, or what the pack's loaders request from it. The host unloads models when another one
needs the room, so the largest stage counts.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 8.0  # GB of GPU memory
SIDE = 512  # pixels of the crop


def parameters(state: dict) -> float:
    """Number of parameters in a state dict."""
    return float(sum(value.numel() for value in state.values()))


def stages(running) -> list[tuple[str, float, float]]:
    """(stage, GB of weights, GB of working memory) of a pass at 512x512, Stable Diffusion 2.

    running: the host in this process, with the pack (`tools.host.inprocess.host`).
    """
    import comfy.sd
    import torch

    from amodal.models.instaorder import OrderNet
    from tools.host import random_checkpoints

    modules = {
        name: sys.modules[running.pack[node].__module__]
        for name, node in {
            "segmenter": "AmodalLoadSegmenter",
            "order": "AmodalLoadOrderModel",
            "inpaint": "AmodalLoadInpaintModel",
        }.items()
    }
    half, single, giga = 2, 4, 1e9  # bytes per parameter; bytes per GB
    state = random_checkpoints.layout("sd2")
    parts = {
        part: parameters({k: v for k, v in state.items() if k.startswith(prefix)})
        for part, prefix in (
            ("unet", "model."),
            ("vae", "first_stage_model."),
            ("text", "cond_stage_model."),
        )
    }
    vae = comfy.sd.VAE(sd=small_vae(random_checkpoints, torch))
    cells = SIDE // 8
    with torch.device("meta"):
        sam, order = sam_vit_h(), parameters(OrderNet().state_dict())
    return [
        ("text encoder", parts["text"] * half / giga, 0.1),
        ("GroundingDINO, SwinT", 0.172 * single, modules["segmenter"].WORKING / giga),
        ("SAM, ViT-H", sam * half / giga, modules["segmenter"].WORKING / giga),
        ("order model", order * single / giga, modules["order"].WORKING / giga),
        ("LaMa", 0.051 * single, modules["inpaint"].EACH_PIXEL * SIDE**2 / giga),
        (
            "VAE, encoding",
            parts["vae"] * half / giga,
            vae.memory_used_encode((1, 3, SIDE, SIDE), torch.float16) / giga,
        ),
        (
            "UNet, two prompts",
            parts["unet"] * half / giga,
            unet_working((2, 9, cells, cells)) / giga,
        ),
        (
            "VAE, decoding",
            parts["vae"] * half / giga,
            vae.memory_used_decode((1, 4, cells, cells), torch.float16) / giga,
        ),
    ]


def small_vae(checkpoints, torch) -> dict:
    """A state dict with the shapes of the VAE, from which the host reads its configuration."""
    from comfy.ldm.models.autoencoder import AutoencoderKL

    with torch.device("cpu"):
        return AutoencoderKL(embed_dim=4, ddconfig=checkpoints.VAE).state_dict()


def unet_working(shape: tuple) -> float:
    """Bytes that the host reserves for a call of Stable Diffusion 2's UNet.

    shape: of the latent [batch, channels, height, width]. Uses the host's rule without flash
    attention, which gives the larger of its two figures.
    """
    import math

    area = shape[0] * math.prod(shape[2:])
    return area * 0.15 * 1024 * 1024


def sam_vit_h() -> float:
    """Number of parameters of SAM ViT-H."""
    from segment_anything import build_sam_vit_h

    return parameters(build_sam_vit_h().state_dict())


def rows(running) -> list[tuple[str, str]]:
    """Rows of (name, figure) for the report: each stage, and the largest."""
    sizes = stages(running)
    lines = [
        (f"{name}: weights and working memory", f"{weights:.2f} + {working:.2f} GB")
        for name, weights, working in sizes
    ]
    most = max(weights + working for _, weights, working in sizes)
    return [*lines, (f"**largest stage** (aim: under {LIMIT:.0f} GB)", f"**{most:.2f} GB**")]


def resident() -> tuple[float, float]:
    """GB of memory of this process: now, and the peak since `forget_peak`.

    Returns (0, 0) on systems without /proc.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kilobytes = dict(line.split(":", 1) for line in lines)
    return tuple(int(kilobytes[key].split()[0]) / 1e6 for key in ("VmRSS", "VmHWM"))


def forget_peak() -> None:
    """Resets the peak of `resident`, if the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # not Linux, or no permission: the peak is then that of the whole run
        return


if __name__ == "__main__":
    from tools.host.inprocess import host

    for name, figure in rows(host()):
        print(f"{name:60} {figure}")
