"""Runs scenes through the rewired workflow in the real host, one task at a time.

A task is (cell, number, method, settings); its record is a flat dict that goes into a line of JSON,
and its pictures go beside it, so that an evaluation can be stopped and goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from amodal import workflow
from amodal.stickers.catalog import CATALOG

from . import figures, judge, methods, rules
from .cells import EVERY

ROOT = Path(__file__).resolve().parents[1]
SUCCESS = 0.85  # the least IoU of the whole object
RULES = "rules"  # a task of this method compares the rules for M^k


@dataclass(frozen=True)
class Task:
    """method: one of METHODS, or RULES. k: None for the shipped one. steps: N."""

    cell: str
    number: int
    method: str
    seed: int = 0
    k: float | None = None
    steps: int = 50

    @property
    def key(self) -> str:
        return json.dumps([models_key(), *asdict(self).values()])

    @property
    def name(self) -> str:
        extra = "" if self.k is None else f"-k{self.k:g}"
        return f"{self.cell}-{self.number:03d}-{self.method}{extra}"


@cache
def models_key() -> str:
    """Which weights these figures belong to."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "weights").glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def host():
    """The tests' in-process host (tests/hosting.py), with the node that knows the truth."""
    sys.path.insert(0, str(ROOT / "tests"))
    import hosting

    started = hosting.host()
    started.classes["EvaluationTruth"] = EvaluationTruth
    count_unet_calls()
    return started


class EvaluationTruth:
    """The true picture and amodal mask in a pass' crop; for the oracles alone."""

    RETURN_TYPES, FUNCTION, CATEGORY = ("IMAGE", "MASK"), "give", "evaluation"
    scene = None

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"crop": ("AMODAL_CROP",)}}

    @classmethod
    def IS_CHANGED(cls, **_inputs):
        return float("nan")

    def give(self, crop):
        return figures.truth_in_crop(type(self).scene, crop)


CALLS = [0]


def count_unet_calls() -> None:
    from comfy.model_base import BaseModel

    apply = BaseModel.apply_model

    def counted(self, *args, **options):
        CALLS[0] += 1
        return apply(self, *args, **options)

    BaseModel.apply_model = counted


def run(task: Task, pictures: Path | None = None) -> dict:
    """The record of a task; a failed prompt is a record too, with the error as its status."""
    import hosting

    scene = EVERY[task.cell].scene(task.number, task.seed)
    EvaluationTruth.scene = scene
    record = {"key": task.key, **asdict(task), **about(scene)}
    prompt = prompt_of(task, scene)
    CALLS[0], began = 0, time.monotonic()
    try:
        values = host().run(prompt).values
    except hosting.Failed as error:
        values = {"status": f"failed: {' '.join(str(error).split())[:200]}"}
    record |= {"seconds": round(time.monotonic() - began, 2), "calls": CALLS[0]}
    if task.method == RULES:
        return record | {"rules": rules.of_masks(scene, values)}
    completed, canvas, known = on_sheet(scene, values)
    record |= {"status": values["status"], "passes": int(values.get("passes", 0))}
    close = asdict(figures.closeness(scene, completed))
    record |= {name: round(value, 4) for name, value in close.items()}
    record["perceptual"] = round(figures.unlikeness(scene, completed), 4)
    record["foreign"] = round(judge.foreign(scene, canvas, known), 4)
    if "mask_k" in values:
        record["mask_k"] = round(figures.mask_at_k(scene, values["crop"], values["mask_k"]), 4)
    record["success"] = record["whole"] >= SUCCESS and record["foreign"] < judge.FOREIGN
    if pictures is not None:
        keep_pictures(pictures / task.name, scene, completed, canvas)
    return record


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

    picture = Path(folder_paths.get_input_directory()) / f"{task.cell}-{task.number}.png"
    Image.fromarray((scene.image * 255).round().astype(np.uint8)).save(picture)
    prompt = workflow.load(workflow.DEFAULT, dict)
    prompt = workflow.fill(prompt, picture.name, words=scene.word, seed=1 + task.number)
    wiring = methods.wire(task.method, prompt)
    wiring.inputs("scheduler")["steps"] = task.steps
    wiring.inputs("to_k")["k"] = task.k or wiring.inputs("to_k")["k"] * task.steps / 50
    if task.method == RULES:
        links = {"crop": wiring.link("crop", 3), **rules.links(wiring)}
    else:
        links = result_links(task, wiring)
    for name, link in links.items():
        kept = {"class_type": "TestKeep", "inputs": {"name": name, "value": link}}
        wiring.prompt[f"evaluation_keep_{name}"] = kept
    return wiring.prompt


def result_links(task: Task, wiring: methods.Wiring) -> dict:
    links = {
        "image": wiring.link("end", 0),
        "canvas": wiring.link("end", 2),
        "status": wiring.link("end", 3),
        "passes": wiring.link("end", 4),
        "object": wiring.link("trim", 0),
    }
    if task.method in ("mixed", "true-mask"):
        links |= {"crop": wiring.link("crop", 3), "mask_k": wiring.inputs("composite")["mask"]}
    return links


def on_sheet(scene, values: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Completed object, canvas, and where the canvas is known, on the scene's sheet.

    Where nothing came out, the picture as it is and its visible part: nothing was completed.
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
    """<base>.webp: the picture, the canvas, the completed object and the truth, side by side, in
    the middle of the scene's sheet that holds the picture and the whole object."""
    edge = scene.size // 2
    truth = np.dstack([scene.truth_sheet, scene.amodal_sheet()])
    view = slice(edge // 2, 2 * scene.size - edge // 2)
    ground = np.float32(1)
    picture = np.ones_like(scene.truth_sheet)
    scene.window(picture)[:] = scene.image
    tiles = [picture, canvas]
    for rgba in (completed, truth):
        tiles.append(ground + (rgba[..., :3] - ground) * (rgba[..., 3:] > 0.5))
    strip = np.concatenate([tile[view, view] for tile in tiles], 1)
    base.parent.mkdir(parents=True, exist_ok=True)
    pixels = Image.fromarray((strip.clip(0, 1) * 255).round().astype(np.uint8))
    pixels.save(base.with_name(base.name + ".webp"), quality=92)
