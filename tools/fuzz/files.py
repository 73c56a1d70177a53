"""Broken files: model files, folders of models, data sets, thresholds and workflows."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import torch

from amodal.app import workflow

EXAMPLES = workflow.FOLDER.parent / "inputs" / "amodal_example_items"
FORMS = ("zip.pth", "legacy.pth", "script.pt", "plain.safetensors")
JUNK: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        3.5,
        1e308,
        10**30,
        "",
        "text",
        "../../x",
        "\x00",
        [],
        {},
        [[]],
        {"a": []},
    ),
)


class Net(torch.nn.Module):
    """What the broken TorchScript files held."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def write_models(folder: Path) -> None:
    """A small valid file of each of FORMS in a folder."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {"a.weight": torch.rand(9, 9), "b": torch.rand(3)}
    torch.save(state, folder / FORMS[0])
    torch.save(state, folder / FORMS[1], _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(Net()), folder / FORMS[2])
    save_file(state, folder / FORMS[3])


def damaged(draw: Random, whole: bytes) -> bytes:
    """Bytes cut short, changed, or with a piece of them doubled."""
    data = bytearray(whole)
    if draw.random() < 0.3:
        del data[draw.randrange(len(data)) :]
    for _ in range(draw.randint(0, 6)):
        if data:
            data[draw.randrange(len(data))] = draw.randrange(256)
    if draw.random() < 0.2 and data:
        data += data[draw.randrange(len(data)) :]
    return bytes(data)


def broken_json(draw: Random, data: Any) -> bytes:
    """JSON with a few values at any depth replaced or removed, or its text damaged."""
    data = json.loads(json.dumps(data))
    for _ in range(draw.randint(1, 3)):
        change(draw, data)
    text = json.dumps(data).encode()
    if draw.random() < 0.05:
        return b"[" * 100_000
    return damaged(draw, text) if draw.random() < 0.2 else text


def change(draw: Random, data: Any) -> None:
    """Replaces or removes a value at a random depth, in place."""
    while isinstance(data, dict | list) and data:
        key = draw.choice(list(data) if isinstance(data, dict) else range(len(data)))
        if not isinstance(data[key], dict | list) or not data[key] or draw.random() < 0.2:
            if draw.random() < 0.3:
                del data[key]
            else:
                data[key] = copy.deepcopy(draw.choice(JUNK))
            return
        data = data[key]


def write_items(draw: Random, folder: Path) -> None:
    """The example data set with a broken manifest or a broken picture."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(EXAMPLES, folder)
    manifest = folder / "manifest.jsonl"
    if draw.random() < 0.5:
        lines = manifest.read_text(encoding="utf-8").splitlines()
        line = broken_json(draw, json.loads(lines[0]))
        manifest.write_bytes(b"\n".join([line, *(line.encode() for line in lines[1:])]))
        return
    picture = draw.choice(sorted(folder.rglob("*.png")))
    if draw.random() < 0.5:
        picture.write_bytes(damaged(draw, picture.read_bytes()))
    else:
        odd_picture(draw, picture)


def odd_picture(draw: Random, path: Path) -> None:
    """A valid picture of another size or mode in the place of one."""
    from PIL import Image

    mode = draw.choice(("1", "L", "LA", "P", "RGB", "RGBA", "I;16"))
    size = draw.choice(((1, 1), (7, 300), (64, 64), (128, 128)))
    Image.new(mode, size).save(path)


def write_workflow(draw: Random, path: Path) -> None:
    """A shipped workflow in either form, broken."""
    folder = draw.choice((workflow.FOLDER, workflow.FOLDER.parent))
    source = draw.choice(sorted(folder.glob("*.json")))
    path.write_bytes(broken_json(draw, json.loads(source.read_text(encoding="utf-8"))))
