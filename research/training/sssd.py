"""Train a small pair of SSSD's nets on the modal masks of sticker scenes alone.

    python -m research.training.sssd masks --minutes 10
    python -m research.training.sssd content --minutes 10

As in the paper (Zhan et al., CVPR 2020), no amodal mask is seen. An object's modal mask is erased
by the mask of another object, and is to be completed (case 1); or the other one lies behind it, and
the mask must stay as it is (case 2). The content is learned from the pixels that were erased.
PCNet-C is trained with L1 losses alone, without the paper's discriminator and perceptual losses.
"""

from __future__ import annotations

import argparse
from collections import deque
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from amodal.models import sssd, sssd_content

from . import pool
from .precision import autocast
from .run import ROOT, Run, clock_time, half

FOLDER = ROOT / "research" / "evaluation" / "sssd"
FILES = {"masks": "stickers_pcnet_m.safetensors", "content": "stickers_pcnet_c.safetensors"}
ERASED = 0.8  # probability of case 1
HIDDEN = (0.1, 0.85)  # the share of an object that case 1 erases
TRIES = 12  # places to try for that share
OBJECTS = 1500  # kept to draw from; new pictures replace the oldest
DRAWN = 1  # new pictures in each step
SIDES = {"masks": 64, "content": 64}  # pixels of a view
BATCHES = {"masks": 16, "content": 16}
WIDTHS = {"masks": 16, "content": 12}
LEVELS = 6  # of PCNet-C; the published net has 7, and views of 256 pixels
IN_ERASER = 5.0  # weight of pixels under the eraser
IN_HOLE = 6.0  # weight of erased pixels, as for partial convolutions (Liu et al.)

Item = tuple[np.ndarray, np.ndarray]  # picture [S, S, 3] float 0..1, modal mask [S, S] bool


class Objects:
    """Objects of random sticker scenes. Their amodal masks are never kept."""

    def __init__(self, rng, count: int = OBJECTS):
        self.rng, self.kept = rng, deque(maxlen=count)
        while len(self.kept) < min(count, OBJECTS // 3):
            self.draw()

    def draw(self) -> None:
        """Adds the objects of one more picture."""
        made = pool.random_picture(self.rng)
        for mask in pool.visible(made["amodal"], made["blank"]):
            if mask.sum() >= pool.LEAST:
                self.kept.append((made["image"].astype(np.float32), mask))

    def one(self) -> Item:
        return self.kept[self.rng.integers(len(self.kept))]

    def erased(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Picture, an object's modal mask, and the mask of another one that hides part of it."""
        while True:
            image, mask = self.one()
            for _ in range(TRIES):
                eraser = over(self.rng, self.one()[1], mask)
                if HIDDEN[0] <= (eraser & mask).sum() / mask.sum() <= HIDDEN[1]:
                    return image, mask, eraser


def over(rng, eraser: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The eraser's mask [S, S], moved so that a random pixel of it lies on one of `mask`."""
    (y, x), (v, u) = (rng.choice(np.argwhere(each)) for each in (mask, eraser))
    return moved(eraser, x - u, y - v)


def moved(mask: np.ndarray, right: int, down: int) -> np.ndarray:
    """A mask [S, S] moved by so many pixels; what leaves the picture is lost."""
    height, width = mask.shape
    result = np.zeros_like(mask)
    y, x = max(0, down), max(0, right)
    part = mask[max(0, -down) : height - y, max(0, -right) : width - x]
    result[y : y + part.shape[0], x : x + part.shape[1]] = part
    return result


def mask_batch(objects: Objects, count: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs [count, 2, side, side] of PCNet-M and the masks to predict [count, side, side]."""
    views = []
    for _ in range(count):
        _, mask, eraser = objects.erased()
        shown = mask & ~eraser if objects.rng.random() < ERASED else mask
        stack = torch.from_numpy(np.stack([shown, eraser & ~shown, mask]))
        view = sssd.cut_out(stack.float(), sssd.view_of(stack[0]), side)
        views.append((view > 0.5).float())
    return torch.stack(views).split((2, 1), 1)[0], torch.stack(views)[:, 2]


def mask_loss(net: torch.nn.Module, objects: Objects, device: torch.device) -> torch.Tensor:
    inputs, target = (
        each.to(device) for each in mask_batch(objects, BATCHES["masks"], SIDES["masks"])
    )
    with autocast(device):
        logits = net(inputs)
    loss = F.cross_entropy(logits.float(), target.long(), reduction="none")
    return (loss * (1 + (IN_ERASER - 1) * inputs[:, 1])).mean()


def content_batch(objects: Objects, count: int, side: int) -> tuple[torch.Tensor, ...]:
    """Inputs [count, 4, side, side] of PCNet-C, known pixels, erased pixels (both with one
    channel), and the picture to predict [count, 3, side, side]."""
    items = []
    for _ in range(count):
        image, mask, eraser = objects.erased()
        picture = torch.from_numpy(image)
        shown, hole = (torch.from_numpy(each) for each in (mask & ~eraser, mask & eraser))
        view = sssd.view_of(shown | hole)
        inputs, known = sssd_content.seen(picture, shown, hole, view, side)
        whole, inside = sssd_content.seen(picture, shown, torch.zeros_like(hole), view, side)
        items.append((inputs, known, inside * (1 - known), whole[:3]))
    return tuple(torch.stack(each) for each in zip(*items))


def content_loss(net: torch.nn.Module, objects: Objects, device: torch.device) -> torch.Tensor:
    inputs, known, erased, target = (
        each.to(device) for each in content_batch(objects, BATCHES["content"], SIDES["content"])
    )
    with autocast(device):
        painted = net(inputs, known)
    off = (painted.float() - target).abs().mean(1, keepdim=True)
    return sum(
        weight * (off * where).sum() / where.sum().clamp(min=1)
        for weight, where in ((IN_HOLE, erased), (1.0, known))
    )


LOSSES = {"masks": mask_loss, "content": content_loss}


def new_net(kind: str, width: int) -> torch.nn.Module:
    if kind == "masks":
        return sssd.MaskNet(width, SIDES[kind])
    net = sssd_content.ContentNet(width, LEVELS, SIDES[kind])
    for conv in partial_convs(net).values():
        conv.gain = float(conv.input_conv.weight[0].numel())
    return net


def partial_convs(net: torch.nn.Module) -> dict[str, sssd_content.PartialConv]:
    """The partial convolutions of a net by their names.

    They divide by the known numbers in a window. With the number of all as their gain, weights and
    steps have the size that they have in an ordinary convolution; `exported` multiplies them out.
    """
    kind = sssd_content.PartialConv
    return {name: conv for name, conv in net.named_modules() if isinstance(conv, kind)}


def train(
    kind: str,
    minutes: float,
    rate: float,
    width: int,
    folder: Path = FOLDER,
    until: str | None = None,
) -> Run:
    """Trains one net of the pair, or resumes; writes its file to `folder`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    run = Run(f"sssd_{kind}", new_net(kind, width), minutes=minutes, lr=rate, until=until)
    objects, losses = Objects(np.random.default_rng([run.step, len(kind)])), []
    while run.going:
        for _ in range(DRAWN):
            objects.draw()
        run.net.train()
        losses.append(run.update(LOSSES[kind](run.net, objects, run.device)))
        if run.step % 50 == 0:
            run.note(loss=round(float(np.mean(losses[-50:])), 4))
    run.save()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(exported(run, kind), folder / FILES[kind])
    return run


def exported(run: Run, kind: str) -> dict[str, torch.Tensor]:
    """The averaged weights in fp16 under the published names, and the side of the view."""
    state = {k: v for k, v in run.net.state_dict().items() if "num_batches" not in k}
    state.update(run.ema.named_parameters())
    for name, conv in partial_convs(run.net).items():
        state[f"{name}.input_conv.weight"] = state[f"{name}.input_conv.weight"] * conv.gain
    return {**half(state), "side": torch.tensor(SIDES[kind])}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=LOSSES)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=2e-3, help="initial learning rate")
    parser.add_argument("--width", type=int, help="of the first level")
    parser.add_argument("--until", type=clock_time, help="HH:MM UTC, replaces --minutes")
    options = parser.parse_args()
    width = options.width or WIDTHS[options.kind]
    train(options.kind, options.minutes, options.rate, width, until=options.until)
