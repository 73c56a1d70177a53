"""Processes that train one net together, and the pictures that nets are trained on."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import ndimage

from amodal.stickers.segmenter import SegmenterNet
from research.training import bank, pool, segmenter
from research.training import run as training_run
from research.training.muon import Muon, orthogonal, shared_out, split
from research.training.peers import Peers, shares_of, start
from research.training.run import clock_time, minutes_until

ROOT = Path(__file__).resolve().parents[2]


def lone_step(peers, out):
    """One agreement on gradients that are each rank's own; every rank writes what it was given."""
    torch.manual_seed(0)
    net = torch.nn.Linear(300, 300)
    rounds = []
    for number in range(5):
        for p in net.parameters():
            p.grad = torch.full_like(p, float(10 * peers.rank + number))
        rate, going = peers.agree(net, 0.5 if peers.rank == 0 else 9.0, peers.rank == 0)
        same = [bool((p.grad == p.grad.flatten()[0]).all()) for p in net.parameters()]
        rounds.append([float(net.weight.grad[0, 0]), rate, float(going), float(all(same))])
    out[peers.rank] = torch.tensor(rounds)
    peers.barrier.wait()


def some_net() -> torch.nn.Module:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(8, 16, 3), torch.nn.Linear(16, 40))
    for p in net.parameters():
        p.grad = torch.randn_like(p)
    return net


def muon_steps(peers, out):
    """Three steps of Muon on one gradient; every rank writes the weights it ends with."""
    net = some_net()
    muon = Muon(split(net, ())[0], 0.1, peers)
    for _ in range(3):
        muon.step()
        if peers:
            peers.barrier.wait()
    out[peers.rank if peers else 0] = torch.cat([p.flatten() for p in net.parameters()]).detach()
    if peers:
        peers.barrier.wait()


def test_orthogonalised_matrices_have_singular_values_near_one():
    for shape in ((64, 64), (32, 200), (200, 32)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())
        assert values.quantile(0.05) > 0.6 and values.max() < 1.4, shape  # all but the faintest


def test_muon_takes_the_inner_matrices_and_shares_them_out_by_their_cost():
    net = torch.nn.ModuleDict(
        {
            "conv_in": torch.nn.Conv2d(3, 8, 3),
            "mid": torch.nn.Conv2d(8, 8, 3),
            "norm": torch.nn.GroupNorm(2, 8),
            "head": torch.nn.Linear(8, 2),
        }
    )
    matrices, rest = split(net, ("conv_in", "head"))
    assert [id(p) for p in matrices] == [id(net["mid"].weight)]
    assert len(rest) == len(list(net.parameters())) - 1
    sizes = [torch.empty(n, n) for n in (10, 30, 30, 10, 40)]
    owners = shared_out(sizes, 2)
    load = [sum(s.numel() * len(s) for s, o in zip(sizes, owners) if o == r) for r in (0, 1)]
    assert max(load) == 40**3 and set(owners) == {0, 1}


def test_peers_agree_on_the_mean_and_the_leaders_word_and_share_muons_work():
    """In a process of its own: the host's modules are not for the peers it starts."""
    run = subprocess.run(
        [sys.executable, __file__],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr


if __name__ == "__main__":
    out = torch.zeros(2, 5, 4).share_memory_()
    start(Peers([3, 1], 300 * 301), lone_step, out)
    expected = torch.tensor([[2.5 + n, 0.5, 1.0, 1.0] for n in range(5)])
    assert torch.equal(out[0], expected) and torch.equal(out[1], expected), out

    size = sum(p.numel() for p in some_net().parameters())
    alone, shared = torch.zeros(1, size), torch.zeros(2, size).share_memory_()
    muon_steps(None, alone)
    start(Peers([1, 1], size), muon_steps, shared)
    assert torch.equal(shared[0], shared[1]) and torch.equal(shared[0], alone[0])


@pytest.fixture
def toy_run(tmp_path, monkeypatch):
    """A run of a net of two layers in a folder of its own, on the same batch in every step."""
    monkeypatch.setattr(training_run, "STATE", tmp_path)
    started = []

    def start_run(steps: int) -> training_run.Run:
        for earlier in started:
            earlier.lock.close()
        torch.manual_seed(3)
        net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 2))
        run = training_run.Run("toy", net, minutes=1e6, lr=0.01, ends=("1.",))
        started.append(run)
        for _ in range(steps):
            run.update(run.net(torch.ones(3, 4, device=run.device)).square().mean())
        run.note(loss=1.0)
        run.save()
        return run

    yield start_run
    started[-1].lock.close()


def test_a_stopped_run_goes_on_where_it_was(toy_run, tmp_path):
    first = toy_run(5)
    assert first.step == 5 and first.going
    resumed = toy_run(4)
    assert resumed.step == 9 and [entry["step"] for entry in resumed.log] == [5, 9]
    (tmp_path / "toy.pt").unlink()
    whole = toy_run(9)
    for one, other in zip((resumed.net, resumed.ema), (whole.net, whole.ema)):
        for name, value in one.state_dict().items():
            assert torch.allclose(value, other.state_dict()[name], atol=1e-6), name
    assert not torch.equal(whole.net[0].weight, whole.ema[0].weight)


def test_one_run_of_a_name_at_a_time_and_no_nan(toy_run):
    run = toy_run(1)
    with pytest.raises(SystemExit, match="toy: another process is training it"):
        training_run.Run("toy", torch.nn.Linear(1, 1), minutes=1, lr=0.1)
    with pytest.raises(FloatingPointError, match="toy: the loss is nan at step 2"):
        run.update(run.net(torch.full((1, 4), torch.nan, device=run.device)).sum())


def test_a_zoomed_picture_keeps_picture_and_masks_together():
    rng = np.random.default_rng(4)
    image = np.zeros((128, 128, 3), np.uint8)
    whole = np.zeros((4, 128, 128), bool)
    whole[0, 40:72, 30:60] = True
    image[whole[0]] = 255
    picture, amodal, modal = pool.zoomed(rng, image, whole, whole)
    assert picture.shape == (128, 128, 3) and amodal.shape == modal.shape == (4, 128, 128)
    assert ((picture[..., 0] > 127) == modal[0]).mean() > 0.99
    assert modal[0].sum() > 2.5 * whole[0].sum() and np.array_equal(amodal, modal)
    none = np.zeros_like(whole)
    assert pool.zoomed(rng, image, none, none)[0] is image  # nothing to look at


@pytest.mark.parametrize("share, least, most", [(1.0, 4, 72), (0.0, 0, 1)])
def test_an_occluder_with_a_hole_shows_what_lies_behind(share, least, most):
    rng = np.random.default_rng(2)
    found = [pool.random_picture(rng, holes=share) for _ in range(12)]
    holes = 0
    for item in found:
        modal = pool.visible(item["amodal"], item["blank"])
        for far, near in itertools.combinations(range(4), 2):
            inside = ndimage.binary_fill_holes(item["amodal"][near]) & ~item["amodal"][near]
            holes += bool((inside & modal[far]).sum() > 20)
    assert least <= holes <= most


def test_the_segmenter_learns_at_the_size_at_which_it_looks():
    """Whole or through a window; an object counts 1 + HIDDEN times what is hidden of it."""
    rng = np.random.default_rng(3)
    items = [pool.random_picture(rng) for _ in range(6)]
    data = {key: np.stack([item[key] for item in items]) for key in items[0]}
    data["soft"] = pool.as_bytes(data["image"].clip(0, 1))
    seen, drawn = set(), segmenter.batches(data, 2, (0, 1))
    for pictures, classes, counts in itertools.islice(drawn, 12):
        seen.add(pictures.shape[-1])
        assert classes.shape == counts.shape == pictures.shape[:1] + pictures.shape[2:]
        assert (counts[classes == 0] == 1).all() and counts.max() <= 1 + segmenter.HIDDEN
    assert seen == {segmenter.WINDOW, segmenter.SIDE}
    ranks = [
        [len(p[0, 0]) for p, *_ in itertools.islice(segmenter.batches(data, 1, (0, 1), n), 6)]
        for n in (0, 1)
    ]
    assert ranks[0] == ranks[1]  # nobody waits for a larger picture of another

    amodal = np.zeros((4, 128, 128), bool)
    amodal[0, 20:60, 20:60] = amodal[1, 20:50, 20:60] = True  # the nearer one hides three quarters
    image, words = np.zeros((128, 128, 3), np.uint8), np.array([4, 9, -1, -1])
    blank = np.zeros((128, 128), bool)
    _, classes, counts = segmenter.shown(Never(), image, amodal, blank, words)
    assert set(np.unique(counts[classes == 5])) == {np.float32(1 + 0.75 * segmenter.HIDDEN)}
    assert set(np.unique(counts[classes != 5])) == {1}


def test_warm_weights_are_exported_as_the_mean_with_those_before(tmp_path, monkeypatch):
    monkeypatch.setattr(training_run, "STATE", tmp_path)
    torch.manual_seed(0)
    before = {k: v.clone() for k, v in SegmenterNet(3).state_dict().items()}
    run = training_run.Run("mean", SegmenterNet(3), minutes=1, lr=1e-3)
    for name, state in (("after", None), ("mean", before)):
        segmenter.export(run, tmp_path / f"{name}.safetensors", state)
    after, mean = (load_file(tmp_path / f"{name}.safetensors") for name in ("after", "mean"))
    assert after.keys() == mean.keys() and not any("num_batches" in name for name in mean)
    for name, value in mean.items():
        wanted = (before[name] + after[name].float()) / 2
        assert torch.allclose(value.float(), wanted, atol=2e-3), name


class Never:
    """A source of chance by which nothing happens that happens seldom."""

    def random(self) -> float:
        return 1.0


def test_occluders_hide_much_as_often_as_little():
    rng = np.random.default_rng(6)
    amodal = np.zeros((bank.SIZE, bank.SIZE), bool)
    amodal[36:92, 40:88] = True

    def shares(draw):
        layers = [draw(rng, amodal, "bus") for _ in range(80)]
        return np.array([(layer[..., 3] > 0.5)[amodal].mean() for layer in layers])

    wanted, any_at_all = shares(bank.hiding), shares(bank.over)
    assert (wanted > 0.5).mean() > 0.3 and (wanted < 0.35).mean() > 0.2
    assert (wanted < 0.15).mean() < 0.15 and wanted.mean() > any_at_all.mean() + 0.03


def test_most_objects_of_the_bank_stand_as_a_crop_shows_them(monkeypatch):
    """In the middle, about two thirds of the side, as Crop To Object's context of 0.3 makes it."""
    drawn = []
    place = bank.place_in_crop
    monkeypatch.setattr(bank, "place_in_crop", lambda *a: drawn.append(place(*a)) or drawn[-1])
    rng = np.random.default_rng(5)
    for _ in range(40):
        bank.random_item(rng)
    assert 18 <= len(drawn) <= 38
    for sheet in drawn:
        ys, xs = np.nonzero(sheet[..., 3] > 0.5)
        middle = np.array([xs.min() + xs.max(), ys.min() + ys.max()]) / 2 / bank.SIZE
        assert (np.abs(middle - 0.5) < 0.3).all()
        assert 0.45 < (max(np.ptp(xs), np.ptp(ys)) + 1) / bank.SIZE < 0.85


@pytest.mark.parametrize(
    "text", ["", "12", "25:00", "12:60", "\u00b2:30", "1:2", "a:b", "9" * 5000]
)
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ValueError):
        clock_time(text)
    assert clock_time("7:30") == "7:30" and 0 <= minutes_until("23:59") <= 24 * 60


@pytest.mark.parametrize("text", ["", "0", "8,0", "8,", "-8", "\u00b2,3", "8.5", "9" * 5000])
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(ValueError):
        shares_of(text)
    assert shares_of("22, 10") == [22, 10]
