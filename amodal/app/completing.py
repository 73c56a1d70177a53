"""A worker of the batch: it completes one item after the other in a warm ComfyUI."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..batch.faults import OutOfMemory, WorkerLost
from ..batch.items import Item
from ..batch.places import Folder, place_of
from ..batch.results import Results
from ..core.errors import BadInput
from . import headless, host, outcomes, pictures, template
from .client import Client
from .run import Event, RunError

NO_MEMORY = re.compile(
    r"OutOfMemory|out of memory|Allocation on device|MemoryError|can't allocate memory", re.I
)
ANSWERS_WITHIN = 60.0  # seconds that a server may be away until its worker counts as lost


@dataclass(frozen=True)
class Job:
    """What all items of a batch share; plain values, so that it travels to every worker.

    dest: address of the results. workflow: prompt in API format. name: the workflow's. seeds: how
    many of each item, at once if the workflow can. best: keep only the best by score.
    """

    dest: str
    workflow: dict
    name: str
    seed: int = 0
    seeds: int = 1
    best: bool = False
    prompt: str | None = None
    occluders: str | None = None

    @property
    def at_once(self) -> int:
        """How many seeds one run of the workflow makes."""
        return self.seeds if template.counter(self.workflow) else 1


class Completer:
    """Completes items. Starts a ComfyUI of its own, or uses the one at `url`.

    environment: variables for its own ComfyUI. Raises HostError or WorkerLost if there is none.
    """

    def __init__(self, job: Job, url: str = "", environment: dict[str, str] | None = None):
        self._job, self._dest = job, place_of(job.dest)
        self._host: host.Host | None = None
        self._running = ""  # id of the prompt in ComfyUI
        if not url:
            self._host = host.Host(environment=environment)
            self._host.__enter__()
            url = self._host.url
        self._client = Client(url)
        self.name = f"{socket.gethostname()} {self._client.url}"
        self._wait_until_it_answers()

    def __call__(self, words: dict, key: str, less: dict) -> dict:
        """The record of an item, whose files are at DEST by then.

        words: fields of the item. less: what is reduced for lack of memory, see `lighter`.

        Raises BadInput, OutOfMemory, WorkerLost and OSError.
        """
        item = Item(**words)
        kept = Results(self._dest, item, key)
        earlier = kept.earlier()
        if earlier:
            return earlier
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="amodal-item-") as temporary:
            out = Path(temporary) / "out"
            try:
                results = self._run(item, self._prompts(item, Path(temporary), less), out)
            except RunError as error:
                results = [self._of_failure(error)]
            record = outcomes.record_of(results, self._job.best)
            record["seconds"] = round(time.monotonic() - began, 3)
            files = outcomes.kept_files(out, results, self._job.best)
            content = {name: path.read_bytes() for name, path in files.items()}
        record = kept.keep(content, record, results)
        self._tidy()
        return record

    def close(self) -> None:
        """Cancels what runs; ends the ComfyUI if it is this worker's own."""
        if self._host:
            self._host.stop()
        elif self._running:
            with contextlib.suppress(RunError):
                self._client.cancel(self._running)

    def _prompts(self, item: Item, temporary: Path, less: dict) -> list[dict]:
        """The prompts to run, one for each group of seeds."""
        place = place_of(item.place)
        picture = self._uploaded(place, "picture", item.name, temporary)
        mask = None
        if item.mask:
            local = self._local(place, item.mask, temporary / "mask")
            pictures.mask_picture(local).save(temporary / "mask.png")
            mask = self._client.upload(temporary / "mask.png")
        job = self._job
        first = job.seed if item.seed is None else item.seed
        at_once = int(less.get("at_once", job.at_once))
        groups = [
            (first + begin, min(at_once, job.seeds - begin))
            for begin in range(0, job.seeds, at_once)
        ]
        workflow = template.smaller(job.workflow) if less.get("smaller") else job.workflow
        return [
            template.filled(
                workflow,
                picture,
                mask=mask,
                point=item.point,
                words=item.words,
                index=item.index,
                occluders=job.occluders,
                text=job.prompt if item.prompt is None else item.prompt,
                seed=seed,
                count=count,
            )
            for seed, count in groups
        ]

    def _uploaded(self, place: Any, what: str, name: str, temporary: Path) -> str:
        local = self._local(place, name, temporary / what)
        pictures.loaded(what, local)
        return self._client.upload(local)

    def _local(self, place: Any, name: str, folder: Path) -> Path:
        """A local file with the content of a picture. Raises BadInput if there is none."""
        if isinstance(place, Folder):
            return place.at(name)
        folder.mkdir(exist_ok=True)
        path = folder / PurePosixPath(name).name
        try:
            path.write_bytes(place.read(name))
        except FileNotFoundError:
            raise BadInput("picture", f"{name} is not there", "check the address") from None
        return path

    def _run(self, item: Item, prompts: list[dict], out: Path) -> list[dict]:
        """The results of the prompts, whose files are in out/1, out/2, ..."""
        results = []
        for number, prompt in enumerate(prompts, start=1):
            seed = template.seed_of(prompt)
            about = {"picture": item.source, "workflow": self._job.name, "seed": seed}
            place = out / str(number)
            completion = headless.complete(self._client, prompt, place, about, self._note)
            results.append(completion.result)
        return results

    def _note(self, event: Event) -> None:
        self._running = str(event.data.get("prompt_id", ""))

    def _of_failure(self, error: RunError) -> dict:
        """The result of a run in which the object was not found. Raises all other failures."""
        text = f"{error.node}: {error}" if error.node else str(error)
        if NO_MEMORY.search(f"{error.kind} {error}"):
            raise OutOfMemory(text) from error
        # a host that ends may look as one that hangs up on too large a picture
        is_gone = not error.node and not host.answers(self._client.url)
        if is_gone or not error.kind:
            tail = f"; its log ends: {self._host.log_tail(3)}" if self._host else ""
            raise WorkerLost(f"{text}{tail}") from error
        if template.is_pick(self._job.workflow, error.node) and error.is_bad_input:
            return {"status": "not found", "statuses": [], "messages": [text], "files": []}
        if error.is_bad_input:
            raise BadInput("workflow", f"failed at {text}", "see the message") from error
        raise RuntimeError(text) from error

    def _tidy(self) -> None:
        """Removes what this worker's own ComfyUI has kept of pictures, which adds up."""
        if self._host:
            for name in ("output", "temp", "input/amodal"):
                shutil.rmtree(self._host.base / name, ignore_errors=True)
                (self._host.base / name).mkdir(parents=True, exist_ok=True)

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + ANSWERS_WITHIN
        while not host.answers(self._client.url):
            if time.monotonic() > end:
                raise WorkerLost(f"No ComfyUI answers at {self._client.url}")
            time.sleep(0.5)


def lighter(job: Job, words: tuple) -> tuple[tuple, str] | None:
    """The item with less need of memory: fewer seeds at once, then a smaller crop, then None."""
    item, key, less = words
    at_once = int(less.get("at_once", job.at_once))
    if at_once > 1:
        less = {**less, "at_once": at_once // 2}
        return (item, key, less), f"{at_once // 2} seeds at once"
    if not less.get("smaller") and template.smaller(job.workflow) != job.workflow:
        return (item, key, {**less, "smaller": True}), "smaller crop"
    return None


def at_server(job: Job, urls: list[str], slot: int) -> Completer:
    return Completer(job, urls[slot])


def of_its_own(job: Job, environments: list[dict[str, str]], slot: int) -> Completer:
    return Completer(job, environment=environments[slot % len(environments)])


def maker(job: Job, urls: list[str], environments: list[dict[str, str]]) -> Any:
    """The function that makes the worker in a slot, at a server or with a ComfyUI of its own."""
    if urls:
        return functools.partial(at_server, job, urls)
    return functools.partial(of_its_own, job, environments)
