"""GroundingDINO: boxes of the objects that words name (section 3.4; Liu et al., 2023).

The network is the one in transformers; `grounding_dino_weights` builds it from the published files.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

SHORT, LONG = 800, 1333  # shorter side of the input picture, unless the longer would exceed LONG
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
MOST_TOKENS = 250  # of the words in one caption; the network takes 256 with the special tokens

Spans = list[list[int]]  # for each word, the indices of its tokens


@dataclass(frozen=True)
class Found:
    """Detected boxes [n, 4] xyxy in pixels, scores [n] in 0..1, and one word for each box."""

    boxes: torch.Tensor
    scores: torch.Tensor
    words: list[str]


class Detector:
    """A GroundingDINO network with its tokenizer.

    text_threshold: tokens with a lower probability (0..1) do not count when a box gets its word.
    ready: moves the network to its device and returns that device. half: compute in bfloat16.
    """

    def __init__(
        self,
        net: torch.nn.Module,
        tokenizer: Any,
        text_threshold: float = 0.25,
        ready: Callable[[], torch.device] | None = None,
        half: bool = False,
    ) -> None:
        self.net, self.tokenizer, self.text_threshold = net, tokenizer, text_threshold
        self.ready = ready or (lambda: next(net.parameters()).device)
        self.half = half

    @torch.inference_mode()
    def find(self, image: torch.Tensor, words: list[str]) -> Found:
        """Boxes for the words in an image [H, W, 3] in 0..1: one for each query of the network.

        The boxes are neither thresholded nor suppressed.
        """
        device = self.ready()
        pixels = picture_view(image).to(device)
        parts = [self.ask(pixels, group) for group in captions(self.tokenizer, words)]
        height, width = image.shape[:2]
        size = torch.tensor([width, height, width, height])
        return Found(
            torch.cat([boxes for boxes, _, _ in parts]) * size,
            torch.cat([scores for _, scores, _ in parts]),
            [word for _, _, names in parts for word in names],
        )

    def ask(
        self, pixels: torch.Tensor, words: list[str]
    ) -> tuple[torch.Tensor, torch.Tensor, list[str]]:
        """One forward pass with one caption: (boxes [n, 4] xyxy in 0..1, scores [n], n words)."""
        tokens, spans = caption(self.tokenizer, words)
        ids = torch.tensor([tokens], device=pixels.device)
        autocast = torch.autocast(pixels.device.type, torch.bfloat16)
        with autocast if self.half else nullcontext():
            output = self.net(
                pixel_values=pixels,
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                token_type_ids=torch.zeros_like(ids),
            )
        chance = output.logits[0].float().sigmoid().cpu()
        best, scores = resolved(chance, spans, self.text_threshold)
        x, y, w, h = output.pred_boxes[0].float().cpu().unbind(-1)
        boxes = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).clamp(0, 1)
        return boxes, scores, [words[i] for i in best.tolist()]


def resolved(
    chance: torch.Tensor, spans: Spans, threshold: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """One word for each box: (index of the word [n], score [n]).

    chance [n, tokens] in 0..1 is the probability that a token describes a box; `spans` are the
    tokens of each word. A box gets the word whose tokens have the highest mean probability; tokens
    below `threshold` count as 0. So a box that fits parts of two names ("baseball bat", "baseball
    glove") gets the name that fits as a whole. The score is the highest probability of its tokens.
    """
    counted = torch.where(chance > threshold, chance, torch.zeros_like(chance))
    mean = torch.stack([counted[:, span].mean(1) for span in spans], 1)
    most = torch.stack([counted[:, span].amax(1) for span in spans], 1)
    best = mean.argmax(1)
    return best, most.gather(1, best[:, None])[:, 0]


def plain(word: str) -> str:
    """A word as captions need it: lower case, single spaces, no dot (dots separate the words)."""
    return " ".join(word.replace(".", " ").lower().split())


def caption(tokenizer: Any, words: list[str]) -> tuple[list[int], Spans]:
    """(token ids of "cat. traffic light." with the special tokens, token indices of each word)."""
    text, ranges = "", []
    for word in map(plain, words):
        ranges.append((len(text), len(text) + len(word)))
        text += f"{word}. "
    encoding = tokenizer.encode(text.strip())
    spans = [
        [n for n, (a, b) in enumerate(encoding.offsets) if begin <= a < b <= end]
        for begin, end in ranges
    ]
    return encoding.ids, spans


def captions(tokenizer: Any, words: list[str]) -> list[list[str]]:
    """The distinct words, split into groups of at most MOST_TOKENS tokens."""
    distinct = list(dict.fromkeys(word for word in map(plain, words) if word))
    parts: list[list[str]] = []
    room = 0
    for word in distinct:
        length = len(tokenizer.encode(word, add_special_tokens=False).ids) + 1
        if not parts or length > room:
            parts.append([])
            room = MOST_TOKENS
        parts[-1].append(word)
        room -= length
    return parts


def picture_view(image: torch.Tensor) -> torch.Tensor:
    """The network's input [1, 3, h, w], normalised, for an image [H, W, 3] in 0..1."""
    height, width = image.shape[:2]
    factor = min(SHORT / min(height, width), LONG / max(height, width))
    size = [max(1, round(side * factor)) for side in (height, width)]
    moved = image[..., :3].movedim(-1, 0)[None].float()
    scaled = F.interpolate(moved, size=size, mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (scaled - mean) / std
