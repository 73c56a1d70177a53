"""Draw a pool of pictures with ground truth, for the segmenter and the order model.

    python -m research.training.pool --pictures 4000
    python -m research.training.pool --pictures 4000 --name pairs --holes 0.3

Each picture is kept as drawn and as decoded by the autoencoder from a slightly noisy latent, which
looks like a result of diffusion.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from amodal.core.mask_ops import box_of
from amodal.stickers import backgrounds, scenes
from amodal.stickers.catalog import WORDS

from ..dataset.occlusion import hole_in
from .bank import hiding, load_autoencoder
from .precision import autocast
from .run import STATE

SIZE = 128
SHARD = 250
MOST = 4  # objects in a picture
LEAST = 60  # pixels; smaller objects cannot be recognised


def random_picture(rng, holes: float = 0.0) -> dict[str, np.ndarray]:
    """image [S, S, 3] float 0..1, amodal [4, S, S] bool from far to near, words [4] (-1 = none),
    blank [S, S] bool (a patch without objects, as padding and removal leave them).

    holes: probability that an object that covers another one has a hole which shows it.
    """
    image = scenes.make_background(rng, str(rng.choice(scenes.BACKGROUNDS)), SIZE)
    amodal, words = np.zeros((MOST, SIZE, SIZE), bool), np.full(MOST, -1)
    for at, word in enumerate(rng.choice(len(WORDS), rng.integers(1, MOST + 1), replace=False)):
        layer = random_layer(rng, WORDS[word], amodal[:at])
        covered = amodal[:at] & (layer[..., 3] > 0.5)
        if rng.random() < holes and covered.any():
            layer[hole_in(largest(covered), rng.uniform(0.3, 0.6)), 3] = 0
        image += (layer[..., :3] - image) * layer[..., 3:]
        amodal[at], words[at] = layer[..., 3] > 0.5, word
    blank = np.zeros((SIZE, SIZE), bool)
    if rng.random() < 0.2:
        x, y = rng.integers(0, SIZE, 2)
        width, height = rng.integers(8, SIZE // 2, 2)
        blank[y : y + height, x : x + width] = True
        image[blank] = backgrounds.GRAY if rng.random() < 0.7 else rng.random(3)
    return {"image": image, "amodal": amodal, "words": words, "blank": blank}


def random_layer(rng, word: str, amodal: np.ndarray) -> np.ndarray:
    """The sticker `word` on a sheet.

    In half of the cases it hides 15 to 85 % of an object; else its size and place are random.
    """
    there = np.flatnonzero(amodal.sum((1, 2)) >= LEAST)
    if len(there) and rng.random() < 0.5:
        return hiding(rng, amodal[rng.choice(there)], word)
    art = scenes.transformed(rng, word, rng.uniform(0.3, 0.95) * SIZE)
    return scenes.on_sheet(art, SIZE, *place(rng, art, amodal.any(0)))


def largest(masks: np.ndarray) -> np.ndarray:
    return masks[masks.sum((1, 2)).argmax()]


def place(rng, art: np.ndarray, taken: np.ndarray) -> list[float]:
    """A corner [x, y] for `art` [h, w, 4], mostly over an object in `taken`."""
    if taken.any() and rng.random() < 0.65:
        middle = rng.choice(np.argwhere(taken))[::-1]
        return [at - side / 2 for at, side in zip(middle, art.shape[1::-1])]
    return [rng.uniform(-0.3 * side, SIZE - 0.7 * side) for side in art.shape[1::-1]]


@torch.inference_mode()
def softened(net, images: np.ndarray) -> np.ndarray:
    pictures = torch.from_numpy(images).float().permute(0, 3, 1, 2)
    with autocast():
        latent = net.encode(pictures)
        noise = torch.rand(len(latent), 1, 1, 1) * 0.25 * torch.randn_like(latent)
        out = net.decode(latent + noise)
    return out.float().clamp(0, 1).permute(0, 2, 3, 1).numpy()


def as_bytes(images: np.ndarray) -> np.ndarray:
    return np.round(images * 255).astype(np.uint8)


def make(
    pictures: int,
    name: str = "pool",
    holes: float = 0.0,
    seed: int = 77,
    processes: int = 2,
    minutes: float = math.inf,
):
    """Writes the missing shards of `.training/<name>`, none that begins after `minutes`."""
    folder = STATE / name
    folder.mkdir(parents=True, exist_ok=True)
    count, until = -(-pictures // SHARD), time.time() + 60 * minutes
    every = [
        (range(first, count, processes), folder, holes, seed, until) for first in range(processes)
    ]
    workers = [multiprocessing.Process(target=make_shards, args=words) for words in every]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def make_shards(numbers: range, folder: Path, holes: float, seed: int, until: float = math.inf):
    torch.set_num_threads(1)
    net = load_autoencoder()
    for number in numbers:
        path = folder / f"{number:04d}.npz"
        if path.exists() or time.time() > until:
            continue
        rng = np.random.default_rng([number, seed])
        torch.manual_seed(number)
        items = [random_picture(rng, holes) for _ in range(SHARD)]
        shard = {key: np.stack([item[key] for item in items]) for key in items[0]}
        chunks = np.array_split(shard["image"], 10)
        shard["soft"] = as_bytes(np.concatenate([softened(net, chunk) for chunk in chunks]))
        shard["image"] = as_bytes(shard["image"])
        part = folder / f"{number:04d}.{os.getpid()}.part.npz"
        np.savez(part, **shard)
        part.replace(path)
        print(path.name, flush=True)


def load(name: str = "pool") -> dict[str, np.ndarray]:
    """All shards as one array for each key. Raises FileNotFoundError without any."""
    paths = sorted((STATE / name).glob("[0-9][0-9][0-9][0-9].npz"))
    if not paths:
        raise FileNotFoundError("the pool is empty: run python -m research.training.pool first")
    shards = [dict(np.load(path)) for path in paths]
    return {key: np.concatenate([shard[key] for shard in shards]) for key in shards[0]}


def visible(amodal: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """Modal masks [4, S, S]: amodal masks without nearer objects and the blank patch."""
    modal, free = amodal.copy(), ~blank
    for at in range(len(modal) - 1, -1, -1):
        modal[at] &= free
        free &= ~amodal[at]
    return modal


def placed(low: int, high: int, side: int, limit: int) -> int:
    """Where a window of `side` around low..high begins: inside 0..limit if that is possible."""
    begin = (low + high - side) // 2
    return (limit - side) // 2 if side > limit else min(max(begin, 0), limit - side)


def zoomed(rng, image: np.ndarray, amodal: np.ndarray, modal: np.ndarray) -> tuple:
    """Picture [S, S, 3] and masks [n, S, S] as in a pass: a crop around one object, enlarged to S.

    The context on each side is 0.2 to 0.6 of the object's larger side.
    """
    shown = np.flatnonzero(modal.sum((1, 2)) >= LEAST)
    if not len(shown):
        return image, amodal, modal
    x0, y0, x1, y1 = box_of(torch.from_numpy(modal[rng.choice(shown)]))
    side = min(SIZE, round(max(x1 - x0, y1 - y0) * (1 + 2 * rng.uniform(0.2, 0.6))))
    x, y = (placed(low, high, side, SIZE) for low, high in ((x0, x1), (y0, y1)))
    part = np.concatenate([image, 255.0 * np.moveaxis(np.concatenate([amodal, modal]), 0, 2)], 2)
    part = torch.from_numpy(part[y : y + side, x : x + side]).permute(2, 0, 1)[None]
    size = (SIZE,) * 2
    large = F.interpolate(part, size=size, mode="bicubic", antialias=True)[0].permute(1, 2, 0)
    masks = np.moveaxis(large[..., 3:].numpy() > 127, 2, 0)
    return large[..., :3].round().clamp(0, 255).byte().numpy(), *np.split(masks, 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--name", default="pool", help="folder in .training/")
    parser.add_argument(
        "--holes", type=float, default=0.0, help="probability of a hole in an occluder"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no shard later")
    options = parser.parse_args()
    make(
        options.pictures,
        options.name,
        options.holes,
        processes=options.workers,
        minutes=options.minutes,
    )
