"""Shared by every node: its category, search words, and errors that name it."""

import dataclasses
import functools

import comfy.model_management
from comfy_api.latest import io

from ..amodal.core import interrupts
from ..amodal.core.errors import BadInput
from . import door

interrupts.ask_with(comfy.model_management.throw_exception_if_processing_interrupted)
CATEGORY = "amodal completion"
LOOP_CATEGORY = f"{CATEGORY}/loop"


def aliases(*words: str) -> dict:
    """Search words of a node as an argument of io.Schema; empty if the host does not know them."""
    known = {field.name for field in dataclasses.fields(io.Schema)}
    return {"search_aliases": [*words]} if "search_aliases" in known else {}


def names_itself(execute):
    """Decorates `execute` (below @classmethod): checks its inputs against the node's schema, and
    adds the node's display name to a BadInput."""

    @functools.wraps(execute)
    def wrapped(cls, **inputs):
        try:
            return execute(cls, **door.checked(cls, inputs))
        except BadInput as error:
            raise error.at(cls.define_schema().display_name) from None

    return wrapped
