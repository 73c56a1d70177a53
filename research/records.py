"""Runs tasks on the batch's engine. Each record is a line of JSON, so interrupted runs resume."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path

from amodal.batch import crews, lines
from amodal.batch.engine import Crew, Engine, Outcome, Task
from amodal.core.text import encodable

read = lines.read


def complete(todo: dict[str, tuple], work: Callable, path: Path, workers: int, title: str) -> dict:
    """{key: record} of `todo`, in its order. Runs work(*words) for keys that the file lacks.

    todo: key -> words, all plain values. A task that fails is printed and has no record; the next
    run tries it again. workers: number of processes; 0 runs everything in this process.

    Raises BadInput if another process completes the same file.
    """
    from tqdm import tqdm

    with lines.alone_with(path):
        made = {key: record for key, record in lines.repaired(path).items() if key in todo}
        left = [Task(key, words) for key, words in todo.items() if key not in made]
        if not left:
            return in_order(todo, made)
        bar = tqdm(total=len(left), desc=title)
        with contextlib.closing(lines.Appender(path)) as file, bar:
            for outcomes in Engine(functools.partial(crew, work, workers)).run(left):
                records = [record for record in map(record_of, outcomes) if record is not None]
                file.add(records)
                made |= {record["key"]: record for record in records}
                bar.update(len(outcomes))
    return in_order(todo, made)


def crew(work: Callable, workers: int) -> Crew:
    """Workers that call `work`: this process for 0, else so many processes of one thread each."""
    if not workers:
        return crews.Here(lambda slot: work)
    return crews.Processes(workers, functools.partial(prepared, work))


def prepared(work: Callable, slot: int) -> Callable:
    """The function, in a worker process of its own."""
    import torch

    torch.set_num_threads(1)
    return work


def record_of(outcome: Outcome) -> dict | None:
    """The record of a task; of one that failed a printed line."""
    if outcome.fault:
        print(encodable(f"{outcome.task.key}: {outcome.fault.message}"), flush=True)
        return None
    return {"key": outcome.task.key, **outcome.result}


def in_order(todo: dict, made: dict) -> dict:
    return {key: made[key] for key in todo if key in made}
