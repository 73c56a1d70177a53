"""The shipped workflow for photographs whose model files a host has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..core.errors import BadInput
from . import workflow
from .client import Client

# BERT's vocabulary may also lie beside the detector or in a cache, where its loader finds it. So it
# does not decide; if it is missing, the loader says so.
FOUND_ELSEWHERE = ("vocab.txt",)
# Today's models before the paper's; among them those that paint inside a mask before an edit model,
# which draws the whole crop anew.
ORDER = (
    "photograph_flux_fill_sam3.json",
    "photograph_sdxl.json",
    "photograph_by_instruction.json",
    "amodal_completion*.json",
)
# Nodes of ours that work through a node that older hosts do not have -> that node, and since when.
THROUGH = {"AmodalLoadSam3Segmenter": ("SAM3_Detect", "ComfyUI 0.20")}


def shipped() -> list[Path]:
    """The shipped workflows that complete an object of a photograph, in API format, by ORDER.

    They are those whose loaders name published files.
    """
    paths = [
        path
        for pattern in ORDER
        for path in sorted(workflow.FOLDER.glob(pattern), key=lambda path: path.stem)
    ]
    return [path for path in paths if files_of(path)]


def listed(path: Path) -> list[dict]:
    """Name, url, directory and size of each published file of a shipped workflow.

    The loaders have them beside their titles. directory: the folder of models/.
    """
    prompt = json.loads(path.read_text(encoding="utf-8"))
    return [file for node in prompt.values() for file in node["_meta"].get("models", ())]


def files_of(path: Path) -> list[tuple[str, str]]:
    """(file, folder of models/) of each published file of a shipped workflow."""
    return [(file["name"], file["directory"]) for file in listed(path)]


def first_complete(client: Client) -> Path:
    """The first shipped workflow for photographs whose models the host has, and can run.

    Raises BadInput that lists what each one lacks.
    """
    return first_whole(
        lambda folder: present(client, folder),
        lambda node: bool(client.get(f"/object_info/{node}")),
    )


def first_whole(present: Callable[[str], list[str]], knows: Callable[[str], bool]) -> Path:
    """The same, for a host that `present` and `knows` describe.

    present: the names of the files in a folder of models/. knows: whether there is a node.
    """
    lacking = []
    for path in shipped():
        missing = [pair for pair in files_of(path) if pair[0] not in present(pair[1])]
        newer = too_new(path, knows)
        if not newer and all(name in FOUND_ELSEWHERE for name, _ in missing):
            return path
        files = [f"{name} (models/{folder})" for name, folder in missing]
        lacking.append(f"{path.stem} lacks {', '.join([*newer, *files])}")
    raise BadInput(
        "workflow",
        "is not given, and ComfyUI has not all the models of a shipped workflow for photographs: "
        + "; ".join(lacking),
        "get these files (docs/models.md says where), name a workflow of your own with "
        "--workflow W.json, or, for a scene of the embedded models' 56 stickers, give --stickers",
    )


def too_new(path: Path, knows: Callable[[str], bool]) -> list[str]:
    """What a shipped workflow needs of a newer host than this one, in words."""
    kinds = {node["class_type"] for node in json.loads(path.read_text("utf-8")).values()}
    needed = [THROUGH[kind] for kind in sorted(kinds & set(THROUGH))]
    return [f"{version} with {node}" for node, version in needed if not knows(node)]


def present(client: Client, folder: str) -> list[str]:
    """The files in a folder of the host's models; none where the host does not know it."""
    return client.names(f"/models/{folder}") if folder in client.names("/models") else []
