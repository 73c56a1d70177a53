"""Train the sticker world's order model on pairs of neighbouring objects.

    python -m research.training.pool --pictures 5000 --name pairs --holes 0.3
    python -m research.training.order --minutes 12

Masks are the true ones, often slightly wrong, and the segmenter's, with its own kind of errors.
Some pairs are as a second pass sees them (`passes`).
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scipy import ndimage
from tqdm import tqdm

from amodal.stickers import weight_files
from amodal.stickers.catalog import WORDS
from amodal.stickers.order_model import OrderNet, pair_view
from amodal.stickers.segmenter import SegmenterNet, StickerSegmenter

from . import passes, pool
from .bank import load_autoencoder
from .precision import autocast
from .run import STATE, Run, half, newest, trained

BATCH = 48
POOL = "pairs"  # pictures in which an occluder may have a hole
PAINTED = 1.0  # pairs as after a pass, for each picture of the pool
ZOOMED = 0.6  # probability of a crop around one object, as in a pass
ENDS = ("trunk.0.", "head")  # trained by AdamW, not Muon


def load_pairs() -> tuple[torch.Tensor, torch.Tensor]:
    """Views [n, 5, 64, 64] uint8 and labels [n, 2] (i hides j, j hides i) of neighbouring pairs.

    They are kept beside the pool's shards. Missing ones are made by all cores. Raises
    FileNotFoundError without a pool.
    """
    paths = sorted((STATE / POOL).glob("[0-9][0-9][0-9][0-9].npz"))
    if not paths:
        remedy = f"run python -m research.training.pool --name {POOL} --holes 0.3 first"
        raise FileNotFoundError(f"no pictures in .training/{POOL}: {remedy}")
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as workers:
        made = list(tqdm(workers.imap(pairs_of, paths), "pairs", total=len(paths)))
    shards = [np.load(path) for path in made]
    return tuple(
        torch.from_numpy(np.concatenate([s[key] for s in shards])) for key in ("views", "labels")
    )


def pairs_of(path: Path) -> Path:
    """The file with a shard's pairs; writes it if it is missing."""
    made = path.with_name(f"{path.stem}.{digest()}.npz")
    if made.exists():
        return made
    torch.set_num_threads(1)
    data, rng = {**np.load(path)}, np.random.default_rng([int(path.stem), 3])
    painted = painted_pairs(round(PAINTED * len(data["words"])), rng)
    views, labels = (np.concatenate(both) for both in zip(pairs_in(data, rng), painted))
    part = path.with_suffix(".part.npz")
    np.savez(part, views=views, labels=labels)
    return part.replace(made)


def digest() -> str:
    """A digest of this script and the segmenter, which the pairs depend on."""
    files = (Path(__file__), Path(passes.__file__), newest("stickers_segmenter"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def pairs_in(data: dict, rng) -> tuple[np.ndarray, np.ndarray]:
    """Views and labels, as in `load_pairs`, of a shard of the pool."""
    segmenter, views, labels = newest_segmenter(), [], []
    for at in range(len(data["words"])):
        amodal = data["amodal"][at]
        modal = pool.visible(amodal, data["blank"][at])
        image = data["soft" if rng.random() < 0.3 else "image"][at]
        if rng.random() < ZOOMED:
            image, amodal, modal = pool.zoomed(rng, image, amodal, modal)
        picture = torch.from_numpy(image).float() / 255
        rough = [roughened(rng, mask) for mask in modal]
        for masks in (rough, detected(segmenter, picture, data["words"][at], modal)):
            for far, near in itertools.combinations(range(len(modal)), 2):
                if meet(masks[far], masks[near]):
                    pair = [torch.from_numpy(masks[k]).float() for k in (near, far)]
                    views.append((pair_view(picture, *pair) * 255).round().byte().numpy())
                    labels.append([float((amodal[far] & modal[near]).any()), 0.0])
    return np.stack(views), np.array(labels, np.float32)


def painted_pairs(count: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Views and labels, as in `load_pairs`, of `count` pairs as after a pass.

    Half of the pictures went through the autoencoder, as what a pass paints does.
    """
    net, views, labels = load_autoencoder(), [], []
    while len(views) < count:
        pair = passes.painted_pair(rng)
        if pair is None:
            continue
        image = pair["image"]
        if rng.random() < 0.5:
            soft = pool.softened(net, image[None])[0]
            image = np.where(pair["painted"][..., None], soft, image)
        masks = np.stack([roughened(rng, pair["other"]), roughened(rng, pair["query"])])
        image = pool.as_bytes(image)
        if rng.random() < ZOOMED:
            image, masks, _ = pool.zoomed(rng, image, masks, masks)
        picture = torch.from_numpy(image).float() / 255
        view = pair_view(picture, *(torch.from_numpy(mask).float() for mask in masks))
        views.append((view * 255).round().byte().numpy())
        labels.append([float(hides) for hides in pair["order"]])
    return np.stack(views), np.array(labels, np.float32)


def meet(first: np.ndarray, second: np.ndarray) -> bool:
    """True if both masks [S, S] are large enough and within three pixels of each other."""
    if min(first.sum(), second.sum()) < pool.LEAST:
        return False
    return bool((ndimage.binary_dilation(first, iterations=3) & second).any())


def newest_segmenter() -> StickerSegmenter:
    name = "stickers_segmenter"
    state, _ = weight_files.read(name, folder=newest(name).parent)
    return StickerSegmenter(weight_files.load_into(SegmenterNet(), state, name))


def detected(segmenter, picture: torch.Tensor, words: np.ndarray, modal: np.ndarray) -> np.ndarray:
    """The segmenter's masks of the objects with modal masks [n, S, S].

    A mask is empty if the segmenter finds nothing with this label and an IoU of at least 0.5.
    """
    objects, masks = segmenter.detect(picture), np.zeros_like(modal)
    for label, mask in zip(objects.labels, objects.masks.bool().numpy()):
        for at in np.flatnonzero(words == WORDS.index(label)):
            if (mask & modal[at]).sum() >= 0.5 * (mask | modal[at]).sum():
                masks[at] = mask
    return masks


def batches(views: torch.Tensor, labels: torch.Tensor, seed: int):
    rng = np.random.default_rng([seed, 3])
    while True:
        at = torch.from_numpy(rng.integers(0, len(views), BATCH))
        view, label = views[at].float() / 255, labels[at]
        for axis in (2, 3):
            flip = torch.from_numpy(rng.random(BATCH) < 0.5)[:, None, None, None]
            view = torch.where(flip, view.flip(axis), view)
        swap = torch.from_numpy(rng.random(BATCH) < 0.5)[:, None]
        view = torch.where(swap[..., None, None], view[:, [1, 0, 2, 3, 4]], view)
        gain = torch.from_numpy(rng.uniform(0.8, 1.1, (BATCH, 3, 1, 1))).float()
        view[:, 2:] = (view[:, 2:] * gain).clamp(0, 1)
        yield view, torch.where(swap, label.flip(1), label)


def roughened(rng, mask: np.ndarray) -> np.ndarray:
    """A slightly wrong mask, like a segmenter's."""
    kind = rng.integers(4)
    if kind == 0:
        return ndimage.binary_dilation(mask)
    if kind == 1 and mask.sum() > 200:
        return ndimage.binary_erosion(mask)
    return mask


def train(minutes: float, rate: float, warm: bool):
    views, labels = load_pairs()
    print(f"{len(views)} pairs", flush=True)
    torch.manual_seed(0)
    net = OrderNet()
    if warm and not (STATE / "order.pt").exists():
        weight_files.load_into(net, weight_files.read("stickers_order")[0], "stickers_order")
        net.requires_grad_(True)
    run, hits = Run("order", net, minutes=minutes, lr=rate, decay=0.99, ends=ENDS), []
    for view, label in batches(views, labels, run.step):
        if not run.going:
            break
        net.train()
        view, label = view.to(run.device), label.to(run.device)
        with autocast(run.device):
            logits = net(view).float()
        run.update(F.binary_cross_entropy_with_logits(logits, label))
        hits.append(float(((logits > 0) == (label > 0.5)).float().mean()))
        if run.step % 100 == 0:
            run.note(right=round(float(np.mean(hits[-100:])), 4))
    run.save()
    before = weight_files.read("stickers_order")[0] if warm else None
    about = {"config": json.dumps({"steps": run.step})}
    save_file(half(run.averaged(before)), trained("stickers_order"), about)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--rate", type=float, default=2e-3, help="initial learning rate")
    parser.add_argument("--warm", action="store_true", help="start from the shipped weights")
    options = parser.parse_args()
    train(options.minutes, options.rate, options.warm)
