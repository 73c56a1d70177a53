"""Measures of a completion against the scene's ground truth (section 4.1).

Everything is compared on the scene's sheet: the picture with half a picture around it, 2S x 2S for
a picture of S x S pixels.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from amodal.stickers.closeness import iou, seen_on_sheet
from amodal.stickers.scenes import Scene

PERCEPTUAL_SIDE = 128


def cut(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The part of a picture [H, W, ...] in a box (x1, y1, x2, y2); 0 beyond the picture."""
    x1, y1, x2, y2 = box
    out = np.zeros((y2 - y1, x2 - x1, *picture.shape[2:]), picture.dtype)
    height, width = picture.shape[:2]
    left, top, right, bottom = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
    if right > left and bottom > top:
        out[top - y1 : bottom - y1, left - x1 : right - x1] = picture[top:bottom, left:right]
    return out


def on_sheet(picture: np.ndarray, scene: Scene, x: int, y: int) -> np.ndarray:
    """A canvas [h, w, ...] on the scene's sheet [2S, 2S, ...].

    (x, y) is the canvas' top left corner in pixels of the picture.
    """
    left, top = scene.size // 2 + x, scene.size // 2 + y
    return cut(picture, (-left, -top, 2 * scene.size - left, 2 * scene.size - top))


def unlikeness(scene: Scene, completed: np.ndarray) -> float:
    """ST-LPIPS of the completed object's occluded part and the true one, both on black."""
    painted, truth, seen = completed[..., 3] > 0.5, scene.amodal_sheet(), seen_on_sheet(scene)
    return perceptual(
        completed[..., :3] * (painted & ~seen)[..., None],
        scene.truth_sheet * (truth & ~seen)[..., None],
        truth | painted,
    )


@cache
def stlpips():
    from stlpips_pytorch import stlpips

    return stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval()


@torch.inference_mode()
def perceptual(first: np.ndarray, second: np.ndarray, around: np.ndarray) -> float:
    """ST-LPIPS of two pictures [H, W, 3] in 0..1; 0 means the same.

    Both are cut to the box of `around` [H, W] bool and resized to 128 x 128.
    """
    rows, columns = np.flatnonzero(around.any(1)), np.flatnonzero(around.any(0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    pair = np.stack([first[box], second[box]]).astype(np.float32)
    pictures = torch.from_numpy(pair).permute(0, 3, 1, 2)
    side = (PERCEPTUAL_SIDE, PERCEPTUAL_SIDE)
    pictures = F.interpolate(pictures, size=side, mode="bilinear", antialias=True) * 2 - 1
    return float(stlpips()(pictures[:1], pictures[1:]))


def mask_at_k(scene: Scene, crop, mask: torch.Tensor) -> float:
    """IoU of M^k [1, h, w] with the true amodal mask in the pass' crop."""
    truth = truth_in_crop(scene, crop)[1][0].numpy() > 0.5
    return iou(mask[0].numpy() > 0.5, truth)


def truth_in_crop(scene: Scene, crop) -> tuple[torch.Tensor, torch.Tensor]:
    """(image [1, S, S, 3], amodal mask [1, S, S]): the scene without occluders, in a pass' crop.

    The sheet's edge is repeated beyond the sheet.
    """
    half = scene.size // 2
    x, y = (half - shift for shift in crop.canvas.offset)
    x0, y0, x1, y1 = crop.box
    columns = np.clip(np.arange(x0 + x, x1 + x), 0, 2 * scene.size - 1)
    rows = np.clip(np.arange(y0 + y, y1 + y), 0, 2 * scene.size - 1)
    image = torch.from_numpy(scene.truth_sheet[np.ix_(rows, columns)]).float()
    mask = torch.from_numpy(scene.amodal_sheet()[np.ix_(rows, columns)]).float()
    both = torch.cat([image, mask[..., None]], -1).permute(2, 0, 1)[None]
    both = F.interpolate(both, size=crop.size[::-1], mode="bilinear", antialias=True)
    return both[:, :3].permute(0, 2, 3, 1).clamp(0, 1), (both[:, 3] > 0.5).float()
