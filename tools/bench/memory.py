"""Memory of each stage with the paper's models, computed from their sizes: no weights needed.

    python -m tools.bench.memory        # with the environment's Python

Weights are counted on torch's meta device, in half precision (SAM's and GroundingDINO's heads in
single, as they are run); working memory is what the host itself sets aside, or what our loaders ask
it for. Models leave the GPU when the next one needs the room, so the largest stage counts.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 8.0  # GB
SIDE = 512


def parameters(state: dict) -> float:
    return float(sum(value.numel() for value in state.values()))


def stages(running) -> list[tuple[str, float, float]]:
    """(stage, GB of weights, GB to work in) of a pass at 512x512 with Stable Diffusion 2.

    running: the host in this process, with the pack (tools/host/inprocess.py).
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
    half, single, giga = 2, 4, 1e9
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
    """Weights of the VAE's shapes; the host takes what it needs from them."""
    from comfy.ldm.models.autoencoder import AutoencoderKL

    with torch.device("cpu"):
        return AutoencoderKL(embed_dim=4, ddconfig=checkpoints.VAE).state_dict()


def unet_working(shape: tuple) -> float:
    """Bytes that the host sets aside for a call of Stable Diffusion 2's UNet.

    By its rule without flash attention, the larger of the two.
    """
    import math

    area = shape[0] * math.prod(shape[2:])
    return area * 0.15 * 1024 * 1024


def sam_vit_h() -> float:
    from segment_anything import build_sam_vit_h

    return parameters(build_sam_vit_h().state_dict())


def rows(running) -> list[tuple[str, str]]:
    found = stages(running)
    lines = [
        (f"{name}: weights and working memory", f"{weights:.2f} + {working:.2f} GB")
        for name, weights, working in found
    ]
    most = max(weights + working for _, weights, working in found)
    return [*lines, (f"**most at once** (aim: under {LIMIT:.0f} GB)", f"**{most:.2f} GB**")]


def resident() -> tuple[float, float]:
    """(now, at most since `forget_peak`) GB of this process; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    kilobytes = dict(line.split(":", 1) for line in lines)
    return tuple(int(kilobytes[key].split()[0]) / 1e6 for key in ("VmRSS", "VmHWM"))


def forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # another system, or no right to: the peak is then that of the whole run
        return


if __name__ == "__main__":
    from tools.host.inprocess import host

    for name, figure in rows(host()):
        print(f"{name:60} {figure}")
