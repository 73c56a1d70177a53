"""The sticker world's autoencoder: [B, 3, H, W] in 0..1 <-> [B, 8, H/8, W/8] of unit variance.

Works on blocks of 4x4 pixels, so only the last convolution runs at full size. Has no normalisation
layers: flat colours are kept, and the result does not depend on the size of the picture.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

CHANNELS = 8


def conv(inputs: int, outputs: int, **options: Any) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size; `options` go to Conv2d."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


class Residual(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(F.silu(self.first(F.silu(x))))


class Autoencoder(nn.Module):
    """`shift` and `scale` bring the latents to zero mean and unit variance.

    `fine` and `coarse` are the widths at a quarter and at an eighth of the picture's size.
    """

    shift: torch.Tensor
    scale: torch.Tensor

    def __init__(self, channels: int = CHANNELS, fine: int = 96, coarse: int = 128) -> None:
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
        """Latent [B, 8, H/8, W/8] of pictures [B, 3, H, W] in 0..1."""
        return (self.encoder(image) - self.shift) / self.scale

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Pictures [B, 3, H, W] of a latent; values may lie slightly outside 0..1."""
        return self.decoder(latent * self.scale + self.shift)
