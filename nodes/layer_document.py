"""LAYERS as the host's Image Compositor (0.31 and newer) reads it, and files of layers.

    {"version": 1, "canvas": (width, height), "layers": [{"image": [1, h, w, 3 or 4], "type":
    "raster", "x", "y", "z_index", "name", "mask": [1, h, w], 1 = transparent, on top of alpha}]}

Ours have RGBA and no mask, and an extra key that the host does not read: "linear", whether their
soft edges are made for blending in linear light.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import folder_paths
import torch

from ..amodal.applications import open_raster
from ..amodal.applications.scene_layers import Layer
from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.core.text import encodable, whole_number


def document(stack: list[Layer], size: tuple[int, int], linear: bool) -> dict:
    """LAYERS of a stack from back to front, on a picture of (height, width)."""
    return {
        "version": 1,
        "canvas": (size[1], size[0]),
        "linear": linear,
        "layers": [
            {
                "type": "raster",
                "image": layer.image[None],
                "x": layer.x,
                "y": layer.y,
                "z_index": number,
                "name": layer.name,
            }
            for number, layer in enumerate(stack)
        ],
    }


def read_document(layers) -> tuple[list[Layer], tuple[int, int], bool]:
    """(stack from back to front, (height, width), linear) of LAYERS, ours or the host's.

    Raises BadInput for another payload, and for what our nodes do not compose: a layer that is
    resized, turned, flipped, or blended otherwise than normally.
    """
    items = layers.get("layers") if isinstance(layers, dict) else None
    if not isinstance(items, list) or not items or layers.get("version", 1) != 1:
        raise BadInput("layers", "are not LAYERS of version 1", "connect Scene Layers or Add Layer")
    ranked = sorted(items, key=lambda item: item.get("z_index") or 0)
    stack = [layer for item in ranked if item.get("visible", True) for layer in of_item(item)]
    width, height = layers.get("canvas") or (
        max(layer.x + layer.image.shape[1] for layer in stack),
        max(layer.y + layer.image.shape[0] for layer in stack),
    )
    return stack, (int(height), int(width)), bool(layers.get("linear", False))


def numbered(stack: list[Layer], asked: str) -> int:
    """The place in the stack of a layer by its name, or by its number from the front.

    Of several of one name the frontmost is meant. Raises BadInput for none.
    """
    names = [layer.name for layer in stack]
    if asked in names:
        return len(names) - 1 - names[::-1].index(asked)
    number = whole_number(asked)
    if number is not None and 1 <= number <= len(names):
        return len(names) - number
    raise BadInput(
        "layer", f"is '{asked}'", f"use one of: {', '.join(reversed(names))}; or a number from 1"
    )


def of_item(item: dict) -> list[Layer]:
    """A layer for each picture of an entry of LAYERS."""
    pictures = validate.as_pictures(item.get("image"), "layers")
    size = validate.picture_size(pictures)
    plain = {
        "rotation": (0, None),
        "w": (size[1], 0, None),
        "h": (size[0], 0, None),
        "flip_h": (False, None),
        "flip_v": (False, None),
        "blend_mode": ("normal", None),
    }
    for name, allowed in plain.items():
        if item.get(name) not in allowed:
            raise BadInput(
                "layers",
                f"have one whose {name} is {item[name]}",
                "compose them in Image Compositor",
            )
    alpha = pictures[..., 3] if pictures.shape[-1] == 4 else torch.ones(pictures.shape[:3])
    alpha = alpha * float(item.get("opacity", 1.0))
    if item.get("mask") is not None:
        alpha = alpha * (1 - validate.as_masks(item["mask"], size, "layers"))
    rgba = torch.cat([pictures[..., :3], alpha[..., None]], -1)
    place = int(item.get("x") or 0), int(item.get("y") or 0)
    return [Layer(picture, *place, str(item.get("name") or "layer")) for picture in rgba]


def separate(base: Path, stack: list[Layer], size: tuple[int, int]) -> dict[Path, bytes]:
    """{path: content} of a PNG for each layer, and of a JSON that says where each lies."""
    files, entries = {}, []
    for number, layer in enumerate(stack):
        path = base.with_name(f"{base.name}layer_{number:02}.png")
        files[path] = open_raster.png(layer.image)
        entries.append(
            {
                "file": path.name,
                "name": encodable(layer.name),
                "x": layer.x,
                "y": layer.y,
                "z_index": number,
            }
        )
    about = {"version": 1, "canvas": [size[1], size[0]], "layers": entries}
    files[base.with_name(f"{base.name}layers.json")] = (json.dumps(about, indent=1) + "\n").encode()
    return files


def numbered_file(prefix: str, size: tuple[int, int]) -> Path:
    """The next free name in the output folder, without its ending. size: (height, width).

    Raises BadInput for a prefix that leads out of the folder, or that no file can have.
    """
    try:
        folder, name, counter, _, _ = folder_paths.get_save_image_path(
            prefix, folder_paths.get_output_directory(), size[1], size[0]
        )
    except Exception as error:  # the host raises Exception for a place outside the folder
        raise not_written(prefix, error) from error
    return Path(folder) / f"{name}_{counter:05}_"


def write_all(files: dict[Path, bytes]) -> None:
    """Writes files. Raises BadInput for names that are too long, and for a full disk."""
    for path, content in files.items():
        try:
            write(path, content)
        except (OSError, ValueError) as error:  # ValueError: a null byte
            raise not_written(path.name, error) from error


def not_written(name: str, error: Exception) -> BadInput:
    reason = getattr(error, "strerror", None) or str(error).partition("\n")[0].strip(" *")
    return BadInput(
        "filename_prefix",
        f"gives no file that can be written ({json.dumps(name[:80])}: {reason})",
        "use a short path inside the output folder, like amodal/layers, and see that there is room",
    )


def write(path: Path, content: bytes) -> None:
    """Writes a file by way of a new one, so that nobody opens half of it."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # of a run that was cut short; or a link
    with open(part, "xb") as new:
        new.write(content)
    os.replace(part, path)
