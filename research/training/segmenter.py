"""Train the sticker world's segmenter.

    python -m research.training.segmenter --minutes 12 --shares 8,8

Some pictures come from the pool, decoded by the autoencoder, like results of diffusion. The others
are drawn for each step. Pixels of objects that are largely hidden weigh more. The network sees a
picture at the size that it is used at, or a window of it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file

from amodal.stickers.catalog import WORDS
from amodal.stickers.segmenter import SIDE, SegmenterNet

from . import pool
from .peers import Peers, shares_of, start
from .precision import autocast
from .run import SHIPPED, STATE, Run, half, trained

BATCH = 16
SOFT = 0.4  # probability of a picture from the pool
ZOOMED = 0.5  # probability of a crop around one object, as in a pass
WINDOW, WINDOWS = 128, 0.5  # pixels of a window, and probability of one: it is faster
HIDDEN = 4.0  # pixels of an object with hidden fraction h weigh 1 + HIDDEN * h
NAME, BEFORE = "segmenter", STATE / "segmenter_before.pt"
ENDS = ("stem", "head")  # trained by AdamW, not Muon


def batches(
    data: dict,
    size: int,
    seed: tuple[int, ...],
    rank: int = 0,
    side: int = SIDE,
    soft: float = SOFT,
):
    """Endless batches: pictures [B, 3, S, S] in 0..1, classes [B, S, S] and weights [B, S, S].

    S is `side` or WINDOW; class 0 is background. All processes draw the same sizes, so that none
    waits for another.
    """
    rng, sizes = np.random.default_rng([*seed, rank, 99]), np.random.default_rng(seed)
    while True:
        items = [softened(data, rng) if rng.random() < soft else drawn(rng) for _ in range(size)]
        pictures, classes, counts = (torch.from_numpy(np.stack(part)) for part in zip(*items))
        pictures = pictures.permute(0, 3, 1, 2).contiguous()
        if rng.random() < 0.5:  # as a crop resized from a smaller picture
            small = (int(rng.integers(72, 128)),) * 2
            pictures = F.interpolate(pictures, size=small, mode="bilinear", antialias=True)
        gain = torch.from_numpy(rng.uniform(0.92, 1.06, (size, 3, 1, 1))).float()
        pictures = (pictures * gain).clamp(0, 1)
        pictures = F.interpolate(pictures, size=(side, side), mode="bilinear")
        targets = torch.stack([classes.float(), counts], 1)
        targets = F.interpolate(targets, size=(side, side), mode="nearest-exact")
        if sizes.random() < WINDOWS and side > WINDOW:
            y, x = sizes.integers(0, side - WINDOW + 1, 2)
            place = (..., slice(y, y + WINDOW), slice(x, x + WINDOW))
            pictures, targets = pictures[place].contiguous(), targets[place]
        yield pictures, targets[:, 0].long(), targets[:, 1]


def softened(data: dict, rng) -> tuple[np.ndarray, ...]:
    """A picture of the pool, decoded by the autoencoder; see `shown`."""
    at = rng.integers(0, len(data["words"]))
    return shown(rng, data["soft"][at], *(data[key][at] for key in ("amodal", "blank", "words")))


def drawn(rng) -> tuple[np.ndarray, ...]:
    """A newly drawn picture; see `shown`."""
    item = pool.random_picture(rng)
    image = pool.as_bytes(item["image"].clip(0, 1))
    return shown(rng, image, *(item[key] for key in ("amodal", "blank", "words")))


def shown(rng, image, amodal, blank, words) -> tuple[np.ndarray, ...]:
    """(picture [S, S, 3] in 0..1, classes [S, S], weights [S, S]) of a picture or a crop of it."""
    modal = pool.visible(amodal, blank)
    hidden = 1 - modal.sum((1, 2)) / np.maximum(1, amodal.sum((1, 2)))
    if rng.random() < ZOOMED:
        image, _, modal = pool.zoomed(rng, image, amodal, modal)
    classes = np.zeros(modal.shape[1:], np.int64)
    counts = np.ones(modal.shape[1:], np.float32)
    for mask, word, share in zip(modal, words, hidden):
        classes[mask], counts[mask] = word + 1, 1 + HIDDEN * share
    return image.astype(np.float32) / 255, classes, counts


def fit(
    name: str,
    net: SegmenterNet,
    minutes: float,
    data: dict,
    peers=None,
    rate: float = 2e-3,
    side: int = SIDE,
    seed: int = 0,
    soft: float = SOFT,
) -> Run:
    """Trains `net` on the pool `data` and on new pictures of `seed`, at `side` pixels.

    Returns the run, with the network and its averaged weights.
    """
    rank, size = (peers.rank, peers.shares[peers.rank]) if peers else (0, BATCH)
    run = Run(name, net, minutes=minutes, lr=rate, decay=0.99, peers=peers, ends=ENDS)
    hits, rng = [], np.random.default_rng([run.step, rank])
    for pictures, *targets in batches(data, size, (seed, run.step + 1), rank, side, soft):
        if not run.going:
            break
        net.train()
        pictures = pictures.to(run.device)
        with autocast(run.device):
            logits = net(pictures)
        y, x = rng.integers(0, 2, 2)  # every fourth pixel: the loss costs as much as the network
        logits = logits[..., y::2, x::2].float()
        classes, counts = (part[..., y::2, x::2].to(run.device) for part in targets)
        losses = F.cross_entropy(logits, classes, reduction="none")
        run.update((losses * counts).sum() / counts.sum())
        best = logits.argmax(1)
        object_pixels = classes > 0
        hits.append(float((best == classes)[object_pixels].float().mean()))
        if run.leads and run.step % 100 == 0:
            run.note(right=round(float(np.mean(hits[-100:])), 4))
    if run.leads:
        run.save()
    return run


def train(peers: Peers | None, minutes: float, warm: bool, rate: float, soft: float = SOFT):
    torch.manual_seed(0)
    if peers:
        torch.set_num_threads(1)
    net = SegmenterNet()
    if warm and not (STATE / f"{NAME}.pt").exists():
        take_shipped(net)
        torch.save(net.state_dict(), BEFORE)
    run = fit(NAME, net, minutes, pool.load(), peers, rate, soft=soft)
    if run.leads:
        before = torch.load(BEFORE, weights_only=True) if warm and BEFORE.exists() else None
        export(run, trained("stickers_segmenter"), before)


def take_shipped(net: SegmenterNet) -> None:
    """Loads the shipped weights; words that they do not know keep random weights."""
    with safe_open(SHIPPED / "stickers_segmenter.safetensors", "pt") as file:
        state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        shipped = json.loads(file.metadata()["config"])["words"]
    kept = [(old, WORDS.index(word)) for old, word in enumerate(shipped) if word in WORDS]
    for name in ("head.0.weight", "head.0.bias"):
        fresh = net.state_dict()[name].unflatten(0, (len(WORDS) + 1, 4)).clone()
        old = state[name].unflatten(0, (len(shipped) + 1, 4))
        for before, now in ((0, 0), *((a + 1, b + 1) for a, b in kept)):  # 0 is the background
            fresh[now] = old[before]
        state[name] = fresh.flatten(0, 1)
    net.load_state_dict(state, strict=False)  # batch counts, and layers it did not have


def export(run: Run, path: Path, before: dict[str, torch.Tensor] | None = None):
    """Writes the averaged weights; see `Run.averaged` for `before`."""
    about = {"words": list(WORDS), "steps": run.step}
    save_file(half(run.averaged(before)), path, {"config": json.dumps(about)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--warm", action="store_true", help="start from the shipped weights")
    parser.add_argument("--rate", type=float, default=2e-3, help="initial learning rate")
    parser.add_argument(
        "--shares", type=shares_of, help="e.g. 8,8: two processes with so many pictures each"
    )
    parser.add_argument(
        "--soft", type=float, default=SOFT, help="probability of a picture from the pool"
    )
    options = parser.parse_args()
    if options.shares:
        size = sum(p.numel() for p in SegmenterNet().parameters())
        start(
            Peers(options.shares, size),
            train,
            options.minutes,
            options.warm,
            options.rate,
            options.soft,
        )
    else:
        train(None, options.minutes, options.warm, options.rate, options.soft)
