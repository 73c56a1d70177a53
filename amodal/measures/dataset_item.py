"""Items of a dataset of pseudo-occluded objects, as `nox -s dataset` writes it (section 4.1).

FOLDER/manifest.jsonl     one line of JSON for each item
FOLDER/picture, truth, modal, amodal, occluder/<item>.png

Nothing outside FOLDER is read, whatever the manifest holds and wherever a link leads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import BadInput
from ..core.files import file_inside, is_number, parsed
from ..core.text import encodable

PICTURES = ("picture", "truth")  # folders
MASKS = ("modal", "amodal", "occluder")
MANIFEST = "manifest.jsonl"


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
        return encodable(
            f"{line['item']}: {line['category']} behind {line['occluder']['category']}, "
            f"{line['hidden']:.0%} hidden ({line['level']})"
        )


def manifest(folder: Path) -> list[Any]:
    """All lines of the manifest, in order, each as its JSON holds it: see `check`.

    Raises BadInput if the manifest is missing or unreadable.
    """
    path = file_inside(folder, MANIFEST)
    if path is None:
        raise BadInput(
            "folder",
            f"names {folder}, which has no {MANIFEST}",
            "make a dataset in this folder: nox -s dataset",
        )
    try:
        return [parsed(line) for line in path.read_bytes().splitlines()]
    except (OSError, ValueError) as error:
        raise BadInput(
            "folder",
            f"names {folder}, which has an invalid {MANIFEST} ({error})",
            "make the dataset again: nox -s dataset",
        ) from None


def read(folder: Path, line: Any) -> Item:
    """The item of a line of the manifest.

    Raises BadInput if the line lacks an entry, or if a picture is missing, leads out of the folder
    or does not fit the others.
    """
    check(folder, line)
    name = f"{line['item']}.png"
    image, truth = (pixels(folder, kind, name, "RGB") for kind in PICTURES)
    modal, amodal, occluder = ((pixels(folder, kind, name, "L") > 0.5).float() for kind in MASKS)
    sizes = {part.shape[1:3] for part in (image, truth, modal, amodal, occluder)}
    if len(sizes) > 1:
        shown = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise broken(folder, f"{name} has different sizes in its folders: {shown}")
    return Item(image, truth, modal, amodal, occluder, line)


def check(folder: Path, line: Any) -> None:
    """Raises BadInput unless a line of the manifest has all entries that an item needs."""
    if not isinstance(line, dict):
        raise broken(folder, f"a line of {MANIFEST} is not a JSON object")
    occluder = line.get("occluder")
    texts = {name: line.get(name) for name in ("item", "category", "level")}
    texts["occluder"] = occluder.get("category") if isinstance(occluder, dict) else None
    wrong = [name for name, text in texts.items() if not (isinstance(text, str) and text)]
    if not (is_number(line.get("hidden")) and 0 <= line["hidden"] <= 1):
        wrong.append("hidden")
    if wrong:
        raise broken(folder, f"a line of {MANIFEST} has no valid {', '.join(wrong)}")


def pixels(folder: Path, kind: str, name: str, mode: str) -> torch.Tensor:
    """[1, H, W, 3] of an RGB file or [1, H, W] of a gray one (mode L), in 0..1. Raises BadInput."""
    from PIL import Image

    path, shown = file_inside(folder, kind, name), f"{kind}/{name}"
    if path is None:
        raise broken(folder, f"{shown} is missing, or leads out of the folder")
    try:
        with Image.open(path, formats=["PNG"]) as file:
            found = file.mode
            values = np.asarray(file, np.float32) / 255 if found == mode else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise broken(folder, f"{shown} cannot be read ({error})") from None
    if values is None:
        raise broken(folder, f"{shown} is a PNG of the mode {found}, not {mode}")
    return torch.from_numpy(values)[None]


def broken(folder: Path, problem: str) -> BadInput:
    """The error for an item that cannot be read."""
    return BadInput(
        "folder",
        f"names {folder}, which lacks part of an item: {problem}",
        "make the dataset again, in an empty folder: nox -s dataset",
    )
