"""Train the autoencoder of `amodal/stickers/autoencoder.py`.

    python -m training.autoencoder --minutes 25

It has no normalisation layers, so crops train what whole pictures need. Latents are held near
unit variance, and noise is added to them in training, so that the decoder forgives what a
diffusion model gets slightly wrong.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from amodal.stickers import scenes
from amodal.stickers.autoencoder import CHANNELS, Autoencoder
from amodal.stickers.catalog import WORDS

from .run import WEIGHTS, Run, half

CROP = 64
BATCH = 48


class Crops(torch.utils.data.IterableDataset):
    """Crops [3, 64, 64] of random scenes, mostly where something is to be seen."""

    def __init__(self, seed: int):
        self.seed = seed

    def __iter__(self):
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        while True:
            sheet = random_sheet(rng)
            for _ in range(4):
                yield torch.from_numpy(random_crop(rng, sheet)).permute(2, 0, 1)


def random_sheet(rng, size: int = 128) -> np.ndarray:
    """A picture [size, size, 3] of one to four objects, sometimes with gray holes."""
    kind = str(rng.choice(scenes.BACKGROUNDS))
    scene = scenes.Scene(size, scenes.make_background(rng, kind, 2 * size))
    for _ in range(rng.integers(1, 5)):
        scene.layers.append(scenes.random_layer(rng, str(rng.choice(WORDS)), size, (0.35, 0.8)))
    image = scene.image
    if rng.random() < 0.4:
        hole = scenes.random_layer(rng, str(rng.choice(WORDS)), size, (0.3, 0.8)).amodal
        image = np.where(scene.window(hole)[..., None], np.float32(scenes.GRAY), image)
    return image


def random_crop(rng, image: np.ndarray) -> np.ndarray:
    """The busiest of three random crops, now and then any."""
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


def train(minutes: float, workers: int):
    net = Autoencoder().to(memory_format=torch.channels_last)
    run = Run("autoencoder", net, minutes=minutes, lr=1e-3)
    data = torch.utils.data.DataLoader(Crops(run.step + 1), BATCH, num_workers=workers)
    psnr = []
    for batch in data:
        if not run.going:
            break
        batch = batch.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            z = net.encoder(batch)
            noisy = z + 0.1 * torch.rand(len(z), 1, 1, 1) * torch.randn_like(z)
            output = net.decoder(noisy)
        loss = reconstruction_loss(output.float(), batch) + 0.02 * latent_loss(z.float())
        run.update(loss)
        error = (output.detach().float().clamp(0, 1) - batch).square().mean((1, 2, 3))
        psnr.append(float(-10 * error.log10().mean()))
        if run.step % 100 == 0:
            run.note(
                psnr=round(float(np.mean(psnr[-100:])), 2), std=round(float(z.detach().std()), 3)
            )
    run.save()
    export(run)


@torch.no_grad()
def export(run: Run, measure: bool = True):
    """Write weights/stickers_vae.safetensors; `measure` scale and shift, or keep them."""
    net = run.ema.eval()
    rng = np.random.default_rng(7)
    batch = torch.stack([torch.from_numpy(random_sheet(rng)).permute(2, 0, 1) for _ in range(64)])
    z = net.encoder(batch)
    state = dict(net.state_dict())
    if measure:
        state["scale"], state["shift"] = z.std(), z.mean()
    z = (z - state["shift"]) / state["scale"]
    decoded = net.decoder(z * state["scale"] + state["shift"]).clamp(0, 1)
    rgb = F.avg_pool2d(batch, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    flat = z.permute(0, 2, 3, 1).reshape(-1, CHANNELS)
    factors = torch.linalg.lstsq(
        torch.cat([flat, torch.ones(len(flat), 1)], 1), 2 * rgb - 1
    ).solution
    error = float((decoded - batch).square().mean((1, 2, 3)).log10().mean() * -10)
    print(f"PSNR of whole pictures {error:.2f} dB, std of latents {float(z.std()):.3f}")
    WEIGHTS.mkdir(exist_ok=True)
    about = {
        "latent_channels": CHANNELS,
        "psnr": round(error, 2),
        "steps": run.step,
        "latent_rgb_factors": factors[:-1].tolist(),
        "latent_rgb_bias": factors[-1].tolist(),
    }
    save_file(half(state), WEIGHTS / "stickers_vae.safetensors", {"config": json.dumps(about)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    train(options.minutes, options.workers)
