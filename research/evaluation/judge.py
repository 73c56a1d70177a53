"""Finds spurious objects in a completion with a segmenter of the evaluation's own.

`research.training.judge` trains it with other widths, pictures and seed than the pack's segmenter,
so that the pack's segmenter cannot hide its own mistakes.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open

from amodal.stickers.catalog import WORDS
from amodal.stickers.closeness import seen_on_sheet
from amodal.stickers.scenes import Scene
from amodal.stickers.segmenter import SegmenterNet

WEIGHTS = Path(__file__).with_name("judge.safetensors")
SHEET = 256  # pixels; the side of the sheets that it was trained on
UNCHANGED = 0.01  # pixels that differ by less from the picture were not painted
SPURIOUS = 0.1  # of the occluded area: another object this large counts as spurious


@cache
def net() -> SegmenterNet:
    """The judge's network. Raises ValueError if it was trained on another list of words."""
    with safe_open(WEIGHTS, "pt") as file:
        if json.loads(file.metadata()["config"])["words"] != list(WORDS):
            raise ValueError(
                "the judge was trained on other words: run python -m research.training.judge"
            )
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    judge = SegmenterNet(widths=widths_of(state))
    judge.load_state_dict(state, strict=False)  # batch counts are not kept
    return judge.eval().requires_grad_(False)


def widths_of(state: dict[str, torch.Tensor]) -> tuple[int, ...]:
    """The channels of each level, from the shapes of its first convolution's weights."""
    down = sorted(name for name in state if re.fullmatch(r"down\.\d+\.0\.0\.weight", name))
    return tuple(len(state[name]) for name in ("stem.1.0.weight", *down))


@torch.inference_mode()
def classes(picture: np.ndarray) -> np.ndarray:
    """The class of each pixel [H, W] of a sheet [H, W, 3]: 0 for background, else 1 + row of WORDS.

    A sheet of a multiple of SHEET pixels is looked at SHEET pixels wide.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).float().permute(2, 0, 1)[None]
    factor = max(1, len(picture) // SHEET)
    found = net()(F.avg_pool2d(pixels, factor)).argmax(1)[0].numpy()
    return found.repeat(factor, 0).repeat(factor, 1)


def spurious(
    scene: Scene, canvas: np.ndarray, known: np.ndarray, painted: np.ndarray | None = None
) -> float:
    """The painted area of objects other than the query, as a fraction of its occluded area.

    canvas [2S, 2S, 3]: the completed picture on the scene's sheet, valid where known [2S, 2S].
    painted [2S, 2S]: what was painted; where None, all known pixels that differ from the picture.
    Objects that the judge also finds in the true picture (those behind the query) do not count.
    """
    query = WORDS.index(scene.word) + 1
    found = classes(np.where(known[..., None], canvas, scene.truth_sheet))
    wrong = (found > 0) & (found != query) & (found != classes(scene.truth_sheet))
    hidden = scene.amodal_sheet() & ~seen_on_sheet(scene)
    if painted is None:
        painted = known & ~unchanged(scene, canvas)
    return float((wrong & painted).sum() / max(1, hidden.sum()))


def unchanged(scene: Scene, canvas: np.ndarray) -> np.ndarray:
    """[2S, 2S] bool: where the canvas still shows the picture's own pixels."""
    same = np.zeros(canvas.shape[:2], bool)
    scene.window(same)[:] = np.abs(scene.window(canvas) - scene.image).max(-1) < UNCHANGED
    return same
