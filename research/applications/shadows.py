"""What shadows and reflections cost, how well they are found, and what removing them gives.

    python -m research.applications.shadows --scenes 12 --seed 3

Records and the report are kept under OUT. An interrupted run resumes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from amodal.core import canvas
from amodal.core.text import write_text
from amodal.measures import statistics
from amodal.method import shadows

from .. import records
from ..evaluation import methods, runner, scenarios
from .shadow_scenes import BARE, CROWDED, KINDS, REFLECTION, SHADOW

OUT = Path(".cache") / "shadows"
FOUND, TRUE_MASKS = "found", "found by true masks"  # the methods of tasks that only look for them
METHODS = {
    "mixed": "mixed context",
    "mixed-removed": "mixed context, shadows removed",
    "without": "without mixed context",
    "without-removed": "without mixed context, shadows removed",
    "mixed-relit": "mixed context, shadows removed, object relit",
}
TRIED = {
    SHADOW: tuple(METHODS),
    REFLECTION: ("mixed", "mixed-removed", "without", "without-removed"),
    BARE: ("mixed",),
}
GAINS = (
    ("mixed", "mixed-removed"),
    ("mixed", "mixed-relit"),
    ("without", "without-removed"),
    ("without-removed", "mixed-removed"),
)
FIGURES = {
    "amodal_iou": "amodal IoU",
    "occluded_iou": "IoU of the hidden part",
    "perceptual": "ST-LPIPS of the hidden part",
    "spurious": "spurious pixels",
    "success": "success",
}
OTHERS = (CROWDED, "other-easy")  # no shadows either


def removing(relight: bool, without: bool = False):
    """Rewires the shipped workflow so that shadows are removed with the occluder."""

    def rewire(wiring: methods.Wiring) -> None:
        if without:
            methods.without(wiring)
        picture = wiring.link("crop")
        found = wiring.add(
            "shadows",
            "AmodalFindShadows",
            image=picture,
            modal_mask=wiring.link("select", 3),
            occluder_mask=wiring.link("select"),
            padding_mask=wiring.link("crop", 2),
            occlusion=wiring.link("select", 1),
            relight=relight,
        )
        for name in ("check", "remove"):
            wiring.inputs(name)["shadow_mask"] = found
        if relight:
            relit(wiring)

    return rewire


def relit(wiring: methods.Wiring) -> None:
    """The stages after the mask analysis see the relit object, and the canvas gets it."""
    picture, shade = wiring.link("shadows", 2), wiring.link("shadows", 1)
    for name, key in (("swap", "image"), ("remove", "image"), ("context", "pixels")):
        wiring.inputs(name)[key] = picture
    paste = wiring.inputs("paste")
    paste["completed"] = wiring.add(
        "relit",
        "ImageCompositeMasked",
        destination=paste["completed"],
        source=picture,
        mask=shade,
        x=0,
        y=0,
        resize_source=False,
    )
    mask = paste["inpaint_mask"]
    paste["inpaint_mask"] = wiring.add(
        "replaced", "MaskComposite", destination=mask, source=shade, x=0, y=0, operation="or"
    )


REWIRE = {
    "mixed-removed": removing(False),
    "mixed-relit": removing(True),
    "without-removed": removing(False, without=True),
    FOUND: removing(True),
}


# --- finding -------------------------------------------------------------------------------------


def found(task: runner.Task) -> dict:
    """How well the shadow is found in the first pass' crop, with the masks of the workflow."""
    scene = scenarios.EVERY[task.cell].scene(task.number, task.seed)
    record = {"cell": task.cell, "number": task.number, "method": FOUND, "word": scene.word}
    prompt = runner.prompt_of(task, scene)
    wanted = ("mask", "shade", "image", "crop", "modal")
    kept = {k: n for k, n in prompt.items() if not k.startswith("evaluation_keep_")}
    where = [["evaluation_shadows", 0], ["evaluation_shadows", 1], ["evaluation_shadows", 2]]
    where += [kept["evaluation_shadows"]["inputs"][name] for name in ("image", "modal_mask")]
    where[3] = [where[3][0], 3]  # the crop itself
    for name, link in zip(wanted, where):
        inputs = {"name": name, "value": link}
        kept[f"evaluation_keep_{name}"] = {"class_type": "TestKeep", "inputs": inputs}
    from tools.host.inprocess import Failed

    try:
        values = runner.host().run(kept).values
    except Failed as error:
        if not runner.is_outcome(error):
            raise
        return record | {"failed": str(error)[:200]}
    ground = in_crop(scene_mask(scene, "on_ground"), values["crop"])
    surface = in_crop(scene_mask(scene, "on_query"), values["crop"])
    return record | compared(values["mask"], values["shade"], ground, surface)


def scene_mask(scene, name: str) -> torch.Tensor:
    mask = getattr(scene, name, np.zeros((scene.size, scene.size), bool))
    return torch.from_numpy(mask.astype(np.float32))[None]


def in_crop(mask: torch.Tensor, crop) -> torch.Tensor:
    return canvas.of_original(mask, crop)


def overlap(found: torch.Tensor, truth: torch.Tensor) -> float:
    both, either = (found * truth).sum(), torch.maximum(found, truth).sum()
    return round(float(both / either), 4) if either else 1.0


def share(truth: torch.Tensor, found: torch.Tensor) -> float:
    return round(float((truth * found).sum() / truth.sum()), 4) if truth.any() else 1.0


def found_by_true_masks(task: runner.Task) -> dict:
    """As `found`, in the whole picture, with the true masks of all objects."""
    scene = scenarios.EVERY[task.cell].scene(task.number, task.seed)
    nearer = [scene.modal(i) for i in range(scene.query + 1, len(scene.layers))]
    image, occluders, modal = (
        torch.from_numpy(np.asarray(array, np.float32))[None]
        for array in (scene.image, np.any(nearer, 0), scene.modal())
    )
    traces = shadows.on_ground(image, occluders, modal)
    shade = shadows.on_object(image, modal, occluders, traces)
    masks = [scene_mask(scene, name) for name in ("on_ground", "on_query")]
    start = {"cell": task.cell, "number": task.number, "method": TRUE_MASKS, "word": scene.word}
    return start | compared(traces.mask, shade, *masks)


def compared(mask, shade, ground, surface) -> dict:
    return {
        "ground_truth": int(ground.sum()),
        "ground_found": int(mask.sum()),
        "ground_iou": overlap(mask, ground),
        "recall": share(ground, mask),
        "surface_truth": int(surface.sum()),
        "surface_found": int(shade.sum()),
        "surface_iou": overlap(shade, surface),
    }


# --- report --------------------------------------------------------------------------------------


def report(rows: list[dict], command: str) -> str:
    """The tables: what was found, the methods on each kind of scene, and what each choice gains."""
    return "\n\n".join([f"`{command}`", table_of_found(rows), table_of_methods(rows), gains(rows)])


def table_of_found(rows: list[dict]) -> str:
    lines = [
        "| scenes | masks | found on the ground | IoU with the drawn one | recall | "
        "IoU of the object's shadow |",
        "|---" * 6 + "|",
    ]
    for cell in (*TRIED, *OTHERS):
        for method, name in ((TRUE_MASKS, "true"), (FOUND, "of the workflow")):
            looked = [r for r in rows if (r["cell"], r["method"]) == (cell, method)]
            looked = [r for r in looked if "failed" not in r]
            drawn = [r for r in looked if r["ground_truth"]]
            lit = [r for r in looked if r["surface_truth"]]
            cells = [f"{cell} ({len(looked)})", name]
            cells.append(interval([float(r["ground_found"] > 0) for r in looked]))
            for figure, group in (("ground_iou", drawn), ("recall", drawn), ("surface_iou", lit)):
                cells.append(interval([r[figure] for r in group]))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def table_of_methods(rows: list[dict]) -> str:
    lines = [f"| scenes | method | {' | '.join(FIGURES.values())} |"]
    lines.append("|---" * (2 + len(FIGURES)) + "|")
    for cell, tried in TRIED.items():
        for method in tried:
            group = [r for r in rows if r["cell"] == cell and r["method"] == method]
            cells = [interval([float(r[name]) for r in group]) for name in FIGURES if group]
            lines.append(f"| {cell} ({len(group)}) | {METHODS[method]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def gains(rows: list[dict]) -> str:
    lines = [f"| scenes | change | {' | '.join(FIGURES.values())} |"]
    lines.append("|---" * (2 + len(FIGURES)) + "|")
    for cell in (SHADOW, REFLECTION):
        for before, after in GAINS:
            if after not in TRIED[cell]:
                continue
            first, second = (
                {r["number"]: r for r in rows if (r["cell"], r["method"]) == (cell, m)}
                for m in (before, after)
            )
            both = sorted(first.keys() & second.keys())
            cells = [
                interval([float(second[n][name]) - float(first[n][name]) for n in both])
                for name in FIGURES
                if both
            ]
            change = f"{METHODS[after]}, against {METHODS[before]}"
            lines.append(f"| {cell} ({len(both)}) | {change} | {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(values: list[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*statistics.mean(values)) if values else ""


def work(task: runner.Task, out: Path) -> dict:
    looking = {FOUND: found, TRUE_MASKS: found_by_true_masks}
    return looking[task.method](task) if task.method in looking else runner.run(task, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    methods.REWIRE |= REWIRE
    scenarios.EVERY |= KINDS
    runner.host()
    cells = [*TRIED, *OTHERS]
    numbers = range(options.scenes)
    tasks = [
        runner.Task(cell, n, method, options.seed)
        for n in numbers
        for cell in cells
        for method in (TRUE_MASKS, FOUND)
    ]
    tasks += [
        runner.Task(cell, n, method, options.seed, steps=options.steps)
        for cell, tried in TRIED.items()
        for n in numbers
        for method in tried
    ]
    todo = {task.key(""): (task, options.out) for task in tasks}
    path = options.out / f"records-{options.seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = list(records.complete(todo, work, path, 0, "scenes").values())
    command = f"python -m research.applications.shadows --scenes {options.scenes}"
    text = report(rows, f"{command} --seed {options.seed} --steps {options.steps}")
    write_text(options.out / "report.md", text + "\n")
    print(text)


if __name__ == "__main__":
    main()
