"""The paper's sticker scenes for other programs: as a data set, and as records of their results.

`nox -s paper -- --inputs FOLDER` writes the scenes as `nox -s dataset` writes its items: a program
takes picture/ and modal/. `--results NAME=FOLDER` scores what it made of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.stickers.catalog import CATALOG
from amodal.stickers.closeness import seen_on_sheet
from amodal.stickers.scenes import Scene

from .. import records
from . import figures, outside, runner
from .scenarios import EVERY


def name_of(task: runner.Task) -> str:
    """The name of a scene's item, whatever the method."""
    return f"{task.cell}-{task.number:03d}-s{task.seed}"


def records_of(words: list[str], tasks: list[runner.Task], options) -> list[dict]:
    """Records of the results NAME=FOLDER on the tasks' scenes, as `runner.run` makes them.

    Finished ones are kept in OUT/outside.jsonl. Raises BadInput.
    """
    scenes = {name_of(task): task for task in tasks}
    sizes = {name: (scene_of(task).size,) * 2 for name, task in scenes.items()} if words else {}
    todo = {
        json.dumps([runner.state_of_code(), result.name, name, result.digest(name)]): (result, task)
        for result in outside.read(words, sizes)
        for name, task in scenes.items()
    }
    path = options.out / "outside.jsonl"
    return list(records.complete(todo, record, path, options.workers, "results").values())


def scene_of(task: runner.Task) -> Scene:
    return EVERY[task.cell].scene(task.number, task.seed)


def record(result: outside.Results, task: runner.Task) -> dict:
    scene = scene_of(task)
    rgba, (x, y) = result.cut_out(name_of(task))
    completed = figures.on_sheet(rgba, scene, x, y)
    canvas = before_background(scene, completed)
    everywhere = np.ones(canvas.shape[:2], bool)
    painted = (completed[..., 3] > 0.5) & ~seen_on_sheet(scene)
    return {
        **vars(task),
        "method": result.name,
        "outside": True,
        "k": None,
        **runner.about(scene),
        **runner.outcome_of({"status": "completed"}),
        **runner.compared(scene, completed, canvas, everywhere, painted),
    }


def before_background(scene: Scene, completed: np.ndarray) -> np.ndarray:
    """The sheet with the completed object in the query's place and nothing in front of it.

    For the judge of spurious objects, which here sees the object alone: in the picture, the
    occluder would still be in front.
    """
    behind = scene.render(list(range(scene.query)))
    return behind + (completed[..., :3] - behind) * completed[..., 3:]


def write_inputs(tasks: list[runner.Task], out: Path) -> int:
    """Writes the tasks' scenes as a data set, and returns how many. Raises BadInput."""
    outside.make_set(out)
    scenes = {name_of(task): task for task in tasks}
    for name, task in scenes.items():
        for folder, pixels in pictures(scene_of(task)).items():
            Image.fromarray(pixels).save(out / folder / f"{name}.png")
    return outside.write_manifest(out, [line(name, task) for name, task in scenes.items()])


def pictures(scene: Scene) -> dict[str, np.ndarray]:
    """The pictures of an item by folder, uint8."""
    nearer = [scene.amodal(index) for index in range(scene.query + 1, len(scene.layers))]
    parts = {
        "picture": scene.image,
        "truth": scene.truth,
        "modal": scene.modal(),
        "amodal": scene.amodal(),
        "occluder": np.any(nearer, 0),
    }
    return {
        name: (np.clip(part, 0, 1) * 255).round().astype(np.uint8) for name, part in parts.items()
    }


def line(name: str, task: runner.Task) -> dict:
    """The item's line of the manifest."""
    scene = scene_of(task)
    return {
        "item": name,
        "level": task.cell.rpartition("-")[2],
        "number": task.number,
        "seed": task.seed,
        "category": scene.word,
        "occluder": {"category": scene.words[scene.query + 1]},
        "co_occurring": CATALOG[scene.word].co_occurring,
        "hidden": round(float(scene.hidden()), 6),
        "size": [scene.size, scene.size],
    }
