"""Train the sticker world's order model on pairs of objects that meet.

python -m training.order --minutes 5
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from scipy import ndimage

from amodal.stickers import scenes
from amodal.stickers.catalog import WORDS
from amodal.stickers.order_model import OrderNet, pair_view

from .run import WEIGHTS, Run, half

SIZE = 128
BATCH = 32


def random_pair(rng):
    """(view [5, 64, 64], [i hides j, j hides i]) of two objects whose visible parts meet."""
    while True:
        picture = scenes.make_background(rng, str(rng.choice(scenes.BACKGROUNDS)), SIZE)
        masks = []
        for word in rng.choice(WORDS, rng.integers(2, 4), replace=False):
            art = scenes.transformed(rng, str(word), rng.uniform(0.3, 0.75) * SIZE)
            x, y = rng.uniform(-0.1, 0.7, 2) * SIZE
            layer = scenes.on_sheet(art, SIZE, x, y)
            picture += (layer[..., :3] - picture) * layer[..., 3:]
            masks.append(layer[..., 3] > 0.5)
        whole = [mask.copy() for mask in masks]
        for far in range(len(masks)):
            for near in range(far + 1, len(masks)):
                masks[far] &= ~whole[near]
        i, j = rng.permutation(len(masks))[:2]
        if min(masks[i].sum(), masks[j].sum()) < 60:
            continue
        if not (ndimage.binary_dilation(masks[i], iterations=3) & masks[j]).any():
            continue
        meet = bool((whole[i] & whole[j]).any())
        label = [float(meet and i > j), float(meet and j > i)]
        one, two = (torch.from_numpy(roughened(rng, masks[k]).astype(np.float32)) for k in (i, j))
        return pair_view(torch.from_numpy(picture).float(), one, two), label


def roughened(rng, mask: np.ndarray) -> np.ndarray:
    """A mask a little off, as a segmenter gives it."""
    kind = rng.integers(4)
    if kind == 0:
        return ndimage.binary_dilation(mask)
    if kind == 1 and mask.sum() > 200:
        return ndimage.binary_erosion(mask)
    return mask


def train(minutes: float):
    torch.manual_seed(0)
    net = OrderNet()
    run = Run("order", net, minutes=minutes, lr=2e-3, decay=0.99)
    rng, hits = np.random.default_rng([run.step, 3]), []
    while run.going:
        items = [random_pair(rng) for _ in range(BATCH)]
        views = torch.stack([i[0] for i in items])
        labels = torch.tensor([i[1] for i in items])
        net.train()
        logits = net(views)
        run.update(F.binary_cross_entropy_with_logits(logits, labels))
        hits.append(float(((logits > 0) == (labels > 0.5)).float().mean()))
        if run.step % 100 == 0:
            run.note(right=round(float(np.mean(hits[-100:])), 4))
    run.save()
    state = run.net.state_dict()
    state.update(run.ema.named_parameters())
    state = {k: v for k, v in state.items() if "num_batches" not in k}
    save_file(
        half(state),
        WEIGHTS / "stickers_order.safetensors",
        {"config": json.dumps({"steps": run.step})},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    train(parser.parse_args().minutes)
