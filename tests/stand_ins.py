"""Nets that know a made-up world by its colours, in the place of nets whose weights are not here.

What stands around the net (sizes, batches, both ways round, labels, boxes) is the pack's own code.
"""

import torch

WORDS = ["green box", "red box"]


def scene(height: int = 96, width: int = 128) -> tuple[torch.Tensor, torch.Tensor]:
    """An image [H, W, 3] and the modal masks [2, H, W] of a green box and a red one before it."""
    masks = torch.zeros(2, height, width)
    masks[0, 20:70, 15:75] = 1
    masks[1, 40:85, 55:110] = 1
    masks[0] *= 1 - masks[1]
    image = torch.full((height, width, 3), 0.5)
    image[masks[0] > 0] = torch.tensor([0.1, 0.9, 0.1])
    image[masks[1] > 0] = torch.tensor([0.9, 0.1, 0.1])
    return image, masks


class RedHidesGreen(torch.nn.Module):
    """InstaOrderNet's form: [B, 5, H, W] -> [B, 2]; what is redder hides what is greener."""

    def __init__(self):
        super().__init__()
        self.sharp = torch.nn.Parameter(torch.tensor(4.0))

    def forward(self, x):
        redness = x[:, 2:3] - x[:, 3:4]
        one, two = (
            (redness * x[:, [side]]).sum((1, 2, 3)) / x[:, side].sum((1, 2)).clamp(min=1)
            for side in (0, 1)
        )
        return torch.stack([two - one, one - two], 1) * self.sharp
