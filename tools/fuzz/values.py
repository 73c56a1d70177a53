"""Wrong values for a node's inputs, drawn at random by the socket's type."""

from __future__ import annotations

import copy
import math
from random import Random
from types import SimpleNamespace
from typing import Any

import torch

from amodal.core.types import Canvas, Crop, Features, Objects, OcclusionReport, Padding

NUMBERS = (-1, 0, 1, 2, 7, 0.5, -0.5, 1e-30, 1e30, 10**40, 2**63, math.nan, math.inf, -math.inf)
TEXTS = (
    *("", " ", ",", "\n", "nan", "1e400", "0,0", "-1,-1", "9999,9999", "0.5,0.5", "not 1,1; 2,2"),
    *(
        "a" * 10_000,
        "a," * 3_000,
        "\x00",
        "\udcff",
        "\u202e",
        "{label}",
        "{",
        "%s",
        "../..",
        "None",
    ),
    *("[1", "3,3,3", "1: 2", "a: nan", "a: inf", "=1+1", "-1", "0", "3", "5, 6", "\U0001f431"),
)
SHAPES = (
    *((), (0,), (1,), (7,), (1, 1), (8, 8), (1, 8, 8), (2, 8, 8), (3, 64, 64), (0, 8, 8)),
    *((1, 8, 0), (8, 8, 3), (1, 8, 8, 1), (1, 8, 8, 3), (2, 8, 8, 4), (1, 1, 1, 3), (1, 8, 8, 5)),
    *((1, 1, 300, 3), (1, 300, 1, 3), (1, 4, 8, 8), (1, 8, 16, 16), (2, 8, 16, 16), (1, 16, 8, 8)),
    *((1, 8, 1, 16, 16), (1, 8, 3, 16, 16), (1, 2, 3, 4, 5, 6), (5, 5), (1, 1, 8, 8), (1, 64, 50)),
)
DTYPES = (
    *(torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.int64),
    *(torch.bool, torch.complex64, torch.int8),
)


def wrong(draw: Random, socket: Any, good: Any) -> Any:
    """A value for a socket that may be wrong in any way; `good` is a valid one."""
    kind = socket.get_io_type()
    if draw.random() < 0.15:
        return anything(draw)
    if kind in ("INT", "FLOAT", "BOOLEAN"):
        return draw.choice(NUMBERS)
    if kind in ("STRING", "COMBO"):
        return draw.choice(TEXTS)
    if kind in ("IMAGE", "MASK", "SIGMAS", "AMODAL_ORDER"):
        return damaged(draw, good) if draw.random() < 0.5 else tensor(draw)
    if kind == "LATENT":
        return latent(draw, good)
    return payload(draw, good)


def anything(draw: Random) -> Any:
    """A value of any type."""
    values = (None, 3, 2.5, "text", [], {}, (1, 2), object(), b"bytes", True, {"samples": 1}, print)
    return draw.choice((*values, tensor(draw), [tensor(draw)], {"samples": tensor(draw)}))


def tensor(draw: Random) -> torch.Tensor:
    """A tensor of a random shape and type, with values in or far out of 0..1."""
    generator = torch.Generator().manual_seed(draw.randrange(2**31))
    values = torch.rand(draw.choice(SHAPES), generator=generator)
    return odd(draw, values * draw.choice((0, 1, 1, 1, 2, 255, -1, 1e30)))


def odd(draw: Random, values: torch.Tensor) -> torch.Tensor:
    """The tensor in another type, place or layout, or with a value that is no number."""
    if values.is_floating_point() and values.numel() and draw.random() < 0.2:
        values = values.contiguous().clone()
        values.view(-1)[draw.randrange(values.numel())] = draw.choice((math.nan, math.inf, -1e38))
    if draw.random() < 0.1:
        return values.to("meta")
    if draw.random() < 0.05 and values.ndim:
        return values.to_sparse()
    if draw.random() < 0.1:
        return torch.nn.Parameter(values.float().clone())
    return values.to(draw.choice(DTYPES)) if draw.random() < 0.4 else values


def damaged(draw: Random, good: Any) -> Any:
    """A valid tensor with another size, batch or values."""
    if not isinstance(good, torch.Tensor) or not good.ndim:
        return tensor(draw)
    side = draw.randrange(good.ndim)
    how = draw.randrange(6)
    if how == 0:
        return good.narrow(side, 0, draw.randrange(good.shape[side] + 1))
    if how == 1:
        return torch.cat([good, good], side)
    if how == 2:
        return good.transpose(side, draw.randrange(good.ndim))
    if how == 3:
        return good.expand(draw.choice((1, 2, 5)), *good.shape[1:]) if len(good) == 1 else good[0]
    return odd(draw, good * draw.choice((0, 1, -1, 300)) if how == 4 else good)


def latent(draw: Random, good: Any) -> Any:
    """A LATENT with other samples, or with other keys."""
    if not isinstance(good, dict) or draw.random() < 0.5:
        return {"samples": tensor(draw)}
    key = draw.choice(("samples", "noise_mask", "batch_index", "amodal_x", "type"))
    value = damaged(draw, good["samples"]) if key == "samples" else anything(draw)
    return {**good, key: value}


def payload(draw: Random, good: Any) -> Any:
    """An own payload with one odd field, or a foreign object."""
    if draw.random() < 0.3:
        return draw.choice((object(), SimpleNamespace(masks=tensor(draw)), copy.copy(good)))
    made: list[Any] = [
        Objects(tensor(draw), ["a"], tensor(draw), tensor(draw)),
        Canvas((draw.choice((-5, 0, 64)), 64), (draw.choice((-5, 0, 64, 10**9)), 64)),
        Padding(draw.choice((-5, 10**9)), 0, 0, 0),
        OcclusionReport(("a",), (), ("nowhere",)),
        Features({3: tensor(draw)}, math.nan, 0, (64, draw.choice((0, -1, 64)))),
        Crop(Canvas.whole(64, 64), (0, 0, draw.choice((-8, 0, 64)), 8), (64, 64)),
    ]
    same = [value for value in made if type(value).__name__ == type(good).__name__]
    return draw.choice(same or made)
