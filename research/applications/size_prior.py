"""How good a bound the size of other instances is, and what it does for a hidden object.

    python -m research.applications.size_prior --scenes 12 --seed 3

The scenes hold one to three further instances of the query, each 0.85 to 1.15 times as large. The
query is enclosed by an occluder, or cut off by the border. Both runs are given its true modal mask.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from amodal.core.detections import from_masks
from amodal.core.text import write_text
from amodal.measures import statistics
from amodal.method import upper_bound

from .. import records
from ..dataset.occlusion import hole_in
from ..evaluation import hard_scenes, methods, runner, scenarios
from .limits import within

OUT = Path(".cache") / "size_prior"
SIZE = 256  # of the pictures: others fit beside the query
SIDE = (45, 62)  # of the query's larger side, in pixels
OTHERS = (0.85, 1.15)  # how large the others are, beside the query
TOLERANCE = 0.15  # Size Prior's default
ENCLOSED, CUT = "enclosed among others", "cut among others"
METHODS = {"true-modal": "without a bound", "prior": "with Size Prior"}
FIGURES = {"amodal_iou": "amodal IoU", "occluded_iou": "IoU of the hidden part"}


def enclosed(rng, word, background, size):
    """The query within an occluder with a hole, and others of its kind around both."""

    def layers():
        corner = rng.integers(0, 2, 2)
        at = size * (0.27 + 0.46 * corner)
        side = rng.uniform(*SIDE)
        query = hard_scenes.placed(rng, word, side, at, size)
        front = str(rng.choice([w for w in hard_scenes.ROUND if w != word]))
        around = hard_scenes.placed(rng, front, rng.uniform(115, 128), at, size)
        around.rgba[hole_in(query.amodal, rng.uniform(0.3, 0.55)), 3] = 0
        return [query, around, *others(rng, word, side, corner, size)]

    def fits(scene):
        return 0.25 <= 1 - scene.hidden() <= 0.7 and hard_scenes.is_enclosed(scene)

    return hard_scenes.first_that_fits(rng, background, size, layers, fits)


def cut(rng, word, background, size):
    """The query over the left or right border, and others of its kind inside."""

    def layers():
        corner = rng.integers(0, 2, 2)
        side = rng.uniform(*SIDE)
        inwards = rng.uniform(-0.1, 0.25) * side
        at = np.array(
            [inwards if corner[0] == 0 else size - inwards, size * (0.27 + 0.46 * corner[1])]
        )
        query = hard_scenes.placed(rng, word, side, at, size)
        return [query, *others(rng, word, side, corner, size)]

    def fits(scene):
        return 0.25 <= scene.hidden() <= 0.6 and len(hard_scenes.cut_sides(scene)) == 1

    return hard_scenes.first_that_fits(rng, background, size, layers, fits)


def others(rng, word, side: float, corner, size: int) -> list:
    """One to three further instances, in the quarters where the query is not."""
    quarters = [(x, y) for x in (0, 1) for y in (0, 1) if (x, y) != tuple(corner)]
    chosen = rng.permutation(len(quarters))[: rng.integers(1, 4)]
    return [
        hard_scenes.placed(
            rng,
            word,
            side * rng.uniform(*OTHERS),
            size * (0.25 + 0.5 * np.array(quarters[number])) + rng.uniform(-8, 8, 2),
            size,
        )
        for number in chosen
    ]


class Kind(hard_scenes.Kind):
    """As a hard kind, at SIZE."""

    def scene(self, number: int, seed: int = 0, size: int = SIZE):
        return super().scene(number, seed, size)


KINDS = {
    kind.name: kind
    for kind in (
        Kind(ENCLOSED, "enclosed, with others of its kind", enclosed, hard_scenes.COMPACT),
        Kind(CUT, "cut by a border, with others of its kind", cut, hard_scenes.COMPACT),
    )
}


def prior(wiring: methods.Wiring) -> None:
    """The true modal mask, and the bound that the other instances give."""
    objects, picked = wiring.inputs("pick")["objects"], wiring.link("pick")
    methods.true_modal(wiring)
    bound = wiring.add(
        "prior",
        "AmodalSizePrior",
        objects=objects,
        modal_mask=picked,
        label=wiring.link("pick", 1),
        tolerance=TOLERANCE,
    )
    within(wiring, bound)


def closeness(kind: str, number: int, seed: int) -> dict:
    """How close the bound of the true visible masks is to the true object.

    width, height: the bound's room on both sides, beside the true box; 1 would be exact. inside:
    the part of the object that the bound allows. room: the bound's area in the picture, of the
    object's box.
    """
    scene = KINDS[kind].scene(number, seed)
    masks = torch.from_numpy(np.stack([scene.modal(i) for i in range(len(scene.layers))]))
    objects = from_masks(masks.float(), scene.words)
    modal = torch.from_numpy(scene.modal())[None].float()
    bound, count = upper_bound.by_instances(objects, modal, scene.word, TOLERANCE)
    allowed, truth = bound[0].numpy() > 0.5, scene.amodal()
    rows, columns = (np.flatnonzero(scene.amodal_sheet().any(axis)) for axis in (1, 0))
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    return {
        "cell": kind,
        "number": number,
        "method": "bound",
        "others": count,
        "inside": round(float((allowed & truth).sum() / truth.sum()), 4),
        "room": round(float(allowed.sum() / box), 4),
    }


def work(task: runner.Task, out: Path) -> dict:
    if task.method == "bound":
        return closeness(task.cell, task.number, task.seed)
    return runner.run(task, out)


def report(rows: list[dict], command: str) -> str:
    """How close the bounds are, the figures with and without them, and the difference."""
    lines = [f"`{command}`", "", "| scenes | others | object inside | room, of its box |"]
    lines.append("|---" * 4 + "|")
    for cell in KINDS:
        bounds = [r for r in rows if (r["cell"], r["method"]) == (cell, "bound")]
        cells = [interval([r[name] for r in bounds]) for name in ("others", "inside", "room")]
        lines.append(f"| {cell} ({len(bounds)}) | {' | '.join(cells)} |")
    lines += ["", f"| scenes | measure | {' | '.join(METHODS.values())} | difference |"]
    lines.append("|---" * 5 + "|")
    for cell in KINDS:
        first, second = (
            {r["number"]: r for r in rows if (r["cell"], r["method"]) == (cell, method)}
            for method in METHODS
        )
        both = sorted(first.keys() & second.keys())
        for name, title in FIGURES.items():
            before, after = ([group[n][name] for n in both] for group in (first, second))
            gains = [b - a for a, b in zip(before, after)]
            cells = map(interval, (before, after, gains))
            lines.append(f"| {cell} ({len(both)}) | {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def interval(values: list[float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*statistics.mean(values)) if values else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    methods.REWIRE |= {"prior": prior}
    scenarios.EVERY |= KINDS
    runner.host()
    todo = {}
    for number in range(options.scenes):
        for cell in KINDS:
            for method in ("bound", *METHODS):
                task = runner.Task(cell, number, method, options.seed, steps=options.steps)
                todo[task.key("")] = (task, options.out)
    path = options.out / f"records-{options.seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = list(records.complete(todo, work, path, 0, "scenes").values())
    command = f"python -m research.applications.size_prior --scenes {options.scenes}"
    text = report(rows, f"{command} --seed {options.seed} --steps {options.steps}")
    write_text(options.out / "report.md", text + "\n")
    print(text)


if __name__ == "__main__":
    main()
