"""The payloads of the pack's own socket types. Everything else is a plain type of the host.

IMAGE is [B, H, W, 3] float 0..1, MASK [B, H, W] float 0..1, boxes are xyxy in pixels with x1, y1
exclusive, points are (x, y) in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Objects:
    """AMODAL_OBJECTS: n detected objects of one picture.

    masks [n, H, W] bool (visible pixels), labels n words, scores [n] 0..1,
    boxes [n, 4] float xyxy. image [1, H, W, 3] is the picture they were found in, to be shown with
    them, or None where it is not known. sought says in words what was searched for, for people;
    empty where it is not known.
    """

    masks: torch.Tensor
    labels: list[str]
    scores: torch.Tensor
    boxes: torch.Tensor
    image: torch.Tensor | None = None
    sought: str = ""

    def __len__(self) -> int:
        return len(self.labels)


# AMODAL_ORDER: a float tensor P [n, n]; P[i, j] = probability that object i hides object j;
# NaN = unknown (never compared, or i == j).


@dataclass(frozen=True)
class Canvas:
    """AMODAL_CANVAS: the original picture, grown on some sides, as a map.

    `original` is the (width, height) of the input picture, `size` that of the canvas, in pixels.
    `offset` is the (x, y) of the picture's top left corner on the canvas, both at least 0.
    `inpainted` lists the canvas boxes that earlier passes have filled. Whatever lies outside the
    original and outside these boxes is unknown.
    """

    original: tuple[int, int]
    size: tuple[int, int]
    offset: tuple[int, int] = (0, 0)
    inpainted: tuple[Box, ...] = ()

    @classmethod
    def whole(cls, width: int, height: int) -> Canvas:
        """The canvas of a picture that has not grown."""
        return cls(original=(width, height), size=(width, height))

    def but(self, **changes) -> Canvas:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Crop:
    """AMODAL_CROP: a window of a canvas, and the size it is resized to for the model.

    `canvas` is the canvas after it has grown for this pass, `box` the window on it in pixels,
    `size` the (width, height) of the crop. Both are squares, or rectangles of one aspect to within
    half a canvas pixel. `box` may reach beyond the canvas; that part is unknown and never pasted.
    `grown` is by how many pixels (left, top) `canvas` is larger than the canvas that the crop was
    cut from; pasting back grows that one likewise.
    """

    canvas: Canvas
    box: Box
    size: tuple[int, int]
    grown: tuple[int, int] = (0, 0)

    @property
    def scale(self) -> float:
        """Canvas pixels for each crop pixel; above 1 the result is enlarged when pasted back."""
        return (self.box[2] - self.box[0]) / self.size[0]

    def but(self, **changes) -> Crop:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Padding:
    """AMODAL_PADDING: pixels to add on each side of the canvas.

    `sides` are the sides where something cuts the object off: the canvas' border, or a part of the
    canvas that no pass has painted yet (which needs no more pixels).
    """

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0
    sides: tuple[str, ...] = ()

    @property
    def amounts(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) in pixels."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True)
class OcclusionReport:
    """AMODAL_OCCLUSION: what hides the object at the start of a pass.

    `occluders` are the labels of the objects in front of it. `surrounding` are the labels of
    objects that surround it together with the occluders but are not judged to be in front.
    `sides` are the sides where the object is cut off. `enclosed`: the occluders alone surround it.
    `nothing_left`: it is still occluded, but the inpaint mask is empty. `sought` says in words what
    was searched for, or is empty.
    """

    occluders: tuple[str, ...] = ()
    surrounding: tuple[str, ...] = ()
    sides: tuple[str, ...] = ()
    enclosed: bool = False
    nothing_left: bool = False
    sought: str = ""

    def but(self, **changes) -> OcclusionReport:
        """A copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Features:
    """AMODAL_FEATURES: level (1 = deepest) -> [B, C, h, w] float32 on the CPU.

    A level is a UNet decoder's, or a quarter of a transformer's blocks. Taken from the conditional
    branch at noise level `sigma` (a float), step k of N (0 = unknown). `size` is the
    (height, width) of the picture, which for most models is 8 times the latent's. `depth` is how
    many levels the model has (0 = unknown).
    """

    levels: dict[int, torch.Tensor]
    sigma: float
    k: int
    size: tuple[int, int]
    depth: int = 0


@dataclass(frozen=True)
class LoopHandle:
    """AMODAL_LOOP: what a pass begins with; references to the tensors on Loop Start's sockets.

    `number` counts passes from 1, `began` is the monotonic clock at the start of the pass in
    seconds, `prompt` the id of the run.
    """

    image: torch.Tensor
    modal_mask: torch.Tensor
    canvas: Canvas
    number: int
    began: float = 0.0
    prompt: str = ""


class Segmenter(Protocol):
    """AMODAL_SEGMENTER.

    It may also have an attribute `vocabulary`: the names that it knows, which it finds without
    words.
    """

    def detect(
        self, image: torch.Tensor, words: list[str] | None = None, threshold: float = 0.5
    ) -> Objects:
        """Objects of an image [H, W, 3] in 0..1 with scores of at least `threshold` (0..1).

        The labels are among the `words`. No `words` means all known words. Raises BadInput for a
        word that it cannot search for.
        """

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

        `prior_mask` ([H, W] or [1, H, W]) is the object's modal mask, or its mask of an earlier
        pass. `label` is its word. `painted` (same shapes) is 1 where the picture was painted since
        the prior mask was made; there the object may have grown. The result is empty if no object
        is found there.
        """


class OrderModel(Protocol):
    """AMODAL_ORDER_MODEL."""

    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        """P [n, n] for an image [H, W, 3] and masks [n, H, W]; NaN outside the given pairs."""


class MaskModel(Protocol):
    """AMODAL_MASK_MODEL."""

    def complete(
        self, modal: torch.Tensor, occluder: torch.Tensor, threshold: float = 0.5
    ) -> torch.Tensor:
        """The amodal mask [H, W] (0 or 1) of a modal mask [H, W] under the occluders' [H, W].

        It holds the modal mask, and pixels of the occluders that are likelier than `threshold`.
        """


class ContentModel(Protocol):
    """AMODAL_CONTENT_MODEL."""

    def fill(self, image: torch.Tensor, modal: torch.Tensor, amodal: torch.Tensor) -> torch.Tensor:
        """image [H, W, 3] in 0..1 with the pixels of `amodal` [H, W] beyond `modal` [H, W] filled.

        All other pixels stay equal to the bit.
        """
