"""Installs the registry's archive into a fresh host beside other packs and runs a workflow."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amodal.app import workflow
from amodal.app.client import Client
from amodal.app.host import PACK, Host
from tools.package import archive, neighbours

WORKFLOW = "amodal_completion_stickers.json"


class Broken(RuntimeError):
    """The installed package does not work; the message says how."""


@dataclass(frozen=True)
class Outcome:
    """What a run of the installed package gave.

    nodes: how many node classes of the pack the host offers; images: how many images the run saved;
    status: what the loop's status output showed; seconds: duration of the run.
    """

    nodes: int
    images: int
    status: str
    seconds: float


def install(package: Path, base: Path) -> Path:
    """Unzips the package into a base directory, as the registry's clients do; the pack's folder."""
    custom_nodes = base / "custom_nodes"
    pack = custom_nodes / archive.project()[0]
    pack.mkdir(parents=True)
    with zipfile.ZipFile(package) as opened:
        opened.extractall(pack)
    # The host's own layout links this checkout there. ComfyUI skips the file.
    (custom_nodes / PACK).touch()
    neighbours.install(custom_nodes)
    return pack


@contextlib.contextmanager
def running(package: Path) -> Iterator[tuple[Host, Path]]:
    """A host whose only copy of this pack is the package's; and the pack's folder in it."""
    with tempfile.TemporaryDirectory(prefix="amodal-package-") as folder:
        base = Path(folder)
        pack = install(package, base)
        with Host(base, arguments=["--fp32-text-enc"]) as host:
            yield host, pack


def run(package: Path) -> Outcome:
    """Runs one workflow of the package to its end. Raises Broken, or the client's RunError."""
    with running(package) as (host, pack):
        client = Client(host.url)
        object_info = client.get("/object_info")
        nodes = offered(object_info, pack.name)
        if lost := neighbours.missing(object_info):
            raise Broken(f"the host lost nodes of other packs: {', '.join(lost)}")
        prompt = json.loads((pack / "workflows" / "api" / WORKFLOW).read_text(encoding="utf-8"))
        started = time.monotonic()
        done = client.run(prompt)
        seconds = time.monotonic() - started
        saved = [
            image
            for node, spec in prompt.items()
            if spec["class_type"] == "SaveImage"
            for image in done.images(node)
        ]
        if not saved:
            raise Broken(f"{WORKFLOW} saved no image. The host's log:\n{host.log_tail()}")
        status = done.texts(workflow.need(prompt, "Status"))
        return Outcome(len(nodes), len(saved), status[0] if status else "", seconds)


def offered(object_info: dict, pack: str) -> list[str]:
    """The pack's node classes that the host offers. Raises Broken where one is another copy's."""
    modules = {
        node: info.get("python_module", "")
        for node, info in object_info.items()
        if node.startswith("Amodal")
    }
    wrong = {module for module in modules.values() if module != f"custom_nodes.{pack}"}
    if wrong or not modules:
        raise Broken(f"the pack's nodes come from {sorted(wrong) or 'nowhere'}, not from {pack}")
    return sorted(modules)
