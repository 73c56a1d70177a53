"""The sticker world's order model: occlusion order from two masks and RGB, as in InstaOrder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..core import interrupts

SIDE = 64  # the surroundings of a pair are resized to this side
AT_ONCE = 128  # pairs in a batch; each is evaluated in both orders


class OrderNet(nn.Module):
    """[B, 5, 64, 64] (mask_i, mask_j, RGB in 0..1) -> logits [B, 2]: i hides j, j hides i."""

    def __init__(self, widths: tuple[int, ...] = (32, 48, 64, 96)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 5
        for width in widths:
            layers += [
                nn.Conv2d(before, width, 3, 1, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, 2, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before = width
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(2 * before, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.trunk(x)
        return self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))


class StickerOrder:
    """AMODAL_ORDER_MODEL; see `core.types.OrderModel`."""

    def __init__(self, net: OrderNet) -> None:
        self.net = net

    @torch.inference_mode()
    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        """P [n, n] in 0..1 for an image [H, W, 3] and masks [n, H, W]; NaN outside the pairs.

        Each pair is evaluated in both orders, and the results are averaged.
        """
        count = len(masks)
        table = torch.full((count, count), float("nan"))
        if not pairs:
            return table
        device = next(self.net.parameters()).device
        for begin in range(0, len(pairs), AT_ONCE):
            batch = pairs[begin : begin + AT_ONCE]
            views = torch.stack([pair_view(image, masks[i], masks[j]) for i, j in batch])
            both = torch.cat([views, views[:, [1, 0, 2, 3, 4]]]).to(device)
            straight, reverse = self.net(both).sigmoid().cpu().chunk(2)
            for (i, j), forward, backward in zip(batch, straight, reverse):
                table[i, j] = (forward[0] + backward[1]) / 2
                table[j, i] = (forward[1] + backward[0]) / 2
        return table


def pair_view(image: torch.Tensor, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """[5, 64, 64]: two masks [H, W] and the picture [H, W, 3], cut to the surroundings of both."""
    interrupts.check()
    x1, y1, x2, y2 = meeting(first > 0.5, second > 0.5)
    stack = torch.cat([first[None], second[None], image[..., :3].permute(2, 0, 1)])
    window = stack[:, y1:y2, x1:x2][None]
    return F.interpolate(window.float(), size=(SIDE, SIDE), mode="bilinear", antialias=True)[0]


def meeting(first: torch.Tensor, second: torch.Tensor) -> tuple[int, int, int, int]:
    """The box (x1, y1, x2, y2) of two masks [H, W] bool, grown by an eighth, inside the picture.

    The whole picture if both masks are empty.
    """
    height, width = first.shape
    ys, xs = torch.nonzero(first | second, as_tuple=True)
    if len(xs) == 0:
        return 0, 0, width, height
    x1, x2 = int(xs.min()), int(xs.max()) + 1
    y1, y2 = int(ys.min()), int(ys.max()) + 1
    margin = max(2, max(x2 - x1, y2 - y1) // 8)
    return (
        max(0, x1 - margin),
        max(0, y1 - margin),
        min(width, x2 + margin),
        min(height, y2 + margin),
    )
