"""Loads the weights of the sticker world's models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import torch

from ..core.errors import BadInput
from .catalog import WORDS

FOLDER = Path(__file__).with_name("weights")

State = dict[str, torch.Tensor]  # tensors by name
Net = TypeVar("Net", bound=torch.nn.Module)


def read(name: str, *needed: str, folder: Path | None = None) -> tuple[State, dict[str, Any]]:
    """(float32 tensors by name, configuration) of `<name>.safetensors` in a folder.

    folder: that of the shipped weights, unless given. `needed` are entries that the configuration
    must have. Raises BadInput if the file is missing,
    is not a safetensors file, lacks an entry, or was trained on other words than the catalog's.
    """
    from safetensors import SafetensorError, safe_open

    path = (folder or FOLDER) / f"{name}.safetensors"
    remedy = (
        f"put {path.name}, which is part of the pack's repository, into the pack's folder "
        "'amodal/stickers/weights', or train it with the scripts in 'research/training'"
    )
    if not path.is_file():
        raise BadInput("weights", f"{path.name} is missing", remedy)
    try:
        with safe_open(path, "pt") as file:
            config = json.loads((file.metadata() or {}).get("config", "{}"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput("weights", f"{path.name} cannot be read ({error})", remedy) from error
    absent = [entry for entry in needed if entry not in config]
    if absent:
        raise wrong_model(name, f"its configuration has no {', '.join(absent)}")
    if config.get("words", list(WORDS)) != list(WORDS):
        raise wrong_model(name, "it was trained on other words than the catalog's")
    return tensors, config


def load_into(net: Net, state: State, name: str) -> Net:
    """The network with the weights of a state dict, in eval mode and without gradients.

    Raises BadInput if the keys or shapes do not match exactly.
    """
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise wrong_model(name, " ".join(str(error).split())[:160]) from error
    return net.eval().requires_grad_(False)


def wrong_model(name: str, why: str) -> BadInput:
    """The error for a readable file that holds another model."""
    return BadInput(
        "weights",
        f"{name}.safetensors does not fit the model ({why})",
        "use the file from the same release as the pack's code",
    )
