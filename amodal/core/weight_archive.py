"""Reads weight files as data: no size they state is believed, and no code of an archive runs.

torch.jit.load runs TorchScript that an archive brings (`__setstate__`), so TorchScript archives,
such as LaMa's, are read here: their pickle by an unpickler that knows only the opcodes and names
which modules of tensors need, and their tensors from the uncompressed records beside it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

Net = TypeVar("Net", bound=torch.nn.Module)
LARGEST_PICKLE = 16 * 2**20  # bytes; LaMa's has 0.2 MB
MOST_NAMES = 100_000  # attributes of all modules together
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
OPCODES = [
    *(pickle.PROTO, pickle.STOP, pickle.MARK, pickle.GLOBAL, pickle.NEWOBJ, pickle.REDUCE),
    *(pickle.BUILD, pickle.BINPERSID, pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET),
    *(pickle.LONG_BINGET, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BINFLOAT),
    *(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINUNICODE),
    *(pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3),
    *(pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS),
    *(pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS),
]


class Module:
    """Stands for an object of any TorchScript class. It keeps the state and does nothing."""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def check(path: str | Path) -> None:
    """Raises ValueError if a zip archive holds more bytes than its file has.

    torch.save stores its records uncompressed; a compressed or overlapping one may be far larger
    than the file. TorchScript's code is compressed; nothing reads it. Files that are no zip
    archives pass.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        records = [r for r in archive.infolist() if r.filename.split("/")[1:2] != ["code"]]
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise ValueError("it holds compressed records")
    if sum(record.file_size for record in records) > Path(path).stat().st_size:
        raise ValueError("its records overlap")


def tensors_of(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a file of torch.save, on the CPU. Raises any error for another file."""
    check(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ValueError("it holds other things than tensors")
    return state


def is_stretched(value: torch.Tensor) -> bool:
    """Has the tensor no numbers, or more than its storage? Its shape would then say nothing."""
    if value.layout != torch.strided or value.is_quantized:
        return True
    needed = value.numel() * value.element_size()
    return not 0 < needed <= value.untyped_storage().nbytes()


def bounded(make: Callable[[], Net], state: dict[str, torch.Tensor]) -> Net:
    """The network of `make`, once `check_size` has passed it."""
    check_size(make, state)
    return make()


def check_size(make: Callable[[], torch.nn.Module], state: dict[str, torch.Tensor]) -> None:
    """Raises ValueError for a network of far more numbers than the state dict holds.

    A small file can state any sizes. So a sketch without memory shows whether they fit it.
    """
    with torch.device("meta"):
        size = sum(value.numel() for value in make().state_dict().values())
    if size > 2 * sum(value.numel() for value in state.values()) + 2**20:
        raise ValueError("its sizes do not fit its tensors")


def is_script(path: str | Path) -> bool:
    """Is the file a TorchScript archive?"""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.split("/")[1:] == ["constants.pkl"] for name in archive.namelist())


def script_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a TorchScript archive by their dotted names.

    Raises ValueError, KeyError or pickle.UnpicklingError if the archive holds anything but modules
    of tensors, numbers, strings and lists. Call `check` first.
    """
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].split("/")[0]
        record = archive.getinfo(f"{root}/data.pkl")
        if record.file_size > LARGEST_PICKLE:
            raise ValueError("its data.pkl is too large")
        with archive.open(record) as file:
            top = Reader(file, archive, root).load()
    return named_tensors(top)


class Reader(pickle._Unpickler):  # the one in Python: its opcodes are a table, its memo a dict
    """Unpickles data.pkl. Only the names in `find_class` can be called."""

    dispatch = {opcode[0]: pickle._Unpickler.dispatch[opcode[0]] for opcode in OPCODES}

    def __init__(self, file: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self.archive, self.root = archive, root
        self.storages: dict[str, torch.Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return Module
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module == "torch.jit._pickle":  # build_intlist, restore_type_tag, ...
            return first_of
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): tensor_of,
            ("collections", "OrderedDict"): OrderedDict,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """The flat tensor of ("storage", dtype, record, device, number of elements)."""
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise pickle.UnpicklingError("it holds something else than storages")
        if key not in self.storages:
            data = self.archive.read(f"{self.root}/data/{key}")
            self.storages[key] = torch.frombuffer(bytearray(data), dtype=dtype)
        flat = self.storages[key]
        if flat.dtype != dtype or len(flat) != count:
            raise pickle.UnpicklingError(f"storage {key} has another size than stated")
        return flat


def first_of(*values: Any) -> Any:
    """The value that TorchScript marks with its type."""
    return values[0]


def tensor_of(flat: torch.Tensor, offset: int, size: tuple, stride: tuple, *_: Any) -> torch.Tensor:
    """A tensor that lies within its storage. Raises ValueError for any other."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("a tensor has no valid shape")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride))
    if 0 in size or last >= len(flat):
        raise ValueError("a tensor reaches beyond its storage")
    return flat.as_strided(size, stride, offset)


def named_tensors(top: Any) -> dict[str, torch.Tensor]:
    """The tensors of a module and the modules in it. Raises ValueError if they are too many."""
    tensors, open_, names = {}, [("", top)], 0
    while open_:
        prefix, module = open_.pop()
        state = module.state if isinstance(module, Module) else None
        for name, value in state.items() if isinstance(state, dict) else ():
            names += 1
            if names > MOST_NAMES:
                raise ValueError("it holds too many names")
            if isinstance(value, torch.Tensor):
                tensors[f"{prefix}{name}"] = value
            elif isinstance(value, Module):
                open_.append((f"{prefix}{name}.", value))
    return tensors
