"""Tasks go to whichever worker is free, and each comes back once: with its result or its fault.

What happens to a task that fails:

- its worker died: the worker is replaced and the task tried again, twice at most
- the storage failed: the task is tried again, twice at most
- out of memory: it is tried again with less, as `lighter` says
- the disk is full: the run stops with DiskFull
- anything else, such as a wrong picture: it is set aside at once
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol

from .faults import DiskFull, Fault, NoWorkers

TRIES = 3
STARTS = 3  # times that a worker may fail to start, one after the other
PAUSE = 0.5  # seconds that the engine waits at most before it looks at everything again


@dataclass
class Task:
    """Something to do. words: what the worker's function gets; plain values."""

    key: str
    words: tuple
    tries: int = 0  # that were lost
    lighter: list[str] = field(default_factory=list)  # what was reduced for lack of memory


@dataclass(frozen=True)
class Outcome:
    """The end of a task: a result or a fault. worker: its name."""

    task: Task
    result: Any = None
    fault: Fault | None = None
    worker: str = ""


@dataclass(frozen=True)
class Event:
    """What a crew reports of the worker in a slot.

    kind: "ready" (its name is `value`), "done" (`value` is the result), "failed" (`value` is a
    Fault; the worker goes on), "died" (`value` is a Fault; the worker is gone).
    """

    kind: str
    slot: int
    value: Any = None


class Crew(Protocol):
    """Workers in numbered slots. `open` and `replace` start them; an event says that one is ready.

    A worker that could not start is an event "died" before any "ready".
    """

    size: int

    def open(self) -> None: ...
    def give(self, slot: int, words: tuple) -> None: ...
    def wait(self, seconds: float) -> list[Event]: ...
    def replace(self, slot: int) -> None: ...
    def close(self) -> None: ...


Lighter = Callable[[tuple], tuple[tuple, str] | None]


class Engine:
    """Runs tasks on a crew, which is made when there is a task.

    lighter: gives (words with less need of memory, what is less), or None if nothing can be less.
    """

    def __init__(self, crew: Callable[[], Crew], lighter: Lighter = lambda words: None):
        self._make_crew, self._lighter = crew, lighter
        self._busy: dict[int, Task] = {}
        self._free: list[int] = []
        self._names: dict[int, str] = {}
        self._failed_starts: dict[int, int] = {}
        self._lost: dict[int, Fault] = {}  # slots that could not be filled again
        self._again: deque[Task] = deque()
        self.deaths = 0  # workers that were replaced

    def add(self, task: Task) -> None:
        """Adds a task to those of a run in progress. It comes before the others."""
        self._again.append(task)

    def run(self, tasks: Iterable[Task]) -> Generator[list[Outcome], None, None]:
        """The outcomes, in lists of those that came together; an empty one at least every PAUSE.

        Takes from `tasks` what the workers can begin with, no more; starts none without a task.
        Raises DiskFull and NoWorkers. Closes the crew at the end, also when the caller stops early.
        """
        left = iter(tasks)
        first = next(left, None)
        if first is None:
            return
        left = chain([first], left)
        self._crew = self._make_crew()
        try:
            self._crew.open()
            while True:
                self._hand_out(left)
                if not self._busy and not self._again and self._free:
                    return
                yield [o for o in map(self._seen, self._crew.wait(PAUSE)) if o]
                if len(self._lost) == self._crew.size:
                    raise NoWorkers(next(iter(self._lost.values())).message)
        finally:
            self._crew.close()

    def _hand_out(self, left: Iterator[Task]) -> None:
        while self._free:
            task = self._again.popleft() if self._again else next(left, None)
            if task is None:
                return
            slot = self._free.pop()
            self._busy[slot] = task
            self._crew.give(slot, task.words)

    def _seen(self, event: Event) -> Outcome | None:
        slot = event.slot
        if event.kind == "ready":
            self._names[slot] = event.value
            self._failed_starts[slot] = 0
            self._free.append(slot)
            return None
        task = self._busy.pop(slot, None)
        if event.kind == "died":
            return self._died(slot, task, event.value)
        self._free.append(slot)
        assert task is not None
        if event.kind == "done":
            return Outcome(task, event.value, worker=self._names[slot])
        return self._failed(task, event.value, self._names[slot])

    def _died(self, slot: int, task: Task | None, fault: Fault) -> Outcome | None:
        if slot in self._free:
            self._free.remove(slot)
        if task is None and slot not in self._names:
            self._failed_starts[slot] = self._failed_starts.get(slot, 0) + 1
        name = self._names.pop(slot, "")
        if fault.kind == "full":
            raise DiskFull(fault.message)
        if self._failed_starts.get(slot, 0) >= STARTS or fault.kind == "input":
            self._lost[slot] = fault
        else:
            self.deaths += 1
            self._crew.replace(slot)
        return self._failed(task, fault, name) if task else None

    def _failed(self, task: Task, fault: Fault, worker: str) -> Outcome | None:
        if fault.kind == "full":
            raise DiskFull(fault.message)
        if fault.kind in ("lost", "storage"):
            task.tries += 1
            if task.tries < TRIES:
                self._again.append(task)
                return None
        if fault.kind == "memory":
            less = self._lighter(task.words)
            if less:
                task.words, what = less
                task.lighter.append(what)
                self._again.append(task)
                return None
        return Outcome(task, fault=fault, worker=worker)


def in_order(tasks: list[Task], outcomes: Iterator[list[Outcome]]) -> Iterator[Outcome]:
    """The outcomes in the order of the tasks, each as soon as those before it are there."""
    waiting: dict[str, Outcome] = {}
    keys = iter([task.key for task in tasks])
    key = next(keys, None)
    for group in outcomes:
        waiting |= {outcome.task.key: outcome for outcome in group}
        while key in waiting:
            yield waiting.pop(key)
            key = next(keys, None)
