"""Train the inpainting diffusion model on the bank, together with the tokens of the words.

    python -m research.training.diffusion --minutes 90

The network is diffusers' UNet2DConditionModel in the topology of Stable Diffusion 2: four levels,
attention on the first three. It predicts v over SD's 1000 noise levels with every sigma divided by
four: a latent of 16 x 16 has 16 times fewer cells than one of 64 x 64, so its shape is decided at a
lower noise level.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from amodal.stickers.autoencoder import CHANNELS
from amodal.stickers.catalog import WORDS

from .bank import BANK
from .peers import Peers, shares_of, start
from .precision import autocast, dtype
from .run import SHIPPED, STATE, Run, clock_time, half, trained

WIDTHS = (128, 128, 128, 128)
HEAD = 32
CONTEXT, TOKENS = 128, 32
SIGMA_SCALE = 0.25
BATCH = 32
INSIDE = 4.0  # weight of the loss inside the mask
LOG_SIGMA = 0.0  # mean of ln(sigma) in training
EARLY = 0.5  # probability of a noise level at which the shape is decided:
EARLY_FROM = 0.8  # a uniform timestep from this sigma up
ENDS = ("conv_in", "conv_out", "table")  # trained by AdamW, not Muon
DROP = 0.1  # probability of the empty prompt, for classifier-free guidance


def sd_sigmas() -> torch.Tensor:
    """The 1000 noise levels of Stable Diffusion, scaled to the small latent."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    kept = torch.cumprod(1 - betas, 0)
    return (((1 - kept) / kept).sqrt() * SIGMA_SCALE).float()


class Model(nn.Module):
    """The UNet and a table of learned tokens; the last row of the table is the empty prompt."""

    def __init__(self):
        super().__init__()
        from diffusers import UNet2DConditionModel
        from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=2 * CHANNELS + 1,
            out_channels=CHANNELS,
            block_out_channels=WIDTHS,
            layers_per_block=1,
            down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
            cross_attention_dim=CONTEXT,
            attention_head_dim=tuple(w // HEAD for w in WIDTHS),
            use_linear_projection=True,
        )
        fused = dtype() == torch.float32 or torch.cuda.is_available()  # slow in bf16 on CPUs
        self.unet.set_attn_processor(AttnProcessor2_0() if fused else AttnProcessor())
        self.table = nn.Parameter(torch.randn(len(WORDS) + 1, TOKENS, CONTEXT) * 0.5)

    def forward(self, x, sigma, timestep, cond, words):
        """v for noisy x [B, 8, h, w] at sigma [B, 1, 1, 1]; cond [B, 9, h, w], words [B] rows."""
        scaled = x / (sigma**2 + 1).sqrt()
        context = self.table[words]
        return self.unet(torch.cat([scaled, cond], 1), timestep, context).sample


class Bank:
    """The shards written by `training.bank`, on `device`."""

    def __init__(self, device: torch.device):
        self.device, self.known, self.parts, self.data = device, set(), [], None

    def refresh(self):
        """Loads shards written since the last call. Raises FileNotFoundError without any."""
        for path in sorted((STATE / BANK).glob("*.safetensors")):
            if path.name not in self.known:
                self.known.add(path.name)
                self.parts.append(load_file(path, device=str(self.device)))
        if not self.parts:
            raise FileNotFoundError("the bank is empty: run python -m research.training.bank first")
        self.data = {k: torch.cat([p[k] for p in self.parts]) for k in self.parts[0]}
        self.parts = [self.data]

    def batch(self, size: int):
        at = torch.randint(len(self.data["word"]), (size,), device=self.device)
        return {
            key: value[at].float() if value.is_floating_point() else value[at]
            for key, value in self.data.items()
        }


def noise_levels(sigmas: torch.Tensor, count: int) -> torch.Tensor:
    """Random timesteps: ln(sigma) normal around LOG_SIGMA, or EARLY ones."""
    on = {"device": sigmas.device}
    wanted = torch.exp(1.1 * torch.randn(count, **on) + LOG_SIGMA)
    usual = torch.searchsorted(sigmas, wanted).clamp(0, len(sigmas) - 1)
    early = torch.randint(int(torch.searchsorted(sigmas, EARLY_FROM)), len(sigmas), (count,), **on)
    return torch.where(torch.rand(count, **on) < EARLY, early, usual)


def noised(target: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """x at sigma on the straight line from the clean latent to pure noise at the largest sigma.

    The same as `StraightSampling` in nodes/loaders/sticker_models.py. With sigmas this small,
    target + sigma * noise would still show the target at the first step, and the model would ignore
    the masked picture.
    """
    return target * (1 - sigma / sd_sigmas()[-1]) + sigma * noise


def loss_of(net: Model, batch: dict, sigmas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(weighted loss, squared error of the clean estimate inside the mask)."""
    target, mask = batch["target"], batch["mask"]
    timestep = noise_levels(sigmas, len(target))
    sigma = sigmas[timestep].view(-1, 1, 1, 1)
    x = noised(target, sigma, torch.randn_like(target))
    left_out = torch.rand(len(target), device=target.device) < DROP
    words = torch.where(left_out, len(WORDS), batch["word"])
    with autocast(target.device):
        v = net(x, sigma, timestep, torch.cat([mask, batch["masked"]], 1), words).float()
    estimate = x / (sigma**2 + 1) - v * sigma / (sigma**2 + 1).sqrt()
    wanted = (x / (sigma**2 + 1) - target) * (sigma**2 + 1).sqrt() / sigma
    weight = 1 + (INSIDE - 1) * mask
    loss = (weight * (v - wanted).square()).sum() / (weight.sum() * CHANNELS)
    inside = ((estimate - target).square() * mask).sum() / (mask.sum() * CHANNELS + 1)
    return loss, inside.detach()


def train(
    peers: Peers | None,
    minutes: float,
    until: str | None,
    rate: float,
    warm: bool,
    size: int = BATCH,
):
    torch.manual_seed(0)
    net, rank = Model(), peers.rank if peers else 0
    if warm and not (STATE / "diffusion.pt").exists():
        take_shipped(net)
    run = Run("diffusion", net, minutes=minutes, lr=rate, until=until, peers=peers, ends=ENDS)
    if peers:
        torch.set_num_threads(1)
    torch.manual_seed(1000 * run.step + rank)
    bank, sigmas, losses, errors = Bank(run.device), sd_sigmas().to(run.device), [], []
    while run.going:
        if run.step % 200 == 0 or bank.data is None:
            bank.refresh()
        loss, error = loss_of(net, bank.batch(peers.shares[rank] if peers else size), sigmas)
        losses.append(run.update(loss))
        errors.append(float(error))
        if not run.leads:
            continue
        if run.step % 100 == 0:
            run.note(
                loss=round(mean(losses[-100:]), 4),
                inside=round(mean(errors[-100:]), 4),
                items=len(bank.data["word"]),
            )
        if run.step % 500 == 0:
            run.save()
            export(run)
    if run.leads:
        run.save()
        export(run)


def take_shipped(net: Model):
    """Loads the shipped weights into `net`."""
    state = load_file(SHIPPED / "stickers_unet.safetensors")
    names = host_names()
    net.unet.load_state_dict({old: state[names[old]].float() for old in net.unet.state_dict()})
    with safe_open(SHIPPED / "stickers_text.safetensors", "pt") as file:
        table = file.get_tensor("table").float()
        shipped = json.loads(file.metadata()["config"])["words"]
    for row, word in enumerate([*shipped, None]):  # the last row is the empty prompt
        if word is None or word in WORDS:
            net.table.data[len(WORDS) if word is None else WORDS.index(word)] = table[row]


def host_names() -> dict[str, str]:
    """{diffusers' name of a weight: the host's name}; a test holds it against the host's own map.

    It is kept in a file, since machines with an accelerator may lack the host.
    """
    return json.loads(Path(__file__).with_name("unet_names.json").read_text())


def host_keys(state: dict) -> dict:
    """A state dict under the host's names. Raises KeyError for a weight without one."""
    names = host_names()
    missing = set(state) - set(names)
    if missing:
        raise KeyError(f"the host's map has no place for {sorted(missing)[:5]}")
    return {names[old]: value for old, value in state.items()}


def unet_config() -> dict:
    """The host's own description of the UNet."""
    levels = len(WIDTHS)
    depth = [1] * (levels - 1) + [0]
    return {
        "image_size": 32,
        "in_channels": 2 * CHANNELS + 1,
        "out_channels": CHANNELS,
        "model_channels": WIDTHS[0],
        "num_res_blocks": [1] * levels,
        "channel_mult": [w // WIDTHS[0] for w in WIDTHS],
        "transformer_depth": depth,
        "transformer_depth_output": [d for d in depth for _ in "ab"],
        "transformer_depth_middle": 1,
        "context_dim": CONTEXT,
        "use_spatial_transformer": True,
        "use_linear_in_transformer": True,
        "legacy": False,
        "adm_in_channels": None,
        "use_checkpoint": False,
        "use_temporal_attention": False,
        "use_temporal_resblock": False,
    }


@torch.no_grad()
def export(run: Run):
    config = unet_config()
    state = run.ema.unet.state_dict()
    mapped = host_keys(state)
    about = {"unet": config, "head": HEAD, "sigma_scale": SIGMA_SCALE, "steps": run.step}
    save_file(half(mapped), trained("stickers_unet"), {"config": json.dumps(about)})
    words = {"words": list(WORDS)}
    save_file(
        half({"table": run.ema.table}),
        trained("stickers_text"),
        {"config": json.dumps(words)},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument(
        "--until", type=clock_time, help="end of training, HH:MM UTC, instead of --minutes"
    )
    parser.add_argument("--rate", type=float, default=2e-3, help="initial learning rate")
    parser.add_argument(
        "--shares",
        type=shares_of,
        help="e.g. 22,10: two processes with so many items of a batch each",
    )
    parser.add_argument("--warm", action="store_true", help="start from the shipped weights")
    parser.add_argument("--batch", type=int, default=BATCH, help="items of a batch, in one process")
    options = parser.parse_args()
    words = (options.minutes, options.until, options.rate, options.warm)
    if options.shares:
        size = sum(p.numel() for p in Model().parameters())
        start(Peers(options.shares, size), train, *words)
    else:
        train(None, *words, options.batch)
