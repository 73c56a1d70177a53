"""Files that people or other programs made: found inside their folder, and read with care."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


def stays_below(name: str) -> bool:
    """Whether a name is relative and has no '..': links aside, it cannot lead out of a folder."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def inside(folder: Path, *names: str) -> Path | None:
    """The resolved path of folder/names; None if it leads out of `folder`.

    A path leads out by '..', by an absolute name, or by a symbolic link to a place outside.
    `folder` itself may be a link. A null byte in a name or a circle of links gives None too.
    """
    try:
        path = folder.joinpath(*names)
        base, resolved = folder.resolve(), path.resolve()
    except (OSError, ValueError, RuntimeError):
        return None
    leads_out = any(".." in Path(name).parts for name in names)
    return None if leads_out or not resolved.is_relative_to(base) else resolved


def file_inside(folder: Path, *names: str) -> Path | None:
    """As `inside`, of a regular file only: reading a pipe or a device might never end."""
    path = inside(folder, *names)
    return path if path is not None and os.path.isfile(path) else None


def parsed(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises ValueError for anything else, for deep nesting, and for NaN and infinity, also where a
    number such as 1e400 becomes infinite.
    """
    try:
        return json.loads(text, parse_constant=finite, parse_float=finite)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def finite(text: str) -> float:
    """The number of a text. Raises ValueError for NaN and infinity."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text} is not finite")
    return value


def is_number(value: Any) -> bool:
    """True for a finite int or float that is not a truth value."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain and abs(value) <= 1e300
