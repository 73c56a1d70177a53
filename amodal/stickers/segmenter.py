"""The sticker world's segmenter: semantic segmentation, then connected parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ..core import interrupts
from ..core.errors import BadInput
from ..core.names import plain
from ..core.types import Objects
from .catalog import WORDS, known_words

SIDE = 192  # larger side to which pictures are resized
COARSE = 128  # larger side to which masks are reduced, to find parts of one object
FAINT = 0.05  # classes whose probability is nowhere above this are dropped
MAX_GAP = 6  # pixels at COARSE: parts of one class with a smaller gap are one object
SMALLEST = 0.001  # parts smaller than this fraction of the picture are dropped


Instance = tuple[torch.Tensor, str, float]  # mask [H, W] bool, word, score


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Residual(nn.Module):
    """Two convolutions with a skip connection; the identity (up to ReLU) at initialisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.one, self.two = conv(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.norm(self.two(self.one(x))))


class Attention(nn.Module):
    """A transformer block over all positions of [B, C, H, W]; the identity at initialisation."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        for last in (self.out, self.narrow):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        parts = self.qkv(self.norms[0](tokens)).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(mixed)
        tokens = tokens + self.narrow(F.gelu(self.wide(self.norms[1](tokens))))
        return tokens.transpose(1, 2).unflatten(-1, x.shape[-2:])


class SegmenterNet(nn.Module):
    """A U-Net with attention at 1/8 and 1/16 of the side.

    [B, 3, H, W] in 0..1 -> logits [B, words + 1, H, W]; class 0 is the background.
    """

    def __init__(
        self, classes: int = len(WORDS) + 1, widths: tuple[int, ...] = (32, 64, 96, 128)
    ) -> None:
        super().__init__()
        last = widths[-1]
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), conv(12, widths[0]))
        stages = [
            nn.Sequential(conv(a, b, 2), conv(b, b), Residual(b))
            for a, b in zip(widths, widths[1:])
        ]
        stages[-2].append(Attention(widths[-2]))
        stages[-1].extend([Attention(last), Attention(last)])
        self.down = nn.ModuleList(stages)
        self.deep = nn.Sequential(conv(last, last, 2), conv(last, last), Residual(last))
        pairs = list(zip((*widths[1:], last)[::-1], widths[::-1]))
        ups = [nn.Sequential(*conv(a + b, b), Residual(b)) for a, b in pairs]
        ups[1].append(Attention(widths[-2]))
        self.up = nn.ModuleList(ups)
        self.head = nn.Sequential(nn.Conv2d(widths[0], 4 * classes, 1), nn.PixelShuffle(2))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        skips = [self.stem(image * 2 - 1)]
        for stage in self.down:
            skips.append(stage(skips[-1]))
        x = self.deep(skips[-1])
        for stage in self.up:
            skip = skips.pop()
            x = stage(torch.cat([F.interpolate(x, size=skip.shape[-2:]), skip], 1))
        return self.head(x)


class StickerSegmenter:
    """AMODAL_SEGMENTER for the words of the catalog; see `core.types.Segmenter`."""

    vocabulary = WORDS

    def __init__(self, net: SegmenterNet) -> None:
        self.net = net

    @torch.inference_mode()
    def probabilities(self, image: torch.Tensor) -> dict[int, torch.Tensor]:
        """Class -> probability [H, W], for an image [H, W, 3] in 0..1. Class 0 is the background.

        Leaves out classes that are unlikely at every pixel: all classes at the size of a photograph
        would take gigabytes.
        """
        height, width = image.shape[:2]
        device = next(self.net.parameters()).device
        picture = image[..., :3].permute(2, 0, 1)[None].to(device, torch.float32)
        factor = SIDE / max(height, width)
        size = [max(32, round(length * factor / 32) * 32) for length in (height, width)]
        small = F.interpolate(picture, size=size, mode="bilinear", antialias=True)
        chance = self.net(small).softmax(1)
        likely = [0, *(1 + i for i in range(chance.shape[1] - 1) if chance[0, 1 + i].max() > FAINT)]
        full = F.interpolate(chance[:, likely], size=(height, width), mode="bilinear")[0]
        return dict(zip(likely, full.to(image.device)))

    def detect(
        self, image: torch.Tensor, words: list[str] | None = None, threshold: float = 0.5
    ) -> Objects:
        """Objects of an image [H, W, 3] in 0..1. No `words` means all words of the catalog.

        The score of an object is the mean probability of its pixels. Raises BadInput for any
        other word.
        """
        wanted = _classes(words)
        chance = self.probabilities(image)
        best = _most_likely(chance)
        instances: list[Instance] = []
        for index in best.unique().tolist():
            if index == 0 or index not in wanted:
                continue
            for part in _instances(best, index):
                score = float(chance[index][part].mean())
                if score >= threshold:
                    instances.append((part, WORDS[index - 1], score))
        return _objects(instances, image)

    def segment(
        self,
        image: torch.Tensor,
        *,
        box: Sequence[float] | None = None,
        points: Sequence[tuple[float, float]] | None = None,
        prior_mask: torch.Tensor | None = None,
        label: str | None = None,
        painted: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Mask [H, W] (0 or 1) of the object at a box xyxy, at points (x, y), or at a prior mask.

        Without a known word in `label`, or if that word is not found there, it is the object with
        most pixels there. The mask is empty if there is only background. `painted` is not used:
        the connected pixels of the object's class are the object, however far they reach.
        """
        chance = self.probabilities(image)
        best = _most_likely(chance)
        hint = _hint(best.shape, box, points, prior_mask).to(best.device)
        names = known_words(label) if label else []
        index = WORDS.index(names[0]) + 1 if names else None
        if index is None or not (best[hint] == index).any():
            counts = torch.bincount(best[hint].flatten(), minlength=len(WORDS) + 1)
            counts[0] = 0
            index = int(counts.argmax()) if int(counts.max()) else 0
        if index == 0:
            return torch.zeros_like(chance[0])
        touching = [part for part in _parts(best == index) if (part & hint).any()]
        mask = torch.zeros_like(hint)
        for part in touching:
            mask |= part
        return mask.float()


def _most_likely(chance: dict[int, torch.Tensor]) -> torch.Tensor:
    """The class [H, W] of each pixel."""
    classes = torch.tensor(list(chance), device=chance[0].device)
    return classes[torch.stack(list(chance.values())).argmax(0)]


def _classes(words: list[str] | None) -> set[int]:
    """The classes of some words (all classes if there are none). Raises BadInput."""
    if not words:
        return set(range(1, len(WORDS) + 1))
    unknown = [word for word in words if plain(word) not in WORDS]
    if unknown:
        raise BadInput(
            "words",
            f"'{unknown[0]}' is not an object of the sticker world",
            f"use one of: {', '.join(WORDS)}",
        )
    return {WORDS.index(plain(word)) + 1 for word in words}


def _parts(mask: torch.Tensor) -> list[torch.Tensor]:
    """Connected parts of a mask [H, W] bool, without those below SMALLEST."""
    from scipy import ndimage

    labels, count = ndimage.label(mask.cpu().numpy(), structure=[[1] * 3] * 3)
    numbers = torch.from_numpy(labels).to(mask.device)
    sizes = torch.bincount(numbers.flatten(), minlength=count + 1)[1:]
    large = (sizes >= SMALLEST * mask.numel()).nonzero().flatten() + 1
    return [numbers == number for number in large.tolist()]


def _grown(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """A mask [H, W] bool, reduced to COARSE and dilated by a square of `radius` pixels there."""
    factor = min(1, COARSE / max(mask.shape))
    size = [max(1, round(length * factor)) for length in mask.shape]
    small = F.adaptive_max_pool2d(mask[None].float(), size)
    rows = F.max_pool2d(small, (1, 2 * radius + 1), 1, (0, radius))
    return F.max_pool2d(rows, (2 * radius + 1, 1), 1, (radius, 0))[0] > 0


def _enlarged(values: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Values [h, w] resized to the nearest pixel of `size`."""
    return F.interpolate(values[None, None].float(), size=size)[0, 0]


def _joined(parts: list[torch.Tensor]) -> list[torch.Tensor]:
    """Parts [H, W] of one class; those with a gap below MAX_GAP are joined."""
    from scipy import ndimage

    if len(parts) < 2:
        return parts
    whole = torch.stack(parts).any(0)
    labels, _ = ndimage.label(_grown(whole, MAX_GAP // 2).cpu().numpy())
    numbers = _enlarged(torch.from_numpy(labels).to(whole.device), whole.shape)
    groups: dict[float, list[torch.Tensor]] = {}
    for part in parts:
        groups.setdefault(float(numbers[part].max()), []).append(part)
    return [torch.stack(group).any(0) for group in groups.values()]


def _instances(best: torch.Tensor, index: int) -> list[torch.Tensor]:
    """The objects of one class. Parts are one object if they are close together, or if they touch
    the same part of another class, which then hides what connects them."""
    parts = _joined(_parts(best == index))
    for other_class in best.unique().tolist():
        if other_class in (0, index) or len(parts) < 2:
            continue
        for between in _parts(best == other_class):
            interrupts.check()
            near = _enlarged(_grown(between, MAX_GAP), best.shape) > 0
            touched = [part for part in parts if (part & near).any()]
            if len(touched) > 1:
                parts = [part for part in parts if not any(part is t for t in touched)]
                parts.append(torch.stack(touched).any(0))
    return parts


def _objects(instances: list[Instance], image: torch.Tensor) -> Objects:
    """Instances as objects, the best score first."""
    instances = sorted(instances, key=lambda instance: -instance[2])
    height, width = image.shape[:2]
    if not instances:
        masks = torch.zeros(0, height, width, dtype=torch.bool)
        return Objects(masks, [], torch.zeros(0), torch.zeros(0, 4))
    boxes = []
    for part, _, _ in instances:
        ys, xs = torch.nonzero(part, as_tuple=True)
        boxes.append([int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1])
    return Objects(
        torch.stack([part for part, _, _ in instances]),
        [word for _, word, _ in instances],
        torch.tensor([score for _, _, score in instances]),
        torch.tensor(boxes).float(),
    )


def _hint(
    shape: torch.Size,
    box: Sequence[float] | None,
    points: Sequence[tuple[float, float]] | None,
    prior_mask: torch.Tensor | None,
) -> torch.Tensor:
    """The pixels [H, W] bool that a prompt points at."""
    if prior_mask is not None:
        return prior_mask.reshape(prior_mask.shape[-2:]) > 0.5
    hint = torch.zeros(shape, dtype=torch.bool)
    if box is not None:
        x1, y1, x2, y2 = (round(float(v)) for v in box)
        hint[max(0, y1) : y2, max(0, x1) : x2] = True
    for x, y in points or []:
        hint[min(max(0, int(y)), shape[0] - 1), min(max(0, int(x)), shape[1] - 1)] = True
    return hint
