"""Watches a run on a host: which node runs, and how much memory is taken meanwhile."""

from __future__ import annotations

import threading

from amodal.app import doctor
from amodal.app.client import Client
from amodal.app.run import Event

EVERY = 0.25  # seconds between two looks at the memory


class Watch:
    """Use it with `with`, and call it with each Event of the run.

    peaks: node class -> device -> the most bytes in use beyond what was in use at the beginning.
    "memory" is the whole machine's, so other programs count as well.
    """

    def __init__(self, client: Client, prompt: dict):
        self.peaks: dict[str, dict[str, int]] = {}
        self._client, self._prompt = client, prompt
        self._stage = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._begin = doctor.about(self._client).free
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def __call__(self, event: Event) -> None:
        if event.kind == "executing":
            node = self._prompt.get(event.data.get("display_node") or "")
            self._stage = node["class_type"] if node else ""

    def _look(self) -> None:
        while not self._over.wait(EVERY):
            stage = self._stage
            try:
                free = doctor.about(self._client).free
            except (OSError, RuntimeError):  # a busy host; the next look will do
                continue
            if stage:
                self._take(stage, free)

    def _take(self, stage: str, free: dict[str, int]) -> None:
        peaks = self.peaks.setdefault(stage, {})
        for device, size in free.items():
            used = self._begin.get(device, size) - size
            peaks[device] = max(used, peaks.get(device, 0))
