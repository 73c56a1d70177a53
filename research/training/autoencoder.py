"""Train the autoencoder of `amodal/stickers/autoencoder.py`.

    python -m research.training.autoencoder --minutes 25 --shares 24,24

The network has no normalisation layers, so training on crops suffices for full pictures. Latents
are kept near unit variance. Noise is added to them, so that the decoder tolerates small errors of
the diffusion model.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from amodal.stickers import backgrounds, scenes
from amodal.stickers.autoencoder import CHANNELS, Autoencoder
from amodal.stickers.catalog import WORDS

from .peers import Peers, shares_of, start
from .precision import autocast
from .run import SHIPPED, Run, half, trained

CROP = 64
BATCH = 48


def crops(rng, count: int) -> torch.Tensor:
    """[count, 3, 64, 64] crops of random scenes, four from each scene."""
    pictures = []
    while len(pictures) < count:
        sheet = random_sheet(rng)
        pictures += [random_crop(rng, sheet) for _ in range(4)]
    batch = torch.from_numpy(np.stack(pictures[:count])).permute(0, 3, 1, 2)
    return batch.contiguous(memory_format=torch.channels_last)


def random_sheet(rng, size: int = 128) -> np.ndarray:
    """A picture [size, size, 3] of one to four objects, sometimes with gray holes."""
    kind = str(rng.choice(scenes.BACKGROUNDS))
    scene = scenes.Scene(size, scenes.make_background(rng, kind, 2 * size))
    for _ in range(rng.integers(1, 5)):
        scene.layers.append(scenes.random_layer(rng, str(rng.choice(WORDS)), size, (0.35, 0.8)))
    image = scene.image
    if rng.random() < 0.4:
        hole = scenes.random_layer(rng, str(rng.choice(WORDS)), size, (0.3, 0.8)).amodal
        image = np.where(scene.window(hole)[..., None], np.float32(backgrounds.GRAY), image)
    return image


def random_crop(rng, image: np.ndarray) -> np.ndarray:
    """The crop with the most contrast of three; in a quarter of the cases a random crop."""
    best, most = None, -1.0
    for _ in range(1 if rng.random() < 0.25 else 3):
        y, x = rng.integers(0, image.shape[0] - CROP + 1, 2)
        crop = image[y : y + CROP, x : x + CROP]
        spread = float(crop.std())
        if spread > most:
            best, most = crop, spread
    return np.ascontiguousarray(best)


def reconstruction_loss(output, target):
    """L1 on colours and on their gradients, and a little L2."""
    loss = F.l1_loss(output, target) + 2 * F.mse_loss(output, target)
    for axis in (-1, -2):
        loss = loss + F.l1_loss(output.diff(dim=axis), target.diff(dim=axis))
    return loss


def latent_loss(z):
    """Keeps each channel's mean near 0 and its standard deviation near 1."""
    return z.mean((0, 2, 3)).square().mean() + z.std((0, 2, 3)).add(1e-4).log().square().mean()


def train(peers: Peers | None, minutes: float, rate: float, warm: bool):
    torch.manual_seed(0)
    net, rank = Autoencoder().to(memory_format=torch.channels_last), peers.rank if peers else 0
    if warm:
        load(net)
    run = Run("autoencoder", net, minutes=minutes, lr=rate, peers=peers)
    if peers:
        torch.set_num_threads(1)
    torch.manual_seed(1000 * run.step + rank)
    rng, psnr = np.random.default_rng([run.step + 1, rank]), []
    while run.going:
        batch = crops(rng, peers.shares[rank] if peers else BATCH).to(run.device)
        with autocast(run.device):
            z = net.encoder(batch)
            noisy = z + 0.1 * torch.rand(len(z), 1, 1, 1, device=z.device) * torch.randn_like(z)
            output = net.decoder(noisy)
        loss = reconstruction_loss(output.float(), batch) + 0.02 * latent_loss(z.float())
        run.update(loss)
        error = (output.detach().float().clamp(0, 1) - batch).square().mean((1, 2, 3))
        psnr.append(float(-10 * error.log10().mean()))
        if run.leads and run.step % 100 == 0:
            spread = round(float(z.detach().std()), 3)
            run.note(psnr=round(float(np.mean(psnr[-100:])), 2), std=spread)
    if run.leads:
        run.save()
        export(run)


def load(net: Autoencoder, path: Path = SHIPPED / "stickers_vae.safetensors") -> Autoencoder:
    """Loads weights (the shipped ones, unless given) into `net` and returns it."""
    state = load_file(path)
    net.load_state_dict({key: value.float() for key, value in state.items()})
    return net


@torch.no_grad()
def export(run: Run):
    """Writes stickers_vae.safetensors, with latents scaled to unit variance."""
    net = copy.deepcopy(run.ema).cpu().eval()
    rng = np.random.default_rng(7)
    batch = torch.stack([torch.from_numpy(random_sheet(rng)).permute(2, 0, 1) for _ in range(64)])
    z = net.encoder(batch)
    state = dict(net.state_dict())
    state["scale"], state["shift"] = z.std(), z.mean()
    z = (z - state["shift"]) / state["scale"]
    decoded = net.decoder(z * state["scale"] + state["shift"]).clamp(0, 1)
    rgb = F.avg_pool2d(batch, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    flat = z.permute(0, 2, 3, 1).reshape(-1, CHANNELS)
    factors = torch.linalg.lstsq(
        torch.cat([flat, torch.ones(len(flat), 1)], 1), 2 * rgb - 1
    ).solution
    error = float((decoded - batch).square().mean((1, 2, 3)).log10().mean() * -10)
    print(f"PSNR of full pictures {error:.2f} dB, std of latents {float(z.std()):.3f}")
    about = {
        "latent_channels": CHANNELS,
        "psnr": round(error, 2),
        "steps": run.step,
        "latent_rgb_factors": factors[:-1].tolist(),
        "latent_rgb_bias": factors[-1].tolist(),
    }
    save_file(half(state), trained("stickers_vae"), {"config": json.dumps(about)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--rate", type=float, default=1e-3, help="initial learning rate")
    parser.add_argument(
        "--shares",
        type=shares_of,
        help="e.g. 24,24: two processes with so many crops of a batch each",
    )
    parser.add_argument("--warm", action="store_true", help="start from the shipped weights")
    options = parser.parse_args()
    words = (options.minutes, options.rate, options.warm)
    if options.shares:
        size = sum(p.numel() for p in Autoencoder().parameters())
        start(Peers(options.shares, size), train, *words)
    else:
        train(None, *words)
