"""Which keys are done: eight bytes of each key and a small number, in sorted arrays.

A set of a million texts would take over 100 MB. Eight bytes of a digest are alike for two of a
million items once in thirty million batches.
"""

from __future__ import annotations

import numpy as np

RECENT = 20_000  # keys in a dict until they join the arrays


class Finished:
    """Keys in hexadecimal, each with a number from 0 to 65535."""

    def __init__(self) -> None:
        self._keys = np.empty(0, np.uint64)
        self._numbers = np.empty(0, np.uint16)
        self._recent: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._keys) + len(self._recent)

    def add(self, key: str, number: int = 0) -> None:
        """Adds a key, or changes its number."""
        short = int(key[:16], 16)
        at = self._found(short)
        if at is not None:
            self._numbers[at] = min(number, 65535)
            return
        self._recent[short] = min(number, 65535)
        if len(self._recent) >= RECENT:
            self._merge()

    def get(self, key: str) -> int | None:
        """The key's number; None if it was not added."""
        short = int(key[:16], 16)
        if short in self._recent:
            return self._recent[short]
        at = self._found(short)
        return None if at is None else int(self._numbers[at])

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def _found(self, short: int) -> int | None:
        wanted = np.uint64(short)
        at = int(np.searchsorted(self._keys, wanted))
        return at if at < len(self._keys) and self._keys[at] == wanted else None

    def _merge(self) -> None:
        keys = np.concatenate([self._keys, np.array(list(self._recent), np.uint64)])
        numbers = np.concatenate([self._numbers, np.array([*self._recent.values()], np.uint16)])
        order = np.argsort(keys, kind="stable")
        self._keys, self._numbers = keys[order], numbers[order]
        self._recent.clear()
