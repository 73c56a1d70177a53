"""What the training scripts share: processes that train one net together."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from training.peers import Peers, start

ROOT = Path(__file__).resolve().parents[1]


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


def test_peers_agree_on_the_weighted_mean_and_the_leaders_word():
    """In a process of its own: the host's modules are not for the peers it starts."""
    run = subprocess.run(
        [sys.executable, __file__], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120,
    )
    assert run.returncode == 0, run.stderr


if __name__ == "__main__":
    out = torch.zeros(2, 5, 4).share_memory_()
    start(Peers([3, 1], 300 * 301), lone_step, out)
    expected = torch.tensor([[2.5 + n, 0.5, 1.0, 1.0] for n in range(5)])
    assert torch.equal(out[0], expected) and torch.equal(out[1], expected), out
