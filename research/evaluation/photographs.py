"""The paper's tables 1 and 2 on photographs: pseudo-occluded objects made of a COCO folder.

    nox -s paper -- --coco instances_val2017.json --pictures val2017 --per-cell 100

Whole objects are pasted over whole objects (`dataset`), of random categories and of the one most
often seen with it; each is completed from its visible mask by every method, rewired in the given
workflow (API format) with the loaders that are in it, and held against the truth. Measures whose
package or weights are missing are left out and named. A success is an IoU of at least 0.85: nobody
looks for spurious objects, as the sticker world's judge does. A stopped run goes on where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from amodal.app import host, workflow
from amodal.core.errors import BadInput
from amodal.measures import metrics
from research.dataset import builder, wholes

from .. import records
from . import methods, pasted, runner
from .pasted import ALWAYS

METHODS = ("removal", "naive", "without", "mixed")
PAIRS = ("random", "companion")


@dataclass(frozen=True)
class Settings:
    """What a record depends on besides item and method. measures: those that can be taken."""

    workflow: str
    steps: int | None
    measures: tuple[str, ...]
    weights: str  # the folder of the measures' weights
    models: str
    pictures: str


def measure(options) -> tuple[list[dict], Settings]:
    """All records; makes the items and runs what is missing. Raises BadInput."""
    lines = items(options)
    models = options.models or host.find_comfyui() / "models"
    weights = options.metrics or models / "amodal_metrics"
    settings = Settings(
        str(options.workflow),
        options.steps,
        available(weights),
        str(weights),
        str(models),
        str(options.out / "pictures"),
    )
    state = [
        runner.state_of_code(),
        digest(options.workflow),
        digest(options.coco),
        digest(metrics.__file__),
        settings.steps,
        settings.measures,
    ]
    todo = {
        json.dumps([state, name_of(line), method]): (line, method, asdict(settings))
        for line in lines
        for method in options.methods
    }
    refuse_what_cannot_run(lines[0], options.methods, settings)
    made = records.complete(todo, run, options.out / "records.jsonl", options.workers, "items")
    return list(made.values()), settings


def items(options) -> list[dict]:
    """The manifests' lines of both sets, easy and hard in turn, each with its `pairs`."""
    if options.per_cell < 1:
        raise BadInput("per-cell", f"is {options.per_cell}", "ask for at least one item")
    source = wholes.Coco(options.coco, options.pictures)
    found = []
    for pairs in PAIRS:
        plan = builder.Plan(options.per_cell, options.per_cell, options.seed, pairs, 1)
        folder = options.out / "items" / f"{pairs}-{options.per_cell}-s{options.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        builder.build(source, plan, folder)
        found += [{**line, "pairs": pairs} for line in builder.read(folder)]
    return found


def available(weights: Path) -> tuple[str, ...]:
    """The measures whose package and weights are there."""
    found = []
    for name in metrics.MODELS:
        try:
            metrics.need(name, weights)
        except BadInput as error:
            if name == ALWAYS:
                raise
            print(f"left out: {error}", file=sys.stderr)
        else:
            found.append(name)
    return tuple(found)


def digest(path: Path | str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise BadInput("workflow", f"cannot be read ({error})", "check the path") from None


def started(models: str):
    """The in-process host with the user's models, on an accelerator where there is one."""
    if torch.cuda.is_available():
        os.environ["AMODAL_TEST_DEVICE"] = "accelerator"
    running = runner.host()
    import folder_paths

    for folder in sorted(Path(models).iterdir()) if Path(models).is_dir() else ():
        if folder.is_dir():
            folder_paths.add_model_folder_path(folder.name, str(folder))
    return running


def refuse_what_cannot_run(line: dict, chosen: list[str], settings: Settings) -> None:
    """Asks the host once whether it would run, so that missing models are told before all else."""
    running, problems = started(settings.models), {}
    for method in chosen:
        ok, error, _, nodes = asyncio.run(
            running.validate("check", prompt_of(line, method, settings), None)
        )
        if not ok:
            said = [one["details"] for node in nodes.values() for one in node["errors"]]
            problems.update(dict.fromkeys(said or [error["message"]]))
    if problems:
        raise BadInput(
            "workflow",
            f"cannot run: {'; '.join(problems)}",
            "put the models there, or give another workflow or --models",
        )


def run(line: dict, method: str, settings: dict) -> dict:
    """The record of an item and a method. What the user would see as an error is a record too."""
    settings = Settings(**settings)
    running = started(settings.models)
    from tools.host import inprocess

    prompt, began = prompt_of(line, method, settings), time.monotonic()
    runner.CALLS[0] = 0
    try:
        values = running.run(prompt).values
    except inprocess.Failed as error:
        if "BadInput" not in str((error.details or {}).get("exception_type")):
            raise
        values = runner.failed(error)
    spent = {"seconds": round(time.monotonic() - began, 2), "calls": runner.CALLS[0]}
    completed, canvas, known = pasted.on_canvas(pasted.read(line), values)
    figure = pasted.compared(
        known, completed, line["category"], settings.measures, Path(settings.weights)
    )
    pasted.keep(Path(settings.pictures) / f"{name_of(line)}-{method}", known, completed, canvas)
    return {
        **about(line),
        "method": method,
        "k": None,
        **spent,
        **runner.told(values),
        **figure,
    }


def name_of(line: dict) -> str:
    return f"{line['pairs']}-{line['item']}-s{line['seed']}"


def about(line: dict) -> dict:
    """cell: as the sticker world's are named, by what the occluder truly is."""
    front = line["occluder"]["category"]
    relation = "companion" if front == line["companion"] else "other"
    return {
        "cell": f"{relation}-{line['level']}",
        "number": name_of(line),
        "word": line["category"],
        "occluder": front,
        "hidden_share": line["hidden"],
    }


def prompt_of(line: dict, method: str, settings: Settings) -> dict:
    import folder_paths

    place = Path(folder_paths.get_input_directory())
    place.mkdir(parents=True, exist_ok=True)
    names = {kind: f"{name_of(line)}-{method}-{kind}.png" for kind in ("picture", "modal")}
    for kind, name in names.items():
        shutil.copy(line["files"][kind], place / name)
    prompt = workflow.fill(
        workflow.load(Path(settings.workflow), dict),
        names["picture"],
        mask=names["modal"],
        words=line["category"],
        seed=1 + line["number"],
    )
    wiring = methods.wire(method, prompt)
    if settings.steps:
        wiring.set_steps(settings.steps)
    wiring.keep(wiring.results())
    return wiring.prompt
