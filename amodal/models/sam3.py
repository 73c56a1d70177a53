"""SAM 3 (section 3.4): it finds the objects that words name, and makes their masks at once.

The network is the host's; `nodes/loaders/sam3_models.py` asks it.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from typing import Protocol

import torch

from ..core import detections, interrupts
from ..core.errors import BadInput
from ..core.types import Objects
from .prompted_sam import PromptedSegmenter, nothing

WHAT = "SAM 3 model"
# SAM 3 searches the picture once for each name, so these are few: names of wide classes, and of
# what often stands in front.
VOCABULARY = (
    "person, hand, animal, bird, vehicle, bicycle, furniture, plant, tree, branch, flower, "
    "food, cup, bottle, bowl, box, bag, book, screen, lamp, clothing, hat, curtain, blanket, "
    "pillow, toy, sign, pole, fence, rock, building"
)
SHOWN = 60  # characters of a refused word in the error


class Sam3(Protocol):
    """The network: see `nodes.loaders.sam3_models.CoreSam3`. Images are [H, W, 3] in 0..1."""

    def named(
        self, image: torch.Tensor, name: str, most: int, threshold: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(masks [n, H, W] bool, scores [n] in 0..1) of up to `most` objects of a name."""

    def one_picture(self) -> AbstractContextManager[None]:
        """While several names are asked for in one picture: what they share is computed once."""

    def boxed(self, image: torch.Tensor, box: list[float]) -> torch.Tensor:
        """The mask [H, W] bool of the object in a box xyxy in pixels."""

    def pointed(self, image: torch.Tensor, points: list[list[float]]) -> torch.Tensor:
        """The mask [H, W] bool of the object at points (x, y) in pixels."""


class Sam3Segmenter(PromptedSegmenter):
    """AMODAL_SEGMENTER; see `core.types.Segmenter`. It finds up to `most` objects of each name."""

    def __init__(self, sam3: Sam3, vocabulary: list[str], most: int = 10) -> None:
        super().__init__(Prompts(sam3))
        self.sam3, self.vocabulary, self.most = sam3, vocabulary, most

    def detect(
        self, image: torch.Tensor, words: list[str] | None = None, threshold: float = 0.5
    ) -> Objects:
        """Objects of an image [H, W, 3] in 0..1, best first. No `words` means the vocabulary.

        Each name is asked for alone: SAM 3 does not say which name an object belongs to. Raises
        BadInput for words that name nothing.
        """
        masks, labels, scores = [], [], []
        names = askable(list(words or self.vocabulary))
        with self.sam3.one_picture():
            answers = [(name, *self.ask(image, name, threshold)) for name in names]
        for name, found, quality in answers:
            for mask, score in zip(found, quality):
                if score >= threshold and mask.any():
                    masks.append(mask)
                    labels.append(name)
                    scores.append(float(score))
        if not masks:
            return nothing(image)
        best = torch.tensor(scores)
        order = best.argsort(descending=True, stable=True).tolist()
        return detections.only(torch.stack(masks), labels, best, order)

    def ask(
        self, image: torch.Tensor, name: str, threshold: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The answer of `Sam3.named`, unless the run is cancelled."""
        interrupts.check()
        return self.sam3.named(image, name, self.most, threshold)


class Prompts:
    """SAM 3 as a `MaskPredictor`.

    SAM 3 gives one mask for a prompt and does not rate it. In the place of a predicted IoU stands
    how well mask and prompt agree: the share of the points on the mask, or of the mask in the box.
    """

    def __init__(self, sam3: Sam3) -> None:
        self.sam3 = sam3

    def masks(
        self,
        image: torch.Tensor,
        *,
        boxes: torch.Tensor | None = None,
        points: torch.Tensor | None = None,
        several: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Masks [n, 1, H, W] bool and how well they agree [n, 1], for n boxes or sets of points."""
        if points is not None:
            masks = [self.sam3.pointed(image, each.tolist()) for each in points]
            agreed = [on_mask(mask, each) for mask, each in zip(masks, points)]
        else:
            given = torch.zeros(0, 4) if boxes is None else boxes
            masks = [self.sam3.boxed(image, box.tolist()) for box in given]
            agreed = [in_box(mask, box) for mask, box in zip(masks, given)]
        stacked = torch.stack(masks) if masks else nothing(image).masks
        return stacked[:, None], torch.tensor(agreed)[:, None]


def on_mask(mask: torch.Tensor, points: torch.Tensor) -> float:
    """The share of the points [n, 2] (x, y) that lie on a mask [H, W] bool."""
    height, width = mask.shape
    columns = points[:, 0].long().clamp(0, width - 1)
    rows = points[:, 1].long().clamp(0, height - 1)
    return float(mask[rows, columns].float().mean())


def in_box(mask: torch.Tensor, box: torch.Tensor) -> float:
    """The share of a mask [H, W] bool that lies in a box xyxy; 0 for an empty mask."""
    x0, y0, x1, y1 = (max(0, round(side)) for side in box.tolist())
    return float(mask[y0:y1, x0:x1].sum()) / max(1, int(mask.sum()))


def askable(words: list[str]) -> list[str]:
    """The distinct words as SAM 3's text takes them: no comma, colon or bracket, which it reads.

    Words without a letter or digit are left out. Raises BadInput where none is left.
    """
    plain = [" ".join(re.sub(r"[,:()]", " ", word).split()) for word in words]
    names = list(dict.fromkeys(name for name in plain if re.search(r"\w", name)))
    if not names:
        given = ascii(", ".join(words))[:SHOWN]
        raise BadInput("words", f"is {given}, which names nothing", "write names of objects")
    return names
