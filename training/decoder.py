"""Sharpen the autoencoder's decoder once the bank is encoded; the encoder, so the latents, stay.

    python -m training.decoder --minutes 12

Latents get the noise that diffusion leaves in them. A small discriminator of patches beside the
colour and edge losses keeps edges crisp where the latent does not say exactly where they are.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import pool
from .autoencoder import export, reconstruction_loss
from .bank import load_autoencoder
from .run import Run

BATCH = 12
CROP = 64
ADVERSARIAL = 0.02
WARM = 600  # steps of a session before the discriminator has a say


def patches() -> nn.Sequential:
    """Judges patches of about 30 pixels: [B, 3, H, W] -> [B, 1, H / 8, W / 8]."""
    norm = nn.utils.parametrizations.spectral_norm
    layers, before = [], 3
    for width in (32, 64, 96):
        layers += [norm(nn.Conv2d(before, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
        before = width
    return nn.Sequential(*layers, norm(nn.Conv2d(before, 1, 3, 1, 1)))


def crops(data, rng) -> torch.Tensor:
    """[B, 3, CROP, CROP] float 0..1, each the busiest of two of a picture."""
    found = []
    for at in rng.integers(0, len(data["words"]), BATCH):
        image = data["image"][at]
        tries = [image[y : y + CROP, x : x + CROP] for y, x in rng.integers(0, 65, (2, 2))]
        found.append(max(tries, key=lambda crop: crop.std()))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() / 255


def step(run: Run, judge, judge_optimizer, image: torch.Tensor, at: int) -> float:
    """One step of the decoder and, after a while, one of the judge; the log of the error."""
    net = run.net
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():
            latent = net.encode(image)
            latent += torch.rand(len(latent), 1, 1, 1) * 0.2 * torch.randn_like(latent)
        output = net.decode(latent)
    output = output.float()
    loss = reconstruction_loss(output, image)
    if at > WARM:
        with torch.autocast("cpu", torch.bfloat16):
            verdict = judge(output)
        loss = loss - ADVERSARIAL * verdict.float().mean()
    run.update(loss)
    if at > WARM // 2:
        with torch.autocast("cpu", torch.bfloat16):
            true, false = judge(torch.cat([image, output.detach()])).float().chunk(2)
        judge_optimizer.zero_grad()
        (F.relu(1 - true).mean() + F.relu(1 + false).mean()).backward()
        judge_optimizer.step()
    return float((output.detach().clamp(0, 1) - image).square().mean((1, 2, 3)).log10().mean())


def train(minutes: float):
    torch.manual_seed(0)
    net = load_autoencoder()
    net.decoder.requires_grad_(True)
    run = Run("decoder", net, minutes=minutes, lr=6e-4, decay=0.998)
    judge = patches()
    judge_optimizer = torch.optim.Adam(judge.parameters(), 2e-4, betas=(0.5, 0.9))
    data, rng, psnr = pool.load(), np.random.default_rng([run.step, 5]), []
    while run.going:
        error = step(run, judge, judge_optimizer, crops(data, rng), len(psnr))
        psnr.append(-10 * error)
        if run.step % 100 == 0:
            run.note(psnr=round(float(np.mean(psnr[-100:])), 2))
    run.save()
    export(run, measure=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=12)
    train(parser.parse_args().minutes)
