"""Reading the small models' weights, with an error that says what is wrong and what to do."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "weights"


def read(name: str):
    """(tensors by name in float32, configuration) of `weights/<name>.safetensors`.

    Raises BadInput where the file is missing or is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    from ..errors import BadInput

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
            names = list(file.keys())
            return {name: file.get_tensor(name).float() for name in names}, config
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput("weights", f"{path.name} cannot be read ({error})", remedy) from error


def load_into(net, state: dict, name: str):
    """Load a state dict, every key of it; BadInput where the file is of another model."""
    from ..errors import BadInput

    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise BadInput(
            "weights",
            f"{name}.safetensors does not fit the model ({str(error)[:200]})",
            "take the file of the same release as the pack's code",
        ) from error
    return net.eval().requires_grad_(False)
