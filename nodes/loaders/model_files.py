"""Model files in ComfyUI's folders, and in the folders that other packs use as well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import comfy.model_management
import comfy.model_patcher
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io

from ...amodal.core import interrupts, weight_archive
from ...amodal.core.errors import BadInput
from ...amodal.models import pretrained

WHOLE = "model.safetensors"  # the weights of a folder in Hugging Face's layout
ENDINGS = (".pth", ".pt", ".safetensors", ".sft", ".ckpt", ".bin", ".tar")


def register(folder: str) -> None:
    """Register `folder` with ComfyUI. Paths set up by the user or by other packs are kept."""
    folder_paths.add_model_folder_path(folder, os.path.join(folder_paths.models_dir, folder))


def choices(folder: str) -> list[str]:
    """The menu of a loader: the files in `folder`, and the published files that are missing.

    Missing files are included so that workflows that name them open; running then tells where to
    get the file. A folder in Hugging Face's layout counts as one file.
    """
    files = present(folder)
    return [*files, *(model.file for model in pretrained.known(folder) if model.file not in files)]


def file_input(folder: str) -> io.Combo.Input:
    """The input `file` of a loader of one file."""
    return io.Combo.Input(
        "file",
        options=choices(folder),
        tooltip=f"A file in models/{folder}. The menu also lists published files that are "
        "missing. Choose one and run the workflow to see where to get it.",
    )


def listed(folder: str) -> list[str]:
    """All files in a folder of models/, which is registered with ComfyUI."""
    register(folder)
    try:
        return folder_paths.get_filename_list(folder)
    except FileNotFoundError:  # a cached folder no longer exists
        folder_paths.filename_list_cache.pop(folder, None)
        return folder_paths.get_filename_list(folder)


def present(folder: str) -> list[str]:
    """The weights files in a folder of models/, and its folders in Hugging Face's layout."""
    files = [name for name in listed(folder) if name.lower().endswith(ENDINGS)]
    whole = {os.path.dirname(name) for name in files if is_whole_folder(folder, name)}
    return sorted({*whole, *(name for name in files if os.path.dirname(name) not in whole)} - {""})


def is_whole_folder(folder: str, name: str) -> bool:
    """True if this file holds the weights of a folder in Hugging Face's layout."""
    parent, file = os.path.split(name)
    config = place(folder, os.path.join(parent, "config.json"))
    return bool(parent) and file == WHOLE and config is not None


def place(folder: str, name: str) -> str | None:
    """Full path of a file or folder, in any of ComfyUI's paths for `folder`; None if missing."""
    register(folder)
    paths = (os.path.join(base, name) for base in folder_paths.get_folder_paths(folder))
    return next((path for path in paths if os.path.exists(path)), None)


def need(folder: str, name: str, input: str = "file") -> str:
    """As `place`, for a name in any of the spellings of `meant`.

    Raises BadInput that tells where to get a missing file.
    """
    name = str(name)
    names = meant(name, present(folder))
    if len(names) > 1:
        raise BadInput(
            input,
            f"names {name}, which is in several folders",
            f"choose one of {', '.join(names)}",
        )
    path = place(folder, names[0]) if names else None
    if path is None:
        raise pretrained.missing(base_of(name), folder, input)
    return path


def meant(name: str, names: list[str]) -> list[str]:
    """Which of `names` a workflow means by `name`.

    It may have been saved on another system, with / or \\ between folders, or on a computer where
    the file lies in no folder; then every folder counts.
    """
    if name in names:
        return [name]
    plain = name.replace("\\", "/")
    same = [other for other in names if other.replace("\\", "/") == plain]
    if same or "/" in plain:
        return same
    return [other for other in names if base_of(other) == plain]


def base_of(name: str) -> str:
    """The last part of a name with / or \\ between folders."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def checked(cls: type[io.ComfyNode], **wanted: tuple[str, str | None]) -> bool | str:
    """For `validate_inputs` of a loader: True, or a message about the missing files.

    wanted: input=(folder, name). ComfyUI then refuses the run before it computes anything, and
    shows the missing files of all loaders together.
    """
    name = cls.define_schema().display_name
    problems = []
    for input, (folder, file) in wanted.items():
        try:
            if file is not None:
                need(folder, file, input)
        except BadInput as error:
            problems.append(str(error.at(name)))
    return " ".join(problems) or True


def read(folder: str, name: str, input: str = "file") -> pretrained.State:
    """The tensors of a weights file or folder by name.

    Only tensors are loaded; code inside the file never runs. TorchScript files, such as LaMa's, are
    accepted. Raises BadInput if the file is missing or is not a weights-only file, whatever is
    wrong with it.
    """
    path = need(folder, name, input)
    if os.path.isdir(path):
        path = os.path.join(path, WHOLE)
    try:
        state = state_of(path)
    except Exception as error:  # any bytes may be in the file, and any error in its reader
        raise unreadable(name, input, error) from error
    named = state.items() if isinstance(state, dict) else ()
    tensors = {k: v for k, v in named if isinstance(k, str) and isinstance(v, torch.Tensor)}
    if not tensors:
        raise unreadable(name, input, "it holds no tensors")
    if any(weight_archive.is_stretched(value) for value in tensors.values()):
        raise unreadable(name, input, "a tensor is larger than its data")
    return tensors


def state_of(path: str) -> dict:
    """What a weights file holds, read as data. Raises any error if it cannot be read."""
    weight_archive.check(path)
    if weight_archive.is_script(path):
        return weight_archive.script_tensors(path)
    return comfy.utils.load_torch_file(path, safe_load=True)


@contextmanager
def building(name: str, what: str, input: str = "file") -> Iterator[None]:
    """While tensors of any shape become a network: every error says that the file is not `what`."""
    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise pretrained.wrong_model(name, what, why, input) from error


def unreadable(name: str, input: str, error: Exception | str) -> BadInput:
    """The error for a file that is not a weights-only file."""
    return BadInput(
        input,
        f"names {base_of(name)}, which is not a weights-only file "
        f"({type(error).__name__ if isinstance(error, Exception) else error})",
        "download it again from its publisher; only tensors are loaded, code never runs",
    )


class Held(torch.nn.Module):
    """A wrapper that lets ComfyUI move a network, even one with its own attribute `device`."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net


def managed(net: torch.nn.Module) -> comfy.model_patcher.ModelPatcher:
    """A ModelPatcher, so that ComfyUI loads and unloads the network. Its layers ask for cancels."""
    for layer in net.modules():
        layer.register_forward_pre_hook(lambda *_: interrupts.check())
    return comfy.model_patcher.ModelPatcher(
        Held(net),
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def bring(patcher: comfy.model_patcher.ModelPatcher, memory: float = 0) -> torch.device:
    """Load a whole network on its device, which is returned.

    memory: bytes to keep free for activations.
    """
    comfy.model_management.load_models_gpu([patcher], memory_required=memory, force_full_load=True)
    return patcher.load_device
