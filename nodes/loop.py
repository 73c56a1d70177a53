"""The passes of section 3.4 as a loop in the host's own executor, around a body people can rewire.

Each pass begins with the analysis; when nothing hides the object, Loop End asks for no picture and
whatever hangs on Check Occlusion's mask is skipped. `cloning` draws the graph of the next pass.
"""

import json
import time

from comfy_api.latest import io
from comfy_execution.utils import get_executing_context

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Crop, LoopHandle
from ..amodal.method.loop import mask_change, outcome, warned
from . import progress, types, ui
from .common import LOOP_CATEGORY, aliases, names_itself
from .loop_expansion import next_pass


class LoopStart(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoopStart",
            **aliases("for loop", "repeat", "iterate"),
            display_name="Loop Start (Amodal)",
            category=LOOP_CATEGORY,
            description="Where each pass of the completion begins (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture; one, not a batch."),
                io.Mask.Input("mask", tooltip="Modal mask: the object's visible pixels."),
                types.Crop.Input(
                    "canvas",
                    optional=True,
                    tooltip="Where the picture lies on a grown canvas. Leave open at the start.",
                ),
                io.Int.Input(
                    "number",
                    optional=True,
                    default=1,
                    min=1,
                    max=1000,
                    force_input=True,
                    tooltip="The pass this is. Leave open; Loop End counts.",
                ),
            ],
            outputs=[
                types.Loop.Output("pass_loop", display_name="loop", tooltip="To Loop End."),
                io.Image.Output(
                    "pass_image", display_name="image", tooltip="The canvas as this pass finds it."
                ),
                io.Mask.Output(
                    "pass_mask",
                    display_name="mask",
                    tooltip="Modal mask in pass 1, later the last pass' amodal mask.",
                ),
                types.Crop.Output(
                    "pass_canvas",
                    display_name="canvas",
                    tooltip="Where the original lies on the canvas.",
                ),
                io.Int.Output("pass_number", display_name="number", tooltip="1, 2, ..."),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, canvas=None, number=1):
        refuse_lists()
        progress.teller(cls.hidden, "looking for what hides the object")()
        image = validate.as_images(image, "image")
        if len(image) > 1:
            raise BadInput(
                "image",
                f"is a batch of {len(image)}",
                "a loop completes one object; use Amodal Completion, which makes a loop for each, "
                "or pick one with Image From Batch",
            )
        height, width = image.shape[1:3]
        mask = validate.one_mask(mask, (height, width), "mask")
        canvas = canvas or Crop.whole(width, height)
        handle = LoopHandle(image, mask, canvas, number, time.monotonic(), prompt_id())
        return io.NodeOutput(handle, image, mask, canvas, number)


class LoopEnd(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoopEnd",
            **aliases("for loop", "repeat", "iterate"),
            display_name="Loop End (Amodal)",
            category=LOOP_CATEGORY,
            description="Starts the next pass, or stops: when nothing hides the object, when the "
            "mask no longer changes, when the object is not found again, or at the cap. The status "
            "says which.",
            inputs=[
                types.Loop.Input("loop", tooltip="From Loop Start."),
                io.Boolean.Input(
                    "occluded",
                    default=True,
                    force_input=True,
                    tooltip="From Check Occlusion: does anything hide the object in this pass?",
                ),
                io.String.Input(
                    "reason", default="", force_input=True, tooltip="From Check Occlusion."
                ),
                io.Image.Input("image", lazy=True, tooltip="The canvas after this pass."),
                io.Mask.Input("mask", lazy=True, tooltip="The amodal mask after this pass."),
                types.Crop.Input("canvas", lazy=True, tooltip="The canvas' map after this pass."),
                io.Int.Input(
                    "max_passes", default=6, min=1, max=100, tooltip="Stop after so many passes."
                ),
                io.String.Input(
                    "so_far",
                    default="[]",
                    force_input=True,
                    optional=True,
                    tooltip="The passes before this one. Leave open; the loop fills it in.",
                ),
                io.Boolean.Input(
                    "found",
                    default=True,
                    force_input=True,
                    optional=True,
                    lazy=True,
                    tooltip="From Segment Object: was the object found again in what was painted?",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "final_image", display_name="image", tooltip="The canvas after the last pass."
                ),
                io.Mask.Output(
                    "final_mask", display_name="mask", tooltip="The amodal mask on that canvas."
                ),
                types.Crop.Output(
                    "final_canvas", display_name="canvas", tooltip="Where the original lies on it."
                ),
                io.String.Output(
                    "status",
                    display_name="status",
                    tooltip="completed, nothing to complete, unchanged, not found again, or "
                    "stopped at cap; and in brackets: enclosed, where something surrounds the "
                    "object, and whether nothing of it is left to paint though it is not free.",
                ),
                io.Int.Output(
                    "passes", display_name="passes", tooltip="How many passes painted something."
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="One line for each pass."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
            enable_expand=True,
        )

    @classmethod
    def check_lazy_status(
        cls,
        loop,
        occluded,
        reason,
        image=None,
        mask=None,
        canvas=None,
        max_passes=6,
        so_far="[]",
        found=True,
    ):
        if ending(loop, occluded, reason, max_passes, so_far):
            return []
        given = {"image": image, "mask": mask, "canvas": canvas, "found": found}
        return [name for name, value in given.items() if value is None]

    @classmethod
    @names_itself
    def execute(
        cls,
        loop,
        occluded,
        reason,
        image=None,
        mask=None,
        canvas=None,
        max_passes=6,
        so_far="[]",
        found=True,
    ):
        refuse_lists()
        history = json.loads(so_far)
        status = ending(loop, occluded, reason, max_passes, so_far)
        if status:
            tail = f"{status}: {reason}"
            progress.teller(cls.hidden, tail)(done=True)
            first = (loop.image, loop.mask) if loop.number == 1 else None
            frame = film_frame(cls.hidden, loop.number, max_passes, reason, tail, first, status)
            return io.NodeOutput(
                loop.image,
                loop.mask,
                loop.canvas,
                status,
                loop.number - 1,
                "\n".join([*map(line_of, history), tail]),
                ui=frame,
            )
        mask = validate.one_mask(mask, canvas.canvas[::-1], "mask")
        shift = tuple(a - b for a, b in zip(canvas.offset, loop.canvas.offset))
        history.append(
            {
                "pass": loop.number,
                "reason": reason,
                "change": round(mask_change(loop.mask, mask, shift), 4),
                "seconds": seconds_since(loop),
                "found": bool(found),
            }
        )
        graph = next_pass(
            cls.hidden.dynprompt,
            cls.hidden.unique_id,
            loop.number + 1,
            json.dumps(history),
            with_previews=loop.number < max_passes,
        )
        again = graph.lookup_node("Recurse")
        line, after = line_of(history[-1]), (validate.as_images(image)[:1], mask)
        return io.NodeOutput(
            *(again.out(i) for i in range(6)),
            expand=graph.finalize(),
            ui=film_frame(cls.hidden, loop.number, max_passes, reason, line, after),
        )


def refuse_lists():
    context = get_executing_context()
    if context is not None and context.list_index:
        raise BadInput(
            "image",
            "is a list of several",
            "a loop completes one object; use Amodal Completion, which makes a loop for each",
        )


def prompt_id() -> str:
    context = get_executing_context()
    return context.prompt_id if context is not None else ""


def seconds_since(loop: LoopHandle) -> float | None:
    """Seconds of this pass; None when its beginning was taken from an earlier run's cache."""
    return round(time.monotonic() - loop.began, 2) if loop.prompt == prompt_id() else None


def ending(loop: LoopHandle, occluded: bool, reason: str, cap: int, so_far: str) -> str | None:
    """The status with which the loop stops before this pass, or None."""
    history = json.loads(so_far)
    last = (history or [{"change": 1.0, "found": True}])[-1]
    status = outcome(loop.number, occluded, last["change"], cap, last["found"])
    reasons = [entry["reason"] for entry in history] or [reason]
    return status and warned(status, reasons, reason)


def line_of(entry: dict) -> str:
    took = "cached" if entry["seconds"] is None else f"{entry['seconds']:.1f} s"
    change = f"mask changed {entry['change']:.1%}" if entry["found"] else "object not found again"
    return f"pass {entry['pass']}: {entry['reason']}; {change}; {took}"


def film_frame(hidden, number: int, cap: int, reason: str, line: str, after, status=None) -> dict:
    """One picture of the film that the editor shows on the node that holds the loop.

    `after` is the canvas and the mask that a pass left, or None at the loop's end.
    """
    picture = ui.saved(visualize.thumbnail(*after), "pass") if after else None
    frame = ui.entry(
        hidden,
        loop=progress.loop_of(ui.node_id()),
        number=number,
        of=cap,
        reason=reason,
        line=line,
        status=status,
        image=picture,
    )
    return {"amodal_pass": [ui.tell("amodal.pass", frame)]}


NODES = [LoopStart, LoopEnd]
