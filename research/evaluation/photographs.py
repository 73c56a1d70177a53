"""Completes pseudo-occluded objects of a COCO folder with every method, and measures them.

An item is a whole object with another whole object pasted over it (research/dataset): one of a
random category, or of the category most often seen with it. Every method completes it from its
modal mask in the given workflow (API format) with the loaders of that workflow. A success is an
amodal IoU of at least 0.85. Spurious objects are not looked for: the judge knows only stickers.
An interrupted run resumes. report/photograph_report.py is the command.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from PIL import Image

from amodal.app import host, workflow
from amodal.core.errors import BadInput
from amodal.measures import dataset_item, metrics
from research.dataset import builder, wholes
from research.dataset.occlusion import LEVELS

from .. import records
from . import instructed, methods, outside, pasted, removers, runner
from .pasted import ALWAYS

METHODS = ("removal", "naive", "without", "mixed")
BY_CHOICE = tuple(instructed.TITLES)  # methods whose nets few people have


@dataclass(frozen=True)
class Settings:
    """What a record depends on besides item and method.

    measures: names of those whose package and weights are there; steps: N, None for the workflow's.
    """

    workflow: str
    steps: int | None
    measures: tuple[str, ...]
    weights: str  # the folder of the measures' weights
    models: str
    pictures: str
    instruct: str = instructed.CHECKPOINT
    edit: str = str(instructed.EDITOR)
    left_out: tuple[str, ...] = ()  # methods without their nets


def measure(options) -> tuple[list[dict], Settings]:
    """Makes the items and runs what is missing; gives all records. Raises BadInput."""
    lines, settings = items(options), settings_of(options)
    results = outside.read(options.results, sizes(lines) if options.results else {})
    chosen, left_out = runnable(lines[0], options, settings)
    settings = replace(settings, left_out=left_out)
    state, kept = state_of(options, settings), asdict(settings)

    def key(line: dict, *names: str) -> str:
        return json.dumps([state, line["name"], line.get("digest"), *names])

    others = {
        key(line, result.name, result.digest(line["name"])): (line, result, kept)
        for result in results
        for line in lines
    }
    todo = {key(line, method): (line, method, kept) for line in lines for method in chosen}
    path = options.out / "outside.jsonl"
    made = records.complete(others, outside_record, path, options.workers, "results")
    made |= records.complete(todo, run, options.out / "records.jsonl", options.workers, "items")
    return list(made.values()), settings


def settings_of(options) -> Settings:
    models = options.models or host.find_comfyui() / "models"
    weights = options.metrics or models / "amodal_metrics"
    return Settings(
        str(options.workflow),
        options.steps,
        available(weights),
        str(weights),
        str(models),
        str(options.out / "pictures"),
        options.instruct,
        str(options.edit),
    )


def state_of(options, settings: Settings) -> list:
    """What all records depend on."""
    return [
        runner.state_of_code(),
        digest(options.workflow),
        digest(options.coco) if options.coco else "",
        digest(metrics.__file__),
        settings.steps,
        settings.measures,
        settings.instruct,
        digest(settings.edit),
    ]


def sizes(lines: list[dict]) -> dict[str, tuple[int, int]]:
    """{name: (width, height) of its picture}."""
    found = {}
    for line in lines:
        with Image.open(line["files"]["picture"]) as file:
            found[line["name"]] = file.size
    return found


def items(options) -> list[dict]:
    """The manifest lines of the items, each with its `name`. Raises BadInput.

    Of COCO both sets, easy and hard alternating.
    """
    if options.truth:
        return items_of_truth(options.truth)
    if options.per_cell < 1:
        raise BadInput("per-cell", f"is {options.per_cell}", "ask for at least one item")
    source = wholes.Coco(options.coco, options.pictures)
    lines = []
    for pairs in builder.PAIRS:
        plan = builder.Plan(options.per_cell, options.per_cell, options.seed, pairs, 1)
        folder = options.out / "items" / f"{pairs}-{options.per_cell}-s{options.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        builder.build(source, plan, folder)
        lines += [
            {**line, "name": f"{pairs}-{line['item']}-s{line['seed']}"}
            for line in builder.read(folder)
        ]
    return lines


def write_inputs(options, out: Path) -> int:
    """Writes the items for another program, as one data set, and returns how many.

    Raises BadInput.
    """
    lines = items(options)
    outside.make_set(out)
    for line in lines:
        for folder, path in line.pop("files").items():
            shutil.copy(path, out / folder / f"{line['name']}.png")
        line["item"] = line.pop("name")
    return outside.write_manifest(out, lines)


def items_of_truth(folder: Path) -> list[dict]:
    """The manifest lines of a data set of the user's own, all pictures checked. Raises BadInput."""
    lines = [
        {**line, "number": number, "name": line["item"]}
        for number, line in enumerate(builder.read(folder))
    ]
    if not lines:
        raise BadInput("truth", f"names {folder}, which holds no item", "give a data set")
    names = Counter(line["name"] for line in lines)
    for line in lines:
        dataset_item.read(folder, line)
        if names[line["name"]] > 1:
            raise BadInput("truth", f"names {folder}, which has {line['item']} twice", "rename it")
        if line["level"] not in LEVELS:
            raise BadInput(
                "truth",
                f"names {folder}, whose item {line['item']} is of the level {line['level']}",
                f"choose from {', '.join(LEVELS)}",
            )
        line["digest"] = " ".join(digest(path) for path in line["files"].values())
    return lines


def available(weights: Path) -> tuple[str, ...]:
    """Names of the measures whose package and weights are there. Others are named on stderr."""
    names = []
    for name in metrics.MODELS:
        try:
            metrics.need(name, weights)
        except BadInput as error:
            if name == ALWAYS:
                raise
            print(f"left out: {error}", file=sys.stderr)
        else:
            names.append(name)
    return tuple(names)


def digest(path: Path | str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise BadInput("workflow", f"cannot be read ({error})", "check the path") from None


def started(models: str):
    """The in-process host with the user's models, on an accelerator if there is one."""
    if torch.cuda.is_available():
        os.environ["AMODAL_TEST_DEVICE"] = "accelerator"
    running = runner.host()
    import folder_paths

    for folder in sorted(Path(models).iterdir()) if Path(models).is_dir() else ():
        if folder.is_dir():
            folder_paths.add_model_folder_path(folder.name, str(folder))
    return running


def runnable(line: dict, options, settings: Settings) -> tuple[list[str], tuple[str, ...]]:
    """(methods that run, methods left out for want of their nets).

    Methods that the user chose must run. If none were chosen with --coco, those of METHODS must
    run, and those of BY_CHOICE run if their nets are there. Raises BadInput if models are missing.
    """
    if options.methods is not None:
        refuse(missing_models(line, options.methods, settings))
        return options.methods, ()
    refuse(missing_models(line, METHODS, settings))
    left_out = tuple(one for one in BY_CHOICE if missing_models(line, (one,), settings))
    return [*METHODS, *(one for one in BY_CHOICE if one not in left_out)], left_out


def missing_models(line: dict, chosen: Sequence[str], settings: Settings) -> list[str]:
    """What the host says against one prompt of each method."""
    problems: dict[str, None] = {}
    for method in chosen:
        running = started(settings.models)
        ok, error, _, nodes = asyncio.run(
            running.validate("check", prompt_of(line, method, settings), None)
        )
        if not ok or nodes:  # the host accepts a prompt of which some outputs cannot run
            details = [e["details"] for node in nodes.values() for e in node["errors"]]
            problems.update(dict.fromkeys(details or [error["message"]]))
    return list(problems)


def refuse(problems: list[str]) -> None:
    """Raises BadInput if there are problems."""
    if problems:
        raise BadInput(
            "workflow",
            f"cannot run: {'; '.join(problems)}",
            "put the models there, or give another workflow or --models",
        )


def run(line: dict, method: str, settings: dict) -> dict:
    """The record of an item and a method; of an error that the user would see, too."""
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
    pasted.keep(Path(settings.pictures) / f"{line['name']}-{method}", known, completed, canvas)
    return {
        **about(line),
        "method": method,
        "k": None,
        **spent,
        **runner.outcome_of(values),
        **figure,
        **({"fill": removers.fill_of(prompt, values)} if method == "removal" else {}),
    }


def outside_record(line: dict, result: outside.Results, settings: dict) -> dict:
    """The record of another program's result for an item."""
    own = Settings(**settings)
    completed, known = outside.on_item(pasted.read(line), *result.cut_out(line["name"]))
    canvas = known.picture + (completed[..., :3] - known.picture) * completed[..., 3:]
    pasted.keep(Path(own.pictures) / f"{line['name']}-{result.name}", known, completed, canvas)
    return {
        **about(line),
        "method": result.name,
        "outside": True,
        "k": None,
        **runner.outcome_of({"status": "completed"}),
        **pasted.compared(known, completed, line["category"], own.measures, Path(own.weights)),
    }


def about(line: dict) -> dict:
    """What a record says of its item. `cell` is named like those of the sticker world."""
    front = line["occluder"]["category"]
    relation = "companion" if front == line.get("co_occurring") else "other"
    return {
        "cell": f"{relation}-{line['level']}",
        "number": line["name"],
        "word": line["category"],
        "occluder": front,
        "hidden_share": line["hidden"],
    }


def prompt_of(line: dict, method: str, settings: Settings) -> dict:
    import folder_paths

    place = Path(folder_paths.get_input_directory())
    place.mkdir(parents=True, exist_ok=True)
    names = {kind: f"{line['name']}-{method}-{kind}.png" for kind in ("picture", "modal")}
    for kind, name in names.items():
        shutil.copy(line["files"][kind], place / name)
    prompt = workflow.fill(
        workflow.load(Path(settings.workflow), dict),
        names["picture"],
        mask=names["modal"],
        words=line["category"],
        seed=1 + line["number"],
    )
    wiring = methods.wire("mixed" if method in BY_CHOICE else method, prompt)
    if settings.steps:
        wiring.set_steps(settings.steps)
    if method in BY_CHOICE:
        instructed.rewire(wiring, method, line["occluder"]["category"], settings)
    wiring.keep(wiring.results())
    if method == "removal":
        removers.keep(wiring)
    return wiring.prompt
