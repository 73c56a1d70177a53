"""Input of the benchmarks: scenes of the sticker world, and the shipped workflow."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def scene_picture(**options):
    """A scene of the sticker world: IMAGE [1, H, W, 3], modal MASK [1, H, W], and its word.

    options: those of `amodal.stickers.scenes.make_scene`.
    """
    import torch

    from amodal.stickers.scenes import make_scene

    scene = make_scene(**options)
    image = torch.from_numpy(scene.image.copy())[None].float()
    return image, torch.from_numpy(scene.modal().copy())[None].float(), scene.word


def workflow(name: str, picture, word: str, seed: int, **changes) -> dict:
    """The prompt of the shipped workflow for a picture [1, H, W, 3] in 0..1.

    Writes the picture as `name`.png into the host's input folder. changes: new values for the
    inputs of these names, in every node that has them as widgets.
    """
    import folder_paths
    import numpy as np
    from PIL import Image

    from amodal.app.workflow import fill

    target = Path(folder_paths.get_input_directory()) / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    pixels = (picture[0].numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(target)
    path = ROOT / "workflows" / "api" / "amodal_completion_stickers.json"
    prompt = fill(json.loads(path.read_text()), target.name, words=word, seed=seed)
    for node in prompt.values():
        for key, value in changes.items():
            if key in node["inputs"] and not isinstance(node["inputs"][key], list):
                node["inputs"][key] = value
    return prompt
