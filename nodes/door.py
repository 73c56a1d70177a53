"""One check of every input against its node's own schema: type, range, finiteness and menu.

ComfyUI checks the widgets of a workflow, but no value that comes over a link, no menu of a node in
an expanded graph, and no NaN. Pictures, masks and latents become float32, and flat masks [H, W] and
pictures [H, W, C] batches of one, so that every node treats them alike.
"""

import inspect
import math
from dataclasses import fields, is_dataclass, replace
from numbers import Integral, Real
from typing import Any

import torch
from comfy_api.latest import io

from ..amodal.core import types as payloads
from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.core.text import encodable
from . import soundness, types

PAYLOADS = {  # own socket type -> the dataclass of its payload
    types.Objects.io_type: payloads.Objects,
    types.Canvas.io_type: payloads.Canvas,
    types.Crop.io_type: payloads.Crop,
    types.Padding.io_type: payloads.Padding,
    types.Occlusion.io_type: payloads.OcclusionReport,
    types.Loop.io_type: payloads.LoopHandle,
    types.Features.io_type: payloads.Features,
}
NEEDED = {  # socket type -> what nodes use of its objects
    types.Segmenter.io_type: ("detect", "segment"),
    types.OrderModel.io_type: ("order",),
    types.MaskModel.io_type: ("complete",),
    types.ContentModel.io_type: ("fill",),
    io.Model.io_type: ("model", "get_model_object"),
    io.Clip.io_type: ("tokenize",),
    io.Vae.io_type: ("encode", "decode"),
    io.Noise.io_type: ("generate_noise", "seed"),
    io.Sampler.io_type: ("sample",),
    io.Guider.io_type: ("model_patcher", "sample"),
    io.ClipVision.io_type: ("encode_image",),
    "INPAINT_MODEL": ("model", "__call__"),
}
SOUND = {  # socket type -> what is wrong with the contents of its payload
    types.Objects.io_type: soundness.objects,
    types.Canvas.io_type: soundness.canvas,
    types.Crop.io_type: soundness.crop,
    types.Padding.io_type: soundness.padding,
    types.Occlusion.io_type: soundness.occlusion,
    types.Loop.io_type: soundness.loop,
    types.Features.io_type: soundness.features,
    types.Order.io_type: soundness.order,
    io.Latent.io_type: soundness.latent,
}
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
        if value is None:
            if socket.id in inputs and not getattr(socket, "lazy", False):  # those may come later
                require(socket.optional, socket, value, "a value")
                if has_default(node, socket.id):
                    del result[socket.id]
            continue
        if isinstance(socket, io.Combo.Input) and socket.id in own_menus:
            require(isinstance(value, str), socket, value, "a text")
            continue
        if schema.is_input_list:
            result[socket.id] = [fitted(socket, item) for item in listed(socket.id, value)]
        else:
            result[socket.id] = fitted(socket, value)
    return result


def has_default(node: type[io.ComfyNode], name: str) -> bool:
    """Does `execute` have a value of its own for this input?"""
    argument = inspect.signature(node.execute).parameters.get(name)
    return argument is not None and argument.default is not argument.empty


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
        return pixels(socket, value)
    elif not is_payload(socket.get_io_type(), value):
        raise BadInput(
            socket.id,
            f"is a {type(value).__name__}, which is not {socket.get_io_type()}",
            "connect an output of this type",
        )
    else:
        value = exact(socket.id, value)
        problem = problem_of(socket.get_io_type(), value)
        if problem:
            remedy = "connect the output of the node that makes it, unchanged"
            raise BadInput(socket.id, f"is no valid {socket.get_io_type()}: {problem}", remedy)
    return value


def problem_of(kind: str, value: Any) -> str:
    """What is wrong with the contents of a payload, or ""."""
    try:
        return SOUND[kind](value) if kind in SOUND else ""
    except (AttributeError, TypeError, ValueError) as error:  # a field of any type
        return str(error)[:SHOWN]


def pixels(socket: Any, value: Any) -> torch.Tensor:
    """A picture [B, H, W, 3 or 4] or mask [B, H, W], float32 in 0..1 on the CPU.

    Raises BadInput for anything else.
    """
    is_picture = isinstance(socket, io.Image.Input)
    kind = "a picture" if is_picture else "a mask"
    require(isinstance(value, torch.Tensor), socket, value, kind)
    value = plain(socket.id, value)
    if isinstance(socket, types.MasksOrNone) and validate.is_no_mask(value):
        return value.float()
    if isinstance(socket, types.DepthPicture):
        value = validate.stretched(value)
    as_pixels = validate.as_pictures if is_picture else validate.as_masks
    return as_pixels(value, name=socket.id)


def exact(name: str, value: Any, kept: tuple = (torch.float32,)) -> Any:
    """A payload whose tensors are float32; the same object if they are already.

    kept: types of tensors that stay as they are. Fields of the pack's own payloads may be bool.

    Raises BadInput for tensors without numbers in memory.
    """
    if isinstance(value, torch.Tensor):
        value = plain(name, value)
        return value if value.dtype in kept else value.float()
    if isinstance(value, dict):
        held = {key: exact(name, part) for key, part in value.items()}
        return value if all(held[key] is value[key] for key in value) else held
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        own = (torch.float32, torch.bool)
        held = {key: exact(name, part, own) for key, part in parts.items()}
        changed = {key: part for key, part in held.items() if part is not parts[key]}
        return replace(value, **changed) if changed else value
    return value


def plain(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor. Raises BadInput if it is sparse, quantised, complex or has no memory."""
    is_plain = tensor.layout == torch.strided and not tensor.is_quantized
    if not is_plain or tensor.is_complex() or tensor.device.type == "meta":
        kind = "without memory" if tensor.device.type == "meta" else f"of {tensor.dtype}"
        raise BadInput(
            name,
            f"is a tensor {kind} ({tensor.layout})".replace("torch.", ""),
            "look at the node it comes from; give a plain tensor of numbers",
        )
    return tensor.detach() if tensor.requires_grad else tensor


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
    """Has the value what nodes use of this socket type? Other types are not checked here."""
    if kind in PAYLOADS:
        return all(hasattr(value, field.name) for field in fields(PAYLOADS[kind]))
    if kind in NEEDED:
        return all(hasattr(value, name) for name in NEEDED[kind])
    if kind == types.Results.io_type:
        return isinstance(value, list) and all(is_row(row) for row in value)
    if kind == io.Conditioning.io_type:
        return isinstance(value, list) and all(is_condition(part) for part in value)
    if kind == "SEGS":  # of the Impact Pack: (size, segments)
        is_pair = isinstance(value, tuple | list) and len(value) == 2
        return is_pair and isinstance(value[1], tuple | list)
    if kind in (io.Sigmas.io_type, types.Order.io_type):
        return isinstance(value, torch.Tensor)
    if kind == io.Latent.io_type:
        return isinstance(value, dict) and "samples" in value
    if kind == io.Conditioning.io_type:
        return isinstance(value, list) and bool(value) and all(map(is_condition, value))
    return True


def is_condition(value: Any) -> bool:
    """Is it one condition of a CONDITIONING: tokens, or none, and options beside them?"""
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[1], dict)


def is_row(value: Any) -> bool:
    """Is it the result of one loop, as Gather Results collects them?"""
    return isinstance(value, tuple) and len(value) == len(types.GATHERED)
