"""What every node shares: its category, errors that name it, and progress that cancels."""

import dataclasses
import functools

from comfy_api.latest import io

from ..amodal.core.errors import BadInput

CATEGORY = "amodal completion"
LOOP_CATEGORY = f"{CATEGORY}/loop"


def aliases(*words: str) -> dict:
    """Other words to find a node by, as arguments of io.Schema; none where the host has no such."""
    known = {field.name for field in dataclasses.fields(io.Schema)}
    return {"search_aliases": [*words]} if "search_aliases" in known else {}


def names_itself(execute):
    """Decorate `execute` (under @classmethod): a BadInput leaves with the node's display name."""

    @functools.wraps(execute)
    def wrapped(cls, **inputs):
        try:
            return execute(cls, **inputs)
        except BadInput as error:
            raise error.at(cls.define_schema().display_name) from None

    return wrapped


def progress(total: int):
    """A progress bar of the host with `total` steps; its `update(1)` raises when cancelled."""
    import comfy.model_management
    import comfy.utils

    class Bar(comfy.utils.ProgressBar):
        def update(self, value):
            comfy.model_management.throw_exception_if_processing_interrupted()
            super().update(value)

    return Bar(total)
