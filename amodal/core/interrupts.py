"""Cancelling: long loops call `check`, and functions that call libraries are `cancellable`.

The host's own check is set once, by `nodes/common.py`. Without a host, nothing is ever cancelled.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])
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
    check()
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
            thread.join(EVERY)
            check()
    except BaseException:
        given_up.set()
        raise
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


def asks(function: Function) -> Function:
    """Decorates a short function of which loops are made: each call is a `check`."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        check()
        return function(*args, **options)

    return wrapped  # type: ignore[return-value]


def cancellable(function: Function) -> Function:
    """Decorates a function, so that its calls are `waited_for`."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        return waited_for(functools.partial(function, *args, **options))

    return wrapped  # type: ignore[return-value]
