"""Workers as Ray actors, on this machine or on a cluster.

Every node must see this folder and the places of pictures and results at the same addresses. An
actor gets the addresses only; it reads and writes the pictures itself.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path
from typing import Any

from ..core.errors import BadInput
from .crews import Make, answer, close_work, name_of
from .engine import Event
from .faults import Fault, fault_of

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
CLUSTERS = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0, before the import: Ray keeps to loopback
QUIET = {  # no reports to Ray's makers, no dashboard
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LEAVE = 5.0  # seconds that an actor has to end its ComfyUI


def ray_module() -> Any:
    """Ray, with its usage reports off. Raises BadInput without the package."""
    os.environ.update(QUIET)
    try:
        import ray
    except ImportError:
        raise BadInput(
            "ray",
            "needs the package ray",
            "pip install ray, or leave --ray out: --workers N runs N processes without it",
        ) from None
    return ray


def connect(address: str, cpus: float) -> Any:
    """Ray, connected to the cluster at `address`.

    "auto" is the one that runs on this machine, or, without one, the same as "local": one of at
    least these CPUs is started that listens on loopback only and ends with this process.

    Raises BadInput if nothing answers at the address.
    """
    if address == "auto" and not runs_here():
        address = "local"
    if address == "local":
        os.environ[CLUSTERS] = "0"
    ray = ray_module()
    if ray.is_initialized():
        return ray
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        enough = max(os.cpu_count() or 1, math.ceil(cpus))
        common |= {"num_cpus": enough, "include_dashboard": False, "_node_ip_address": LOOPBACK}
    try:
        ray.init(address=address, **common)
    except (ConnectionError, ValueError) as error:
        remedy = "check the address, or give --ray local, which starts one"
        raise BadInput("ray", f"has no cluster at {address} ({error})", remedy) from None
    return ray


def runs_here() -> bool:
    """Has somebody started Ray on this machine (`ray start`), or named a cluster?"""
    folder = Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray"
    return bool(os.environ.get("RAY_ADDRESS")) or (folder / "ray_current_cluster").exists()


class Actor:
    """What runs in a Ray actor: one worker, made once."""

    def __init__(self, make: Make, slot: int):
        self._slot = slot
        self._work: Any = None
        self._make = make

    def begin(self) -> Event:
        """Makes the worker; the event "ready", or "died" with what went wrong."""
        try:
            self._work = self._make(self._slot)
        except Exception as error:
            return Event("died", self._slot, fault_of(error))
        return Event("ready", self._slot, name_of(self._work, self._slot))

    def run(self, words: tuple) -> Event:
        return answer(self._work, self._slot, words)

    def end(self) -> None:
        close_work(self._work)


class RayActors:
    """An actor for each slot.

    gpus, cpus: how many each one needs; None: one GPU if the cluster has any.
    """

    def __init__(
        self,
        size: int,
        make: Make,
        address: str = "auto",
        gpus: float | None = None,
        cpus: float = 1.0,
    ):
        self.size, self._make = size, make
        self._ray = connect(address, size * cpus)
        if gpus is None:
            gpus = 1.0 if self._ray.cluster_resources().get("GPU") else 0.0
        self._needs = {"num_cpus": cpus, "num_gpus": gpus}
        self._actors: dict[int, Any] = {}
        self._waiting: dict[Any, int] = {}  # reference -> slot

    def open(self) -> None:
        for slot in range(self.size):
            self.replace(slot)

    def replace(self, slot: int) -> None:
        self._end([slot])
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        variables = {name: os.environ[name] for name in os.environ if name.startswith("AMODAL_")}
        settings = {"env_vars": {**variables, "PYTHONPATH": paths}}
        actor = self._ray.remote(Actor).options(
            **self._needs, max_restarts=0, runtime_env=settings, scheduling_strategy="SPREAD"
        )
        self._actors[slot] = actor.remote(self._make, slot)
        self._waiting[self._actors[slot].begin.remote()] = slot

    def give(self, slot: int, words: tuple) -> None:
        self._waiting[self._actors[slot].run.remote(words)] = slot

    def wait(self, seconds: float) -> list[Event]:
        if not self._waiting:
            time.sleep(seconds)
            return []
        every = list(self._waiting)
        ready, _ = self._ray.wait(every, num_returns=1, timeout=seconds)
        if ready:  # and whatever else has come meanwhile
            ready, _ = self._ray.wait(every, num_returns=len(every), timeout=0)
        slots = [self._waiting.pop(reference) for reference in ready]
        try:
            return list(self._ray.get(ready))  # one call for all is quicker
        except self._ray.exceptions.RayError:
            return [self._event(*pair) for pair in zip(ready, slots)]

    def close(self) -> None:
        self._end(list(self._actors))
        self._waiting.clear()

    def _event(self, reference: Any, slot: int) -> Event:
        try:
            event: Event = self._ray.get(reference)
            return event
        except self._ray.exceptions.RayActorError as error:
            why = " ".join(str(error).split())[:300]
            return Event("died", slot, Fault("lost", f"the actor died: {why}"))
        except self._ray.exceptions.RayError as error:  # such as a lost object or no memory
            return Event("died", slot, Fault("lost", f"Ray: {' '.join(str(error).split())[:300]}"))

    def _end(self, slots: list[int]) -> None:
        """Ends these actors: they are asked to, then killed."""
        actors = [self._actors.pop(slot) for slot in slots if slot in self._actors]
        with contextlib.suppress(Exception):
            ends = [actor.end.remote() for actor in actors]
            self._ray.wait(ends, num_returns=len(ends), timeout=LEAVE)
        for actor in actors:
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._waiting = {ref: slot for ref, slot in self._waiting.items() if slot not in slots}
