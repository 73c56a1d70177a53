"""One check of every input against its node's own schema: type, range, finiteness and menu.

ComfyUI checks the widgets of a workflow, but no value that comes over a link, no menu of a node in
an expanded graph, and no NaN.
"""

import inspect
import math
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

import torch
from comfy_api.latest import io

from ..amodal.core import types as payloads
from ..amodal.core.errors import BadInput
from ..amodal.core.text import encodable
from . import types

PAYLOADS = {  # own socket type -> the dataclass of its payload
    types.Objects.io_type: payloads.Objects,
    types.Canvas.io_type: payloads.Canvas,
    types.Crop.io_type: payloads.Crop,
    types.Padding.io_type: payloads.Padding,
    types.Occlusion.io_type: payloads.OcclusionReport,
    types.Loop.io_type: payloads.LoopHandle,
}
METHODS = {types.Segmenter.io_type: "detect", types.OrderModel.io_type: "order"}
SHOWN = 60  # characters of a wrong value in an error
CHOICES_SHOWN = 12


def checked(node: type[io.ComfyNode], inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a node's `execute`, whole floats of integer inputs as integers,
    and lone surrogates in texts as escapes.

    Raises BadInput for the first one that does not fit the node's schema.
    """
    schema = node.define_schema()
    own_menus = inspect.signature(node.validate_inputs).parameters  # of files: it checks them
    result = dict(inputs)
    for socket in schema.inputs:
        value = inputs.get(socket.id)
        if value is None or (isinstance(socket, io.Combo.Input) and socket.id in own_menus):
            continue
        if schema.is_input_list:
            result[socket.id] = [fitted(socket, item) for item in listed(socket.id, value)]
        else:
            result[socket.id] = fitted(socket, value)
    return result


def listed(name: str, value: Any) -> list:
    """A list input. Raises BadInput for anything else."""
    if not isinstance(value, list):
        raise BadInput(name, f"is a {type(value).__name__}", "connect a list")
    return value


def fitted(socket: Any, value: Any) -> Any:
    """The value, if it fits the socket. Raises BadInput otherwise."""
    if isinstance(socket, io.Int.Input | io.Float.Input):
        return number(socket, value)
    if isinstance(socket, io.Boolean.Input):
        require(isinstance(value, bool | Integral), socket, value, "a truth value")
    elif isinstance(socket, io.String.Input):
        require(isinstance(value, str), socket, value, "a text")
        return encodable(value)
    elif isinstance(socket, io.Combo.Input):
        choices = [str(choice) for choice in socket.options or []]
        more = ", ..." if len(choices) > CHOICES_SHOWN else ""
        menu = f"one of {', '.join(choices[:CHOICES_SHOWN])}{more}"
        require(value in choices, socket, value, menu)
    elif isinstance(socket, io.Image.Input | io.Mask.Input):
        kind = "a picture" if isinstance(socket, io.Image.Input) else "a mask"
        require(isinstance(value, torch.Tensor), socket, value, kind)
    elif not is_payload(socket.get_io_type(), value):
        raise BadInput(
            socket.id,
            f"is a {type(value).__name__}, which is not {socket.get_io_type()}",
            "connect an output of this type",
        )
    return value


def number(socket: Any, value: Any) -> Any:
    """A number in the socket's range, an int for an integer socket. Raises BadInput."""
    whole = isinstance(socket, io.Int.Input)
    low, high = socket.min, socket.max
    wanted = f"{'a whole' if whole else 'a'} number"
    if low is not None and high is not None:
        wanted += f" from {low} to {high}"
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    is_finite = is_number and (isinstance(value, Integral) or math.isfinite(value))
    require(is_finite, socket, value, wanted)
    require(not whole or value == int(value), socket, value, wanted)
    fits = (low is None or value >= low) and (high is None or value <= high)
    require(fits, socket, value, wanted)
    return int(value) if whole else value


def require(holds: bool, socket: Any, value: Any, wanted: str) -> None:
    """Raises BadInput that shows the value and what is wanted, unless it holds."""
    if not holds:
        raise BadInput(socket.id, f"is {shown(value)}", f"give {wanted}")


def shown(value: Any) -> str:
    """A wrong value in an error, in ASCII, or its type if it is no plain value."""
    short = isinstance(value, int) and value.bit_length() < 256
    if value is None or short or isinstance(value, str | float):
        return ascii(value)[:SHOWN]
    return f"of the type {type(value).__name__}"


def is_payload(kind: str, value: Any) -> bool:
    """Has the value what nodes use of this socket type? Types of the host are not checked."""
    if kind in PAYLOADS:
        return all(hasattr(value, field.name) for field in fields(PAYLOADS[kind]))
    if kind in METHODS:
        return callable(getattr(value, METHODS[kind], None))
    if kind == types.Order.io_type:
        return isinstance(value, torch.Tensor) and value.ndim == 2
    return True
