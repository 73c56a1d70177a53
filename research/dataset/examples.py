"""Draws the example pictures that the shipped workflows open with, in workflows/inputs/.

python -m research.dataset.examples
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from amodal.stickers.scenes import make_scene

from . import builder, wholes

INPUTS = Path(__file__).resolve().parents[2] / "workflows" / "inputs"
EXAMPLES = {  # file in workflows/inputs/ -> arguments of make_scene
    "amodal_example_cat.png": {
        "seed": 44,
        "query": "cat",
        "occluder": "co-occurring",
        "hidden": (0.2, 0.4),
    },
    "amodal_example_monkey.png": {
        "seed": 43,
        "query": "monkey",
        "occluder": "co-occurring",
        "hidden": (0.2, 0.4),
    },
    "amodal_example_border.png": {
        "seed": 41,
        "query": "duck",
        "occluder": None,
        "cut": "right",
        "hidden": (0.2, 0.4),
    },
    "amodal_example_several.png": {
        "seed": 42,
        "query": "cat",
        "occluder": "co-occurring",
        "hidden": (0.2, 0.4),
        "behind": 2,
    },
}


def draw_examples() -> list[Path]:
    """Draws the pictures that the workflows open with; returns their paths."""
    paths = []
    for name, settings in EXAMPLES.items():
        scene = make_scene(background="gradient", **settings)
        paths.append(INPUTS / name)
        Image.fromarray((scene.image * 255).round().astype(np.uint8)).save(paths[-1])
    return [*paths, draw_items()]


def draw_items() -> Path:
    """Makes the data set that dataset_viewer opens with: two easy and two hard items."""
    folder = INPUTS / "amodal_example_items"
    plan = builder.Plan(2, 2, seed=3, pairs="co-occurring", least_categories=2)
    builder.build(wholes.Stickers(), plan, folder, quiet=True)
    return folder


if __name__ == "__main__":
    print("\n".join(str(path) for path in draw_examples()))
