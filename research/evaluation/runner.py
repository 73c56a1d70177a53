"""Runs scenes through the rewired workflow in the real host, one task at a time.

A task is (cell, number, method, settings). Its record is a flat dict, kept as a line of JSON with a
picture beside it, so that an interrupted evaluation resumes.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.app import workflow
from amodal.stickers.catalog import CATALOG
from amodal.stickers.closeness import closeness

from .. import records
from . import (
    figures,
    judge,
    methods,
    release_variant,
    removers,
    rules,
    truth,
    unseen_art,
)
from .scenarios import EVERY

ROOT = Path(__file__).resolve().parents[2]
SUCCESS = 0.85  # the least amodal IoU
MAKES_FIGURES = (  # folders that decide what a record holds
    "amodal/core",
    "amodal/method",
    "amodal/models",
    "amodal/stickers",
    "nodes",
    "workflows/api",
    "research/evaluation",
)
SHOWS_FIGURES = (  # folders within those that only read finished records
    "amodal/method/thresholds",
    "research/evaluation/report",
)
FAILED = "failed"  # the status of a run that ended in an error
RULES = "rules"  # the method of tasks that compare the rules for M^k
ANALYSIS = "analysis"  # the method of tasks on scenes of ART, seen or unseen


@dataclass(frozen=True)
class Task:
    """One scene and one method.

    method: one of METHODS, or RULES, or ANALYSIS. k: the step of the swap, None for the shipped
    one. steps: N.
    """

    cell: str
    number: int
    method: str
    seed: int = 0
    k: float | None = None
    steps: int = 50

    def key(self, state: str) -> str:
        """The key of this task's record; `state` is `state_of_code()`."""
        return json.dumps([state, *asdict(self).values()])

    @property
    def name(self) -> str:
        extra = "" if self.k is None else f"-k{self.k:g}"
        return f"{self.cell}-{self.number:03d}-{self.method}{extra}-s{self.seed}-n{self.steps}"


def step_of(k: int, steps: int) -> int:
    """The step of N = `steps` that corresponds to step k of 50, from 1 to N - 1."""
    return min(steps - 1, max(1, round(k * steps / 50)))


@cache
def state_of_code() -> str:
    """A digest of what the figures depend on: code, weights and workflows in MAKES_FIGURES."""
    digest = hashlib.sha256()
    for path in files_that_make_figures():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def files_that_make_figures(root: Path = ROOT) -> list[Path]:
    """Python, JSON and weight files of MAKES_FIGURES outside SHOWS_FIGURES, sorted by folder."""
    left_out = [root / folder for folder in SHOWS_FIGURES]
    return [
        path
        for folder in MAKES_FIGURES
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in (".safetensors", ".py", ".json")
        and not any(path.is_relative_to(folder) for folder in left_out)
    ]


@cache
def host():
    """The in-process host (tools/host/inprocess.py) with the evaluation's own nodes."""
    from tools.host import inprocess

    started = inprocess.host()
    started.classes |= {node.__name__: node for node in (*truth.NODES, *release_variant.NODES)}
    count_unet_calls()
    return started


OF_PASS_1 = ("crop", "mask_k")  # kept of the first pass, not of its clones
SHOWS_MASK_AT_K = ("clusters", "mixed", "true-mask", "true-modal", "release")


CALLS = [0]


def count_unet_calls() -> None:
    from comfy.model_base import BaseModel

    apply = BaseModel.apply_model

    def counted(self, *args, **options):
        CALLS[0] += 1
        return apply(self, *args, **options)

    BaseModel.apply_model = counted


def run_all(tasks: list[Task], options) -> list[dict]:
    """The tasks' records, in order. Only tasks missing from OUT/records.jsonl are run."""
    state, pictures = state_of_code(), options.out / "pictures"
    todo = {task.key(state): (task, pictures, state) for task in tasks}
    path = options.out / "records.jsonl"
    return list(records.complete(todo, run, path, options.workers, "scenes").values())


def run(task: Task, pictures: Path | None = None, state: str = "") -> dict:
    """The record of a task.

    An error that the user would see, such as nothing detected, is a record with the status FAILED.
    Any other failure of the host is raised.
    """
    if task.method == ANALYSIS:
        return analysis(task, pictures, state)
    started = host()
    from tools.host.inprocess import Failed

    scene = EVERY[task.cell].scene(task.number, task.seed)
    truth.Truth.scene = scene
    record = {"key": task.key(state), **asdict(task), **about(scene)}
    prompt = prompt_of(task, scene)
    CALLS[0], began = 0, time.monotonic()
    try:
        values = started.run(prompt).values
    except Failed as error:
        if not is_outcome(error):
            raise
        values = failed(error)
    record |= {"seconds": round(time.monotonic() - began, 2), "calls": CALLS[0]}
    if task.method == RULES:
        return record | {"rules": rules.of_masks(scene, values)}
    completed, canvas, known = on_sheet(scene, values)
    record |= outcome_of(values)
    if task.method == "removal":
        record["fill"] = removers.fill_of(prompt, values)
    record |= compared(scene, completed, canvas, known)
    if "mask_k" in values:
        record["mask_k"] = round(figures.mask_at_k(scene, values["crop"], values["mask_k"]), 4)
    record["success"] = record["success"] and "object" in values
    if pictures is not None:
        keep_pictures(pictures / task.name, scene, completed, canvas)
    return record


def compared(scene, completed: np.ndarray, canvas: np.ndarray, *judged: np.ndarray) -> dict:
    """The figures of a completed object [2S, 2S, 4] and its canvas, on the scene's sheet.

    judged: the last arguments of `judge.spurious`.
    """
    values = asdict(closeness(scene, completed))
    values["perceptual"] = figures.unlikeness(scene, completed)
    values["spurious"] = judge.spurious(scene, canvas, *judged)
    rounded = {name: round(value, 4) for name, value in values.items()}
    right = rounded["amodal_iou"] >= SUCCESS and rounded["spurious"] < judge.SPURIOUS
    return {**rounded, "success": right}


def failed(error) -> dict:
    """The values of a run that ended in an error which the user would see."""
    return {"status": FAILED, "report": " ".join(str(error).split())[:200]}


def outcome_of(values: dict) -> dict:
    """What the loop says of a run, for its record: status, warnings, passes and report.

    `status` is one value of the loop's statuses, or FAILED with the error as its report. `warnings`
    is "" or codes separated by commas: "enclosed", "nothing left to paint".
    """
    return {
        "status": values["status"],
        "warnings": values.get("warnings", ""),
        "passes": int(values.get("passes", 0)),
        "report": values.get("report", ""),
    }


def is_outcome(error) -> bool:
    """True if the host failed with a BadInput, which a user would see as a message."""
    return "BadInput" in str((error.details or {}).get("exception_type"))


def analysis(task: Task, pictures: Path | None, state: str) -> dict:
    """The record of a scene of ART: results of the stages that need no words."""
    scene, began = unseen_art.ART[task.cell].scene(task.number, task.seed), time.monotonic()
    found, shown = unseen_art.analysed(scene, *analysts())
    record = {"key": task.key(state), **asdict(task), "background": scene.background, **found}
    if pictures is not None:
        keep(pictures / task.name, unseen_art.tiles(shown))
    return record | {"seconds": round(time.monotonic() - began, 2)}


@cache
def analysts() -> tuple:
    """(segmenter, order model) as the host's loader nodes give them."""
    started = host()
    from tools.host.inprocess import Graph

    graph = Graph()
    nodes = {"segmenter": "AmodalStickerSegmenter", "order": "AmodalStickerOrder"}
    graph.keep(**{name: graph.add(node)[0] for name, node in nodes.items()})
    values = started.run(graph).values
    return values["segmenter"], values["order"]


def about(scene) -> dict:
    sticker = CATALOG[scene.word]
    nearer = scene.words[scene.query + 1 :]
    return {
        "word": scene.word,
        "occluder": ", ".join(nearer),
        "p": sticker.p,
        "hidden_share": round(float(scene.hidden()), 4),
    }


def prompt_of(task: Task, scene) -> dict:
    import folder_paths

    # a name for each task, so that nothing comes from the executor's cache of another method
    picture = Path(folder_paths.get_input_directory()) / f"{task.name}.png"
    Image.fromarray((scene.image * 255).round().astype(np.uint8)).save(picture)
    prompt = workflow.load(workflow.STICKERS, dict)
    prompt = workflow.fill(prompt, picture.name, words=scene.word, seed=1 + task.number)
    wiring = methods.wire(task.method, prompt)
    wiring.set_steps(task.steps, task.k)
    if task.method == "removal":
        removers.keep(wiring)
    if task.method == RULES:
        links = {"crop": wiring.link("crop", 3), **rules.links(wiring)}
        wiring.keep(links, of_pass_1=tuple(links))
    else:
        links = wiring.results()
        if task.method in SHOWS_MASK_AT_K:
            links["crop"] = wiring.link("crop", 3)
            links["mask_k"] = wiring.inputs("composite")["mask_at_k"]
        wiring.keep(links, OF_PASS_1)
    return wiring.prompt


def on_sheet(scene, values: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Completed object, canvas and known pixels of the canvas, each on the scene's sheet.

    If nothing was completed, these are the visible part and the picture.
    """
    image = values["image"][0].numpy() if "image" in values else scene.image
    x, y = (-shift for shift in values["canvas"].offset) if "canvas" in values else (0, 0)
    if "object" in values:
        completed = values["object"][0].numpy()
    else:
        completed = np.dstack([scene.image, scene.modal()])
        x, y = 0, 0
    canvas = figures.on_sheet(image, scene, x, y)
    known = figures.on_sheet(np.ones(image.shape[:2], bool), scene, x, y)
    return figures.on_sheet(completed, scene, x, y), canvas, known


def keep_pictures(base: Path, scene, completed: np.ndarray, canvas: np.ndarray) -> None:
    """<base>.webp: picture, canvas, completed object and truth side by side, cut to `view_of`."""
    truth = np.dstack([scene.truth_sheet, scene.amodal_sheet()])
    view = view_of(scene)
    ground = np.float32(1)
    picture = np.ones_like(scene.truth_sheet)
    scene.window(picture)[:] = scene.image
    tiles = [picture, canvas]
    for rgba in (completed, truth):
        tiles.append(ground + (rgba[..., :3] - ground) * (rgba[..., 3:] > 0.5))
    keep(base, [tile[view] for tile in tiles])


def keep(base: Path, tiles: list[np.ndarray]) -> None:
    """<base>.webp: pictures [S, S, 3] side by side."""
    strip = np.concatenate(tiles, 1)
    base.parent.mkdir(parents=True, exist_ok=True)
    pixels = Image.fromarray((strip.clip(0, 1) * 255).round().astype(np.uint8))
    pixels.save(base.with_name(base.name + ".webp"), quality=92)


def view_of(scene) -> tuple[slice, slice]:
    """A square of the sheet, 1.5 pictures wide, that shows the picture and most of the object."""
    spare, edge = scene.size // 4, scene.size // 2
    slices = []
    for axis in (1, 0):
        line = np.flatnonzero(scene.amodal_sheet().any(axis))
        over = (edge - line[0]) - (line[-1] + 1 - edge - scene.size)
        shift = int(np.clip(over // 2, -spare, spare))
        slices.append(slice(spare - shift, spare - shift + 6 * spare))
    return tuple(slices)
