"""Runs a completion workflow on a host and stores its pictures and a result.json.

The titles of the workflow's nodes say what to store under which name; see TITLES, TEXTS and
IN_BODY. Pictures of other Save Image nodes are stored under the titles of those nodes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..core.errors import BadInput
from ..core.status import Status
from ..core.text import whole_number
from . import workflow
from .client import Client, Missing
from .run import Event, Run

TITLES = {  # file name -> title of the node that shows the picture
    "completed.png": "Completed object",
    "amodal_mask.png": "Amodal mask",
    "overlay.png": "Overlay",
}
TEXTS = {  # key in result.json -> title of the node that shows the text
    "status": "Status",
    "warnings": "Warnings",
    "passes": "Passes",
    "report": "Report",
    "offset": "Offset",
    "ranking": "Order",
    "detected": "Objects of the picture",
}
IN_BODY = {"pass": "Pass", "hides": "What hides it"}  # in the loop's body: one picture each pass
STATUSES = tuple(status.value for status in Status)
DONE = tuple(status.value for status in Status if status.is_done)


@dataclass
class Completion:
    """The output of a run.

    result: the contents of result.json (see `summary`). files: file name -> path of each picture
    that a node saved; further pictures of the same node are NAME_2.png, NAME_3.png, ...
    passes, hides: for each pass, the canvas at its end and what hides the object at its start.
    """

    result: dict
    files: dict[str, Path]
    passes: list[Path]
    hides: list[Path]

    @property
    def ok(self) -> bool:
        """Whether every object is done, or pictures were saved if the workflow has no status."""
        statuses = self.result["statuses"]
        if statuses is None:
            return bool(self.files)
        return bool(statuses) and all(status in DONE for status in statuses)


def complete(
    client: Client,
    prompt: dict,
    out: Path,
    about: dict,
    progress: Callable[[Event], None] | None = None,
) -> Completion:
    """Runs a filled prompt and stores its output in the folder `out`.

    Writes completed.png (RGBA), amodal_mask.png, overlay.png, pass_1.png, hides_1.png, ... and
    result.json. The entries of `about` are added to result.json. `progress` gets every event.
    Pictures that the host's cache no longer has are made anew, in a second run.

    Raises client.RunError if the host refuses or aborts the run, and BadInput if the workflow
    saves no picture.
    """
    shown = saved(prompt)
    if not shown:
        raise BadInput("workflow", "saves no picture", "add a Save Image node for each result")
    text_nodes = {name: workflow.titled(prompt, title) for name, title in TEXTS.items()}
    body = {name: workflow.titled(prompt, title) for name, title in IN_BODY.items()}
    clear(out)
    out.mkdir(parents=True, exist_ok=True)
    for attempt in (prompt, workflow.anew(prompt)):
        run = client.run(attempt, progress)
        result = {**summary(run, prompt, text_nodes), **about, "host": version(client)}
        try:
            files = fetched(client, run, out, shown)
            series = {name: passes_of(client, run, out, name, node) for name, node in body.items()}
        except Missing:
            if attempt is not prompt:
                raise
            continue  # they were cached, but somebody has removed the files
        lacks_passes = 0 < len(series["pass"]) < (result["passes"] or 0)
        if not is_cached(run, files, body["pass"] if lacks_passes else None):
            break
    result["files"] = sorted([*files, *(path.name for paths in series.values() for path in paths)])
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return Completion(result, files, series["pass"], series["hides"])


def is_cached(run: Run, files: dict, pass_node: str | None) -> bool:
    """Did the host's cache leave out pictures?

    It shows those of pass 1 alone if the passes are cached, and may know that a node has run, but
    no longer what it showed. pass_node: the node of which a picture is missing, if any.
    """
    nothing = not (files or run.seconds or run.blocked)
    return nothing or (pass_node is not None and pass_node not in run.seconds)


def fetched(client: Client, run: Run, out: Path, nodes: dict[str, str]) -> dict[str, Path]:
    """The pictures of `nodes` (file name: node), stored in `out`. Raises Missing."""
    files = {}
    for name, node in nodes.items():
        for number, image in enumerate(run.images(node), start=1):
            part = name if number == 1 else name.replace(".png", f"_{number}.png")
            files[part] = client.fetch(image, out / part)
    return files


def passes_of(client: Client, run: Run, out: Path, name: str, node: str | None) -> list[Path]:
    """The pictures that a node in the loop's body showed, one for each pass. Raises Missing."""
    return [
        client.fetch(image, out / f"{name}_{number}.png")
        for number, image in enumerate(run.images(node or ""), start=1)
    ]


def saved(prompt: dict) -> dict[str, str]:
    """{file name: id of the node that saves it}: first TITLES, then all other Save Image nodes."""
    titled = {name: workflow.titled(prompt, title) for name, title in TITLES.items()}
    nodes = {name: node for name, node in titled.items() if node is not None}
    for node, about in prompt.items():
        if about["class_type"] == "SaveImage" and node not in nodes.values():
            title = about.get("_meta", {}).get("title", "saved").removesuffix(": picture")
            name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "saved"
            nodes[f"{name}.png" if f"{name}.png" not in nodes else f"{name}_{node}.png"] = node
    return nodes


def clear(out: Path) -> None:
    """Removes the files of an earlier completion from the folder, and no others."""
    series = [path for name in IN_BODY for path in out.glob(f"{name}_[0-9]*.png")]
    for path in (out / "result.json", *(out / name for name in earlier(out)), *series):
        path.unlink(missing_ok=True)


def earlier(out: Path) -> set[str]:
    """Names of the pictures of an earlier completion: those in its result.json, and TITLES."""
    try:
        listed = json.loads((out / "result.json").read_text(encoding="utf-8"))["files"]
        own = [name for name in listed if name == Path(name).name and name.endswith(".png")]
        return {*TITLES, *own}
    except (OSError, ValueError, KeyError, TypeError):
        return set(TITLES)


def summary(run: Run, prompt: dict, text_nodes: dict[str, str | None]) -> dict:
    """The part of result.json that comes from the run.

    text_nodes: for each key of TEXTS, the id of the node that shows it, or None.

    Returns these entries. The first three have one item for each object or seed.

    statuses: values of Status. Empty if a node stopped the run before the node titled Status;
        None if the workflow has no such node.
    warnings: lists of values of LoopWarning. Empty if there is no node titled Warnings.
    offset: [x, y] of the canvas' corner in the picture, in pixels, at most 0. None if the node
        shows anything else.
    status: the statuses in one line, or why there are none; for people.
    ranking: [number from 1, score] of each completion, best first, if the workflow ranks them.
    detected: the labels of the objects of the picture, if a node so titled shows them.
    passes: the largest number of passes, or None.
    report: the lines of all reports; for people.
    messages: reasons of nodes that stopped the nodes behind them, and problems with the result.
    seconds: the time of the whole run, and of each class of nodes.
    """
    texts = {name: run.texts(node or "") for name, node in text_nodes.items()}
    has_status = bool(text_nodes["status"] or run.blocked)
    if texts["status"]:
        status = "; ".join(texts["status"])
    elif has_status:
        status = run.blocked[0] if run.blocked else "not completed"
    else:
        status = "done: the workflow has no node titled Status"
    unknown = [text for text in texts["status"] if text not in STATUSES]
    passes = [n for n in map(whole_number, texts["passes"]) if n is not None and n >= 0]
    return {
        "status": status,
        "statuses": texts["status"] if has_status else None,
        "warnings": [codes(text) for text in texts["warnings"]],
        "passes": max(passes, default=None),
        "report": [line for text in texts["report"] for line in text.splitlines()],
        "offset": [point(text) for text in texts["offset"]],
        "ranking": [pair for text in texts["ranking"] for pair in ranking(text)],
        "detected": [label for text in texts["detected"] for label in text.split("\n")],
        "messages": [*run.blocked, *map(unknown_status, unknown)],
        "seconds": {"total": round(run.total, 3), "by_stage": by_stage(run, prompt)},
    }


def codes(text: str) -> list[str]:
    """The codes in a comma-separated list."""
    return [code.strip() for code in text.split(",") if code.strip()]


def point(text: str) -> list[int] | None:
    """[x, y] from "x,y", or None if the text is not a pair of integers."""
    pair = [whole_number(part.strip()) for part in text.split(",")]
    return [n for n in pair if n is not None] if len(pair) == 2 and None not in pair else None


def ranking(text: str) -> list[tuple[int, float]]:
    """(number, score) of each line '2: score 0.81, ...' that Pick Best writes."""
    found = re.findall(r"^(\d+): score (-?[0-9.]+)", text, re.MULTILINE)
    return [(int(number), float(score)) for number, score in found]


def unknown_status(text: str) -> str:
    """The message about a status that is not a value of Status and counts as not completed."""
    return f"The node titled Status shows '{text}', which is not one of: {', '.join(STATUSES)}"


def by_stage(run: Run, prompt: dict) -> dict[str, float]:
    """The seconds that each node class took in all passes, longest first."""
    stages: dict[str, float] = {}
    for node, seconds in run.seconds.items():
        kind = prompt[node]["class_type"] if node in prompt else node
        stages[kind] = stages.get(kind, 0.0) + seconds
    return {k: round(s, 3) for k, s in sorted(stages.items(), key=lambda item: -item[1])}


def version(client: Client) -> str:
    """The host's versions of ComfyUI and torch, as text."""
    system = client.get("/system_stats")["system"]
    return f"ComfyUI {system.get('comfyui_version', '?')}, torch {system.get('pytorch_version')}"


class Bar:
    """A progress bar of one run, in sampling steps, in a terminal only. Call it with each Event.

    The number of passes is not known in advance, so the total grows by `steps` with each pass.
    """

    def __init__(self, title: str, prompt: dict, quiet: bool = False):
        from tqdm import tqdm

        schedulers = (node["inputs"].get("steps") for node in prompt.values())
        self._steps = next((steps for steps in schedulers if isinstance(steps, int)), 50)
        self._prompt, self._title = prompt, title
        self._done = 0  # steps of the sampling nodes before the current one
        self._now: tuple[str | None, int] = (None, 0)
        silent = quiet or None  # None: unless a terminal shows it
        self._bar = tqdm(total=self._steps, desc=title, unit="step", disable=silent, leave=True)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
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
