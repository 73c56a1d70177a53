"""The command `doctor`: what each shipped workflow lacks on this ComfyUI, and which of them run.

Exit status: 0 if a workflow runs, 3 if none does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from . import host, photographs, workflow
from .client import Client

GB = 1e9
RUNS, NONE_RUNS = 0, 3


@dataclass(frozen=True)
class Host:
    """A ComfyUI. free: bytes of free memory, by the name of the device; "memory" is the machine's.

    versions: of ComfyUI, Python and torch.
    """

    versions: dict[str, str]
    free: dict[str, int]


@dataclass(frozen=True)
class Verdict:
    """What a shipped workflow lacks. nodes: classes that the host does not know, in words.

    files: name, folder of models/, size and source of each missing one. gigabytes: all its
    weights together, and the largest file. fits: they fit into the free memory.
    """

    workflow: str
    nodes: list[str]
    files: list[dict]
    gigabytes: tuple[float, float]
    fits: bool

    @property
    def runs(self) -> bool:
        return not self.nodes and not self.files


def add_options(command: argparse.ArgumentParser) -> None:
    """Adds the command's options but `--server`."""
    command.add_argument("--json", action="store_true", help="print JSON in place of text")


def run(options: argparse.Namespace) -> int:
    """The command: prints the report. Raises HostError and RunError."""
    with contextlib.ExitStack() as stack:
        url = options.server or stack.enter_context(host.Host()).url
        client = Client(url)
        found = about(client)
        verdicts = [verdict(client, found, path) for path in sorted(workflow.FOLDER.glob("*.json"))]
    if options.json:
        told = [{**asdict(one), "runs": one.runs} for one in verdicts]
        print(json.dumps({**asdict(found), "workflows": told}, indent=1))
    else:
        print(text(found, verdicts))
    return RUNS if any(one.runs for one in verdicts) else NONE_RUNS


def about(client: Client) -> Host:
    """The versions and the free memory of a running ComfyUI."""
    stats = client.get("/system_stats")
    system = stats["system"]
    versions = {
        "ComfyUI": system.get("comfyui_version", "unknown"),
        "Python": system.get("python_version", "unknown").split()[0],
        "torch": system.get("pytorch_version", "unknown"),
    }
    free = {"memory": int(system.get("ram_free", 0))}
    for device in stats.get("devices", ()):
        if device.get("type") != "cpu":
            free[device["name"]] = int(device.get("vram_free", 0))
    return Host(versions, free)


def verdict(client: Client, found: Host, path: Path) -> Verdict:
    """What the shipped workflow in a file lacks on that host."""
    files = photographs.listed(path)
    missing = [
        file
        for file in files
        if file["name"] not in photographs.present(client, file["directory"])
        and file["name"] not in photographs.FOUND_ELSEWHERE
    ]
    sizes = [gigabytes(file["size"]) for file in files] or [0.0]
    return Verdict(
        path.stem,
        unknown_nodes(client, path),
        missing,
        (round(sum(sizes), 1), max(sizes)),
        sum(sizes) * GB <= sum(found.free.values()),
    )


def unknown_nodes(client: Client, path: Path) -> list[str]:
    """The node classes of a workflow that the host lacks, with the version that brings them."""

    def knows(kind: str) -> bool:
        return bool(client.get(f"/object_info/{kind}"))

    prompt = json.loads(path.read_text("utf-8"))
    kinds = sorted({node["class_type"] for node in prompt.values()})
    unknown = [f"{kind}: update ComfyUI, or this pack" for kind in kinds if not knows(kind)]
    return photographs.too_new(path, knows) + unknown


def gigabytes(size: str) -> float:
    """The number in "5.2 GB" or "0.2 MB"."""
    value, unit = size.split()[:2]
    return float(value) / (1 if unit == "GB" else 1000)


def text(found: Host, verdicts: list[Verdict]) -> str:
    """The report in words: the host, the workflows that run, and what the others lack."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    free = ", ".join(f"{name} {size / GB:.1f} GB" for name, size in found.free.items())
    lines = [versions, f"free: {free}", "", "These workflows run now:"]
    for one in filter(lambda one: one.runs, verdicts):
        lines.append(f"  {one.workflow}{weights(one)}")
    if not any(one.runs for one in verdicts):
        lines.append("  none")
    for one in verdicts:
        if not one.runs:
            lines += ["", f"{one.workflow} lacks{weights(one)}:"]
            lines += [f"  {node}" for node in one.nodes]
            lines += [
                f"  {file['name']} ({file['size']}), into models/{file['directory']}: {file['url']}"
                for file in one.files
            ]
    return "\n".join(lines)


def weights(one: Verdict) -> str:
    """How much memory a workflow's weights take, in words; empty for the embedded models."""
    total, largest = one.gigabytes
    if not total:
        return ""
    warning = "" if one.fits else ", more than is free"
    return f" (weights {total:.1f} GB, the largest {largest:.1f} GB{warning})"
