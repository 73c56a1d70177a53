"""Occlusion order from the shape of the common border, and its accuracy."""

import itertools

import numpy as np
import pytest
import torch
from stickers_at_hand import FRESH

from amodal.core import detections
from amodal.method.occluder_selection import neighbours
from amodal.models.border_order import BorderOrder, cues
from amodal.stickers.scenes import BACKGROUNDS, NoPlacement, make_scene

SIZE = 96
MAX_GAP = 0.03  # the default of the nodes


def disc(x, y, radius):
    ys, xs = np.mgrid[:SIZE, :SIZE]
    return (xs - x) ** 2 + (ys - y) ** 2 < radius**2


def box(x0, y0, x1, y1):
    mask = np.zeros((SIZE, SIZE), bool)
    mask[y0:y1, x0:x1] = True
    return mask


SHAPES = {
    "a disc before a disc": (disc(34, 48, 22), disc(60, 48, 18)),
    "a small disc before a large box": (box(10, 20, 80, 70), disc(60, 70, 14)),
    "a box before a disc": (disc(40, 40, 24), box(44, 30, 90, 60)),
    "a bar across a disc": (disc(48, 48, 30), box(4, 40, 92, 54)),
    "a disc inside of a box, no junctions": (box(10, 10, 80, 80), disc(45, 45, 12)),
}


def answer(near, far, scale: int = 1) -> float:
    """Probability that `near` hides `far`."""
    masks = torch.from_numpy(np.stack([far & ~near, near])).float()
    masks = masks.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    return float(BorderOrder().order(torch.zeros(*masks.shape[1:], 3), masks, [(0, 1)])[1, 0])


@pytest.mark.parametrize("name", SHAPES)
def test_plain_shapes(name):
    far, near = SHAPES[name]
    assert answer(near, far) > 0.8


def test_size_does_not_matter():
    far, near = SHAPES["a disc before a disc"]
    assert answer(near, far, scale=8) == pytest.approx(answer(near, far, scale=2), abs=0.1)


def test_masks_with_a_gap_between_them_are_compared():
    far, near = SHAPES["a disc before a disc"]
    grown = disc(60, 48, 21)
    masks = torch.from_numpy(np.stack([far & ~grown, near])).float()
    assert BorderOrder().order(None, masks, [(0, 1)])[1, 0] > 0.8


def test_symmetric_neighbours_are_undecided():
    masks = torch.from_numpy(np.stack([box(10, 20, 48, 60), box(48, 20, 86, 60)])).float()
    assert BorderOrder().order(None, masks, [(0, 1)])[0, 1] == pytest.approx(0.5, abs=0.1)


def test_a_line_and_a_dot_are_their_own_hulls():
    line, dot = box(10, 20, 50, 21), box(20, 21, 21, 22)
    assert all(np.isfinite(cues(line, dot)))


def pairs():
    """(masks [2, S, S], far then near) of neighbours, one of which hides the other."""
    for seed in range(500):
        try:
            scene = make_scene(FRESH + seed, background=BACKGROUNDS[seed % 4], behind=seed % 3)
        except NoPlacement:
            continue
        order, masks = scene.order(), [scene.modal(i) for i in range(len(scene.layers))]
        for far, near in itertools.combinations(range(len(masks)), 2):
            both = torch.from_numpy(np.stack([masks[far], masks[near]])).float()
            seen = order[near, far] == 1 and both.sum((1, 2)).min() >= 20
            if seen and neighbours(detections.from_masks(both, []), MAX_GAP):
                yield both


@pytest.mark.slow
def test_accuracy(capsys):
    """The figures in the module's docstring."""
    right, larger, alone = [], [], []
    for count, masks in enumerate(pairs()):
        flip = count % 2  # so that no order of a pair is favoured
        table = BorderOrder().order(None, masks.flip(0) if flip else masks, [(0, 1)])
        right.append(bool((table[0, 1] if flip else table[1, 0]) > 0.5))
        larger.append(bool(masks[0].sum() > masks[1].sum()))
        alone.append([cue > 0 for cue in cues(*(masks.flip(0) > 0.5).numpy())])
    junctions, hulls = np.mean(alone, 0)
    with capsys.disabled():
        print(
            f"\n{len(right)} pairs: right {np.mean(right):.3f}, junctions alone {junctions:.3f}, "
            f"hulls alone {hulls:.3f}, the larger one is behind {np.mean(larger):.3f}"
        )
    assert np.mean(right) > 0.89 and np.mean(right) > max(junctions, hulls)
