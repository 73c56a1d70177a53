"""A pseudo-occluded item as arrays, and the measures of its completion (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amodal.measures import metrics
from amodal.stickers.closeness import overlaps

from . import figures, runner

ALWAYS = "ST-LPIPS"  # its package brings the weights; `perceptual` in a record


@dataclass
class Item:
    """picture, truth [H, W, 3] in 0..1; modal, amodal [H, W], 0 or 1; all float32."""

    picture: np.ndarray
    truth: np.ndarray
    modal: np.ndarray
    amodal: np.ndarray


def read(line: dict) -> Item:
    def pixels(kind: str) -> np.ndarray:
        with Image.open(line["files"][kind]) as file:
            return np.asarray(file, np.float32) / 255

    return Item(*(pixels(kind) for kind in ("picture", "truth", "modal", "amodal")))


def on_canvas(item: Item, values: dict) -> tuple[np.ndarray, np.ndarray, Item]:
    """Completed object [h, w, 4], canvas [h, w, 3], and the item on that (grown) canvas.

    If nothing was completed, these are the visible part, the picture and the item itself.
    """
    if "object" not in values:
        return np.dstack([item.picture, item.modal]), item.picture, item
    completed, canvas = values["object"][0].numpy(), values["image"][0].numpy()
    x, y = (-shift for shift in values["canvas"].offset)
    box = (x, y, x + canvas.shape[1], y + canvas.shape[0])
    return completed, canvas, Item(*(figures.cut(part, box) for part in vars(item).values()))


def compared(
    item: Item, completed: np.ndarray, word: str, measures: tuple[str, ...], weights: Path
) -> dict:
    """The measures of a completed object [h, w, 4] on the item's canvas.

    measures: names of metrics.MODELS to take besides; weights: the folder of their weights.
    """
    picture, mask = torch.from_numpy(completed[..., :3]), torch.from_numpy(completed[..., 3])
    truth, amodal, modal = (
        torch.from_numpy(np.ascontiguousarray(part))
        for part in (item.truth, item.amodal, item.modal)
    )
    painted = completed[..., 3] > 0.5
    values = {
        **overlaps(painted, item.amodal > 0.5, item.modal > 0.5),
        "colour": metrics.colour_error(picture, mask, truth, amodal, modal),
    }
    for name in measures:
        label = "perceptual" if name == ALWAYS else name
        values[label] = metrics.measure(name, picture, mask, truth, amodal, word, weights)
    rounded = {name: round(float(value), 4) for name, value in values.items()}
    return {**rounded, "success": rounded["amodal_iou"] >= runner.SUCCESS}


def keep(base: Path, item: Item, completed: np.ndarray, canvas: np.ndarray) -> None:
    """<base>.webp: picture, canvas, completed object and true object, side by side."""
    cut_outs = [
        1 + (pixels - 1) * (mask[..., None] > 0.5)
        for pixels, mask in ((completed[..., :3], completed[..., 3]), (item.truth, item.amodal))
    ]
    runner.keep(base, [item.picture, canvas, *cut_outs])
