"""BOUNDING_BOX, the boxes of ComfyUI's own detectors: labels and scores for masks.

A box is a dictionary with x, y, width and height, and, from a detector, `score` (0..1), and `label`
or `metadata.label`. A detector gives a list of boxes, or such a list for each picture.
"""

from __future__ import annotations

from typing import Any

import torch

from ..core.errors import BadInput

SIDES = {"x", "y", "width", "height"}


def read(boxes: Any, count: int) -> tuple[list[str], torch.Tensor]:
    """(labels, scores [count]) of the boxes of `count` masks; 'object 3' and 1 where not known.

    Raises BadInput for anything else than one box for each mask.
    """
    rows = flat(boxes)
    if len(rows) != count:
        raise BadInput(
            "bboxes",
            f"has {len(rows)} boxes for {count} masks",
            "connect masks and boxes of the same detector, with a mask for each object",
        )
    labels = [label_of(row) or f"object {i + 1}" for i, row in enumerate(rows)]
    return labels, torch.tensor([score_of(row) for row in rows], dtype=torch.float32)


def flat(boxes: Any, depth: int = 2) -> list[dict]:
    """All boxes in one list; they may lie in lists within a list. Raises BadInput."""
    if isinstance(boxes, dict) and boxes.keys() >= SIDES:
        return [boxes]
    if not isinstance(boxes, list | tuple) or not depth:
        raise refused(boxes)
    return [row for part in boxes for row in flat(part, depth - 1)]


def label_of(box: dict) -> str:
    metadata = box.get("metadata")
    label = box.get("label") or (metadata.get("label") if isinstance(metadata, dict) else "")
    return label if isinstance(label, str) else ""


def score_of(box: dict) -> float:
    score = box.get("score", 1.0)
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise BadInput("bboxes", f"has the score {ascii(score)[:60]}", "give scores from 0 to 1")
    return float(score)


def refused(value: Any) -> BadInput:
    kind = type(value).__name__
    return BadInput(
        "bboxes", f"holds a {kind} that is no box", "connect the boxes of a core detector"
    )
