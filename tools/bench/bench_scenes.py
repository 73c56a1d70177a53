"""What the benchmarks run on: scenes of the sticker world, and the shipped workflow on them."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def scene_picture(**options):
    """A scene of the sticker world as IMAGE and modal MASK, and its word."""
    import torch

    from amodal.stickers.scenes import make_scene

    scene = make_scene(**options)
    image = torch.from_numpy(scene.image.copy())[None].float()
    return image, torch.from_numpy(scene.modal().copy())[None].float(), scene.word


def workflow(name: str, picture, word: str, seed: int, **changes) -> dict:
    """The shipped workflow on a picture in the host's input folder."""
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
