"""PCNet-M of SSSD: amodal masks and occlusion order from modal masks alone (Table 1).

Zhan et al., "Self-Supervised Scene De-occlusion", CVPR 2020. A U-Net completes an object's modal
mask under the mask of what stands in front. Of two objects, the one that grows more under the other
is behind. Its state dict has the keys of the published file. Smaller nets of the same form load
too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..core import interrupts, mask_ops, weight_archive
from . import pretrained

WHAT = "PCNet-M of SSSD"
SIDE = 256  # of the view, in pixels, where the file does not state it
SIDES = range(32, 1025)  # that a file may state
ENLARGED = 3.0  # the view's area over that of the mask's box
MARGIN = 1.1  # the view's side is at least so many times the box's
AT_ONCE = 16  # views in a batch
LEAST_GAIN = 0.01  # of the smaller object: an object that grows less counts as not hidden
LEVELS = 4

View = tuple[int, int, int]  # (x, y, side) of a square, in pixels; it may leave the picture


class Pair(nn.Module):
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (inputs, outputs):
            conv = nn.Conv2d(before, outputs, 3, padding=1)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class MaskNet(nn.Module):
    """[B, 2, side, side] (modal mask, occluder's mask) -> logits [B, 2, side, side] (no, yes).

    The published file has a width of 32. `side` is the side that the net was trained at.
    """

    def __init__(self, width: int, side: int = SIDE) -> None:
        super().__init__()
        self.side = side
        down = [width * 2 ** min(level, LEVELS - 1) for level in range(LEVELS + 1)]
        up = [down[level] // 2 for level in range(LEVELS - 1, 0, -1)] + [width]
        self.inc = nn.ModuleDict({"conv": Pair(2, width)})
        for level in range(LEVELS):
            halved = nn.Sequential(nn.MaxPool2d(2), Pair(down[level], down[level + 1]))
            self.add_module(f"down{level + 1}", nn.ModuleDict({"mpconv": halved}))
        before = down[-1]
        for level, outputs in enumerate(up):
            joined = Pair(before + down[LEVELS - 1 - level], outputs)
            self.add_module(f"up{level + 1}", nn.ModuleDict({"conv": joined}))
            before = outputs
        self.outc = nn.ModuleDict({"conv": nn.Conv2d(before, 2, 1)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = [self.inc["conv"](x)]
        for level in range(1, LEVELS + 1):
            skips.append(self.get_submodule(f"down{level}.mpconv")(skips[-1]))
        x = skips.pop()
        for level in range(1, LEVELS + 1):
            larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = self.get_submodule(f"up{level}.conv")(torch.cat([skips.pop(), larger], 1))
        return self.outc["conv"](x)


def net_of(state: pretrained.State, file: str, input: str = "file") -> MaskNet:
    """The network of a state dict. Raises BadInput if `file` holds another model."""
    state, side = with_side(pretrained.without_prefix(state), 2**LEVELS)
    first = state.get("inc.conv.conv.0.weight")
    if first is None or first.ndim != 4 or first.shape[1] != 2:
        why = "it has no first layer 'inc.conv.conv.0' that takes two masks"
        raise pretrained.wrong_model(file, WHAT, why, input)
    net = weight_archive.bounded(lambda: MaskNet(first.shape[0], side), state)
    return pretrained.load_into(net, with_defaults(net, state), file, WHAT, input)


def with_side(state: pretrained.State, multiple: int) -> tuple[pretrained.State, int]:
    """The state dict without the tensor `side`, and the side of the view that it states.

    Files of small nets state it; without it, it is 256. Raises ValueError for a side that the net
    cannot have.
    """
    state = dict(state)
    stated = state.pop("side", None)
    side = SIDE if stated is None else int(stated)
    if side not in SIDES or side % multiple:
        raise ValueError(f"its side of {side} pixels is not a multiple of {multiple}")
    return state, side


def with_defaults(net: nn.Module, state: pretrained.State) -> pretrained.State:
    """The state dict with what a file may leave out: biases (zero) and counters of batches."""
    own = net.state_dict()
    convs = (name for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d))
    names = [f"{name}.bias" for name in convs]
    names += [name for name in own if name.endswith("num_batches_tracked")]
    return {**{name: torch.zeros_like(own[name]) for name in names}, **state}


class MaskCompletion:
    """AMODAL_ORDER_MODEL and AMODAL_MASK_MODEL; see `core.types`."""

    def __init__(self, net: MaskNet) -> None:
        self.net = net

    @torch.inference_mode()
    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        """P [n, n] in 0..1 for masks [n, H, W]; NaN outside the pairs. The picture is not used.

        P[i, j] is the share of what j gains under i in what both gain under each other, and in
        LEAST_GAIN. So P[i, j] > 0.5 if j grows more than i does, by LEAST_GAIN of the smaller one.
        """
        table = torch.full((len(masks), len(masks)), float("nan"))
        masks = mask_ops.hard(masks)
        both = [direction for i, j in pairs for direction in ((i, j), (j, i))]
        gains = dict(zip(both, self.gains(masks, both)))
        for i, j in both:
            area = float(min(masks[i].sum(), masks[j].sum()))
            under = gains[j, i]
            table[i, j] = under / max(under + gains[i, j] + LEAST_GAIN * area, 1e-6)
        return table

    def gains(self, masks: torch.Tensor, under: list[tuple[int, int]]) -> list[float]:
        """By how many pixels object i grows under object k, for each (i, k) of `under`.

        Likely pixels count more: one of probability p counts 2 p - 1, and none below one half.
        """
        gains = []
        for begin in range(0, len(under), AT_ONCE):
            batch = under[begin : begin + AT_ONCE]
            sides = [view_of(masks[i])[2] for i, _ in batch]
            inputs = torch.stack([self.seen(masks[i], masks[k]) for i, k in batch])
            grown = (2 * self.likely(inputs) - 1).clamp(min=0) * inputs[:, 1] * (1 - inputs[:, 0])
            for side, gain in zip(sides, grown.sum((1, 2)).tolist()):
                gains.append(gain * (side / self.net.side) ** 2)
        return gains

    @torch.inference_mode()
    def complete(
        self, modal: torch.Tensor, occluder: torch.Tensor, threshold: float = 0.5
    ) -> torch.Tensor:
        """The amodal mask [H, W] (0 or 1) of a modal mask [H, W] under an occluder's mask [H, W].

        It holds the modal mask, and pixels of the occluder whose probability exceeds `threshold`
        (0..1). Both masks are hard at 0.5; an empty modal mask stays empty.
        """
        modal, occluder = mask_ops.hard(modal), mask_ops.hard(occluder)
        if not modal.any():
            return modal.float()
        likely = self.likely(self.seen(modal, occluder)[None])
        grown = put_back(likely, view_of(modal), modal.shape)[0] > threshold
        return (modal | (grown & occluder)).float()

    def seen(self, modal: torch.Tensor, occluder: torch.Tensor) -> torch.Tensor:
        """[2, side, side] (0 or 1): both masks [H, W] in the view of the modal mask."""
        interrupts.check()
        occluder = occluder & ~modal
        stack = torch.stack([modal, occluder]).float()
        return (cut_out(stack, view_of(modal), self.net.side) > 0.5).float()

    def likely(self, inputs: torch.Tensor) -> torch.Tensor:
        """Probabilities [B, side, side] that the object is there, on the CPU."""
        device = next(self.net.parameters()).device
        return self.net(inputs.to(device)).float().softmax(1)[:, 1].cpu()


def view_of(mask: torch.Tensor) -> View:
    """The square around a mask [H, W]: three times its box's area, and at least 1.1 its sides.

    The whole picture for an empty mask.
    """
    height, width = mask.shape
    x0, y0, x1, y1 = mask_ops.box_of(mask) or (0, 0, width, height)
    wide, tall = x1 - x0, y1 - y0
    side = max((ENLARGED * wide * tall) ** 0.5, MARGIN * wide, MARGIN * tall)
    side = max(2, round(side))
    return (x0 + x1 - side) // 2, (y0 + y1 - side) // 2, side


def cut_out(stack: torch.Tensor, view: View, side: int) -> torch.Tensor:
    """[C, side, side]: a picture [C, H, W] in a view, resized; zeros outside the picture."""
    height, width = stack.shape[-2:]
    x, y, reach = view
    inside = stack[:, max(0, y) : y + reach, max(0, x) : x + reach]
    edges = (max(0, -x), max(0, x + reach - width), max(0, -y), max(0, y + reach - height))
    whole = F.pad(inside, edges)[None]
    return F.interpolate(whole, size=(side, side), mode="bilinear", antialias=True)[0]


def put_back(pictures: torch.Tensor, view: View, size: tuple[int, ...]) -> torch.Tensor:
    """[C, H, W]: the inverse of `cut_out`; zeros outside the view."""
    height, width = size
    x, y, reach = view
    whole = F.interpolate(
        pictures[None], size=(reach, reach), mode="bilinear", antialias=True, align_corners=False
    )[0]
    result = pictures.new_zeros(len(pictures), height, width)
    x0, y0, x1, y1 = max(0, x), max(0, y), min(width, x + reach), min(height, y + reach)
    result[:, y0:y1, x0:x1] = whole[:, y0 - y : y1 - y, x0 - x : x1 - x]
    return result
