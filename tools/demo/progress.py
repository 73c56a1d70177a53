"""Says what the demo is doing: one changing line in a terminal, else one line for each scene."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from amodal.app.run import Event


class Progress:
    """Call it with the events of each run; `scene` names the runs that follow, `done` ends them.

    stream: where the lines go. A terminal shows what runs now, anything else what was done.
    """

    def __init__(self, scenes: int, stream: TextIO | None = None):
        self._scenes, self._stream = scenes, stream or sys.stdout
        self._live = self._stream.isatty()
        self._started = time.monotonic()
        self._number, self._title, self._doing = 0, "", ""
        self._shown = 0  # characters of the line in the terminal

    def scene(self, title: str) -> None:
        """The next scene begins."""
        self._number += 1
        self._title = title

    def run(self, what: str) -> None:
        """The next run of this scene begins."""
        self._doing = f"{self._number} of {self._scenes}: {self._title}, {what}"
        self.show(self._doing)

    def __call__(self, event: Event) -> None:
        data = event.data
        if event.kind == "progress" and data.get("max", 0) > 1:
            self.show(f"{self._doing}, step {data['value']} of {data['max']}")

    def show(self, text: str) -> None:
        """Replaces the line in a terminal."""
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            line = f"{time.monotonic() - self._started:4.0f} s  {text}"[:width]
            self._stream.write("\r" + line.ljust(self._shown))
            self._stream.flush()
            self._shown = len(line)

    def done(self, how: str) -> None:
        """The scene has ended."""
        if not self._live:
            print(f"{self._number} of {self._scenes}: {self._title}: {how}", file=self._stream)
            self._stream.flush()

    def close(self) -> None:
        """Clears the line in a terminal, for what is printed next."""
        if self._live:
            self._stream.write("\r" + " " * self._shown + "\r")
            self._stream.flush()
            self._shown = 0
