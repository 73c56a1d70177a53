"""Items of a dataset of pseudo-occluded objects, as `nox -s dataset` writes it (section 4.1).

FOLDER/manifest.jsonl     one line of JSON for each item
FOLDER/picture, truth, modal, amodal, occluder/<item>.png
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import BadInput

PICTURES = ("picture", "truth")  # folders
MASKS = ("modal", "amodal", "occluder")


@dataclass(frozen=True)
class Item:
    """One item.

    image, true_image [1, H, W, 3] in 0..1: with and without the occluder. modal_mask, amodal_mask,
    occluder_mask [1, H, W], 0 or 1. line: the item's line of the manifest.
    """

    image: torch.Tensor
    true_image: torch.Tensor
    modal_mask: torch.Tensor
    amodal_mask: torch.Tensor
    occluder_mask: torch.Tensor
    line: dict[str, Any]

    def about(self) -> str:
        """The item in words: name, object, occluder, hidden fraction and level."""
        line = self.line
        return (
            f"{line['item']}: {line['category']} behind {line['occluder']['category']}, "
            f"{line['hidden']:.0%} hidden ({line['level']})"
        )


def manifest(folder: Path) -> list[dict[str, Any]]:
    """All lines of the manifest, in order. Raises BadInput if it is missing or unreadable."""
    try:
        text = (folder / "manifest.jsonl").read_text(encoding="utf-8")
    except OSError:
        raise BadInput(
            "folder",
            f"names {folder}, which has no manifest.jsonl",
            "make a dataset in this folder: nox -s dataset",
        ) from None
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        raise BadInput(
            "folder",
            f"names {folder}, which has an invalid manifest.jsonl ({error})",
            "make the dataset again: nox -s dataset",
        ) from None


def read(folder: Path, line: dict[str, Any]) -> Item:
    """The item of a line of the manifest. Raises BadInput if a picture is missing."""
    try:
        picture, truth, modal, amodal, occluder = (
            pixels(folder / kind / f"{line['item']}.png") for kind in PICTURES + MASKS
        )
    except (OSError, KeyError) as error:
        raise BadInput(
            "folder",
            f"names {folder}, which lacks part of an item ({error})",
            "run the command that made the dataset again; it adds missing items",
        ) from None
    return Item(picture, truth, modal, amodal, occluder, line)


def pixels(path: Path) -> torch.Tensor:
    """[1, H, W, 3] in 0..1 of a colour file, or [1, H, W] (0 or 1, cut at 0.5) of a gray file."""
    from PIL import Image

    with Image.open(path) as file:
        values = torch.from_numpy(np.asarray(file, np.float32) / 255)[None]
    return values if values.ndim == 4 else (values > 0.5).float()
