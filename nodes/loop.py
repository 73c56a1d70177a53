"""The passes of section 3.4 as a loop in the host's executor, around a body that can be rewired.

Each pass starts with the mask analysis. If nothing hides the object, Loop End asks for no picture,
and every node after Check Occlusion's inpaint mask is skipped. `loop_expansion` draws the graph of
the next pass.
"""

import json
import time
from dataclasses import asdict, replace

from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.core.types import Canvas, LoopHandle, OcclusionReport
from ..amodal.method.loop import describe, mask_change
from . import progress, types
from .common import LOOP_CATEGORY, aliases, names_itself, shows_results
from .loop_expansion import loop_start, next_pass
from .loop_graph import own_name
from .loop_pass import (
    began_with,
    ending,
    prompt_id,
    refuse_lists,
    refuse_nothing,
    seconds_since,
)
from .loop_report import codes_of, film_frame, line_of, read_history

OUTPUTS = 7  # of Loop End
LAZY = ("image", "amodal_mask", "canvas", "found", "joined")  # only a pass that paints needs them


class LoopStart(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoopStart",
            **aliases("for loop", "repeat", "iterate"),
            display_name="Loop Start (Amodal)",
            category=LOOP_CATEGORY,
            description="The start of each pass of the completion (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture; one, not a batch."),
                io.Mask.Input("modal_mask", tooltip="M_modal: the object's visible pixels."),
                types.Canvas.Input(
                    "canvas",
                    optional=True,
                    tooltip="The map of a grown canvas. Leave it open; the loop sets it.",
                ),
                io.Int.Input(
                    "pass_number",
                    optional=True,
                    default=1,
                    min=1,
                    max=1000,
                    force_input=True,
                    tooltip="The number of the pass. Leave it open; the loop counts.",
                ),
            ],
            outputs=[
                types.Loop.Output("pass_loop", display_name="loop", tooltip="To Loop End."),
                io.Image.Output(
                    "pass_image", display_name="image", tooltip="The canvas before this pass."
                ),
                io.Mask.Output(
                    "pass_mask",
                    display_name="modal_mask",
                    tooltip="The modal mask in pass 1; later the amodal mask of the last pass.",
                ),
                types.Canvas.Output(
                    "pass_canvas",
                    display_name="canvas",
                    tooltip="The map of the canvas: where the original picture lies on it.",
                ),
                io.Int.Output("number", display_name="pass_number", tooltip="1, 2, ..."),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, image, modal_mask, canvas=None, pass_number=1):
        refuse_lists()
        progress.teller(cls.hidden, "finding what hides the object")()
        image = validate.as_images(image, "image")
        if len(image) > 1:
            raise BadInput(
                "image",
                f"is a batch of {len(image)}",
                "a loop completes one object; use Amodal Completion, which makes a loop for each, "
                "or pick one with Image From Batch",
            )
        height, width = image.shape[1:3]
        modal_mask = validate.one_mask(modal_mask, (height, width), "modal_mask")
        canvas = canvas or Canvas.whole(width, height)
        began = time.monotonic()
        handle = LoopHandle(image, modal_mask, canvas, pass_number, began, prompt_id())
        return io.NodeOutput(handle, image, modal_mask, canvas, pass_number)


class LoopEnd(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoopEnd",
            **shows_results(),
            **aliases("for loop", "repeat", "iterate"),
            display_name="Loop End (Amodal)",
            category=LOOP_CATEGORY,
            description="Starts the next pass, or stops: if nothing hides the object, if the mask "
            "no longer changes, if the segmenter does not find the object again, or after "
            "max_passes. The status says which.",
            inputs=[
                types.Loop.Input("loop", tooltip="From Loop Start."),
                io.Boolean.Input(
                    "occluded",
                    default=True,
                    force_input=True,
                    tooltip="From Check Occlusion: does anything hide the object in this pass?",
                ),
                types.Occlusion.Input(
                    "occlusion",
                    optional=True,
                    tooltip="From Check Occlusion: what hides it. For report and warnings.",
                ),
                io.Image.Input("image", lazy=True, tooltip="The canvas after this pass."),
                io.Mask.Input("amodal_mask", lazy=True, tooltip="The object on that canvas."),
                types.Canvas.Input("canvas", lazy=True, tooltip="The map of that canvas."),
                io.Int.Input(
                    "max_passes", default=6, min=1, max=100, tooltip="The most passes to paint."
                ),
                io.String.Input(
                    "history",
                    default="[]",
                    force_input=True,
                    optional=True,
                    tooltip="The passes so far, as JSON. Leave it open; the loop fills it in.",
                ),
                io.Boolean.Input(
                    "found",
                    default=True,
                    force_input=True,
                    optional=True,
                    lazy=True,
                    tooltip="From Segment Object: did it find the object again?",
                ),
                io.Mask.Input(
                    "modal_mask",
                    optional=True,
                    tooltip="From Refine Modal Mask: the mask with which this pass begins. It is "
                    "the result if nothing is left to paint. Without it, that is Loop Start's.",
                ),
                io.Boolean.Input(
                    "joined",
                    default=False,
                    force_input=True,
                    optional=True,
                    lazy=True,
                    tooltip="From Segment Object: was the object joined with a part beyond what "
                    "was painted?",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "final_image", display_name="image", tooltip="The canvas after the last pass."
                ),
                io.Mask.Output(
                    "final_mask", display_name="amodal_mask", tooltip="The object on that canvas."
                ),
                types.Canvas.Output(
                    "final_canvas", display_name="canvas", tooltip="The map of that canvas."
                ),
                io.String.Output(
                    "status",
                    display_name="status",
                    tooltip="Why the loop stopped: completed, nothing to complete, unchanged, not "
                    "found again, or stopped at cap.",
                ),
                io.Int.Output(
                    "passes", display_name="passes", tooltip="How many passes painted something."
                ),
                io.String.Output("report", display_name="report", tooltip="A line for each pass."),
                io.String.Output(
                    "warnings",
                    display_name="warnings",
                    tooltip="Empty, or comma-separated: 'enclosed' if something surrounds the "
                    "object, so that nothing shows how far it reaches; 'nothing left to paint' if "
                    "it is still occluded, but the inpaint mask is empty; 'joined' if an occluder "
                    "had split the object, and the part beyond it was taken too.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
            enable_expand=True,
        )

    @classmethod
    @names_itself
    def check_lazy_status(cls, loop, occluded, max_passes=6, history="[]", **given):
        refuse_nothing(loop=loop, occluded=occluded)
        loop_start(cls.hidden.dynprompt, cls.hidden.unique_id)  # refuses before anything is painted
        if ending(loop, occluded, max_passes, read_history(history)):
            return []
        return [name for name in LAZY if name in given and given[name] is None]

    @classmethod
    @names_itself
    def execute(
        cls,
        loop,
        occluded,
        occlusion=None,
        image=None,
        amodal_mask=None,
        canvas=None,
        max_passes=6,
        history="[]",
        found=True,
        modal_mask=None,
        joined=False,
    ):
        refuse_lists()
        entries = read_history(history)
        occlusion = occlusion or OcclusionReport()
        status = ending(loop, occluded, max_passes, entries)
        if status:
            loop = replace(loop, modal_mask=began_with(loop, modal_mask))
            return cls.finish(loop, occlusion, status, max_passes, entries)
        refuse_nothing(image=image, amodal_mask=amodal_mask, canvas=canvas, found=found)
        amodal_mask = validate.one_mask(amodal_mask, canvas.size[::-1], "amodal_mask")
        shift = tuple(a - b for a, b in zip(canvas.offset, loop.canvas.offset))
        entry = {
            "pass": loop.number,
            "occlusion": asdict(occlusion),
            "change": round(mask_change(loop.modal_mask, amodal_mask, shift), 4),
            "seconds": seconds_since(loop),
            "found": bool(found),
            "joined": bool(joined),
        }
        graph = next_pass(
            cls.hidden.dynprompt,
            cls.hidden.unique_id,
            loop.number + 1,
            json.dumps([*entries, entry]),
            with_previews=loop.number < max_passes,
        )
        again = graph.lookup_node(own_name(cls.hidden.dynprompt, cls.hidden.unique_id))
        after = (validate.as_images(image)[:1], amodal_mask)
        frame = film_frame(cls.hidden, loop.number, max_passes, occlusion, line_of(entry), after)
        return io.NodeOutput(
            *(again.out(i) for i in range(OUTPUTS)), expand=graph.finalize(), ui=frame
        )

    @classmethod
    def finish(cls, loop, occlusion, status, max_passes, entries):
        """The loop's results, from the canvas with which this pass began."""
        codes = codes_of(entries, occlusion)
        ended = f"{status.value} ({codes})" if codes else status.value
        line = f"{ended}: {describe(occlusion)}"
        progress.teller(cls.hidden, line)(done=True)
        first = (loop.image, loop.modal_mask) if loop.number == 1 else None
        frame = film_frame(
            cls.hidden, loop.number, max_passes, occlusion, line, first, status, codes
        )
        return io.NodeOutput(
            loop.image,
            loop.modal_mask,
            loop.canvas,
            status.value,
            loop.number - 1,
            "\n".join([*map(line_of, entries), line]),
            codes,
            ui=frame,
        )


NODES = [LoopStart, LoopEnd]
