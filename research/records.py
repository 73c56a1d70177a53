"""Runs tasks in worker processes. Each record is a line of JSON, so interrupted runs resume."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path

from amodal.core.errors import BadInput
from amodal.core.text import encodable, write_text

from .dataset import locks


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

    Raises BadInput if another process completes the same file.
    """
    from tqdm import tqdm

    path.parent.mkdir(parents=True, exist_ok=True)
    with alone_with(path):
        made = {key: record for key, record in repaired(path).items() if key in todo}
        left = [key for key in todo if key not in made]
        if not left:
            return in_order(todo, made)
        with open(path, "a", encoding="utf-8") as file, tqdm(total=len(left), desc=title) as bar:
            for key, record in each(left, todo, work, workers):
                if record is not None:
                    made[key] = {"key": key, **record}
                    file.write(json.dumps(made[key]) + "\n")
                    file.flush()
                bar.update()
    return in_order(todo, made)


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Holds a file of records. Raises BadInput if another process does.

    The lock is a file of its own, because a repair replaces the records' file. It ends with the
    process.
    """
    with open(path.with_suffix(".lock"), "ab") as lock:
        try:
            locks.hold(lock)
        except OSError:
            raise BadInput(
                "out",
                f"{path.parent} is in use: another process writes {path.name} there",
                "wait until it is done, or choose another folder",
            ) from None
        yield


def repaired(path: Path) -> dict[str, dict]:
    """The records of a file by their keys, the first of each.

    Lines that were cut short or damaged, doubled lines and lines without a key are removed from the
    file.
    """
    found: dict[str, dict] = {}
    for record in read(path):
        if isinstance(record.get("key"), str):
            found.setdefault(record["key"], record)
    text = "".join(json.dumps(record) + "\n" for record in found.values())
    if path.exists() and path.read_bytes() != text.encode():
        whole = path.with_suffix(".whole")
        write_text(whole, text)
        whole.replace(path)
    return found


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
