"""The workflow of a batch: what it can do, and its prompt for one object."""

from __future__ import annotations

import json
from typing import Any

from ..core.errors import BadInput
from . import headless, workflow

FOUND = headless.TEXTS["detected"]
LEAST, UNKNOWN = 64, 512  # pixels: the smallest crop; what a crop of the model's own size becomes
OF_STICKERS = 128  # pixels: the sticker models' own size
PICK = ("Pick the object", "AmodalPickObject", "AmodalCompletion")


def counter(prompt: dict) -> str | None:
    """The id of the node that completes several seeds at once; None if there is none."""
    nodes = [i for i, node in prompt.items() if node["class_type"] == "AmodalCompletion"]
    return nodes[0] if len(nodes) == 1 else None


def ranks(prompt: dict) -> bool:
    """Does the workflow choose the best of several completions?"""
    return any(node["class_type"] == "AmodalPickBest" for node in prompt.values())


def is_pick(prompt: dict, name: str) -> bool:
    """Is that the name of the node that picks the object, as errors give it?"""
    node = workflow.titled(prompt, *PICK)
    return node is not None and name.endswith(f"({node})")


def check(prompt: dict, *, objects: str | None, seeds: int, best: bool) -> None:
    """Raises BadInput if the workflow cannot do what the options ask for."""
    filled(prompt, "picture.png", index=0 if objects == "all" else None, seed=0, count=seeds)
    picks = prompt[workflow.need(prompt, *PICK)]["inputs"]
    if objects and isinstance(picks.get("modal_mask"), list):
        raise BadInput(
            "objects",
            f"is {objects}, but the workflow supplies the masks itself",
            "leave --objects out, or use another workflow",
        )
    if best and not (ranks(prompt) and counter(prompt)):
        raise BadInput(
            "best",
            "needs a workflow that ranks its completions (Pick Best)",
            "give --workflow best_of_seeds, or one of your own made from it",
        )
    if best and seeds < 2:
        raise BadInput("best", f"chooses from {seeds} seed", "give --seeds 2 or more")


def filled(
    prompt: dict,
    picture: str,
    *,
    index: int | None = None,
    count: int = 1,
    **given: Any,
) -> dict:
    """The prompt for one object; `given` goes to workflow.fill. Raises BadInput."""
    prompt = workflow.fill(prompt, picture, **given)
    node = counter(prompt)
    if node:
        prompt[node]["inputs"]["count"] = count
    if index is not None:
        number(prompt, index)
    return prompt


def number(prompt: dict, index: int) -> None:
    """Chooses the object by its number, and shows how many there are. Raises BadInput."""
    node = workflow.titled(prompt, PICK[0], PICK[1])
    link = prompt[node]["inputs"].get("objects") if node else None
    if node is None or not isinstance(link, list):
        raise BadInput(
            "objects",
            "is all, but the workflow has no Pick Object behind Detect Objects",
            "give --workflow amodal_completion_stickers, or another one with these nodes",
        )
    prompt[node]["inputs"]["index"] = index
    prompt["found"] = {
        "class_type": "PreviewAny",
        "inputs": {"source": [link[0], 2]},
        "_meta": {"title": FOUND},
    }


def seed_of(prompt: dict) -> int:
    return int(prompt[workflow.need(prompt, "Seed", "PrimitiveInt")]["inputs"]["value"])


def smaller(prompt: dict) -> dict:
    """A copy whose crops are three quarters of their size; equal if none can be smaller."""
    prompt = json.loads(json.dumps(prompt))
    stickers = any(node["class_type"] == "AmodalStickerCheckpoint" for node in prompt.values())
    for node in prompt.values():
        size = node["inputs"].get("size")
        if node["class_type"] in ("AmodalCropToObject", "AmodalCompletion") and isinstance(
            size, int
        ):
            size = size or (OF_STICKERS if stickers else 0)
            node["inputs"]["size"] = max(LEAST, size * 3 // 4 // 8 * 8) if size else UNKNOWN
    return prompt
