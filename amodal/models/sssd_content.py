"""PCNet-C of SSSD: fills the hidden part of an object (Table 1; Zhan et al., CVPR 2020).

A U-Net of partial convolutions (Liu et al., ECCV 2018), which see known pixels only. Its state dict
has the keys of the published file; smaller nets of the same form load too.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from ..core import mask_ops, weight_archive
from . import pretrained
from .sssd import SIDE, cut_out, put_back, view_of, with_defaults, with_side

WHAT = "PCNet-C of SSSD"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
KERNELS = (7, 5, 5)  # of the first levels; 3 in the others
MOST_LEVELS = 8
LEAK = 0.2  # slope of the decoder's activation below zero

Known = tuple[torch.Tensor, torch.Tensor]  # features [B, C, h, w] and known pixels [B, 1, h, w]


class PartialConv(nn.Module):
    """A convolution over known pixels, divided by how many known numbers it has seen.

    An output is known where the window held any known pixel, and zero elsewhere.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.gain = 1.0  # of the convolution; its training sets it (`training.sssd`)
        self.input_conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)

    def forward(self, *parts: Known) -> Known:
        masked = torch.cat([features * known for features, known in parts], 1)
        counted = torch.stack([features.shape[1] * known for features, known in parts]).sum(0)
        edge = self.kernel // 2
        seen = self.kernel**2 * F.avg_pool2d(counted, self.kernel, self.stride, edge)
        known = (seen > 0).to(seen)
        total = F.conv2d(masked, self.input_conv.weight, None, self.stride, edge)
        shift = cast(torch.Tensor, self.input_conv.bias)[:, None, None]
        return (total * self.gain / seen.clamp(min=1) + shift) * known, known


class Level(nn.Module):
    """A partial convolution, batch normalisation unless it is at an end, and the activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, normal: bool) -> None:
        super().__init__()
        self.conv = PartialConv(inputs, outputs, kernel, stride)
        self.bn = nn.BatchNorm2d(outputs) if normal else nn.Identity()

    def forward(self, *parts: Known) -> Known:
        features, known = self.conv(*parts)
        return self.bn(features), known


class ContentNet(nn.Module):
    """[B, 4, side, side] (normalised RGB, modal mask), known [B, 1, side, side] -> RGB, normalised.

    The published file has a width of 64 and 7 levels. `side` is that of the training.
    """

    def __init__(self, width: int, levels: int, side: int = SIDE) -> None:
        super().__init__()
        self.side, self.levels = side, levels
        channels = [4, *(width * 2 ** min(level, 3) for level in range(levels))]
        for level in range(1, levels + 1):
            kernel = KERNELS[level - 1] if level <= len(KERNELS) else 3
            before, after = channels[level - 1 : level + 1]
            self.add_module(f"enc_{level}", Level(before, after, kernel, 2, level > 1))
            outputs = before if level > 1 else 3
            self.add_module(f"dec_{level}", Level(after + before, outputs, 3, 1, level > 1))

    def forward(self, x: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        skips: list[Known] = [(x, known)]
        for level in range(1, self.levels + 1):
            features, mask = self.get_submodule(f"enc_{level}")(skips[-1])
            skips.append((F.relu(features), mask))
        part = skips.pop()
        for level in range(self.levels, 0, -1):
            larger = tuple(F.interpolate(each, scale_factor=2, mode="nearest") for each in part)
            features, mask = self.get_submodule(f"dec_{level}")(larger, skips.pop())
            part = (F.leaky_relu(features, LEAK) if level > 1 else features, mask)
        return part[0]


def net_of(state: pretrained.State, file: str, input: str = "file") -> ContentNet:
    """The network of a state dict. Raises BadInput if `file` holds another model."""
    state = pretrained.without_prefix(state)
    first = state.get("enc_1.conv.input_conv.weight")
    if first is None or first.ndim != 4 or first.shape[1] != 4:
        why = "it has no first layer 'enc_1.conv.input_conv' that takes RGB and a mask"
        raise pretrained.wrong_model(file, WHAT, why, input)
    state = {k: v for k, v in state.items() if "mask_conv" not in k}  # windows of ones
    levels = pretrained.layers(state, r"enc_(\d+)\.") - 1
    if levels > MOST_LEVELS:
        raise ValueError(f"it has {levels} levels")
    state, side = with_side(state, 2**levels)
    net = weight_archive.bounded(lambda: ContentNet(first.shape[0], levels, side), state)
    return pretrained.load_into(net, with_defaults(net, state), file, WHAT, input)


class ContentCompletion:
    """AMODAL_CONTENT_MODEL; see `core.types`."""

    def __init__(self, net: ContentNet) -> None:
        self.net = net

    @torch.inference_mode()
    def fill(self, image: torch.Tensor, modal: torch.Tensor, amodal: torch.Tensor) -> torch.Tensor:
        """image [H, W, 3] in 0..1 with the pixels of the amodal mask [H, W] beyond the modal mask
        [H, W] filled; all others stay equal to the bit. Both masks are hard at 0.5.
        """
        modal, amodal = mask_ops.hard(modal), mask_ops.hard(amodal)
        hidden = amodal & ~modal
        if not hidden.any():
            return image
        view = view_of(amodal | modal)
        inputs, known = seen(image, modal, hidden, view, self.net.side)
        painted = plain(self.paint(inputs[None], known[None])[0])
        whole = put_back(painted, view, hidden.shape).movedim(0, -1)
        return torch.where(hidden[..., None], whole.to(image), image)

    def paint(self, inputs: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """The net's normalised RGB [B, 3, side, side], on the CPU."""
        device = next(self.net.parameters()).device
        return self.net(inputs.to(device), known.to(device)).float().cpu()


def seen(
    image: torch.Tensor, modal: torch.Tensor, hidden: torch.Tensor, view: tuple, side: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """[4, side, side] (normalised RGB, modal mask) and known pixels [1, side, side] of a view.

    Unknown are the hidden pixels and everything beyond the picture. Their colours are left out
    before resizing, which would mix them into their neighbours.
    """
    shown = (~hidden).float()[None]
    colours = image[..., :3].movedim(-1, 0).float() * shown
    stack = cut_out(torch.cat([colours, shown, modal.float()[None]]), view, side)
    share = stack[3:4]
    known = (share > 0.5).float()
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    picture = (stack[:3] / share.clamp(min=0.5) - mean) / std * known
    return torch.cat([picture, (stack[4:] > 0.5).float()]), known


def plain(picture: torch.Tensor) -> torch.Tensor:
    """RGB [3, h, w] in 0..1 of a picture normalised by ImageNet's mean and deviation."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (picture * std + mean).nan_to_num(0.5).clamp(0, 1)
