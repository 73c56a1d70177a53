"""Reading the small models' weights, with an error that says what is wrong and what to do."""

from __future__ import annotations

import json
from pathlib import Path

from ..core.errors import BadInput
from .catalog import WORDS

FOLDER = Path(__file__).with_name("weights")


def read(name: str, *needed: str) -> tuple[dict, dict]:
    """(tensors by name in float32, configuration) of `weights/<name>.safetensors`.

    `needed` are entries its configuration must have. Raises BadInput where the file is missing, is
    no safetensors file, lacks an entry, or was trained on other words than the catalog's.
    """
    from safetensors import SafetensorError, safe_open

    path = FOLDER / f"{name}.safetensors"
    remedy = (
        f"put {path.name} (it comes with the pack's repository) into the pack's folder "
        f"'{FOLDER.name}', or train it with the scripts in 'training'"
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
        raise foreign(name, f"its configuration has no {', '.join(absent)}")
    if config.get("words", list(WORDS)) != list(WORDS):
        raise foreign(name, "it was trained on other words than the catalog's")
    return tensors, config


def load_into(net, state: dict, name: str):
    """Load a state dict, every key of it; BadInput where the file is of another model."""
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise foreign(name, " ".join(str(error).split())[:160]) from error
    return net.eval().requires_grad_(False)


def foreign(name: str, why: str) -> BadInput:
    """The error for a file that can be read but is not this model's."""
    return BadInput(
        "weights",
        f"{name}.safetensors does not fit the model ({why})",
        "take the file of the same release as the pack's code",
    )
