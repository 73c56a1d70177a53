"""Shared by all training scripts: paths, a time budget, averaged weights, curves.

Trained weights lie in `.training/weights/`. `research.evaluation.adopt` takes them over.
"""

from __future__ import annotations

import copy
import datetime
import json
import math
import os
import re
import time
from pathlib import Path

import torch

from amodal.batch import locks

from .muon import Muon, split
from .precision import CPU, DEVICE

ROOT = Path(__file__).parents[2]
STATE = Path(os.environ.get("AMODAL_TRAINING", ROOT / ".training"))
SHIPPED = ROOT / "amodal" / "stickers" / "weights"


def trained(name: str) -> Path:
    """The file that a training of the model `name` writes."""
    path = STATE / "weights" / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def newest(name: str) -> Path:
    """The file of a model that other models are trained with: the trained one, else the shipped."""
    return trained(name) if trained(name).exists() else SHIPPED / trained(name).name


class Run:
    """One training run. It resumes from `.training/<name>.pt` and saves there every two minutes.

    The network moves to `device`, a GPU if there is one. The learning rate falls linearly to zero
    over `minutes` of training time, including that of earlier runs. `until`, HH:MM UTC, replaces
    `minutes`. `log` collects step, minutes and values for the curves. `ends` are parts of the names
    of the first and last layers: Muon trains the matrices between them, AdamW everything else.
    Without `ends` AdamW trains everything. Raises SystemExit if another process trains this name.
    """

    def __init__(
        self,
        name: str,
        net: torch.nn.Module,
        *,
        minutes: float,
        lr: float,
        decay=0.998,
        until: str | None = None,
        peers=None,
        ends: tuple[str, ...] | None = None,
    ):
        STATE.mkdir(exist_ok=True)
        self.path, self.name = STATE / f"{name}.pt", name
        self.peers, self.leads = peers, peers is None or peers.rank == 0
        self.lock = only_one(name) if self.leads else None
        self.device = CPU if peers else DEVICE
        self.net = net = net.to(self.device)
        self.minutes, self.lr, self.decay = minutes, lr, decay
        self.ema = copy.deepcopy(net).requires_grad_(False)
        matrices, rest = ([], net.parameters()) if ends is None else split(net, ends)
        self.optimizers = [torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, fused=True)]
        if matrices:
            self.optimizers.append(Muon(matrices, lr, peers))
        self.step, self.spent, self.log = 0, 0.0, []
        if self.path.exists():
            self._load()
        if until:
            self.minutes = self.spent + minutes_until(until)
        self.stopped = False
        self.began = self.saved = time.monotonic()

    def _load(self):
        state = torch.load(self.path, weights_only=True, map_location=self.device)
        self.net.load_state_dict(state["net"])
        self.ema.load_state_dict(state["ema"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(kept)
        self.step, self.spent, self.log = state["step"], state["spent"], state["log"]

    @property
    def minute(self) -> float:
        return self.spent + (time.monotonic() - self.began) / 60

    @property
    def going(self) -> bool:
        if self.peers and self.peers.rank:
            return not self.stopped
        return self.minute < self.minutes and not self.stopped

    def update(self, loss: torch.Tensor) -> float:
        """One optimizer step; returns the loss. Raises FloatingPointError if it is not finite."""
        warm = min(1.0, (self.step + 1) / 100)
        rate = self.lr * warm * max(0.0, 1 - self.minute / self.minutes)
        self.net.zero_grad(set_to_none=True)
        loss.backward()
        if self.peers:
            rate, going = self.peers.agree(self.net, rate, self.going)
            self.stopped = not going
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.step += 1
        self._average()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"{self.name}: the loss is {value} at step {self.step}")
        if self.leads and time.monotonic() - self.saved > 120:
            self.save()
        return value

    @torch.no_grad()
    def _average(self):
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for mean, new in zip(self.ema.parameters(), self.net.parameters()):
            mean.lerp_(new, 1 - decay)

    def averaged(self, before: dict | None = None) -> dict[str, torch.Tensor]:
        """The averaged weights, with the running statistics of the last network.

        With `before`, the weights that a warm start began from, the mean of both, which is better
        than either (research/results/log.md; Wortsman et al., Robust fine-tuning of zero-shot
        models, CVPR 2022).
        """
        state = self.net.state_dict()
        state.update(self.ema.named_parameters())
        state = {k: v for k, v in state.items() if "num_batches" not in k}
        return {k: (v + before[k].to(v)) / 2 for k, v in state.items()} if before else state

    def note(self, **values):
        """Adds values to the curve and prints them."""
        self.log.append({"step": self.step, "minute": round(self.minute, 2), **values})
        print(self.name, json.dumps(self.log[-1]), flush=True)

    def save(self):
        state = {
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "spent": self.minute,
            "log": self.log,
        }
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.path)
        self.saved = time.monotonic()


def only_one(name: str):
    """Holds the run's lock while the process lives. Raises SystemExit if it is held already."""
    lock = open(STATE / f"{name}.lock", "w")  # noqa: SIM115  held while the process lives
    try:
        locks.hold(lock)
    except OSError:
        raise SystemExit(f"{name}: another process is training it") from None
    return lock


def clock_time(text: str) -> str:
    """The text, if it is a time HH:MM. Raises ValueError, which argparse reports."""
    minutes_until(text)
    return text


def minutes_until(clock: str) -> float:
    """Minutes from now to the next HH:MM (UTC). Raises ValueError for another text."""
    found = re.fullmatch("([0-9]{1,2}):([0-9]{2})", clock)
    if found is None:
        raise ValueError(f"{clock} is no time of the form HH:MM")
    now = datetime.datetime.now(datetime.timezone.utc)
    end = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
    if end <= now:
        end += datetime.timedelta(days=1)
    return (end - now).total_seconds() / 60


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict in fp16, for the files in `weights/`."""
    return {key: value.detach().cpu().half().contiguous() for key, value in state.items()}
