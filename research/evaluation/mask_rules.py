"""Compares the rules for M^k on scenes at step k, and how the choice between them does.

    python -m research.evaluation.mask_rules [--first 39] [--last 47] [--out output/mask_rules]

The shipped workflow runs to step k on each scene, once for each condition. What the rules need is
kept in OUT, so an interrupted run resumes. Every rule is then applied to the same latents.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amodal.app import workflow
from amodal.core import mask_ops
from amodal.core.text import write_text
from amodal.measures import statistics
from amodal.method import known_background, mask_at_k, mask_check, seeded_mask
from amodal.method.swapped_background import CONTRASTING
from amodal.stickers.scenes import NoPlacement

from . import figures, methods, rules, runner, truth
from .scenarios import CELLS

LEVELS = rules.LEVELS
PARTS = ("estimate", "syn", "modal", "inpaint")
GRAY, SHADES = 0.47, 0.08  # the lightness of a gray object, and how far its shades are from it


@dataclass(frozen=True)
class Condition:
    """How the scenes differ from those of the evaluation.

    gray: the object is gray in the picture, and its true modal mask is used (the sticker segmenter
    does not know gray stickers). background: of Swap Background.
    """

    title: str
    cfg: float = 2.5
    gray: bool = False
    background: str = "gray"


CONDITIONS = {
    "plain": Condition("stickers"),
    "high": Condition("stickers, guidance 7.5", cfg=7.5),
    "gray": Condition("gray objects", gray=True),
    "graycon": Condition(
        "gray objects, contrasting gray", gray=True, background="contrasting gray"
    ),
    "plaincon": Condition("stickers, contrasting gray", background=CONTRASTING),
}


def data_of(name: str, cell: str, number: int, out: Path) -> dict | None:
    """What the rules need of a scene in a condition, and the true mask; None if there is none."""
    path = out / f"{name}-{cell}-{number}.pt"
    if not path.exists():
        try:
            scene = CELLS[cell].scene(number)
        except NoPlacement:
            return None
        torch.save(at_step_k(CONDITIONS[name], scene, f"{name}-{cell}-{number}", number), path)
    return torch.load(path) or None


def at_step_k(condition: Condition, scene, name: str, number: int) -> dict:
    """The values at step k of the first pass; {} if the pass paints nothing."""
    import folder_paths

    truth.Truth.scene = scene
    picture = grayed(scene) if condition.gray else scene.image
    file = Path(folder_paths.get_input_directory()) / f"{name}.png"
    Image.fromarray((picture * 255).round().astype(np.uint8)).save(file)
    prompt = workflow.load(workflow.STICKERS, dict)
    prompt = workflow.fill(prompt, file.name, words=scene.word, seed=1 + number)
    wiring = methods.wire("mixed", prompt)
    if condition.gray:
        methods.true_modal(wiring)
    wiring.inputs("swap")["background"] = condition.background
    for node in wiring.prompt.values():
        if node["class_type"] == "CFGGuider":
            node["inputs"]["cfg"] = condition.cfg
    known = wiring.inputs("known")
    wiring.keep(
        {
            "crop": wiring.link("crop", 3),
            "features": rules.captured(wiring, LEVELS),
            "estimate": known["estimate"],
            "syn": known["synthetic_image"],
            "modal": known["modal_mask"],
            "inpaint": known["inpaint_mask"],
        }
    )
    values = runner.host().run(wiring.prompt).values
    if "features" not in values:
        return {}
    kept = {part: values[part].clone() for part in PARTS}
    levels = {level: maps.clone() for level, maps in values["features"].levels.items()}
    return {**kept, "levels": levels, "truth": figures.truth_in_crop(scene, values["crop"])[1]}


def grayed(scene) -> np.ndarray:
    """The scene's picture with the visible object in shades of gray."""
    picture, visible = scene.image.copy(), scene.modal() > 0.5
    shades = picture[visible].mean(-1)
    shades -= shades.mean()
    picture[visible] = (GRAY + SHADES * shades / max(1e-6, np.abs(shades).max()))[:, None]
    return picture


Found = tuple[torch.Tensor, mask_check.Check]


def every_rule(data: dict) -> dict[str, Found]:
    """{rule: (M^k, its check)} on a scene."""
    areas = data["modal"], data["inpaint"]

    def checked(mask, alone) -> Found:
        return mask, mask_check.check(alone, *areas)

    def seeded(level, difference=None) -> Found:
        found = seeded_mask.seeded(data["levels"][level][0], *areas, difference)
        return checked(found.mask, found.alone)

    def known(threshold) -> Found:
        seen = data["estimate"], data["syn"]
        return checked(*known_background.known_background(*seen, *areas, threshold)[:2])

    def clusters(level) -> Found:
        masks = mask_at_k.cluster(data["levels"][level][0], 4, 0, areas[0].shape[-2:])
        mask, kept = mask_at_k.select(masks, *areas)
        return checked(mask, mask_at_k.union(masks, kept))

    difference = known_background.difference_from(data["estimate"], data["syn"], areas[0])
    found = {
        "the modal mask alone": checked(areas[0], areas[0]),
        "known background, threshold 0.05": known(0.05),
        "known background": known(0.0),
        **{f"clusters, level {level}": clusters(level) for level in LEVELS},
        **{f"seeded, level {level}, features alone": seeded(level) for level in LEVELS},
        **{f"seeded, level {level}": seeded(level, difference) for level in LEVELS},
    }
    candidates = [found["known background"], found[f"seeded, level {LEVELS[-1]}"]]
    found["automatic"] = candidates[mask_check.best([check for _, check in candidates])]
    return found


def ious(mask: torch.Tensor, data: dict) -> tuple[float, float]:
    """(IoU with the true mask of what can be reached, IoU in the painted area alone)."""
    reach = torch.maximum(data["modal"], data["inpaint"])
    painted = data["inpaint"] * (1 - data["modal"])
    true = torch.maximum(data["truth"], data["modal"])
    return mask_ops.iou(mask, true * reach), mask_ops.iou(mask * painted, true * painted)


def table(name: str, numbers: range, out: Path) -> list[str]:
    """Markdown lines: every rule in one condition, means over the scenes."""
    scenes = [
        data
        for number in numbers
        for cell in CELLS
        if (data := data_of(name, cell, number, out)) is not None
    ]
    found = [every_rule(data) for data in scenes]
    seeded = f"seeded, level {LEVELS[-1]}"
    chosen = sum(one["automatic"] is one[seeded] for one in found)
    lines = [
        f"## {CONDITIONS[name].title} ({len(scenes)} scenes)",
        "",
        "| rule | IoU of what can be reached | IoU in the painted area | visible found | "
        "backdrop taken |",
        "|---|---|---|---|---|",
    ]
    for rule in found[0]:
        both = [ious(one[rule][0], data) for one, data in zip(found, scenes)]
        checks = [one[rule][1] for one in found]
        shares = (
            [check.visible_found for check in checks],
            [check.backdrop_taken for check in checks],
        )
        cells = [interval([pair[place] for pair in both]) for place in (0, 1)]
        cells += [f"{sum(share) / len(share):.3f}" for share in shares]
        lines.append(f"| {rule} | {' | '.join(cells)} |")
    return [*lines, "", f"automatic took the seeded rule in {chosen} of {len(scenes)} scenes.", ""]


def interval(values: list[float]) -> str:
    mean, low, high = statistics.mean(values)
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=39, help="number of the first scene")
    parser.add_argument("--last", type=int, default=47, help="number of the last scene")
    parser.add_argument(
        "--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS)
    )
    parser.add_argument("--out", type=Path, default=Path("output/mask_rules"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    runner.host()
    numbers = range(options.first, options.last + 1)
    text = [line for name in options.conditions for line in table(name, numbers, options.out)]
    write_text(options.out / "mask_at_k.md", "\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
