"""What a batch says while it runs and at its end."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from typing import TextIO

FAILED = "failed"  # the status of an item that was set aside
DONE = ("completed", "nothing to complete")
KINDS = {  # of a fault -> the reason in a summary
    "input": "bad input",
    "memory": "out of memory",
    "lost": "its worker died",
    "storage": "storage",
    "error": "error",
}
EVERY = 10.0  # seconds between two lines of progress where no terminal shows them


class Rate:
    """Items a second over the last minute."""

    WINDOW = 60.0

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def __call__(self, done: int) -> float:
        """Takes note that `done` items are done; gives the rate."""
        now = time.monotonic()
        if now - self._seen[-1][0] > 0.5:
            self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > self.WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        return (done - before) / max(now - since, 1e-3)


class Tally:
    """Counts records by what became of them."""

    def __init__(self) -> None:
        self.reasons: Counter[tuple[str, str]] = Counter()  # (group, reason)

    def add(self, record: dict) -> None:
        self.reasons[group_of(record)] += 1

    def of(self, group: str) -> int:
        return sum(count for (name, _), count in self.reasons.items() if name == group)

    @property
    def total(self) -> int:
        return sum(self.reasons.values())

    def lines(self) -> list[str]:
        """The summary: one line for each group that has items, with its reasons."""
        lines = []
        for group in (*DONE, "not completed", FAILED):
            reasons = {
                reason: count
                for (name, reason), count in self.reasons.most_common()
                if name == group and reason
            }
            if self.of(group) or group == DONE[0]:
                parts = ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
                lines.append(f"{group}: {self.of(group)}{f' ({parts})' if parts else ''}")
        return lines


def group_of(record: dict) -> tuple[str, str]:
    """(group, reason) of a record."""
    status = record.get("status", FAILED)
    if status in DONE:
        return status, ""
    if status == FAILED:
        return FAILED, record.get("reason", "error")
    return "not completed", status


def duration(seconds: float) -> str:
    """'2:05' for minutes and seconds, '3:02:05' with hours, '4 d 3 h' for days."""
    whole = int(seconds)
    if whole >= 2 * 86400:
        return f"{whole // 86400} d {whole % 86400 // 3600} h"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


class Progress:
    """A line of progress: always the last one in a terminal, else one every ten seconds."""

    def __init__(self, total: int, quiet: bool = False, out: TextIO | None = None):
        self.total = total
        self._out = out or sys.stderr
        self._quiet = quiet
        self._live = self._out.isatty()
        self._rate, self._shown = Rate(), time.monotonic()

    def __call__(self, tally: Tally, done: int) -> None:
        """done: items of this run. Shows them if it is time to."""
        rate, now = self._rate(done), time.monotonic()
        if self._quiet or now - self._shown < (0.2 if self._live else EVERY):
            return
        self._shown = now
        left = max(0, self.total - tally.total)
        when = f"{duration(left / rate)} left" if rate > 0 else "waiting for workers"
        problems = "".join(
            f", {tally.of(group)} {group}" for group in ("not completed", FAILED) if tally.of(group)
        )
        text = f"{tally.total} of {self.total}, {rate:.2f} a second, {when}{problems}"
        self._out.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        if self._live and not self._quiet:
            self._out.write("\r\x1b[K")
            self._out.flush()
