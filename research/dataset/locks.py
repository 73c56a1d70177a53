"""The operating system's lock on an open file, which ends with the process that holds it."""

from __future__ import annotations

from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FAR = 2**40  # Windows keeps others from reading what is locked: a byte that no file has


def hold(file: IO) -> None:
    """Locks the file until it is closed. Raises OSError if it is locked already."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        file.seek(FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
