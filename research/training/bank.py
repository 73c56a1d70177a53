"""Encode a bank of scenes once, for the diffusion model to train on.

    python -m research.training.bank --items 24000

An item holds the latent of the target, the latent of the masked picture and the mask at latent size
(both built as the host's InpaintModelConditioning builds them), and the object's word.
On studio gray the target is always the complete object alone. On other backgrounds the co-occurring
occluder stands in front of it with its probability and belongs to the target, so the model learns
the co-occurrence. Most objects lie as in the crop of a pass: centred, two thirds of its side.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scipy import ndimage

from amodal.stickers import backgrounds, scenes
from amodal.stickers.autoencoder import Autoencoder
from amodal.stickers.catalog import CATALOG, WORDS

from .autoencoder import load
from .precision import autocast
from .run import STATE, newest

SIZE = 128
SHARD = 500
BANK = "bank"
COVER = (0.4, 1.15)  # an occluder's side over the object's; at 1 it hides half and more
SIDE = (0.48, 0.92)  # an object's larger side over the picture's
SIDE_IN_CROP = (0.56, 0.8)  # the same in the crop of a pass
HIDDEN = (0.15, 0.85)  # the fraction of an object to hide, drawn uniformly


def load_autoencoder() -> Autoencoder:
    net = load(Autoencoder(), newest("stickers_vae")).eval().requires_grad_(False)
    return net.to(memory_format=torch.channels_last)


def random_item(rng) -> tuple[np.ndarray, np.ndarray, str]:
    """(target [S, S, 3] float 0..1, mask [S, S] bool, word)."""
    word = str(rng.choice(WORDS))
    studio = rng.random() < 0.68
    kind = "gray" if studio else str(rng.choice(scenes.BACKGROUNDS[1:], p=[0.6, 0.3, 0.1]))
    as_cropped = rng.random() < 0.7
    side, place = (SIDE_IN_CROP, place_in_crop) if as_cropped else (SIDE, place_query)
    query = place(rng, scenes.transformed(rng, word, rng.uniform(*side) * SIZE))
    amodal = query[..., 3] > 0.5
    picture = scenes.make_background(rng, kind, SIZE)
    if not studio and rng.random() < 0.15:
        paint(picture, distractor(rng, word))
    paint(picture, query)
    cover = None
    if not studio and rng.random() < CATALOG[word].p:
        front = hiding(rng, amodal, CATALOG[word].co_occurring)
        paint(picture, front)
        cover = front[..., 3] > 0.5
    mask = random_mask(rng, word, amodal, cover)
    if studio and rng.random() < 0.5:
        picture = cut_out(rng, picture, query, amodal, mask)
    return softer(rng, picture), mask, word


def softer(rng, picture: np.ndarray) -> np.ndarray:
    """Half of the pictures are softened like a crop enlarged from a smaller picture."""
    if rng.random() < 0.5:
        return picture
    side = int(rng.uniform(0.5, 1) * SIZE)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    small = F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)
    large = F.interpolate(small, size=(SIZE, SIZE), mode="bicubic").clamp(0, 1)
    return large[0].permute(1, 2, 0).numpy()


def place_query(rng, art: np.ndarray) -> np.ndarray:
    height, width = art.shape[:2]
    slack = rng.uniform(0.05, 0.2) if rng.random() < 0.1 else -0.02  # sometimes over the border
    spans = [sorted((-slack * side, SIZE - side + slack * side)) for side in (width, height)]
    return scenes.on_sheet(art, SIZE, *(rng.uniform(*span) for span in spans))


def place_in_crop(rng, art: np.ndarray) -> np.ndarray:
    """Near the middle, where a crop shows the visible part of its object."""
    height, width = art.shape[:2]
    x, y = (SIZE - np.array([width, height])) / 2 + rng.normal(0, 0.06, 2) * SIZE
    return scenes.on_sheet(art, SIZE, x, y)


def distractor(rng, word: str) -> np.ndarray:
    other = str(rng.choice([w for w in WORDS if w not in (word, CATALOG[word].co_occurring)]))
    art = scenes.transformed(rng, other, rng.uniform(0.25, 0.5) * SIZE)
    x, y = rng.uniform(-0.2 * SIZE, 0.9 * SIZE, 2)
    return scenes.on_sheet(art, SIZE, x, y)


def over(rng, amodal: np.ndarray, word: str) -> np.ndarray:
    """The sticker `word`, COVER times as large as the object, at a random place over it."""
    ys, xs = np.nonzero(amodal)
    side = max(np.ptp(xs), np.ptp(ys)) + 1
    art = scenes.transformed(rng, word, rng.uniform(*COVER) * side)
    at = rng.integers(len(xs))
    height, width = art.shape[:2]
    x = xs[at] - width / 2 + rng.normal(0, 0.1) * width
    y = ys[at] - height / 2 + rng.normal(0, 0.1) * height
    return scenes.on_sheet(art, SIZE, x, y)


def hiding(rng, amodal: np.ndarray, word: str) -> np.ndarray:
    """The sticker `word` over the object: of three tries the one closest to a target fraction.

    The target is uniform in HIDDEN; random placements alone would mostly hide little.
    """
    wanted = rng.uniform(*HIDDEN)
    tries = [over(rng, amodal, word) for _ in range(3)]
    shares = [(layer[..., 3] > 0.5)[amodal].mean() for layer in tries]
    return min(zip(shares, tries), key=lambda pair: abs(pair[0] - wanted))[1]


def paint(picture: np.ndarray, layer: np.ndarray):
    picture += (layer[..., :3] - picture) * layer[..., 3:]


def cut_out(rng, picture, query, amodal, mask) -> np.ndarray:
    """The visible part cut out of a random background: hard edges, sometimes a thin halo."""
    elsewhere = scenes.make_background(rng, str(rng.choice(scenes.BACKGROUNDS[1:])), SIZE)
    paint(elsewhere, query)
    grown = ndimage.binary_dilation(amodal) if rng.random() < 0.3 else amodal
    shown = np.where(grown[..., None], elsewhere, np.float32(backgrounds.GRAY))
    return np.where(mask[..., None], picture, shown)


def random_mask(rng, word: str, amodal: np.ndarray, cover: np.ndarray | None) -> np.ndarray:
    """The inpaint mask; `cover` is the mask of the co-occurring occluder in front, or None."""
    kind = rng.choice(
        ["silhouette", "strips", "both", "outside", "blob", "all"],
        p=[0.56, 0.13, 0.05, 0.1, 0.13, 0.03],
    )
    mask = np.zeros_like(amodal)
    if kind in ("silhouette", "both"):
        if cover is not None:
            mask |= cover
        else:
            likely = CATALOG[word].co_occurring if rng.random() < 0.5 else str(rng.choice(WORDS))
            mask |= hiding(rng, amodal, likely)[..., 3] > 0.5
    if kind in ("strips", "both"):
        mask |= strips(rng)
    if kind == "outside":
        shown = amodal if cover is None else amodal & ~cover
        if rng.random() < 0.5:
            shown = shown & ~(over(rng, amodal, str(rng.choice(WORDS)))[..., 3] > 0.5)
        return ~ndimage.binary_dilation(shown, iterations=int(rng.integers(1, 3)))
    if kind == "blob":
        mask |= blob(rng, amodal)
        if cover is not None and rng.random() < 0.7:
            mask |= cover
    if kind == "all":
        return np.ones_like(amodal)
    dilate = int(rng.integers(0, 7))
    return ndimage.binary_dilation(mask, iterations=dilate) if dilate else mask


def strips(rng) -> np.ndarray:
    """Strips along one or two borders, like unknown padding."""
    mask = np.zeros((SIZE, SIZE), bool)
    for side in rng.choice(4, 1 if rng.random() < 0.7 else 2, replace=False):
        width = int(rng.uniform(0.1, 0.5) * SIZE)
        np.rot90(mask, side)[:, :width] = True
    return mask


def blob(rng, amodal: np.ndarray) -> np.ndarray:
    """A rotated ellipse or rectangle on the object."""
    ys, xs = np.nonzero(amodal)
    at = rng.integers(len(xs))
    turn = rng.uniform(0, np.pi)
    grid_y, grid_x = np.mgrid[:SIZE, :SIZE] - np.array([ys[at], xs[at]])[:, None, None]
    u = (grid_x * np.cos(turn) + grid_y * np.sin(turn)) / (rng.uniform(0.1, 0.35) * SIZE)
    v = (grid_y * np.cos(turn) - grid_x * np.sin(turn)) / (rng.uniform(0.1, 0.35) * SIZE)
    return (u * u + v * v < 1) if rng.random() < 0.5 else (np.abs(u) < 1) & (np.abs(v) < 1)


@torch.inference_mode()
def encode(net: Autoencoder, items) -> dict[str, torch.Tensor]:
    pictures = torch.from_numpy(np.stack([i[0] for i in items])).float().permute(0, 3, 1, 2)
    masks = torch.from_numpy(np.stack([i[1] for i in items])).float()[:, None]
    masked = (pictures - 0.5) * (1 - masks) + 0.5
    size = (SIZE // 8, SIZE // 8)
    with autocast():  # twice as fast; the error is 0.005 at unit variance
        target, shown = net.encode(torch.cat([pictures, masked])).chunk(2)
    return {
        "target": target.half().contiguous(),
        "masked": shown.half().contiguous(),
        "mask": F.interpolate(masks, size=size, mode="bilinear").round().half(),
        "word": torch.tensor([WORDS.index(i[2]) for i in items]),
    }


def make_shards(first: int, step: int, count: int, until: float = math.inf):
    """Writes the missing shards first, first + step, ... below `count`, none after `until`."""
    torch.set_num_threads(1)
    net = load_autoencoder()
    for number in range(first, count, step):
        path = STATE / BANK / f"{number:05d}.safetensors"
        if path.exists() or time.time() > until:
            continue
        rng = np.random.default_rng([number, 4711])
        batches = [encode(net, [random_item(rng) for _ in range(50)]) for _ in range(SHARD // 50)]
        shard = {key: torch.cat([b[key] for b in batches]) for key in batches[0]}
        part = path.with_suffix(f".part{os.getpid()}")
        save_file(shard, part)
        part.replace(path)
        print(path.name, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=24000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no shard later")
    options = parser.parse_args()
    (STATE / BANK).mkdir(parents=True, exist_ok=True)
    count, until = -(-options.items // SHARD), time.time() + 60 * options.minutes
    workers = [
        multiprocessing.Process(target=make_shards, args=(i, options.workers, count, until))
        for i in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
