"""Items of a set of pseudo-occluded objects, as `nox -s dataset` writes it (section 4.1).

FOLDER/manifest.jsonl     a line of JSON for each item
FOLDER/picture, truth, modal, amodal, occluder/<item>.png
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..core.errors import BadInput

PICTURES = ("picture", "truth")
MASKS = ("modal", "amodal", "occluder")


@dataclass(frozen=True)
class Item:
    """picture, truth [1, H, W, 3]; modal, amodal, occluder [1, H, W], 0 or 1; line: its line of the
    manifest."""

    picture: torch.Tensor
    truth: torch.Tensor
    modal: torch.Tensor
    amodal: torch.Tensor
    occluder: torch.Tensor
    line: dict

    def told(self) -> str:
        line = self.line
        return (
            f"{line['item']}: {line['category']} behind {line['occluder']['category']}, "
            f"{line['hidden']:.0%} hidden ({line['level']})"
        )


def manifest(folder: Path) -> list[dict]:
    """All lines, in order. Raises BadInput."""
    try:
        text = (folder / "manifest.jsonl").read_text(encoding="utf-8")
    except OSError:
        raise BadInput(
            "folder", f"{folder} holds no manifest.jsonl", "make a set there: nox -s dataset"
        ) from None
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError as error:
        raise BadInput(
            "folder", f"{folder} holds a manifest.jsonl that is none ({error})", "make it anew"
        ) from None


def read(folder: Path, line: dict) -> Item:
    """The item of a line of its manifest. Raises BadInput where a picture is missing."""
    try:
        found = {kind: pixels(folder / kind / f"{line['item']}.png") for kind in PICTURES + MASKS}
    except (OSError, KeyError) as error:
        raise BadInput(
            "folder",
            f"{folder} lacks a part of an item ({error})",
            "go on with the command that made it: it makes what is missing",
        ) from None
    return Item(**found, line=line)


def pixels(path: Path) -> torch.Tensor:
    """[1, H, W, 3] of a coloured file; [1, H, W], cut at a half, of a gray one."""
    from PIL import Image

    with Image.open(path) as file:
        found = torch.from_numpy(np.asarray(file, np.float32) / 255)[None]
    return found if found.ndim == 4 else (found > 0.5).float()
