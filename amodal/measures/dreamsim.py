"""DreamSim from a folder of its authors' files, which its package reads by itself.

Its package may unpickle what it finds. So every file is read before it as data: tensors by torch's
restricted reader, and of PEFT's configurations only such as import nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..core import files, weight_archive
from ..core.errors import BadInput

SOURCE = "https://github.com/ssundaram21/dreamsim"
PICKLED = (".pth", ".pt", ".tar", ".bin", ".ckpt")
PLAIN = (".md", ".txt")  # nothing reads them


def load(folder: Path) -> tuple[Any, Any]:
    """(model, preprocessing) of the folder. Raises BadInput whatever is wrong with its files."""
    try:
        for path in sorted(folder.rglob("*")):
            check(folder, path)
        import dreamsim

        return dreamsim.dreamsim(pretrained=True, cache_dir=str(folder), device="cpu")
    except Exception as error:  # any bytes may be in the files, and any error in their readers
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(
            "measures",
            f"name DreamSim, but {folder} is not a folder of DreamSim ({why})",
            f"get its files again from {SOURCE}",
        ) from error


def check(folder: Path, path: Path) -> None:
    """Raises an error unless a file of the folder is one that cannot run code."""
    if path.is_dir() and not path.is_symlink():
        return
    if files.file_inside(folder, str(path.relative_to(folder))) is None:
        raise ValueError(f"{path.name} is no file of this folder")
    if path.suffix in PICKLED:
        weight_archive.check(path)
        if weight_archive.is_script(path):
            raise ValueError(f"{path.name} is TorchScript, which is code")
        torch.load(path, map_location="meta", weights_only=True)
    elif path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, "pt"):
            pass
    elif path.name == "adapter_config.json":
        config = files.parsed(path.read_bytes())
        if not isinstance(config, dict) or config.get("auto_mapping") is not None:
            raise ValueError(f"{path.name} names code")
    elif path.suffix not in PLAIN:
        raise ValueError(f"{path.name} is none of its files")
