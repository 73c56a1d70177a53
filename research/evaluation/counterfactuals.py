"""Objects known to be complete or incomplete, and their counterfactuals (section 3.6).

Each object comes from a scene with known truth: the true object, its visible part alone (an
artificial cut), or the completion by a method of the evaluation.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amodal.app import workflow
from amodal.method import curation
from amodal.stickers.closeness import iou, seen_on_sheet

from .. import records
from . import judge, runner, truth
from .scenarios import EVERY

WORKFLOW = workflow.FOLDER / "best_of_seeds.json"
MISSING = 0.2  # an object that lacks this fraction of its true area is incomplete
NOTHING = 0.05  # one that lacks less than this and reaches runner.SUCCESS is complete
MADE = (  # (method, cell) of real completions, in turn
    ("mixed", "companion-easy"),
    ("mixed", "other-easy"),
    ("without", "companion-hard"),
    ("mixed", "companion-easy"),
    ("without", "other-easy"),
    ("mixed", "other-easy"),
    ("mixed", "other-hard"),
    ("removal", "other-easy"),
    ("naive", "companion-easy"),
)


@dataclass(frozen=True)
class Origin:
    """Where an object comes from. kind: "whole", "cut", or a method of the evaluation."""

    kind: str
    cell: str
    number: int
    seed: int
    noise: int = 1
    steps: int = 50

    @property
    def name(self) -> str:
        return "-".join(str(value) for value in asdict(self).values())

    def scene(self):
        return EVERY[self.cell].scene(self.number, self.seed)


def made(number: int, seed: int, steps: int) -> Origin:
    """The origin of the completion with this number."""
    method, cell = MADE[number % len(MADE)]
    return Origin(method, cell, number, seed, 1 + number, steps)


def given(kind: str, number: int, seed: int) -> Origin:
    """The origin of the true object ("whole") or cut with this number."""
    cell = ("companion-easy", "other-hard", "other-easy", "companion-hard")[number % 4]
    return Origin(kind, cell, 10_000 + number, seed)


def make_all(origins: list[Origin], options, title: str) -> dict[str, dict]:
    """{key: record} of these objects, in order. Missing ones are made in OUT/objects."""
    state, folder = runner.state_of_code(), str(options.out / "objects")
    todo = {json.dumps([state, *asdict(at).values()]): (asdict(at), folder) for at in origins}
    path = options.out / "objects.jsonl"
    return records.complete(todo, make, path, options.workers, title)


def test_all(todo: dict[str, tuple], options) -> dict[str, dict]:
    """{key: measures} of objects in OUT/objects; todo: {key: (name, word, trial, count, steps)}."""
    todo = {key: (*words, str(options.out / "objects")) for key, words in todo.items()}
    path = options.out / "counterfactuals.jsonl"
    return records.complete(todo, test, path, options.workers, "counterfactuals")


def make(origin: dict, folder: str) -> dict:
    """Writes the object to <folder>/<name>.png (RGBA); gives its record.

    missing: the fraction of the true area that it lacks. complete: see `labelled`.
    """
    at = Origin(**origin)
    scene, began = at.scene(), time.monotonic()
    success = None
    if at.kind in ("whole", "cut"):
        completed, calls = exact(scene, at.kind), 0
        on_sheet = completed
    else:
        started = runner.host()
        from tools.host.inprocess import Failed

        try:
            completed, on_sheet, success, calls = completed_by(started, at, scene)
        except Failed as error:
            if not runner.is_outcome(error):
                raise
            return {"origin": origin, "word": scene.word, "complete": None, "failed": str(error)}
    rgba = (completed.clip(0, 1) * 255).round().astype(np.uint8)
    Path(folder).mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba).save(Path(folder) / f"{at.name}.png")
    mask, true = on_sheet[..., 3] > 0.5, scene.amodal_sheet()
    missing = 1 - float((mask & true).sum() / true.sum())
    amodal_iou = iou(mask, true)
    return {
        "origin": origin,
        "word": scene.word,
        "missing": round(missing, 4),
        "amodal_iou": round(amodal_iou, 4),
        "complete": labelled(missing, amodal_iou),
        "success": success,
        "calls": calls,
        "seconds": round(time.monotonic() - began, 2),
    }


def labelled(missing: float, amodal_iou: float) -> bool | None:
    """True for a complete object, False for an incomplete one, None for neither."""
    if missing >= MISSING:
        return False
    return True if missing <= NOTHING and amodal_iou >= runner.SUCCESS else None


def exact(scene, kind: str) -> np.ndarray:
    """[2S, 2S, 4]: the true object, or its visible part alone."""
    mask = scene.amodal_sheet() if kind == "whole" else seen_on_sheet(scene)
    return np.dstack([scene.truth_sheet, mask.astype(np.float32)])


def completed_by(started, origin: Origin, scene) -> tuple[np.ndarray, np.ndarray, bool, int]:
    """(object [h, w, 4], the same on the scene's sheet, success, UNet calls) of a method."""
    task = runner.Task(origin.cell, origin.number, origin.kind, origin.seed, steps=origin.steps)
    truth.Truth.scene = scene
    prompt = runner.prompt_of(task, scene)
    prompt[workflow.need(prompt, "Seed")]["inputs"]["value"] = origin.noise
    runner.CALLS[0] = 0
    values = started.run(prompt).values
    calls = runner.CALLS[0]
    on_sheet, canvas, known = runner.on_sheet(scene, values)
    success = (
        iou(on_sheet[..., 3] > 0.5, scene.amodal_sheet()) >= runner.SUCCESS
        and judge.spurious(scene, canvas, known) < judge.SPURIOUS
    )
    return values["object"][0].numpy(), on_sheet, bool(success), calls


def test(name: str, word: str, trial: int, count: int, steps: int, folder: str) -> dict:
    """The measures of `count` counterfactuals of an object: {"extensions", "distances"}.

    trial: the seed of noise and backgrounds. The counterfactuals are sampled as one batch by the
    nodes for section 3.6 in the workflow best_of_seeds.
    """
    started, began = runner.host(), time.monotonic()
    with Image.open(Path(folder) / f"{name}.png") as file:
        rgba = torch.from_numpy(np.asarray(file, np.float32) / 255)
    if not (rgba[..., 3] > 0.5).any():
        return {"extensions": [0.0] * count, "distances": [0.5] * count, "calls": 0}
    runner.CALLS[0] = 0
    values = started.run(prompt_of(name, rgba, word, trial, count, steps)).values
    extensions, distances = curation.measured(values["before"], values["after"])
    return {
        "extensions": [round(extension, 5) for extension in extensions],
        "distances": [round(distance, 5) for distance in distances],
        "calls": runner.CALLS[0],
        "seconds": round(time.monotonic() - began, 2),
    }


def averages(measures: dict, count: int | None = None) -> tuple[float, float]:
    """(extension, distance): the means of the first `count` counterfactuals, or of all."""
    return tuple(float(np.mean(measures[name][:count])) for name in ("extensions", "distances"))


@cache
def shipped() -> dict:
    return workflow.load(WORKFLOW, dict)


def prompt_of(name: str, rgba: torch.Tensor, word: str, trial: int, count: int, steps: int) -> dict:
    """The part of the shipped workflow from the completion to the outpainted masks."""
    from tools.host import inprocess

    inprocess.VALUES[f"object {name}"] = rgba[None, ..., :3]
    inprocess.VALUES[f"mask {name}"] = (rgba[None, ..., 3] > 0.5).float()
    prompt = {key: {**node, "inputs": dict(node["inputs"])} for key, node in shipped().items()}
    find = {
        kind: workflow.need(prompt, "", kind)
        for kind in (
            "AmodalCropToObject",
            "AmodalCounterfactualBackgrounds",
            "AmodalSegmentObject",
            "AmodalJudgeCompletion",
            "RandomNoise",
            "BasicScheduler",
            "StringReplace",
        )
    }

    def put(kind: str, **inputs) -> None:
        prompt[find[kind]]["inputs"].update(inputs)

    for socket in ("object", "mask"):
        prompt[socket] = {"class_type": "TestValue", "inputs": {"name": f"{socket} {name}"}}
    put("AmodalCropToObject", image=["object", 0], modal_mask=["mask", 0])
    put("AmodalCounterfactualBackgrounds", count=count, seed=trial)
    put("RandomNoise", noise_seed=trial)
    put("BasicScheduler", steps=steps)
    put("StringReplace", replace=word)
    put("AmodalSegmentObject", label=word)
    kept = {
        "keep_before": ("before", [find["AmodalCropToObject"], 1]),
        "keep_after": ("after", [find["AmodalSegmentObject"], 0]),
    }
    for key, (called, link) in kept.items():
        prompt[key] = {"class_type": "TestKeep", "inputs": {"name": called, "value": link}}
    return needed(prompt, list(kept))


def needed(prompt: dict, ends: list[str]) -> dict:
    """The nodes in `ends` and all nodes that they depend on."""
    kept, open_ = {}, list(ends)
    while open_:
        key = open_.pop()
        if key not in kept:
            kept[key] = prompt[key]
            open_ += [v[0] for v in prompt[key]["inputs"].values() if isinstance(v, list)]
    return kept
