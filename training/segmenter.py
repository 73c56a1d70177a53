"""Train the sticker world's segmenter.

    python -m training.segmenter --minutes 8

Half of the pictures go through the autoencoder first: results of diffusion look like that.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from amodal.stickers import scenes
from amodal.stickers.catalog import WORDS
from amodal.stickers.segmenter import SegmenterNet

from .bank import load_autoencoder
from .run import WEIGHTS, Run, half

SIZE = 128
BATCH = 12


def random_picture(rng) -> tuple[np.ndarray, np.ndarray]:
    """(picture [S, S, 3] float 0..1, class of each pixel [S, S])."""
    kind = str(rng.choice(scenes.BACKGROUNDS, p=[0.25, 0.25, 0.25, 0.25]))
    picture = scenes.make_background(rng, kind, SIZE)
    classes = np.zeros((SIZE, SIZE), np.int64)
    for word in rng.choice(WORDS, rng.integers(1, 5), replace=False):
        art = scenes.transformed(rng, str(word), rng.uniform(0.25, 0.9) * SIZE)
        x, y = rng.uniform(-0.25, 0.85, 2) * SIZE
        layer = scenes.on_sheet(art, SIZE, x, y)
        picture += (layer[..., :3] - picture) * layer[..., 3:]
        classes[layer[..., 3] > 0.5] = WORDS.index(str(word)) + 1
    if rng.random() < 0.3:
        hole(rng, picture, classes)
    return picture, classes


def hole(rng, picture, classes):
    """A gray or plain patch without an object, as padding and removal leave them."""
    x, y = rng.integers(0, SIZE, 2)
    width, height = rng.integers(8, SIZE // 2, 2)
    picture[y : y + height, x : x + width] = scenes.GRAY if rng.random() < 0.5 else rng.random(3)
    classes[y : y + height, x : x + width] = 0


def batches(seed: int, net):
    rng = np.random.default_rng([seed, 99])
    while True:
        items = [random_picture(rng) for _ in range(BATCH)]
        pictures = torch.from_numpy(np.stack([i[0] for i in items])).float().permute(0, 3, 1, 2)
        classes = torch.from_numpy(np.stack([i[1] for i in items]))
        with torch.inference_mode():
            soft = net.decode(net.encode(pictures[: BATCH // 2])).clamp(0, 1)
        yield torch.cat([soft, pictures[BATCH // 2 :]]).clone(), classes


def train(minutes: float):
    torch.manual_seed(0)
    net = SegmenterNet()
    run = Run("segmenter", net, minutes=minutes, lr=3e-3, decay=0.99)
    hits = []
    for pictures, classes in batches(run.step + 1, load_autoencoder()):
        if not run.going:
            break
        net.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(pictures).float()
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
    parser.add_argument("--minutes", type=float, default=8)
    train(parser.parse_args().minutes)
