"""A folder: on this machine, or in a bucket that pyarrow's file systems reach (s3://, gs://).

A file appears under its name as a whole or not at all. Locally it is written beside its place,
synced and renamed; in a bucket, an object exists once its upload is complete.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from ..core.errors import BadInput
from ..core.files import stays_below

PART = ".part"  # ending of a file that is being written
INSTALL = "pip install pyarrow"


class Place(Protocol):
    """What the batch needs of a folder. Names are relative, with / between their parts."""

    address: str
    is_local: bool

    def read(self, name: str) -> bytes: ...  # raises FileNotFoundError
    def write(self, name: str, data: bytes) -> None: ...
    def has(self, name: str) -> bool: ...
    def remove(self, name: str) -> None: ...  # a file or a folder; nothing if it is missing
    def names(self, below: str = "") -> Iterator[str]: ...  # of all files, sorted in each folder
    def digest(self, name: str) -> str: ...  # changes when the file does


class Folder:
    """A folder of this machine."""

    is_local = True

    def __init__(self, path: Path):
        self.path = Path(path)
        self.address = str(self.path)

    def read(self, name: str) -> bytes:
        return self.at(name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        place = self.at(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{uuid.uuid4().hex}{PART}")
        try:
            with open(part, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(place)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def has(self, name: str) -> bool:
        return self.at(name).is_file()

    def remove(self, name: str) -> None:
        place = self.at(name)
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

    def names(self, below: str = "") -> Iterator[str]:
        top = self.at(below) if below else self.path
        if not top.is_dir():
            return
        for folder, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                yield (Path(folder) / name).relative_to(self.path).as_posix()

    def digest(self, name: str) -> str:
        """Of the content, so that a copied or touched picture is the same picture."""
        digest = hashlib.sha256()
        with open(self.at(name), "rb") as file:
            while block := file.read(2**20):
                digest.update(block)
        return digest.hexdigest()

    def at(self, name: str) -> Path:
        """The path of a file. Raises BadInput if the name leads out of the folder."""
        return self.path / checked(name)


class Bucket:
    """A folder that pyarrow reaches. It may be sent to another process, which connects anew."""

    is_local = False

    def __init__(self, address: str):
        self.address = address
        self._listed = ("", "")  # name and state of the file that `names` gave last
        _ = self._root  # a wrong address is an error here, not in a worker

    def __getstate__(self) -> dict:
        return {"address": self.address, "_listed": ("", "")}

    @cached_property
    def _root(self) -> tuple[Any, str]:
        """(file system, path of this folder in it)."""
        fs = pyarrow_fs()
        try:
            system, path = fs.FileSystem.from_uri(self.address)
        except (OSError, ValueError) as error:
            problem = f"{self.address} cannot be used ({error})"
            raise BadInput("address", problem, "give s3://BUCKET/FOLDER or the like") from None
        return system, path.rstrip("/")

    def read(self, name: str) -> bytes:
        system, path = self._at(name)
        with system.open_input_file(path) as file:
            return file.read()

    def write(self, name: str, data: bytes) -> None:
        system, path = self._at(name)
        with system.open_output_stream(path) as file:
            file.write(data)

    def has(self, name: str) -> bool:
        return bool(self._info(name).type == pyarrow_fs().FileType.File)

    def remove(self, name: str) -> None:
        kind, fs = self._info(name).type, pyarrow_fs()
        system, path = self._at(name)
        if kind == fs.FileType.File:
            system.delete_file(path)
        elif kind == fs.FileType.Directory:
            system.delete_dir(path)

    def names(self, below: str = "") -> Iterator[str]:
        fs, (system, root) = pyarrow_fs(), self._root
        top = f"{root}/{checked(below)}" if below else root
        selector = fs.FileSelector(top, allow_not_found=True, recursive=True)
        found = [info for info in system.get_file_info(selector) if info.is_file]
        for info in sorted(found, key=lambda info: info.path):
            self._listed = (info.path[len(root) :].lstrip("/"), state_of(info))
            yield self._listed[0]

    def digest(self, name: str) -> str:
        """Of address, size and time of change: the driver does not load pictures of a bucket."""
        listed, state = self._listed
        if listed != name:  # else no request is needed; not for long, because files change
            info = self._info(name)
            if not info.is_file:
                raise FileNotFoundError(f"{self.address}/{name}")
            state = state_of(info)
        self._listed = ("", "")
        return hashlib.sha256(f"{self.address}/{name} {state}".encode()).hexdigest()

    def _info(self, name: str) -> Any:
        system, path = self._at(name)
        return system.get_file_info(path)

    def _at(self, name: str) -> tuple[Any, str]:
        system, root = self._root
        return system, f"{root}/{checked(name)}"


def state_of(info: Any) -> str:
    """Size and time of change of a file."""
    return f"{info.size} {info.mtime_ns}"


@functools.lru_cache(maxsize=64)
def bucket_at(address: str) -> Bucket:
    """One Bucket for each address, so that a digest knows what a listing has seen."""
    return Bucket(address)


def checked(name: str) -> str:
    """The name. Raises BadInput if it leads out of the folder."""
    if not name or not stays_below(name) or "\0" in name:
        raise BadInput("name", f"'{name}' leads out of its folder", "give names below the folder")
    return name


def place_of(address: str | Path) -> Folder | Bucket:
    """The place at an address: a path, or a URI with a scheme. Raises BadInput."""
    text = str(address)
    if "://" not in text:
        return Folder(Path(text).expanduser().resolve())
    if text.startswith("file://"):
        return Folder(Path(unquote(urlsplit(text).path)))
    return bucket_at(text)


def parent_and_name(address: str) -> tuple[str, str]:
    """('s3://bucket/folder?options', 'file') of an address; the options go with the folder."""
    path, mark, query = address.partition("?") if "://" in address else (address, "", "")
    if "://" not in address:
        return str(Path(path).parent), Path(path).name
    folder, _, name = path.rstrip("/").rpartition("/")
    return f"{folder}{mark}{query}", name


def pyarrow_fs() -> Any:
    """pyarrow's file systems. Raises BadInput without pyarrow."""
    try:
        from pyarrow import fs
    except ImportError:
        remedy = f"{INSTALL}, or use a folder of this machine"
        raise BadInput("address", "needs the package pyarrow", remedy) from None
    return fs
