"""What goes wrong in a worker, as data that travels between processes."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from ..core.errors import BadInput
from ..core.text import encodable

LONGEST = 500  # characters of a message that are kept
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class WorkerLost(RuntimeError):
    """The worker cannot go on, such as one whose ComfyUI has ended. It is replaced."""


class OutOfMemory(RuntimeError):
    """The task needs more memory than the worker has. It is tried again, with less."""


class DiskFull(OSError):
    """Nothing more can be written. The batch stops, because every other item would fail too."""


class NoWorkers(RuntimeError):
    """No worker could be started. The message says why."""


@dataclass(frozen=True)
class Fault:
    """kind: "input", "memory", "lost", "full", "storage" or "error".

    parts: what the BadInput was made of, for kind "input".
    """

    kind: str
    message: str
    parts: tuple[str, str, str] | None = None

    def error(self) -> Exception:
        """The exception again, in the process that has the fault."""
        if self.parts:
            return BadInput(*self.parts)
        return RuntimeError(self.message)


def fault_of(error: BaseException) -> Fault:
    """The fault that an exception stands for."""
    text = encodable(" ".join(str(error).split()))[:LONGEST]
    if isinstance(error, BadInput):
        return Fault("input", text, (error.input, error.problem, error.remedy))
    if isinstance(error, OutOfMemory | MemoryError):
        return Fault("memory", text or "out of memory")
    if isinstance(error, WorkerLost):
        return Fault("lost", text)
    if isinstance(error, OSError) and error.errno in FULL:
        return Fault("full", text)
    kind = "storage" if isinstance(error, OSError) else "error"
    return Fault(kind, f"{type(error).__name__}: {text}")
