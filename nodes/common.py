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
    return known_to_host(search_aliases=[*words])


def shows_results() -> dict:
    """An argument of io.Schema for a node that shows its results, and is no output node.

    A host that knows it sends what the node shows again where the node's results are cached.
    """
    return known_to_host(has_intermediate_output=True)


def known_to_host(**options) -> dict:
    """Those of the arguments of io.Schema that this host has."""
    known = {field.name for field in dataclasses.fields(io.Schema)}
    return {name: value for name, value in options.items() if name in known}


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
