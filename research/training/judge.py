"""Train the judge of `research/evaluation/judge.py`, which finds spurious objects.

    python -m research.training.judge --minutes 8

It is trained like the pack's segmenter, but with other widths, pictures and seed.
"""

from __future__ import annotations

import argparse

from amodal.stickers.catalog import WORDS
from amodal.stickers.segmenter import SegmenterNet

from . import pool, segmenter
from .run import ROOT

WEIGHTS = ROOT / "research" / "evaluation" / "judge.safetensors"
WIDTHS = (24, 48, 96, 128)
NAME = f"judge_{len(WORDS)}"
POOL, PICTURES, SEED = f"pool_{NAME}", 4000, 4242


def train(minutes: float) -> None:
    pool.make(PICTURES, POOL, seed=SEED)
    data = pool.load(POOL)
    net = SegmenterNet(widths=WIDTHS)
    run = segmenter.fit(NAME, net, minutes, data, side=pool.SIZE, seed=SEED)
    segmenter.export(run, WEIGHTS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8)
    train(parser.parse_args().minutes)
