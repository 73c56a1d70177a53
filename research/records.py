"""Runs tasks in worker processes. Each record is a line of JSON, so interrupted runs resume."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path

from amodal.core.text import encodable


def read(path: Path) -> list[dict]:
    """Records of earlier runs, without lines that were cut short or damaged."""
    records = []
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict):
                records.append(record)
    return records


def complete(todo: dict[str, tuple], work: Callable, path: Path, workers: int, title: str) -> dict:
    """{key: record} of `todo`, in its order. Runs work(*words) for keys that the file lacks.

    todo: key -> words, all plain values. A task that fails is printed and has no record; the next
    run tries it again. workers: number of processes; 0 runs everything in this process.
    """
    from tqdm import tqdm

    path.parent.mkdir(parents=True, exist_ok=True)
    made = {record["key"]: record for record in read(path) if record["key"] in todo}
    left = [key for key in todo if key not in made]
    if not left:
        return in_order(todo, made)
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n")  # ends a line that was cut short
    with open(path, "a", encoding="utf-8") as file, tqdm(total=len(left), desc=title) as bar:
        for key, record in each(left, todo, work, workers):
            if record is not None:
                made[key] = {"key": key, **record}
                file.write(json.dumps(made[key]) + "\n")
                file.flush()
            bar.update()
    return in_order(todo, made)


def in_order(todo: dict, made: dict) -> dict:
    return {key: made[key] for key in todo if key in made}


def each(keys: list[str], todo: dict[str, tuple], work: Callable, workers: int):
    """(key, record or None) in the order in which tasks finish."""
    if not workers:
        for key in keys:
            yield key, done(key, lambda key=key: work(*todo[key]))
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=prepare) as pool:
        futures = {pool.submit(work, *todo[key]): key for key in keys}
        try:
            for future in as_completed(futures):
                yield futures[future], done(futures[future], future.result)
        finally:
            pool.shutdown(cancel_futures=True)  # an interrupted run does not wait for the rest


def prepare() -> None:
    """Sets a worker up: one thread, and it exits if the parent process is killed."""
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=leave_with_parent, daemon=True).start()


def leave_with_parent() -> None:
    parent_process().join()
    os._exit(1)


def done(key: str, result: Callable) -> dict | None:
    try:
        return result()
    except BrokenProcessPool:
        raise SystemExit(
            "a worker died, perhaps for lack of memory; run again with fewer --workers to resume"
        ) from None
    except Exception as error:  # the evaluation goes on without this one
        print(encodable(f"{key}: {type(error).__name__}: {error}"), flush=True)
        return None
