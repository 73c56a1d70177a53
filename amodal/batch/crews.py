"""Workers on this machine: this process itself, processes of their own, and threads.

A worker is made by `make(slot)`, which gives a function; its result is what the function returns.
If the function has the attribute `name`, results carry it; if it has `close`, it is called at the
end. In a process of its own, both are made there, so `make` must be importable.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing import connection, get_context, parent_process
from typing import Any

from .engine import Event
from .faults import Fault, WorkerLost, fault_of

Make = Callable[[int], Callable]
LEAVE = 10.0  # seconds that a worker has to end by itself


def name_of(work: Callable, slot: int) -> str:
    return str(getattr(work, "name", f"{socket.gethostname()}-{slot}"))


def close_work(work: Callable | None) -> None:
    with contextlib.suppress(Exception):
        getattr(work, "close", lambda: None)()


def answer(work: Callable, slot: int, words: tuple) -> Event:
    """What a worker says of a task. After "died" it must not be used again."""
    try:
        return Event("done", slot, work(*words))
    except Exception as error:
        return Event("died" if isinstance(error, WorkerLost) else "failed", slot, fault_of(error))


class Here:
    """One worker: this process."""

    size = 1

    def __init__(self, make: Make):
        self._make = make
        self._work: Callable | None = None
        self._events: list[Event] = []
        self._todo: tuple | None = None

    def open(self) -> None:
        try:
            self._work = self._make(0)
            self._events.append(Event("ready", 0, name_of(self._work, 0)))
        except Exception as error:
            self._events.append(Event("died", 0, fault_of(error)))

    def give(self, slot: int, words: tuple) -> None:
        self._todo = words

    def wait(self, seconds: float) -> list[Event]:
        if self._todo is not None and self._work is not None:
            words, self._todo = self._todo, None
            return [answer(self._work, 0, words)]
        events, self._events = self._events, []
        return events

    def replace(self, slot: int) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        close_work(self._work)
        self._work = None


class Processes:
    """Processes of this machine. One that is killed is noticed at once, by its closed pipe."""

    def __init__(self, size: int, make: Make):
        self.size, self._make = size, make
        self._context = get_context("spawn")
        self._links: dict[int, connection.Connection] = {}
        self._running: dict[int, Any] = {}

    def open(self) -> None:
        for slot in range(self.size):
            self.replace(slot)

    def replace(self, slot: int) -> None:
        self._end([slot])
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._make, slot), daemon=False)
        process.start()
        theirs.close()
        self._links[slot], self._running[slot] = ours, process

    def give(self, slot: int, words: tuple) -> None:
        with contextlib.suppress(OSError):  # of a dead one; `wait` tells
            self._links[slot].send(words)

    def wait(self, seconds: float) -> list[Event]:
        slots = {link: slot for slot, link in self._links.items()}
        if not slots:
            time.sleep(seconds)
        ready = connection.wait(list(slots), seconds)
        return [self._event(slots[link]) for link in ready]  # type: ignore[index]

    def close(self) -> None:
        self._end(list(self._links))

    def _event(self, slot: int) -> Event:
        try:
            event: Event = self._links[slot].recv()
        except (EOFError, OSError):
            self._links.pop(slot).close()
            self._running[slot].join(LEAVE)
            code = self._running[slot].exitcode
            how = signal.Signals(-code).name if code and code < 0 else f"status {code}"
            return Event("died", slot, Fault("lost", f"the worker process ended ({how})"))
        if event.kind == "died":
            self._links.pop(slot).close()
        return event

    def _end(self, slots: list[int]) -> None:
        """Ends these processes: they are asked to, then killed."""
        ending = [self._running.pop(slot) for slot in slots if slot in self._running]
        for slot in slots:
            if slot in self._links:
                self._links.pop(slot).close()
        for process in ending:
            process.terminate()
        end = time.monotonic() + LEAVE
        for process in ending:
            process.join(max(0.0, end - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def serve(link: connection.Connection, make: Make, slot: int) -> None:
    """What a worker process does until its parent ends it, or ends itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the driver, which ends this one
    threading.Thread(target=leave_with_parent, daemon=True).start()
    work = None
    try:
        signal.signal(signal.SIGTERM, leave)
        try:
            work = make(slot)
        except Exception as error:
            link.send(Event("died", slot, fault_of(error)))
            return
        link.send(Event("ready", slot, name_of(work, slot)))
        while True:
            event = answer(work, slot, link.recv())
            link.send(event)
            if event.kind == "died":
                return
    except (EOFError, OSError, SystemExit):
        return
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing may break into the closing
        close_work(work)


def leave(*_: object) -> None:
    """What SIGTERM does: the worker is closed as at its end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)


def leave_with_parent() -> None:
    """Ends this process when its parent has ended, also a killed one."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LEAVE)
        os._exit(1)


class Threads:
    """A thread for each slot, for work that waits for other machines."""

    def __init__(self, size: int, make: Make):
        self.size, self._make = size, make
        self._events: queue.Queue[Event] = queue.Queue()
        self._todo: dict[int, queue.Queue] = {}
        self._works: dict[int, Callable] = {}

    def open(self) -> None:
        for slot in range(self.size):
            self.replace(slot)

    def replace(self, slot: int) -> None:
        self._todo[slot] = queue.Queue()
        words = (slot, self._todo[slot])
        threading.Thread(target=self._serve, args=words, daemon=True).start()

    def give(self, slot: int, words: tuple) -> None:
        self._todo[slot].put(words)

    def wait(self, seconds: float) -> list[Event]:
        events = []
        with contextlib.suppress(queue.Empty):
            events.append(self._events.get(timeout=seconds))
            while True:
                events.append(self._events.get_nowait())
        return events

    def close(self) -> None:
        for todo in self._todo.values():
            todo.put(None)
        for work in self._works.values():
            close_work(work)

    def _serve(self, slot: int, todo: queue.Queue) -> None:
        try:
            work = self._make(slot)
        except Exception as error:
            self._events.put(Event("died", slot, fault_of(error)))
            return
        self._works[slot] = work
        self._events.put(Event("ready", slot, name_of(work, slot)))
        while (words := todo.get()) is not None:
            event = answer(work, slot, words)
            self._events.put(event)
            if event.kind == "died":
                return
