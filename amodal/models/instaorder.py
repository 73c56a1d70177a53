"""InstaOrderNet_od: occlusion order for photographs (section 3.4; Lee and Park, CVPR 2022).

A ResNet-50 on two masks and the picture. It predicts for both directions whether one object hides
the other. Its state dict has the keys of the published file.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..core import mask_ops
from . import pretrained

WHAT = "InstaOrderNet_od"
SIDE = 384
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
AT_ONCE = 16  # pairs in a batch; each is evaluated in both orders
DEPTH = (3, 4, 6, 3)


class Block(nn.Module):
    """The bottleneck of ResNet: 1x1, 3x3 (with the stride), 1x1 to four times the width."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = 4 * width
        self.downsample: nn.Module
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        else:
            self.downsample = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class OrderNet(nn.Module):
    """[B, 5, 384, 384] (mask_i, mask_j, RGB normalised) -> logits [B, 2]: j hides i, i hides j.

    `fc_depth` (the three logits of the depth order) is loaded, but not used.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, depth: tuple[int, ...] = DEPTH) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(5, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        before = 64
        for number, blocks in enumerate(depth):
            width, stride = 64 * 2**number, 1 if number == 0 else 2
            layer = [Block(before, width, stride)]
            layer += [Block(4 * width, width) for _ in range(blocks - 1)]
            setattr(self, f"layer{number + 1}", nn.Sequential(*layer))
            before = 4 * width
        self.fc_occ, self.fc_depth = nn.Linear(before, 2), nn.Linear(before, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc_occ(x.mean((2, 3)))


def net_of(state: pretrained.State, file: str) -> OrderNet:
    """The network of a state dict. Raises BadInput if `file` holds another model."""
    state = pretrained.without_prefix(state)
    first = state.get("conv1.weight")
    if "fc_occ.weight" not in state or first is None or first.shape[1] != 5:
        raise pretrained.wrong_model(
            file, WHAT, "it has no head 'fc_occ', or its first layer does not take 5 channels"
        )
    return pretrained.load_into(OrderNet(), state, file, WHAT)


class InstaOrder:
    """AMODAL_ORDER_MODEL; see `core.types.OrderModel`."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    @torch.inference_mode()
    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        """P [n, n] in 0..1 for an image [H, W, 3] and masks [n, H, W]; NaN outside the pairs.

        P[i, j] is the mean of the predictions for (i, j) and (j, i). The two directions are
        independent: both may be likely (each hides part of the other), or neither.
        """
        table = torch.full((len(masks), len(masks)), float("nan"))
        if not pairs:
            return table
        device = next(self.net.parameters()).device
        picture, shapes = picture_view(image).to(device), mask_views(masks).to(device)
        for begin in range(0, len(pairs), AT_ONCE):
            batch = pairs[begin : begin + AT_ONCE]
            both = batch + [(j, i) for i, j in batch]
            chance = self.net(views(picture, shapes, both)).sigmoid().cpu()
            for (i, j), forward, backward in zip(batch, *chance.chunk(2)):
                table[i, j] = (forward[1] + backward[0]) / 2
                table[j, i] = (forward[0] + backward[1]) / 2
        return table


def views(
    picture: torch.Tensor, shapes: torch.Tensor, pairs: list[tuple[int, int]]
) -> torch.Tensor:
    """[pairs, 5, 384, 384]: mask_i, mask_j and the picture [3, 384, 384] for each pair."""
    first, second = (shapes[[pair[side] for pair in pairs]] for side in (0, 1))
    whole = picture.expand(len(pairs), *picture.shape)
    return torch.cat([first[:, None], second[:, None], whole], 1)


def picture_view(image: torch.Tensor) -> torch.Tensor:
    """[3, 384, 384], normalised by ImageNet's mean and deviation, of an image [H, W, 3] in 0..1."""
    moved = image[..., :3].movedim(-1, 0)[None].float()
    small = F.interpolate(moved, size=(SIDE, SIDE), mode="bicubic", align_corners=False)[0]
    mean, std = (torch.tensor(values).to(small)[:, None, None] for values in (MEAN, STD))
    return (small - mean) / std


def mask_views(masks: torch.Tensor) -> torch.Tensor:
    """[n, 384, 384] (0 or 1): masks [n, H, W] resized to the nearest pixel."""
    views = [
        F.interpolate(mask_ops.hard(mask)[None, None].float(), size=(SIDE, SIDE), mode="nearest")
        for mask in masks
    ]
    return torch.cat(views)[:, 0]
