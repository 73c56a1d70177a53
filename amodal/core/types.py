"""What travels on the pack's own sockets. Everything else is a plain type of the host.

IMAGE is [B, H, W, 3] float 0..1, MASK [B, H, W] float 0..1, boxes are xyxy in pixels with x1, y1
exclusive, points are (x, y) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Objects:
    """AMODAL_OBJECTS: n detected objects of one picture.

    masks [n, H, W] float 0 or 1 (visible pixels), labels n words, scores [n] 0..1,
    boxes [n, 4] float xyxy. image [1, H, W, 3] is the picture they were found in, to be shown with
    them, or None where it is not known.
    """

    masks: torch.Tensor
    labels: list[str]
    scores: torch.Tensor
    boxes: torch.Tensor
    image: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)


# AMODAL_ORDER: a float tensor P [n, n]; P[i, j] = probability that object i hides object j;
# NaN = unknown (never compared, or i == j).


@dataclass(frozen=True)
class Crop:
    """AMODAL_CROP: the exact map crop <-> canvas <-> original picture.

    The canvas is the original grown on some sides. `original` is the (width, height) of the input
    picture, `offset` the (x, y) of its top left corner on the canvas, `canvas` the canvas'
    (width, height). `box` is the crop's window on the canvas, `size` the (width, height) it is
    resized to for the model; both None for a whole canvas. `painted` lists the canvas boxes that
    earlier passes have filled: whatever lies beyond the original and outside of them is unknown.
    `grown` says by how many pixels on the left and at the top this crop's canvas is larger than
    the canvas it was cut from, so that pasting back can grow that one in the same way.
    """

    original: tuple[int, int]
    canvas: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    box: Box | None = None
    size: tuple[int, int] | None = None
    painted: tuple[Box, ...] = field(default=())
    grown: tuple[int, int] = (0, 0)

    @classmethod
    def whole(cls, width: int, height: int) -> Crop:
        return cls(original=(width, height), canvas=(width, height))

    def but(self, **changes) -> Crop:
        return replace(self, **changes)


@dataclass(frozen=True)
class Features:
    """AMODAL_FEATURES: level (1 = deepest) -> [B, C, h, w] float32 on the CPU.

    A level is a UNet decoder's, or a quarter of a transformer's blocks. Taken from the conditional
    branch at noise level `sigma` (a float), step k of N (0 = unknown). `size` is the
    (height, width) of the picture, which for most models is 8 times the latent's.
    """

    levels: dict[int, torch.Tensor]
    sigma: float
    k: int
    size: tuple[int, int]


@dataclass(frozen=True)
class LoopHandle:
    """AMODAL_LOOP: what a pass began with; references to the tensors on Loop Start's sockets.

    `number` counts passes from 1, `began` is the monotonic clock at the pass' beginning, `prompt`
    the id of the run it belongs to.
    """

    image: torch.Tensor
    mask: torch.Tensor
    canvas: Crop
    number: int
    began: float = 0.0
    prompt: str = ""


class Segmenter(Protocol):
    """AMODAL_SEGMENTER."""

    def detect(
        self, image: torch.Tensor, words: list[str] | None = None, threshold: float = 0.5
    ) -> Objects:
        """Objects of an image [H, W, 3] in 0..1 with scores of at least `threshold` (0..1).

        No `words` means all known words.
        """

    def segment(
        self,
        image: torch.Tensor,
        *,
        box: Sequence[float] | None = None,
        points: Sequence[tuple[float, float]] | None = None,
        prior_mask: torch.Tensor | None = None,
        label: str | None = None,
    ) -> torch.Tensor:
        """Mask [H, W] (0 or 1) of the object at a box xyxy, at points (x, y), or at a prior mask.

        `prior_mask` ([H, W] or [1, H, W]) is the object's modal mask, or its mask of an earlier
        pass. `label` is its word. The result is empty if no object is found there.
        """


class OrderModel(Protocol):
    """AMODAL_ORDER_MODEL."""

    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        """P [n, n] for an image [H, W, 3] and masks [n, H, W]; NaN outside the given pairs."""
