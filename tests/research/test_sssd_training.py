"""The training of SSSD's small pair: its examples, and both nets at a hundredth of the size."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from amodal.models import sssd as masks_model
from amodal.models import sssd_content
from research.training import run as training_run
from research.training import sssd


@pytest.fixture(scope="module")
def objects() -> sssd.Objects:
    return sssd.Objects(np.random.default_rng(5), 40)


def test_an_erased_object_is_hidden_in_part_and_the_eraser_is_moved_whole(objects):
    shares = []
    for _ in range(30):
        _, mask, eraser = objects.erased()
        shares.append((mask & eraser).sum() / mask.sum())
    assert min(shares) >= sssd.HIDDEN[0] and max(shares) <= sssd.HIDDEN[1]
    assert max(shares) > 0.5 and min(shares) < 0.3
    mask = np.zeros((8, 8), bool)
    mask[1:3, 2:5] = True
    for right, down, seen in ((2, 3, 6), (-3, 0, 4), (0, -2, 3), (7, 0, 0)):
        assert sssd.moved(mask, right, down).sum() == seen
    assert np.array_equal(np.argwhere(sssd.moved(mask, 2, 3)), np.argwhere(mask) + [3, 2])


def test_masks_are_completed_in_case_1_and_kept_in_case_2(objects):
    inputs, target = sssd.mask_batch(objects, 60, 64)
    shown, eraser = inputs.split(1, 1)
    assert inputs.shape == (60, 2, 64, 64) and target.shape == (60, 64, 64)
    assert set(inputs.unique().tolist()) <= {0.0, 1.0} and not (shown * eraser).any()
    lost = ((1 - shown[:, 0]) * target).sum((1, 2)) / target.sum((1, 2))
    assert 0.6 < (lost > 0.05).float().mean() < 0.95  # ERASED is 0.8
    assert (((1 - shown[:, 0]) * target * (1 - eraser[:, 0])).sum((1, 2)) < 12).all()


def test_the_content_to_learn_is_not_shown(objects):
    inputs, known, erased, target = sssd.content_batch(objects, 12, 64)
    assert not (known * erased).any() and erased.flatten(1).any(1).all()
    assert not (inputs[:, :3] * (1 - known)).any()
    assert (target * erased).abs().sum((1, 2, 3)).all()
    assert torch.allclose(inputs[:, :3] * known, target * known, atol=1.2)  # resized at the edge
    assert ((inputs[:, :3] - target) * known).abs().mean() < 0.01


@pytest.mark.parametrize("kind", ["masks", "content"])
def test_a_small_training_learns_resumes_and_exports_what_the_pack_loads(
    kind, tmp_path, monkeypatch
):
    monkeypatch.setattr(training_run, "STATE", tmp_path)
    monkeypatch.setattr(sssd, "OBJECTS", 30)
    monkeypatch.setattr(sssd, "BATCHES", {"masks": 4, "content": 4})
    notes = []
    monkeypatch.setattr(training_run.Run, "going", property(lambda run: run.step < len(notes)))
    update = training_run.Run.update
    losses = []
    monkeypatch.setattr(
        training_run.Run, "update", lambda run, loss: losses.append(update(run, loss)) or losses[-1]
    )
    notes.extend([None] * 14)
    first = sssd.train(kind, 1e6, 4e-3, 4, tmp_path)
    first.lock.close()
    notes.extend([None] * 14)
    second = sssd.train(kind, 1e6, 4e-3, 4, tmp_path)
    second.lock.close()
    assert (first.step, second.step, len(losses)) == (14, 28, 28)
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    state = load_file(tmp_path / sssd.FILES[kind])
    module = masks_model if kind == "masks" else sssd_content
    net = module.net_of(state, "small.safetensors")
    assert net.side == sssd.SIDES[kind]
    trained = second.net.eval()
    with torch.no_grad():
        for mean, value in zip(trained.parameters(), second.ema.parameters()):
            mean.copy_(value)
        side = net.side
        given = (torch.rand(2, 2, side, side),)
        if kind == "content":
            given = torch.rand(2, 4, side, side), (torch.rand(2, 1, side, side) > 0.3).float()
        want, got = trained(*given), net(*given)
    assert (want - got).abs().max() < 0.02 * max(1.0, float(want.abs().max()))
