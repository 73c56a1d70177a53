"""Stand-ins for GroundingDINO and SAM, below the pack's own GroundedSegmenter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from scipy.ndimage import find_objects

from amodal.models.grounded_sam import GroundedSegmenter
from amodal.models.grounding_dino import Found

from . import faults
from .stage import Stage, View, not_counted

LEAST = 2e-4  # of the picture: smaller objects are not detected
SCORE, LOW_SCORE = 0.8, (0.2, 0.45)  # GroundingDINO's threshold is 0.35
GOOD, POOR = 0.95, 0.3  # predicted IoU of a mask that is right, and of one that is not
NEAR = 6  # pixels: neighbours this close are joined

Box = tuple[int, int, int, int]


@dataclass
class Candidate:
    """An object, or a piece of one: a mask [h, w] bool of which `place` is the part in the view."""

    mask: np.ndarray
    place: tuple[slice, slice]
    owner: int

    @cached_property
    def box(self) -> Box:
        rows, columns = np.flatnonzero(self.mask.any(1)), np.flatnonzero(self.mask.any(0))
        y, x = (part.start for part in self.place)
        return x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1

    @cached_property
    def pieces(self) -> list[Candidate]:
        return [Candidate(mask, self.place, self.owner) for mask in faults.pieces(self.mask)]

    def whole(self, view: View) -> np.ndarray:
        """The mask at the size of the view."""
        result = np.zeros(view.owners.shape, bool)
        result[self.place] = self.mask
        return result


class Parts:
    """Detector and masker of a run; `fault` is one of faults.SEGMENTER, TOGETHER or PERFECT."""

    def __init__(self, stage: Stage, fault: str = faults.PERFECT):
        self.stage, self.fault = stage, fault
        self.strikes = partial(faults.strikes, fault)

    def segmenter(self) -> GroundedSegmenter:
        """The pack's segmenter on these parts."""
        return GroundedSegmenter(self, self, sorted(set(self.stage.content.labels)))

    def seed(self, view: View, owner: int) -> tuple[int, int, int]:
        return self.stage.scene.seed, view.number, owner + 1

    # --- BoxDetector

    def find(self, image: torch.Tensor, words: list[str]) -> Found:
        """Boxes for the words in an image [H, W, 3]; see grounding_dino.Detector."""
        with not_counted():
            view = self.stage.view(image)
            rows = [row for one in seen(view) for row in self.detections(view, one, words)]
        boxes = torch.tensor([row[0] for row in rows], dtype=torch.float32).reshape(-1, 4)
        return Found(boxes, torch.tensor([row[1] for row in rows]), [row[2] for row in rows])

    def detections(self, view: View, one: Candidate, words: list[str]) -> list:
        """(box, score, word) of an object; none where it is missed or has another word."""
        seed = self.seed(view, one.owner)
        picked = one.owner == self.stage.scene.query and view.number == 0
        if one.mask.sum() < LEAST * view.owners.size:
            return []
        if view.painted and self.strikes("lost", *seed[:2]):
            return []
        if not picked and self.strikes("missing", *seed):
            return []
        rng = np.random.default_rng(seed)
        label = self.stage.content.labels[one.owner]
        if label not in words:
            return []
        if self.strikes("words", *seed):
            label = ("", *words)[rng.integers(len(words) + 1)]
        low = not picked and self.strikes("low", *seed)
        score = rng.uniform(*LOW_SCORE) if low else SCORE
        score -= 1e-3 * one.owner  # no two are alike
        rows = [(one.box, score, label)]
        if self.strikes("halves", *seed) and len(one.pieces) > 1:
            rows = [(piece.box, score, label) for piece in one.pieces]
        if self.strikes("twice", *seed):
            x0, y0, x1, y1 = one.box
            shift = rng.uniform(-0.12, 0.12, 4) * np.array([x1 - x0, y1 - y0] * 2)
            rows.append(((np.array(one.box) + shift).tolist(), score - 0.05, label))
        return rows

    # --- MaskPredictor

    def masks(
        self,
        image: torch.Tensor,
        *,
        boxes: torch.Tensor | None = None,
        points: torch.Tensor | None = None,
        several: bool = False,
        **_others,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(masks [n, m, H, W], quality [n, m]) for boxes [n, 4] or points; see sam.Masker."""
        with not_counted():
            view = self.stage.view(image)
            prompts = boxes if points is None else points
            answer = self.at_box if points is None else self.at_points
            count = 3 if several else 1
            masks = torch.zeros(len(prompts), count, *view.owners.shape, dtype=torch.bool)
            quality = torch.full((len(prompts), count), POOR)
            for number, prompt in enumerate(prompts.numpy()):
                one = answer(view, prompt)
                if one is not None:
                    self.fill(masks[number].numpy(), quality[number], view, one)
            return masks, quality

    def at_box(self, view: View, box: np.ndarray) -> Candidate | None:
        """The object, or piece of one, whose box is most like this one."""
        options = [one for one in seen(view) if likeness(one.box, box) > 0]
        options += [piece for one in options for piece in one.pieces]
        return max(options, key=lambda one: likeness(one.box, box), default=None)

    def at_points(self, view: View, points: np.ndarray) -> Candidate | None:
        """The object that most of the points [p, 2] lie on."""
        height, width = view.owners.shape
        columns = points[:, 0].astype(int).clip(0, width - 1)
        rows = points[:, 1].astype(int).clip(0, height - 1)
        hit = [owner for owner in view.owners[rows, columns].tolist() if owner >= 0]
        owner = max(set(hit), key=hit.count, default=None)
        return next((one for one in seen(view) if one.owner == owner), None)

    def fill(self, masks: np.ndarray, quality: torch.Tensor, view: View, one: Candidate) -> None:
        """The masks [m, H, W] and their qualities for an object: one, or part, object, whole."""
        seed = self.seed(view, one.owner)
        rng = np.random.default_rng(seed)
        lost = view.painted and self.strikes("lost", *seed[:2])
        good = POOR if lost else GOOD
        right = mask = one.whole(view)
        if self.strikes("joined", *seed):
            right = right | self.kin_beside(view, one)
        if self.strikes("onto", *seed):
            right = right | self.lying_on(view, one)
        if self.strikes("part", *seed):
            right = faults.part_of(mask, rng)
        if len(masks) == 1:
            masks[0], quality[0] = self.blurred(right, rng), good
            return
        three = faults.part_of(mask, rng), right, mask | self.lying_on(view, one)
        for number, (each, less) in enumerate(zip(three, (0.1, 0, 0.15))):
            masks[number], quality[number] = self.blurred(each, rng), good - less

    def blurred(self, mask: np.ndarray, rng) -> np.ndarray:
        """A mask as exact as the net's is."""
        if not mask.any():
            return mask
        if self.strikes("edges", 0):
            mask = faults.off_at_the_edge(mask, rng)
        return faults.in_cells(mask) if self.strikes("cells", 0) else mask

    def kin_beside(self, view: View, one: Candidate) -> np.ndarray:
        """[h, w] bool: objects with the same label that touch this one."""
        labels = self.stage.content.labels
        return self.touching(view, one, lambda other: labels[other] == labels[one.owner])

    def lying_on(self, view: View, one: Candidate) -> np.ndarray:
        """[h, w] bool: objects that lie on this one, within its box."""
        scene, count = self.stage.scene, len(self.stage.scene.layers)

        def lies_on(other: int) -> bool:
            return other < count and one.owner < count and scene.hides(other, one.owner)

        x0, y0, x1, y1 = one.box
        found = self.touching(view, one, lies_on)
        result = np.zeros_like(found)
        result[y0:y1, x0:x1] = found[y0:y1, x0:x1]
        return result

    @staticmethod
    def touching(view: View, one: Candidate, wanted) -> np.ndarray:
        result = np.zeros(view.owners.shape, bool)
        x0, y0, x1, y1 = one.box
        part = slice(max(0, y0 - NEAR), y1 + NEAR), slice(max(0, x0 - NEAR), x1 + NEAR)
        for other in np.unique(view.owners[part]).tolist():
            if other >= 0 and other != one.owner and wanted(other):
                result |= view.owners == other
        return result


def seen(view: View) -> list[Candidate]:
    """Every object that the view shows any pixel of; kept with the view."""
    if view.seen is None:
        places = find_objects(view.owners.astype(np.int32) + 1)
        view.seen = [
            Candidate(view.owners[place] == owner, place, owner)
            for owner, place in enumerate(places)
            if place is not None
        ]
    return view.seen


def likeness(first, second) -> float:
    """IoU of two boxes xyxy."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    areas = [float((b[2] - b[0]) * (b[3] - b[1])) for b in (first, second)]
    return both / max(sum(areas) - both, 1e-9)
