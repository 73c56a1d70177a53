"""The items of a folder, a glob, a manifest or a bucket, one after the other."""

from __future__ import annotations

import bisect
import contextlib
import fnmatch
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.errors import BadInput
from ..core.files import stays_below
from .items import Item
from .manifest import has_pyarrow
from .places import INSTALL, Folder, Place, parent_and_name, place_of

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
LINES, PARQUET = (".jsonl", ".ndjson"), (".parquet",)
FIELDS = ("mask", "point", "words", "prompt")  # of a manifest, beside picture and seed
MASK = re.compile(r"_mask[^/]*\.png$", re.IGNORECASE)  # cat_mask.png, cat_mask_2.png of cat.jpg


@dataclass(frozen=True)
class Source:
    """Items, to be gone through as often as wanted. each: makes a new iterator."""

    each: Callable[[], Iterator[Item]]

    def __iter__(self) -> Iterator[Item]:
        return self.each()

    def count(self) -> int:
        """The number of items. No picture is read."""
        return sum(1 for _ in self)


def source_of(address: str, objects: str | None = None, leave_out: str = "") -> Source:
    """The items at an address.

    address: a folder, a picture, a glob, or a manifest: JSON lines or Parquet. objects: "all",
    "masks" (see MASK), names separated by commas, or None for the largest object; rows of a
    manifest that choose an object are not affected. leave_out: the address of a folder within that
    is no source, such as that of the results.

    Raises BadInput if there is nothing at the address.
    """
    path = address.partition("?")[0] if "://" in address else address
    ending = PurePosixPath(path).suffix.lower()
    folder, name = parent_and_name(address)
    if ending in LINES + PARQUET and (is_file(folder, name) or "://" in address):
        return of_manifest(place_of(folder), name, objects)
    if ending in PICTURES and is_file(folder, name):
        return Source(lambda: chosen(place_of(folder), name, objects))
    if has_wildcard(path) and not Path(address).exists():
        base, pattern = split_glob(address)
        return checked(of_names(place_of(base), pattern, objects, leave_out), address)
    place = place_of(address)
    if isinstance(place, Folder) and not place.path.is_dir():
        raise BadInput("source", f"{address} is no folder, manifest or picture", "check the path")
    return checked(of_names(place, "**", objects, leave_out), address)


def is_file(folder: str, name: str) -> bool:
    with contextlib.suppress(BadInput, OSError):
        return place_of(folder).has(name)
    return False


def checked(source: Source, address: str) -> Source:
    """The source. Raises BadInput if it has no item."""
    if next(iter(source), None) is None:
        endings = ", ".join(PICTURES)
        raise BadInput("source", f"{address} holds no pictures ({endings})", "check the path")
    return source


def of_names(place: Place, pattern: str, objects: str | None, leave_out: str) -> Source:
    """The items of a folder's pictures that match a pattern."""

    def each() -> Iterator[Item]:
        hidden, masks = below(place.address, leave_out), Masks(place)
        for name in place.names():
            inside = hidden is not None and f"{name}/".startswith(hidden)
            if is_picture(name) and not inside and matches(name, pattern):
                yield from chosen(place, name, objects, masks)

    return Source(each)


def below(address: str, inner: str) -> str | None:
    """'name/' of an inner address below another; None if it is not below."""
    if not inner:
        return None
    here, there = (text.partition("?")[0].rstrip("/") for text in (address, inner))
    if "://" not in there:
        there = str(Path(there).expanduser().resolve())
    return f"{there[len(here) :].strip('/')}/" if f"{there}/".startswith(f"{here}/") else None


def is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    is_hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in PICTURES and not is_hidden and not MASK.search(name)


class Masks:
    """The masks beside pictures: those of cat.jpg are cat_mask.png, cat_mask_2.png, ..."""

    def __init__(self, place: Place):
        self._place = place
        self._folder: str | None = None
        self._names: list[str] = []

    def of(self, name: str) -> list[str]:
        """The names of a picture's masks. A folder is listed once for all its pictures."""
        stem = name.rsplit(".", 1)[0]
        folder = stem.rpartition("/")[0]
        if folder != self._folder:
            names = self._place.names(folder)
            self._folder, self._names = (
                folder,
                sorted(other for other in names if MASK.search(other)),
            )
        start = f"{stem}_mask"
        at = bisect.bisect_left(self._names, start)
        return list(itertools.takewhile(lambda other: other.startswith(start), self._names[at:]))


def chosen(
    place: Place, name: str, objects: str | None, masks: Masks | None = None
) -> Iterator[Item]:
    """The items of one picture. For "all", the first; the others follow when it is done."""
    if objects is None:
        yield Item(place.address, name)
    elif objects == "all":
        yield Item(place.address, name, index=0)
    elif objects == "masks":
        for mask in (masks or Masks(place)).of(name):
            yield Item(place.address, name, mask=mask)
    else:
        for words in filter(None, (part.strip() for part in objects.split(","))):
            yield Item(place.address, name, words=words)


def of_manifest(place: Place, name: str, objects: str | None) -> Source:
    """The items of a manifest; addresses in it are relative to its folder, or whole."""

    def each() -> Iterator[Item]:
        rows = parquet_rows if name.lower().endswith(PARQUET) else json_rows
        for number, row in enumerate(rows(place, name), start=1):
            yield from of_row(place, row, f"row {number} of {name}", objects)

    first = list(itertools.islice(each(), 1))
    if not first:
        raise BadInput("source", f"{name} has no rows", "write one for each object")
    return Source(each)


def of_row(place: Place, row: Any, what: str, objects: str | None) -> Iterator[Item]:
    """The items of a manifest's row. Raises BadInput for a row that is none."""
    if not isinstance(row, dict) or not isinstance(row.get("picture"), str):
        raise BadInput("source", f"{what} has no 'picture'", "give each row its picture's address")
    for field in FIELDS:
        if row.get(field) is not None and not isinstance(row[field], str):
            raise BadInput("source", f"{what}: '{field}' is no text", "write it as a text")
    seed = row.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
        raise BadInput("source", f"{what}: 'seed' is {seed}", "give a whole number from 0")
    given = {field: row[field] for field in FIELDS if row.get(field)}
    folder, name = located(place, row["picture"])
    if "mask" in given:
        given["mask"] = located_mask(place, folder, given["mask"], what)
    extra = {"prompt": given.get("prompt"), "seed": seed}
    if {"mask", "point", "words"} & given.keys():
        yield Item(folder.address, name, **{**given, **extra})
        return
    for item in chosen(folder, name, objects):
        yield Item(**{**item.words_of(), **extra})


def located(place: Place, address: str) -> tuple[Place, str]:
    """(place, name) of an address in a manifest."""
    if "://" in address or Path(address).is_absolute():
        folder, name = parent_and_name(address)
        return place_of(folder), name
    if isinstance(place, Folder) and not stays_below(address):
        path = (place.path / address).resolve()
        return place_of(path.parent), path.name
    return place, address


def located_mask(place: Place, folder: Place, mask: str, what: str) -> str:
    """The mask's name below the picture's folder. Raises BadInput if it lies elsewhere."""
    where, name = located(place, mask)
    if where.address == folder.address:
        return name
    inner = below(folder.address, where.address)
    if inner is None:
        remedy = "put masks beside or below the picture, or write both addresses alike"
        raise BadInput("source", f"{what}: the mask lies in another folder", remedy)
    return f"{inner}{name}"


def json_rows(place: Place, name: str) -> Iterator[Any]:
    """The rows of a file of JSON lines; one that is no JSON is None."""
    if isinstance(place, Folder):
        with open(place.path / name, "rb") as file:
            yield from map(row_of, filter(bytes.strip, file))
    else:
        yield from map(row_of, filter(bytes.strip, io.BytesIO(place.read(name))))


def row_of(line: bytes) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(line)
    return None


def parquet_rows(place: Place, name: str) -> Iterator[Any]:
    if not has_pyarrow():
        raise BadInput("source", "is Parquet, which needs pyarrow", f"{INSTALL}, or use JSON lines")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = place.path / name if isinstance(place, Folder) else io.BytesIO(place.read(name))
        for batch in pq.ParquetFile(content).iter_batches(1000):
            yield from batch.to_pylist()
    except pa.ArrowInvalid as error:
        raise BadInput("source", f"{name} is no Parquet file ({error})", "write it again") from None


def has_wildcard(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def split_glob(address: str) -> tuple[str, str]:
    """('folder', '*/x*.png') of a glob 'folder/*/x*.png'; a URI's options stay with the folder."""
    path, mark, query = address.partition("?") if "://" in address else (address, "", "")
    parts = path.split("/")
    at = next(i for i, part in enumerate(parts) if has_wildcard(part))
    base = "/".join(parts[:at]) or ("/" if path.startswith("/") else ".")
    return f"{base}{mark}{query}", "/".join(parts[at:])


def matches(name: str, pattern: str) -> bool:
    """Does a name match a glob? ** stands for any number of folders."""
    return parts_match(name.split("/"), pattern.split("/"))


def parts_match(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if len(pattern) == 1:
            return True
        return any(parts_match(parts[i:], pattern[1:]) for i in range(len(parts) + 1))
    return (
        bool(parts)
        and fnmatch.fnmatchcase(parts[0], pattern[0])
        and parts_match(parts[1:], pattern[1:])
    )
