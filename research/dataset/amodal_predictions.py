"""Amodal masks that a method gave, from a folder of PNGs or a JSON file of COCO masks.

FOLDER/12-3.png               the mask of object 12-3: white is the object, of the picture's size
FOLDER/RUN/12-3.png           several runs, such as one for each seed: a folder for each
results.json                  [{"name": "12-3", "segmentation": RLE or polygons}, ...]; a name that
                              stands there N times has N runs

The names are the keys of `amodal_truth.Annotated`: annotation and region of COCO-A and BSDS-A
("12-3"), the annotation of KINS ("12").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from amodal.core.errors import BadInput
from amodal.core.files import file_inside, parsed

from . import rle
from .amodal_truth import Annotated

MODES = ("1", "L", "P", "I;16", "I")  # one value for each pixel
SHOWN = 5  # names that a message lists


@dataclass(frozen=True)
class Predictions:
    """runs: how many masks each object has. masks(object): they, each [H, W] bool."""

    runs: int
    masks: Callable[[Annotated], list[np.ndarray]]


def read(path: Path | str, objects: Sequence[Annotated]) -> Predictions:
    """The masks of all objects, checked by name and size; their pixels are read when asked for.

    Raises BadInput for missing, superfluous, unreadable or wrong masks, with their names.
    """
    path = Path(path)
    if path.is_dir():
        return of_folder(path, objects)
    if path.is_file():
        return of_json(path, objects)
    raise bad(path, "is neither a folder of PNGs nor a JSON file")


def of_folder(folder: Path, objects: Sequence[Annotated]) -> Predictions:
    """One mask for each object from each of the folder's folders, or from itself."""
    runs = sorted(one for one in seen(folder) if one.is_dir()) or [folder]
    if runs != [folder]:
        compare(folder, {run.name for run in runs}, {one.name for one in seen(folder)})
    for run in runs:
        compare(run, {f"{one.key}.png" for one in objects}, {one.name for one in seen(run)})
        for one in objects:
            check_picture(run, one)

    def masks(one: Annotated) -> list[np.ndarray]:
        return [pixels(run, one) for run in runs]

    return Predictions(len(runs), masks)


def seen(folder: Path) -> list[Path]:
    """What a folder holds; systems put files with a leading dot there."""
    return [one for one in folder.iterdir() if not one.name.startswith(".")]


def compare(where: Path, wanted: set[str], found: set[str]) -> None:
    """Raises BadInput with the names of missing and of superfluous masks."""
    problems = [
        f"{what} {listed(names)}"
        for what, names in (
            ("lacks", wanted - found),
            ("has too many:", found - wanted),
        )
        if names
    ]
    if problems:
        raise bad(where, " and ".join(problems))


def listed(names: set[str]) -> str:
    shown = sorted(names)[:SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def check_picture(folder: Path, one: Annotated) -> None:
    with opened(folder, one) as file:
        height, width = one.size
        if file.size != (width, height):
            size = "{}x{}".format(*file.size)
            raise bad(folder, f"holds {one.key}.png of {size} for a picture of {width}x{height}")
        if file.mode not in MODES:
            raise bad(folder, f"holds {one.key}.png of the mode {file.mode}, which is no mask")


def opened(folder: Path, one: Annotated) -> Image.Image:
    path = file_inside(folder, f"{one.key}.png")
    if path is None:
        raise bad(folder, f"holds {one.key}.png, which leads out of the folder or is no file")
    try:
        return Image.open(path, formats=["PNG"])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise bad(folder, f"holds {one.key}.png, which cannot be read ({error})") from None


def pixels(folder: Path, one: Annotated) -> np.ndarray:
    """The mask [H, W] bool: pixels of more than half of white."""
    with opened(folder, one) as file:
        try:
            values = np.asarray(file.convert("L") if file.mode in ("1", "P") else file)
        except (OSError, ValueError, SyntaxError) as error:
            raise bad(folder, f"holds {one.key}.png, which cannot be read ({error})") from None
    return values > (127 if values.dtype == np.uint8 else 32767)


def of_json(path: Path, objects: Sequence[Annotated]) -> Predictions:
    try:
        entries = parsed(path.read_bytes())
    except (OSError, ValueError) as error:
        raise bad(path, f"cannot be read ({error})") from None
    if not isinstance(entries, list):
        raise bad(path, "is no list of masks")
    found: dict[str, list] = {}
    for place, entry in enumerate(entries, 1):
        if not (isinstance(entry, dict) and "segmentation" in entry and name_of(entry)):
            raise bad(path, f"has an entry without name or segmentation: number {place}")
        found.setdefault(name_of(entry), []).append(entry["segmentation"])
    compare(path, {one.key for one in objects}, set(found))
    counts = {len(several) for several in found.values()}
    if len(counts) > 1:
        few = min(found, key=lambda name: len(found[name]))
        raise bad(path, f"has {len(found[few])} masks of {few}, and {max(counts)} of others")

    def masks(one: Annotated) -> list[np.ndarray]:
        return [decoded(path, one, segmentation) for segmentation in found[one.key]]

    for one in objects:
        masks(one)
    return Predictions(max(counts, default=1), masks)


def name_of(entry: dict) -> str:
    """The name of an entry of the file; "" if it has none."""
    name = entry.get("name")
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else ""


def decoded(path: Path, one: Annotated, segmentation) -> np.ndarray:
    try:
        return rle.decode(segmentation, *one.size)
    except BadInput as error:
        raise bad(path, f"has a wrong mask of {one.key}: it would {error.problem}") from None


def bad(path: Path, problem: str) -> BadInput:
    return BadInput(
        "predictions",
        f"{path} {problem}",
        "give one mask for each object of the annotations; objects.csv of --amodal without "
        "predictions lists their names",
    )
