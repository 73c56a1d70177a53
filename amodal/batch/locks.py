"""The operating system's lock on an open file, which ends with the process that holds it."""

from __future__ import annotations

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    FAR = 2**40  # Windows keeps others from reading what is locked: a byte that no file has

    def hold(file: IO) -> None:
        """Locks the file until it is closed. Raises OSError if it is locked already."""
        file.seek(FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def hold(file: IO) -> None:
        """Locks the file until it is closed. Raises OSError if it is locked already."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
