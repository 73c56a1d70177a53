"""Several processes that train one network on batches of their own and average the gradients.

Shares of a batch may be uneven, for cores that have other work. On a few cores this is faster than
threads, which wait for each other thousands of times in a step.
"""

from __future__ import annotations

import torch
import torch.multiprocessing as multiprocessing

from amodal.core.text import whole_number

from .precision import dtype

PATIENCE = 300  # seconds; after a process died, the others raise BrokenBarrierError


def shares_of(text: str) -> list[int]:
    """The shares of a text such as "22,10". Raises ValueError, which argparse reports."""
    shares = [whole_number(word.strip()) or 0 for word in text.split(",")]
    if min(shares) < 1:
        raise ValueError(f"{text} are no numbers from 1")
    return shares


class Peers:
    """The shared state of the processes. `shares`: items of each batch for each process.

    Rank 0 leads: it saves, and decides the rate and when to stop. For CPUs only: one process with a
    GPU is faster.
    """

    def __init__(self, shares: list[int], size: int):
        self.shares, self.count, self.rank = shares, len(shares), 0
        count = len(shares)
        self.gradients = torch.zeros(count, size).share_memory_()
        self.board = torch.zeros(size, dtype=dtype()).share_memory_()  # for Muon's updates
        self.flat = None  # each process makes its own: a pickled tensor would be shared
        self.control = torch.zeros(2, dtype=torch.float64).share_memory_()
        self.barrier = multiprocessing.get_context("spawn").Barrier(count, timeout=PATIENCE)

    def agree(self, net: torch.nn.Module, rate: float, going: bool) -> tuple[float, bool]:
        """Sets gradients to the mean over the batch; returns the leader's rate and `going`."""
        grads = [p.grad for p in net.parameters() if p.grad is not None]
        if self.flat is None:
            self.flat = torch.empty(sum(grad.numel() for grad in grads))
        flat = torch.cat([grad.reshape(-1) for grad in grads], out=self.flat)
        self.gradients[self.rank, : len(flat)] = flat
        if self.rank == 0:
            self.control[0], self.control[1] = rate, float(going)
        self.barrier.wait()
        weights = torch.tensor(self.shares) / sum(self.shares)
        torch.mv(self.gradients[:, : len(flat)].T, weights, out=flat)
        rate, going = self.control[0].item(), bool(self.control[1])
        self.barrier.wait()
        at = 0
        for grad in grads:
            grad.copy_(flat[at : at + grad.numel()].view_as(grad))
            at += grad.numel()
        return rate, going


def start(peers: Peers, work, *arguments):
    """Runs `work(peers, *arguments)` in this process as rank 0, and in the other processes."""
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_follow, args=(peers, rank, work, arguments), daemon=True)
        for rank in range(1, peers.count)
    ]
    for process in others:
        process.start()
    work(peers, *arguments)


def _follow(peers: Peers, rank: int, work, arguments):
    peers.rank = rank
    work(peers, *arguments)
