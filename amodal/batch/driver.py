"""Runs a batch: what is not done yet goes to the workers, and what comes back to the journal.

The same call goes on where a killed one stopped. A worker that finds the item's result at DEST
returns it, so what was finished but not yet written down is not done twice either.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import journal, manifest
from .engine import Crew, Engine, Lighter, Outcome, Task
from .faults import DiskFull
from .items import Item, Keys
from .places import Place
from .report import FAILED, KINDS, Progress, Tally
from .source import Source
from .worst import Worst

if TYPE_CHECKING:
    from .finished import Finished

FLUSH = 1.0  # seconds between two writings of a bucket's journal


@dataclass
class Batch:
    """What is to be done, and where its results go.

    crew: makes the workers when there is something to do. A worker's function gets the fields of
    an item, its key, and what was reduced for lack of memory; it returns a record: a dict of plain
    values with "status". Its "of", if over 1, is the number of objects of the picture; then the
    others are done too. again: also the items that were set aside in an earlier run.
    """

    dest: Place
    source: Source
    keys: Keys
    crew: Callable[[], Crew]
    lighter: Lighter = lambda words: None
    again: bool = False
    quiet: bool = False
    tally: Tally = field(default_factory=Tally)
    worst: Worst = field(default_factory=Worst)
    done_here: int = 0  # items of this run
    replaced: int = 0  # workers of this run

    def run(self) -> None:
        """Raises BadInput if another driver is at work in DEST; DiskFull and NoWorkers."""
        with journal.alone_with(self.dest) as lease:
            if self.again:
                self._forget_failed()
            finished = self._earlier()
            book = journal.Journal(self.dest)
            writer = Writer(self, book)
            progress = Progress(max(self.source.count(), self.tally.total), self.quiet)
            try:
                self._work(finished, writer, progress, lease)
            finally:
                progress.end()
                book.close()
            for number in journal.segments(self.dest)[-1:]:
                manifest.compact(self.dest, number)

    def _work(
        self,
        finished: Finished,
        writer: Writer,
        progress: Progress,
        lease: journal.Lease | None,
    ) -> None:
        engine = Engine(self.crew, self.lighter)
        rounds = engine.run(self._tasks(finished))
        try:
            for outcomes in rounds:
                records = [record_of(outcome) for outcome in outcomes]
                writer.add(records)
                for outcome, record in zip(outcomes, records):
                    others = list(self._others(outcome, record, finished))
                    progress.total += len(others)
                    for task in others:
                        engine.add(task)
                self.replaced = engine.deaths
                progress(self.tally, self.done_here)
                if lease:
                    lease.renew()
        finally:
            rounds.close()
            writer.flush()

    def _earlier(self) -> Finished:
        """What earlier runs finished, by their journal; parts of the manifest are caught up."""
        from .finished import Finished  # brings numpy, which other commands do without

        numbers = journal.segments(self.dest)
        if manifest.has_pyarrow():
            for number in numbers[:-1]:
                if not self.dest.has(manifest.part(number)):
                    manifest.compact(self.dest, number)
        finished = Finished()
        for record in manifest.records(self.dest):
            if record["key"] not in finished:
                finished.add(record["key"], int(record.get("of") or 0))
                self.tally.add(record)
                self.worst.add(record)
        return finished

    def _forget_failed(self) -> None:
        changed = journal.forget(self.dest, lambda record: record.get("status") == FAILED)
        for number in changed:
            self.dest.remove(manifest.part(number))

    def _tasks(self, finished: Finished) -> Iterator[Task]:
        """What is not finished. A key is marked when it is given out, so none is given twice."""
        for item in self.source:
            key = self.keys(item)
            of = finished.get(key)
            if of is None:
                finished.add(key)
                yield task_of(item, key)
            elif item.index == 0:
                yield from self._objects(item, of, finished)

    def _objects(self, first: Item, of: int, finished: Finished) -> Iterator[Task]:
        """The unfinished ones of a picture's other objects."""
        for index in range(1, of):
            item = Item(**{**first.words_of(), "index": index})
            key = self.keys(item)
            if key not in finished:
                finished.add(key)
                yield task_of(item, key)

    def _others(self, outcome: Outcome, record: dict, finished: Finished) -> Iterator[Task]:
        item = Item(**outcome.task.words[0])
        if item.index == 0:
            yield from self._objects(item, int(record.get("of") or 0), finished)


class Writer:
    """Takes records to the journal and the manifest, then counts them."""

    def __init__(self, batch: Batch, book: journal.Journal):
        self._batch, self._book = batch, book
        self._waiting: list[dict] = []
        self._written = 0.0

    def add(self, records: list[dict]) -> None:
        self._waiting += records
        every = 0.0 if self._batch.dest.is_local else FLUSH
        if time.monotonic() - self._written >= every:
            self.flush()

    def flush(self) -> None:
        """Raises DiskFull if DEST takes nothing more; then the records are not counted."""
        if not self._waiting:
            return
        records, self._waiting = self._waiting, []
        try:
            full = self._book.add(records)
        except OSError as error:
            raise DiskFull(f"the journal cannot be written: {error}") from error
        self._written = time.monotonic()
        for record in records:
            self._batch.tally.add(record)
            self._batch.worst.add(record)
        self._batch.done_here += len(records)
        for number in full:
            manifest.compact(self._batch.dest, number)


def task_of(item: Item, key: str) -> Task:
    return Task(key, (item.words_of(), key, {}))


def record_of(outcome: Outcome) -> dict[str, Any]:
    """The journal's record of an outcome."""
    task, item = outcome.task, Item(**outcome.task.words[0])
    record: dict[str, Any] = {
        "key": task.key,
        "source": item.source,
        "object": item.object,
        "seed": item.seed,
    }
    if outcome.fault:
        reason = KINDS.get(outcome.fault.kind, outcome.fault.kind)
        record |= {"status": FAILED, "reason": reason, "error": outcome.fault.message}
    else:
        record |= outcome.result
    record |= {"worker": outcome.worker, "tries": task.tries or None}
    record |= {"reduced": task.lighter or None, "time": round(time.time(), 3)}
    return {name: value for name, value in record.items() if value is not None}
