"""Muon: momentum whose matrices are orthogonalised before the step (Jordan et al., 2024).

A small network on few pictures needs clearly fewer steps than with AdamW. Each matrix costs a
Newton-Schulz iteration; peers divide these among them.
"""

from __future__ import annotations

import torch

from .precision import dtype

MOMENTUM = 0.95
ROOT_MEAN_SQUARE = 0.2  # of a step over the rate, like AdamW's, so that one rate suits both
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Approximates U V^T for a matrix [m, n] = U S V^T; singular values lie in about 0.7..1.2."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.to(dtype(matrix.device))
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def split(net: torch.nn.Module, ends: tuple[str, ...]) -> tuple[list, list]:
    """(matrices, rest): parameters for Muon and for AdamW (vectors, tables, first, last layer)."""
    matrices, rest = [], []
    for name, parameter in net.named_parameters():
        inner = parameter.ndim in (2, 4) and not any(end in name for end in ends)
        (matrices if inner else rest).append(parameter)
    return matrices, rest


class Muon(torch.optim.Optimizer):
    """For matrices [m, n] and convolutions [m, n, h, w], as [m, n h w]; each peer takes a part."""

    def __init__(self, parameters, lr: float, peers=None):
        super().__init__(parameters, {"lr": lr})
        self.matrices = self.param_groups[0]["params"]
        self.peers, self.rank = peers, peers.rank if peers else 0
        self.owners = shared_out(self.matrices, peers.count if peers else 1)

    @torch.no_grad()
    def step(self):
        rate = self.param_groups[0]["lr"]
        sizes = [matrix.numel() for matrix in self.matrices]
        if self.peers:
            updates = self.peers.board[: sum(sizes)].split(sizes)
        else:
            updates = [None] * len(sizes)
        for at, (matrix, owner) in enumerate(zip(self.matrices, self.owners)):
            momentum = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
            momentum.lerp_(matrix.grad, 1 - MOMENTUM)
            if owner != self.rank:
                continue
            ahead = matrix.grad.lerp(momentum, MOMENTUM)
            update = orthogonal(ahead.flatten(1)).flatten()
            if self.peers:
                updates[at].copy_(update)
            else:
                updates[at] = update
        if self.peers:
            self.peers.barrier.wait()
        for matrix, update in zip(self.matrices, updates):
            scale = ROOT_MEAN_SQUARE * max(matrix.shape[0], matrix[0].numel()) ** 0.5
            matrix.add_(update.view_as(matrix).to(matrix.dtype), alpha=-rate * scale)


def shared_out(matrices, count: int) -> list[int]:
    """The owner of each matrix: the costliest first, each to the least loaded process."""
    costs = [m.numel() * min(m.shape[0], m[0].numel()) for m in matrices]
    owners, load = [0] * len(matrices), [0.0] * count
    for at in sorted(range(len(costs)), key=lambda at: -costs[at]):
        owners[at] = load.index(min(load))
        load[owners[at]] += costs[at]
    return owners
