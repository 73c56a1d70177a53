"""One pass of a loop: what it began with, whether it is the last, and wrong inputs of its nodes."""

import time

import torch
from comfy_execution.utils import get_executing_context

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.core.status import Status
from ..amodal.core.types import LoopHandle
from ..amodal.method.loop import outcome


def began_with(loop: LoopHandle, modal_mask) -> torch.Tensor:
    """The object's mask [1, H, W] at the start of this pass: the refined one where it is given."""
    if modal_mask is None:
        return loop.modal_mask
    return validate.one_mask(modal_mask, validate.picture_size(loop.image), "modal_mask")


def refuse_lists():
    context = get_executing_context()
    if context is not None and context.list_index:
        raise BadInput(
            "image",
            "is a list of several",
            "a loop completes one object; use Amodal Completion, which makes a loop for each",
        )


def refuse_nothing(**inputs):
    """Raises BadInput for an input that is None: the node it comes from gave nothing."""
    for name, value in inputs.items():
        if value is None:
            raise BadInput(name, "is nothing", "connect a node that gives a value in every pass")


def prompt_id() -> str:
    context = get_executing_context()
    return context.prompt_id if context is not None else ""


def seconds_since(loop: LoopHandle) -> float | None:
    """Seconds of this pass; None where its start came from an earlier run's cache."""
    return round(time.monotonic() - loop.began, 2) if loop.prompt == prompt_id() else None


def ending(loop: LoopHandle, occluded: bool, cap: int, entries: list[dict]) -> Status | None:
    """The status with which the loop stops before this pass, or None to go on."""
    if not entries:
        return outcome(loop.number, occluded, 1.0, cap)
    return outcome(loop.number, occluded, entries[-1]["change"], cap, entries[-1]["found"])
