"""What an upper bound does for enclosed objects, and occluders' names in the negative prompt.

    python -m research.applications.limits --scenes 12 --seed 3

Each scene is completed by the method as shipped and with the change; records are kept under OUT.
The drawn bound is the convex hull of the true object, dilated by DRAWN of its larger side, as a
person draws around what they expect.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import ndimage, spatial

from amodal.core.text import write_text
from amodal.measures import statistics

from ..evaluation import methods, runner, truth

OUT = Path(".cache") / "limits"
DRAWN = 0.1  # of the object's larger side
BOUNDED, AVOIDING = "bounded", "avoiding"
TRIALS = {  # cell -> the change tried on it
    "enclosed": BOUNDED,
    "companion-easy": AVOIDING,
}
OVERLAP = {"amodal_iou": "amodal IoU", "occluded_iou": "IoU of the hidden part"}
FIGURES = {
    # With a bound the occluder stays around the object, and would count as spurious.
    BOUNDED: OVERLAP,
    AVOIDING: OVERLAP | {"success": "success", "spurious": "spurious pixels"},
}
TITLES = {BOUNDED: "with a drawn bound", AVOIDING: "names in the negative prompt"}


class EvaluationBound(truth.Truth):
    """A shape drawn around the whole object: MASK of the picture."""

    RETURN_TYPES = ("MASK",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def give(self):
        import torch

        return (torch.from_numpy(drawn(truth.Truth.scene.amodal()))[None].float(),)


def drawn(mask: np.ndarray) -> np.ndarray:
    """The convex hull of a mask [S, S], dilated by DRAWN of its larger side: bool."""
    ys, xs = np.nonzero(mask)
    points = np.stack([xs, ys], 1)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in mask.shape[::-1])), -1)
    hull = spatial.Delaunay(points).find_simplex(grid.reshape(-1, 2)) >= 0
    reach = DRAWN * (max(np.ptp(xs), np.ptp(ys)) + 1)
    return ndimage.distance_transform_edt(~hull.reshape(mask.shape)) <= reach


def bounded(wiring: methods.Wiring) -> None:
    """The drawn bound, at every stage that takes one."""
    bound = wiring.add("bound", "EvaluationBound")
    within(wiring, bound)
    refined, start = wiring.link("refine"), wiring.ids["start"]
    kept = wiring.add(
        "kept",
        "AmodalKeepInBound",
        mask=refined,
        before=[start, 2],
        upper_bound=bound,
        canvas=[start, 3],
    )
    wiring.redirect(refined, kept)


def within(wiring: methods.Wiring, bound: list) -> None:
    """Painting and segmentation limited to a bound; the refined mask is not."""
    for name in ("check", "segment"):
        wiring.inputs(name).update(upper_bound=bound, crop=wiring.link("crop", 3))
    original = wiring.inputs("contacts")["original_image"]
    wiring.inputs("check").update(image=wiring.link("crop", 0), original_image=original)


def avoiding(wiring: methods.Wiring) -> None:
    names = wiring.add(
        "avoid",
        "AmodalNegativeFromOccluders",
        negative=wiring.inputs("negative")["text"],
        occlusion=wiring.link("select", 1),
        label=wiring.link("pick", 1),
    )
    wiring.inputs("negative")["text"] = names


def report(records: list[dict], command: str) -> str:
    """Means of both, and the paired difference, with 95 % intervals, for each cell."""
    titles = ("scenes", "measure", "as shipped", "with the change", "difference")
    lines = [f"`{command}`", "", f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for cell, change in TRIALS.items():
        rows = [r for r in records if r["cell"] == cell]
        plain, changed = ([r for r in rows if r["method"] == name] for name in ("mixed", change))
        for name, title in FIGURES[change].items():
            before, after = ([float(r[name]) for r in group] for group in (plain, changed))
            gains = [b - a for a, b in zip(before, after)]
            cells = [
                "{:.3f} ({:.3f} to {:.3f})".format(*statistics.mean(values))
                for values in (before, after, gains)
            ]
            about = f"{cell} ({len(plain)}), {TITLES[change]}"
            lines.append(f"| {' | '.join([about, title, *cells])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    methods.REWIRE |= {BOUNDED: bounded, AVOIDING: avoiding}
    runner.host().classes["EvaluationBound"] = EvaluationBound
    path = options.out / f"records-{options.seed}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    records = []
    for number in range(options.scenes):
        for cell, change in TRIALS.items():
            for method in ("mixed", change):
                record = runner.run(runner.Task(cell, number, method, options.seed), options.out)
                records.append(record)
        write_text(path, "\n".join(map(json.dumps, records)) + "\n")
        command = f"python -m research.applications.limits --scenes {number + 1}"
        text = report(records, f"{command} --seed {options.seed}")
        write_text(options.out / "report.md", text + "\n")
    print(text)


if __name__ == "__main__":
    main()
