"""Runs scenes through the host, one task at a time; a record of each is a line of JSON."""

from __future__ import annotations

import gc
import json
import re
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from amodal.core import mask_ops
from amodal.core.status import Status
from research.evaluation import figures, runner

from . import art, faults, kinds, nodes, painter
from .order import Order
from .scenes import Scene
from .segmenter import Parts
from .stage import SPENT, Stage

WHOLE = 0.95  # the least amodal IoU of an object that may be called completed


@dataclass(frozen=True)
class Task:
    """A scene and the fault of one part. source: "stamps", "drawn" or (annotations, pictures).

    size: (width, height) of the picture, None for the kind's own. crop: the size of the crop's
    side, None for the shipped one.
    """

    kind: str
    number: int
    fault: str = faults.PERFECT
    seeds: str = "dev"
    source: str | tuple[str, str] = "stamps"
    size: tuple[int, int] | None = None
    crop: int | None = None

    def key(self, code: str) -> str:
        return json.dumps([code, *asdict(self).values()])


@cache
def host():
    from tools.host import inprocess

    running = inprocess.host()
    running.classes |= {node.__name__: node for node in nodes.NODES}
    gc.freeze()  # what the host has loaded need not be looked through before every run
    return running


@cache
def source(name):
    if name == "drawn":
        return art.Drawn()
    return art.Stamps() if name == "stamps" else art.Folder(*map(Path, name))


def run(task: Task) -> dict:
    """The record of a task. An error that a user would see is a record with the status FAILED."""
    words = task.kind, task.number, task.seeds, source(task.source), task.size
    scene = kinds.make_scene(*words)
    stage = Stage(scene, painter.content_of(scene, task.fault))
    values, spent = executed(stage, task)
    record = {**asdict(task), "pixels": list(scene.size), "hidden": round(scene.hidden, 4)}
    record |= {"objects": len(scene.layers), "label": scene.label}
    return {**record, **spent, **runner.outcome_of(values), **measured(stage, values)}


def executed(stage: Stage, task: Task) -> tuple[dict, dict]:
    """(values of the run, what it took without the stand-ins).

    seconds are the processor's, of all threads, so that other work on the machine does not count.
    megabytes are the peak above what the process held before.
    """
    running = host()
    from tools.host import inprocess

    nodes.Stand.stage = stage
    picture = torch.from_numpy(stage.scene.picture.astype(np.float32) / 255)[None]
    given = {"picture": picture, "segmenter": Parts(stage, task.fault).segmenter()}
    inprocess.VALUES.update(given, order=Order(stage, task.fault))
    sampled = task.fault == faults.SAMPLED
    if sampled:
        from . import checkpoint

        known = {"clip": checkpoint.Clip(), "vae": checkpoint.Vae()}
        inprocess.VALUES.update(known, model=checkpoint.model(stage))
    wiring = nodes.wired(stage.scene.point, paints=not sampled)
    if task.crop:
        wiring.inputs("crop")["size"] = task.crop
    running.forget()
    gc.collect()
    before, SPENT[0], began = resident(restart=True), 0.0, time.process_time()
    try:
        with stage.watching():
            values = running.run(wiring.prompt).values
    except inprocess.Failed as error:
        if not runner.is_outcome(error):
            raise
        values = runner.failed(error)
    seconds = time.process_time() - began - SPENT[0]
    spent = {"seconds": round(seconds, 2), "megabytes": round(peak() - before)}
    running.forget()
    return values, spent


def resident(restart: bool = False) -> float:
    """Megabytes that this process holds. restart: the peak is counted from here on."""
    if restart:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    return memory("VmRSS")


def peak() -> float:
    """The most megabytes that this process has held since the count was restarted."""
    return memory("VmHWM")


def memory(name: str) -> float:
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def measured(stage: Stage, values: dict) -> dict:
    """IoU of the result with the truth and with what was painted; what else was changed.

    visible: the share of the query's visible pixels that are unchanged to the bit. strayed: pixels
    that changed outside the inpaint masks and their feather. mask_k: IoU of M^k, if there is one.
    """
    scene = stage.scene
    if "mask" not in values:
        return {"iou": None, "iou_painted": None, "visible": None, "strayed": None, "true": True}
    mask, the_map = values["mask"][0].numpy() > 0.5, values["canvas"]
    truth = overlap_of(scene, mask, the_map, scene.amodal)
    shown = np.where(stage.done, stage.content.amodal, scene.amodal)
    aimed = overlap_of(scene, mask, the_map, shown)
    same = stage.unchanged(values["image"], the_map)[scene.window]
    seen = scene.modal[scene.window]
    says_done = Status(values["status"]).is_done
    at_k = {}
    if "mask_k" in values:
        at_k["mask_k"] = round(iou_at_k(stage, values), 4)
    return at_k | {
        "iou": round(truth, 4),
        "iou_painted": round(aimed, 4),
        "visible": round(float(same[seen].mean()), 4),
        "strayed": int((~same & ~stage.allowed[scene.window]).sum()),
        "true": not says_done or aimed >= WHOLE,
    }


def iou_at_k(stage: Stage, values: dict) -> float:
    """IoU of M^k with the whole object in the crop of the first pass."""
    return mask_ops.iou(values["mask_k"][0], stage.amodal_in(values["crop"]))


def overlap_of(scene: Scene, mask: np.ndarray, the_map, truth: np.ndarray) -> float:
    """IoU of a canvas' mask with a mask on the sheet, pixels beyond either counted."""
    x, y = (scene.margin - offset for offset in the_map.offset)
    box = (x, y, x + mask.shape[1], y + mask.shape[0])
    on_canvas = figures.cut(truth, box)
    both = int((mask & on_canvas).sum())
    return both / max(1, int(mask.sum()) + int(truth.sum()) - both)
