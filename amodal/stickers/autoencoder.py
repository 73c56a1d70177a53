"""The sticker world's autoencoder: [B, 3, H, W] in 0..1 <-> [B, 8, H/8, W/8] of unit variance.

Works on 4x4 blocks of pixels, so that nothing but the last convolution runs at full size, and
without normalisation layers, so that flat colours survive and pictures of any size look the same.
"""

import torch
import torch.nn.functional as F
from torch import nn

CHANNELS = 8


def conv(inputs: int, outputs: int, **options) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)

    def forward(self, x):
        return x + self.second(F.silu(self.first(F.silu(x))))


class Autoencoder(nn.Module):
    """`shift` and `scale` bring the latents to zero mean and unit variance."""

    def __init__(self, channels: int = CHANNELS, fine: int = 96, coarse: int = 128):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            conv(48, fine),
            Residual(fine),
            Residual(fine),
            conv(fine, coarse, stride=2),
            *(Residual(coarse) for _ in range(3)),
            nn.SiLU(),
            conv(coarse, channels),
        )
        self.decoder = nn.Sequential(
            conv(channels, coarse),
            *(Residual(coarse) for _ in range(3)),
            conv(coarse, 4 * fine),
            nn.PixelShuffle(2),
            Residual(fine),
            Residual(fine),
            nn.SiLU(),
            conv(fine, 16 * 16),
            nn.PixelShuffle(4),
            nn.SiLU(),
            conv(16, 3),
        )
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        return (self.encoder(image) - self.shift) / self.scale

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return self.decoder(latent * self.scale + self.shift)
