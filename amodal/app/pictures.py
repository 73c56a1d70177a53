"""Picture files that people give: the picture itself, and masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def mask_picture(path: Path) -> Picture:
    """The mask of a picture file, mode L: its alpha if it is transparent anywhere, else its red.

    Raises BadInput if the file is not a picture, or if its mask is empty or the whole picture.
    """
    picture = loaded("mask", path)
    alpha = picture.convert("RGBA").getchannel("A")
    is_transparent = min(alpha.tobytes()) < 255
    mask = alpha if is_transparent else picture.convert("RGB").getchannel("R")
    values = mask.tobytes()
    dark, light = min(values), max(values)
    if not light:
        empty = "transparent everywhere" if is_transparent else "black"
        raise BadInput("mask", f"{path} is {empty}", "paint the object's visible pixels white")
    if dark > 127:
        raise BadInput(
            "mask",
            f"{path} is white everywhere, so the object would be the whole picture",
            "paint everything but the object's visible pixels black, or make it transparent",
        )
    return mask


def loaded(name: str, path: Path) -> Picture:
    """The picture of a file. Raises BadInput if it is not one; `name` is the option's name."""
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise BadInput(name, f"{path} is not a file", "check the path")
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        problem = f"{path} is not a picture ({error})"
        raise BadInput(name, problem, "save it as PNG or JPEG") from None
