"""Runs a completion workflow on a host and stores what it gives: pictures and result.json.

What to store under which name is found by the titles of the workflow's nodes; see TITLES. What
other nodes save is stored under their titles.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import BadInput
from . import workflow
from .client import Client, Event, Run

TITLES = {  # the file we write -> the node that shows it
    "completed.png": "Completed object",
    "amodal_mask.png": "Amodal mask",
    "overlay.png": "Overlay",
}
TEXTS = {"status": "Status", "passes": "Passes", "report": "Report", "offset": "Offset"}
IN_BODY = {"pass": "Pass", "hides": "What hides it"}  # in the loop's body: one for each pass
CACHED = (
    "the host had this run in its cache, and shows the pictures of its first pass alone: for all "
    "of them give another seed, or start the host anew"
)
FREE = ("completed", "nothing to complete")  # how a status starts when all is well


@dataclass
class Completion:
    """What a run gave: `result` is what result.json holds, `files` what was written (the name in
    TITLES -> its path; more pictures of one node as NAME_2, NAME_3, ...), and in the order of the
    passes the canvas after each and what hid the object at its start."""

    result: dict
    files: dict[str, Path]
    passes: list[Path]
    hides: list[Path]

    @property
    def ok(self) -> bool:
        """Did all objects of the run come out, where the workflow tells?"""
        told = self.result["statuses"]
        return all(status.startswith(FREE) for status in told) if told else bool(self.files)


def complete(client: Client, prompt: dict, out: Path, about: dict, progress=None) -> Completion:
    """Runs a filled prompt and writes completed.png (RGBA), amodal_mask.png, overlay.png,
    pass_1.png, hides_1.png, ... and result.json to `out`. `about` goes into result.json as it is.

    Raises client.RunError where the host refuses or breaks off the run, BadInput where the workflow
    saves nothing.
    """
    shown = saved(prompt)
    if not shown:
        raise BadInput("workflow", "saves no picture", "add Save Image behind what is to be kept")
    told = {name: workflow.titled(prompt, title) for name, title in TEXTS.items()}
    body = {name: workflow.titled(prompt, title) for name, title in IN_BODY.items()}
    clear(out)
    run = client.run(prompt, progress)
    out.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, node in shown.items():
        for number, image in enumerate(run.images(node), start=1):
            part = name if number == 1 else name.replace(".png", f"_{number}.png")
            files[part] = client.fetch(image, out / part)
    series = {
        name: [
            client.fetch(image, out / f"{name}_{number}.png")
            for number, image in enumerate(run.images(node or ""), start=1)
        ]
        for name, node in body.items()
    }
    result = {**summary(run, prompt, told), **about, "host": version(client)}
    if 0 < len(series["pass"]) < (result["passes"] or 0):
        result["messages"].append(CACHED)
    result["files"] = sorted([*files, *(path.name for paths in series.values() for path in paths)])
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return Completion(result, files, series["pass"], series["hides"])


def saved(prompt: dict) -> dict[str, str]:
    """{file name: the node that saves it}: those of TITLES first, then every other Save Image."""
    named = {name: workflow.titled(prompt, title) for name, title in TITLES.items()}
    found = {name: node for name, node in named.items() if node is not None}
    for node, about in prompt.items():
        if about["class_type"] == "SaveImage" and node not in found.values():
            title = about.get("_meta", {}).get("title", "saved").removesuffix(": picture")
            name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "saved"
            found[f"{name}.png" if f"{name}.png" not in found else f"{name}_{node}.png"] = node
    return found


def clear(out: Path) -> None:
    """Removes what an earlier completion left in the folder, lest it be taken for this one's."""
    series = [path for name in IN_BODY for path in out.glob(f"{name}_[0-9]*.png")]
    for path in (out / "result.json", *(out / name for name in earlier(out)), *series):
        path.unlink(missing_ok=True)


def earlier(out: Path) -> set[str]:
    """Names of the pictures that may be of an earlier completion."""
    try:
        listed = json.loads((out / "result.json").read_text(encoding="utf-8"))["files"]
        own = [name for name in listed if name == Path(name).name and name.endswith(".png")]
        return {*TITLES, *own}
    except (OSError, ValueError, KeyError, TypeError):
        return set(TITLES)


def summary(run: Run, prompt: dict, told: dict) -> dict:
    """Status, passes, report, offset as the nodes told them, and where the time went. `statuses`
    has one for each object or seed; none where the workflow has no node that tells."""
    texts = {name: run.texts(node or "") for name, node in told.items()}
    statuses = texts["status"]
    if not statuses and (told["status"] or run.blocked):
        statuses = run.blocked[:1] or ["not completed"]
    passes = [int(number) for number in texts["passes"] if number.isdigit()]
    return {
        "status": "; ".join(statuses) or "done: the workflow has no node titled Status",
        "statuses": statuses,
        "passes": max(passes, default=None),
        "report": [line for text in texts["report"] for line in text.splitlines()],
        "offset": "; ".join(texts["offset"]),
        "messages": run.blocked,
        "seconds": {"total": round(run.total, 3), "by_stage": by_stage(run, prompt)},
    }


def by_stage(run: Run, prompt: dict) -> dict[str, float]:
    """Seconds of each node class over all passes, longest first."""
    stages: dict[str, float] = {}
    for node, seconds in run.seconds.items():
        kind = prompt[node]["class_type"] if node in prompt else node
        stages[kind] = stages.get(kind, 0.0) + seconds
    return {k: round(s, 3) for k, s in sorted(stages.items(), key=lambda item: -item[1])}


def version(client: Client) -> str:
    system = client.get("/system_stats")["system"]
    return f"ComfyUI {system.get('comfyui_version', '?')}, torch {system.get('pytorch_version')}"


class Bar:
    """A progress bar in sampling steps, one for each run: call it with each Event.

    How many passes there will be is not known before; the bar grows by `steps` with each.
    """

    def __init__(self, title: str, prompt: dict, quiet: bool = False):
        from tqdm import tqdm

        schedulers = (node["inputs"].get("steps") for node in prompt.values())
        self._steps = next((steps for steps in schedulers if isinstance(steps, int)), 50)
        self._prompt, self._title = prompt, title
        self._done = 0  # steps of the sampling nodes that came before the current one
        self._now: tuple[str | None, int] = (None, 0)
        self._bar = tqdm(total=self._steps, desc=title, unit="step", disable=quiet, leave=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error) -> None:
        if not any(error):
            self._bar.total = self._bar.n
            self._bar.set_description(self._title)
        self._bar.close()

    def __call__(self, event: Event) -> None:
        if event.kind == "executing":
            node = self._prompt.get(event.data.get("display_node") or "")
            if node:
                name = node.get("_meta", {}).get("title") or node["class_type"]
                self._bar.set_description(f"{self._title}: {name}"[:60])
        elif event.kind == "progress" and event.data.get("max", 0) > 1:
            self._step(event.data.get("node"), event.data["value"], event.data["max"])

    def _step(self, node: str | None, value: int, of: int) -> None:
        before, steps = self._now
        if node != before:
            self._done += steps
        self._now = (node, of)
        while self._bar.total < self._done + of:
            self._bar.total += self._steps
        self._bar.n = self._done + value
        self._bar.refresh()
