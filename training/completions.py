"""Random scenes of the sticker world through the shipped workflow in the real host, and measured.

Only the input picture and the object's name go in, as a user would give them; the scene's ground
truth is used for nothing but the figures.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from amodal import workflow
from amodal.stickers import scenes

from .run import ROOT

FIRST = 700_000  # seeds of the scenes; training never draws whole scenes by seed
WHAT = {
    "whole": "IoU of the whole object",
    "hidden": "IoU of its hidden part",
    "colour": "colour error of its hidden part",
    "mask_k": "IoU of M^k in the first pass",
}


@dataclass
class Result:
    """A scene and what came of it; pictures [H, W, C] float 0..1 by caption.

    whole, hidden: IoU of the amodal mask and of its hidden part. colour: mean absolute difference
    where truth and completion both have hidden pixels of the object (1 where they share none).
    mask_k: IoU of the mask at step k with the whole object, in the first pass' crop (NaN: no pass).
    """

    scene: scenes.Scene
    status: str = "nothing detected"
    passes: int = 0
    seconds: float = 0.0
    whole: float = 0.0
    hidden: float = 0.0
    colour: float = 1.0
    mask_k: float = float("nan")
    pictures: dict = field(default_factory=dict)


def scene_of(number: int, size: int = 128) -> scenes.Scene:
    """The report's scenes: something in front of four out of five, every fifth cut by a border."""
    kind = scenes.BACKGROUNDS[number % 4]
    if number % 5 == 4:
        side = scenes.SIDES[number // 5 % 4]
        return scenes.make_scene(
            FIRST + number, size=size, occluder=None, cut=side, hidden=(0.2, 0.45), background=kind
        )
    return scenes.make_scene(FIRST + number, size=size, hidden=(0.2, 0.5), background=kind)


def host():
    """The tests' in-process host (tests/hosting.py)."""
    sys.path.insert(0, str(ROOT / "tests"))
    import hosting

    return hosting.host()


def complete(number: int, seed: int = 1) -> Result:
    """Runs scene `number` through workflows/api/amodal_completion_stickers.json."""
    import folder_paths
    import hosting

    result = Result(scene_of(number))
    name = f"scene_{number}.png"
    folder = folder_paths.get_input_directory()
    picture = Image.fromarray((result.scene.image * 255).round().astype(np.uint8))
    picture.save(f"{folder}/{name}")
    prompt = workflow.load(workflow.DEFAULT, dict)
    links = kept_links(prompt)
    prompt = workflow.fill(prompt, name, words=result.scene.word, seed=seed)
    for key, link in links.items():
        prompt[f"keep_{key}"] = {"class_type": "TestKeep", "inputs": {"name": key, "value": link}}
    began = time.monotonic()
    try:
        values = hosting.host().run(prompt).values
    except hosting.Failed as error:
        result.status = str(error).strip()
    else:
        measure(result, values)
    result.seconds = time.monotonic() - began
    return result


def kept_links(prompt: dict) -> dict:
    """What the report looks at: links of the workflow's nodes, by name."""

    def node(title: str, kind: str) -> str:
        return workflow.need(prompt, title, kind)

    end, trim = node("Loop End", "AmodalLoopEnd"), node("Trim", "AmodalTrimAndOverlay")
    links = {
        "status": [end, 3],
        "passes": [end, 4],
        "object": [trim, 0],
        "mask": [trim, 2],
        "x": [trim, 4],
        "y": [trim, 5],
    }
    links["crop"] = [node("Crop", "AmodalCropToObject"), 3]
    links["mask_k"] = [node("M^k", "AmodalKnownBackgroundMask"), 0]
    return links


def measure(result: Result, values: dict) -> None:
    """Fills in the figures, on the scene's sheet, which reaches half a picture beyond it."""
    scene = result.scene
    result.status, result.passes = values["status"], values["passes"]
    completed = values["object"][0].numpy()
    x, y = scene.size // 2 + values["x"], scene.size // 2 + values["y"]
    height, width = completed.shape[:2]
    done = cut(completed, (-x, -y, 2 * scene.size - x, 2 * scene.size - y))
    painted = done[..., 3] > 0.5
    seen = np.zeros_like(painted)
    scene.window(seen)[:] = scene.modal()
    truth = scene.amodal_sheet()
    result.whole = iou(painted, truth)
    result.hidden = iou(painted & ~seen, truth & ~seen)
    both = painted & truth & ~seen
    if both.any():
        result.colour = float(np.abs(done[..., :3] - scene.truth_sheet)[both].mean())
    result.mask_k = mask_k_iou(scene, values)
    canvas = (x, y, x + width, y + height)
    result.pictures["completed"] = completed
    result.pictures["truth"] = cut(scene.layers[scene.query].rgba, canvas)


def cut(picture: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """[y2 - y1, x2 - x1, ...] of a picture [H, W, ...]; zero where the box reaches beyond it."""
    x1, y1, x2, y2 = box
    out = np.zeros((y2 - y1, x2 - x1, *picture.shape[2:]), picture.dtype)
    height, width = picture.shape[:2]
    left, top, right, bottom = max(0, x1), max(0, y1), min(width, x2), min(height, y2)
    if right > left and bottom > top:
        out[top - y1 : bottom - y1, left - x1 : right - x1] = picture[top:bottom, left:right]
    return out


def mask_k_iou(scene: scenes.Scene, values: dict) -> float:
    """M^k of the first pass against the whole object, in that pass' crop; NaN without a pass."""
    crop, mask = values.get("crop"), values.get("mask_k")
    if crop is None or mask is None:
        return float("nan")
    x, y = (scene.size // 2 - shift for shift in crop.offset)
    x1, y1, x2, y2 = crop.box
    truth = cut(scene.amodal_sheet(), (x1 + x, y1 + y, x2 + x, y2 + y))
    size = (mask.shape[-1], mask.shape[-2])
    truth = np.asarray(Image.fromarray(truth).resize(size, Image.Resampling.NEAREST))
    return iou(mask[0].numpy() > 0.5, truth)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    either = (a | b).sum()
    return float((a & b).sum() / either) if either else 1.0


def summary(results: list[Result]) -> str:
    """Mean, median and worst of every figure, and how many scenes were completed."""
    done = sum(r.status.startswith("completed") for r in results)
    lines = [f"{done} of {len(results)} completed", f"{'':32}   mean median  worst"]
    for key, title in WHAT.items():
        values = np.array([getattr(r, key) for r in results])
        values = values[~np.isnan(values)]
        if len(values):
            worst = values.max() if key == "colour" else values.min()
            lines.append(f"{title:32} {values.mean():6.3f} {np.median(values):6.3f} {worst:6.3f}")
    passes = np.mean([r.passes for r in results])
    seconds = np.median([r.seconds for r in results])
    return "\n".join([*lines, f"passes {passes:.1f} on average, {seconds:.1f} s a scene (median)"])
