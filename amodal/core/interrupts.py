"""Cancelling: long loops call `check`, and long calls into libraries go through `waited_for`.

The host's own check is set once, by `nodes/common.py`. Without a host, nothing is ever cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")
EVERY = 0.1  # seconds between two checks while a library computes
_asked: list[Callable[[], None]] = []
_here = threading.local()  # given_up: an Event, in the threads of `waited_for`


class GivenUp(RuntimeError):
    """Ends a thread of `waited_for` whose result nobody waits for."""


def ask_with(host_check: Callable[[], None]) -> None:
    """Makes `check` call this function, which raises the host's exception once it has cancelled."""
    _asked[:] = [host_check]


def check() -> None:
    """Raises the host's exception if the user has cancelled the run."""
    given_up = getattr(_here, "given_up", None)
    if given_up is None:
        for host_check in _asked:
            host_check()
    elif given_up.is_set():  # the host's check would clear a later cancellation
        raise GivenUp


def waited_for(call: Callable[[], Result]) -> Result:
    """The result of a call that may take long without a check, made in a thread of its own.

    If the user cancels, the host's exception is raised at once. The thread ends at its next check,
    or when its library does. So `call` must not change anything that others see.
    """
    outcome: dict[str, Any] = {}
    given_up = threading.Event()
    without_gradients = torch.is_inference_mode_enabled()  # a mode of each thread

    def work() -> None:
        _here.given_up = given_up
        try:
            with torch.inference_mode(without_gradients):
                outcome["result"] = call()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=work)  # a daemon in a library would crash Python's exit
    thread.start()
    try:
        while thread.is_alive():
            check()
            thread.join(EVERY)
    except BaseException:
        given_up.set()
        raise
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]
