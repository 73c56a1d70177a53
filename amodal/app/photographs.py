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


def shipped() -> list[Path]:
    """The shipped workflows that complete an object of a photograph, in API format, by name.

    They are those whose loaders name published files.
    """
    paths = sorted(workflow.FOLDER.glob("amodal_completion*.json"), key=lambda path: path.stem)
    return [path for path in paths if files_of(path)]


def files_of(path: Path) -> list[tuple[str, str]]:
    """(file, folder of models/) of each published file of a shipped workflow.

    The loaders have them beside their titles.
    """
    prompt = json.loads(path.read_text(encoding="utf-8"))
    models = [file for node in prompt.values() for file in node["_meta"].get("models", ())]
    return [(file["name"], file["directory"]) for file in models]


def first_complete(client: Client) -> Path:
    """The first shipped workflow for photographs whose models the host has.

    Raises BadInput that lists the missing files of each one.
    """
    return first_whole(lambda folder: present(client, folder))


def first_whole(present: Callable[[str], list[str]]) -> Path:
    """The same, of models that `present` lists: the names of the files in a folder of models/."""
    lacking = []
    for path in shipped():
        missing = [pair for pair in files_of(path) if pair[0] not in present(pair[1])]
        if all(name in FOUND_ELSEWHERE for name, _ in missing):
            return path
        files = ", ".join(f"{name} (models/{folder})" for name, folder in missing)
        lacking.append(f"{path.stem} lacks {files}")
    raise BadInput(
        "workflow",
        "is not given, and ComfyUI has not all the models of a shipped workflow for photographs: "
        + "; ".join(lacking),
        "get these files (docs/models.md says where), name a workflow of your own with "
        "--workflow W.json, or, for a scene of the embedded models' 56 stickers, give --stickers",
    )


def present(client: Client, folder: str) -> list[str]:
    """The files in a folder of the host's models; none where the host does not know it."""
    return client.names(f"/models/{folder}") if folder in client.names("/models") else []
