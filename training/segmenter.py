"""Train the sticker world's segmenter.

    python -m training.segmenter --minutes 30

A quarter of the pictures go through the autoencoder first: results of diffusion look like that.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from amodal.stickers.catalog import WORDS
from amodal.stickers.segmenter import SegmenterNet

from . import pool
from .run import WEIGHTS, Run, half

BATCH = 12


def batches(seed: int):
    """Pictures [B, 3, S, S] float 0..1 and the class of each pixel [B, S, S]; 0 is background."""
    data, rng = pool.load(), np.random.default_rng([seed, 99])
    while True:
        at = rng.integers(0, len(data["words"]), BATCH)
        soft = rng.random(BATCH) < 0.5
        pictures = np.stack([data["soft" if s else "image"][i] for i, s in zip(at, soft)])
        classes = np.stack([class_map(data, i) for i in at])
        pictures = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        if rng.random() < 0.5:  # as a crop resized from a smaller picture
            side = int(rng.integers(72, 128))
            small = F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)
            pictures = F.interpolate(small, size=pictures.shape[-2:], mode="bilinear")
        yield pictures, torch.from_numpy(classes)


def class_map(data: dict, at: int) -> np.ndarray:
    classes = np.zeros(data["blank"].shape[1:], np.int64)
    modal = pool.visible(data["amodal"][at], data["blank"][at])
    for mask, word in zip(modal, data["words"][at]):
        classes[mask] = word + 1
    return classes


def train(minutes: float):
    torch.manual_seed(0)
    net = SegmenterNet()
    run = Run("segmenter", net, minutes=minutes, lr=3e-3, decay=0.99)
    hits, rng = [], np.random.default_rng(run.step)
    for pictures, classes in batches(run.step + 1):
        if not run.going:
            break
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(pictures)
        y, x = rng.integers(0, 2, 2)  # every fourth pixel: the loss costs as much as the net
        logits, classes = logits[..., y::2, x::2].float(), classes[..., y::2, x::2]
        run.update(F.cross_entropy(logits, classes))
        best = logits.argmax(1)
        object_pixels = classes > 0
        hits.append(float((best == classes)[object_pixels].float().mean()))
        if run.step % 100 == 0:
            run.note(right=round(float(np.mean(hits[-100:])), 4))
    run.save()
    export(run)


def export(run: Run):
    """Averaged weights with the running statistics of the last net."""
    state = run.net.state_dict()
    state.update(run.ema.named_parameters())
    state = {k: v for k, v in state.items() if "num_batches" not in k}
    save_file(
        half(state),
        WEIGHTS / "stickers_segmenter.safetensors",
        {"config": json.dumps({"words": list(WORDS), "steps": run.step})},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    train(parser.parse_args().minutes)
