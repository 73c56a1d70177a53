"""Where the models for photographs lie: the host's folders, and those that other packs use too."""

import os
import pickle

import comfy.model_management
import comfy.model_patcher
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io
from safetensors import SafetensorError

from ...amodal.core.errors import BadInput
from ...amodal.models import pretrained

WHOLE = "model.safetensors"  # the weights in a folder of Hugging Face's layout
BROKEN = (ValueError, OSError, EOFError, KeyError, AttributeError, TypeError, SafetensorError)
ENDINGS = (".pth", ".pt", ".safetensors", ".sft", ".ckpt", ".bin", ".tar")


def register(folder: str) -> None:
    """Let the host look for `folder`, beside whatever another pack or the user has set up."""
    folder_paths.add_model_folder_path(folder, os.path.join(folder_paths.models_dir, folder))


def choices(folder: str) -> list[str]:
    """What a loader offers: the files that are there, and the published ones that could be.

    A published file can be chosen before it is there, so that a workflow that names it opens, and
    running it tells where to get the file. A folder in Hugging Face's layout counts as one file.
    """
    there = present(folder)
    return [*there, *(one.file for one in pretrained.known(folder) if one.file not in there)]


def file_input(folder: str):
    """The input `file` of a loader of one file."""
    return io.Combo.Input(
        "file",
        options=choices(folder),
        tooltip=f"A file in models/{folder}. A name can be chosen before the file is there; "
        "running then tells where to get it.",
    )


def listed(folder: str) -> list[str]:
    """All files in a folder of models/, which is registered with the host."""
    register(folder)
    try:
        return folder_paths.get_filename_list(folder)
    except FileNotFoundError:  # the host remembers a folder that is gone
        folder_paths.filename_list_cache.pop(folder, None)
        return folder_paths.get_filename_list(folder)


def present(folder: str) -> list[str]:
    there = [name for name in listed(folder) if name.lower().endswith(ENDINGS)]
    whole = {os.path.dirname(name) for name in there if is_whole_folder(folder, name)}
    return sorted({*whole, *(name for name in there if os.path.dirname(name) not in whole)} - {""})


def is_whole_folder(folder: str, name: str) -> bool:
    """Is this file the weights in a folder of Hugging Face's layout?"""
    parent, file = os.path.split(name)
    described = place(folder, os.path.join(parent, "config.json"))
    return bool(parent) and file == WHOLE and described is not None


def place(folder: str, name: str) -> str | None:
    """The full path of a file or folder, wherever the host looks for `folder`."""
    register(folder)
    paths = (os.path.join(base, name) for base in folder_paths.get_folder_paths(folder))
    return next((path for path in paths if os.path.exists(path)), None)


def need(folder: str, name: str, input: str = "file") -> str:
    """As `place`; raises BadInput that tells where to get what is not there."""
    if name not in choices(folder):
        raise pretrained.missing(os.path.basename(name), folder, input)
    path = place(folder, name)
    if path is None:
        raise pretrained.missing(name, folder, input)
    return path


def checked(cls, **wanted) -> bool | str:
    """For a loader's validate_inputs: True, or what is missing, in words; input=(folder, name).

    So a run is refused before anything has been computed, and every loader names its file at once.
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


def read(folder: str, name: str, input: str = "file") -> dict:
    """The tensors of a weights file, or folder, by name; no code in it is run.

    TorchScript files, which LaMa comes as, give their tensors too.
    """
    path = need(folder, name, input)
    if os.path.isdir(path):
        path = os.path.join(path, WHOLE)
    try:
        state = comfy.utils.load_torch_file(path, safe_load=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        state = scripted(path)
        if state is None:
            raise unreadable(name, input, error) from error
    except BROKEN as error:
        raise unreadable(name, input, error) from error
    named = state.items() if isinstance(state, dict) else ()
    tensors = {k: v for k, v in named if isinstance(v, torch.Tensor)}
    if not tensors:
        raise unreadable(name, input, "it holds no tensors")
    return tensors


def scripted(path: str) -> dict | None:
    """The tensors of a TorchScript file, which is read by a reader of its own; else None."""
    try:
        return torch.jit.load(path, map_location="cpu").state_dict()
    except (RuntimeError, ValueError):
        return None


def unreadable(name: str, input: str, error) -> BadInput:
    return BadInput(
        input,
        f"names {os.path.basename(name)}, which is no file of weights alone "
        f"({type(error).__name__ if isinstance(error, Exception) else error})",
        "get it anew from its publisher; files that hold code are never run",
    )


class Held(torch.nn.Module):
    """A net the host may move between its devices, whatever the net calls its own device."""

    def __init__(self, net: torch.nn.Module):
        super().__init__()
        self.net = net


def managed(net: torch.nn.Module) -> comfy.model_patcher.ModelPatcher:
    return comfy.model_patcher.ModelPatcher(
        Held(net),
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def bring(patcher, memory: float = 0) -> torch.device:
    """Have the host move a net to where it computes, all of it; `memory` in bytes to work in."""
    comfy.model_management.load_models_gpu([patcher], memory_required=memory, force_full_load=True)
    return patcher.load_device
