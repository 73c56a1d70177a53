"""GroundingDINO: boxes of what words name (section 3.4; Liu et al., 2023).

The net is transformers' own; `grounding_dino_weights` makes it from the published files.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F

SHORT, LONG = 800, 1333  # the picture's shorter side, unless its longer one would exceed this
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
MOST_TOKENS = 250  # of the words in one call; the net takes 256 with its own marks


@dataclass(frozen=True)
class Found:
    """Boxes [n, 4] xyxy in pixels, scores [n] 0..1, and a word for each."""

    boxes: torch.Tensor
    scores: torch.Tensor
    words: list[str]


class Detector:
    """A GroundingDINO net with the tokenizer of its words.

    `ready` brings the net to where it computes and gives that device; with `half` it computes in
    bfloat16 there.
    """

    def __init__(self, net, tokenizer, text_threshold: float = 0.25, ready=None, half=False):
        self.net, self.tokenizer, self.text_threshold = net, tokenizer, text_threshold
        self.ready = ready or (lambda: next(net.parameters()).device)
        self.half = half

    @torch.inference_mode()
    def find(self, image: torch.Tensor, words: list[str]) -> Found:
        """What of the words is in an image [H, W, 3]: one box for each of the net's queries."""
        device = self.ready()
        pixels = picture_view(image).to(device)
        parts = [self.ask(pixels, some) for some in captions(self.tokenizer, words)]
        height, width = image.shape[:2]
        size = torch.tensor([width, height, width, height])
        return Found(
            torch.cat([boxes for boxes, _, _ in parts]) * size,
            torch.cat([scores for _, scores, _ in parts]),
            [word for _, _, names in parts for word in names],
        )

    def ask(self, pixels, words: list[str]):
        """(boxes xyxy 0..1, scores, words) of one call."""
        ids, spans = caption(self.tokenizer, words)
        ids = torch.tensor([ids], device=pixels.device)
        autocast = torch.autocast(pixels.device.type, torch.bfloat16)
        with autocast if self.half else nullcontext():
            said = self.net(
                pixel_values=pixels,
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                token_type_ids=torch.zeros_like(ids),
            )
        chance = said.logits[0].float().sigmoid().cpu()
        best, scores = resolved(chance, spans, self.text_threshold)
        x, y, w, h = said.pred_boxes[0].float().cpu().unbind(-1)
        boxes = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], -1).clamp(0, 1)
        return boxes, scores, [words[i] for i in best.tolist()]


def resolved(chance: torch.Tensor, spans: list[list[int]], threshold: float):
    """One word for each box, and how sure the net is of it: (which [n], scores [n]).

    chance [n, tokens] says how well a token fits a box; spans are each word's tokens. A box goes to
    the word whose tokens fit it best on average, tokens under the threshold counting nothing: where
    parts of two names fit ("baseball bat", "baseball glove"), the name that fits as a whole.
    """
    counted = torch.where(chance > threshold, chance, torch.zeros_like(chance))
    mean = torch.stack([counted[:, span].mean(1) for span in spans], 1)
    most = torch.stack([counted[:, span].amax(1) for span in spans], 1)
    best = mean.argmax(1)
    return best, most.gather(1, best[:, None])[:, 0]


def plain(word: str) -> str:
    """A word as the captions have it: in small letters, and without the dot that ends it there."""
    return " ".join(word.replace(".", " ").lower().split())


def caption(tokenizer, words: list[str]) -> tuple[list[int], list[list[int]]]:
    """The token ids of "cat. traffic light." with the marks around them, and each word's places."""
    text, ranges = "", []
    for word in map(plain, words):
        ranges.append((len(text), len(text) + len(word)))
        text += f"{word}. "
    said = tokenizer.encode(text.strip())
    spans = [
        [n for n, (a, b) in enumerate(said.offsets) if begin <= a < b <= end]
        for begin, end in ranges
    ]
    return said.ids, spans


def captions(tokenizer, words: list[str]) -> list[list[str]]:
    """The words, each once, in as many captions as the net's length asks for."""
    every = list(dict.fromkeys(word for word in map(plain, words) if word))
    parts, room = [], 0
    for word in every:
        length = len(tokenizer.encode(word, add_special_tokens=False).ids) + 1
        if not parts or length > room:
            parts.append([])
            room = MOST_TOKENS
        parts[-1].append(word)
        room -= length
    return parts


def picture_view(image: torch.Tensor) -> torch.Tensor:
    """[1, 3, h, w] for the net of an image [H, W, 3] in 0..1."""
    height, width = image.shape[:2]
    factor = min(SHORT / min(height, width), LONG / max(height, width))
    size = [max(1, round(side * factor)) for side in (height, width)]
    moved = image[..., :3].movedim(-1, 0)[None].float()
    scaled = F.interpolate(moved, size=size, mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (scaled - mean) / std
