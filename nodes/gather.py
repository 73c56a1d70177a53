"""What Amodal Completion needs for several loops: masks one by one in, lists of results out."""

from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from . import ui
from .common import CATEGORY, names_itself, shows_results
from .loop_graph import links_of
from .loop_report import ONE_NODE, which
from .types import GATHERED, Results

SHOWN = 1024  # longer side of the pictures, in pixels


class Gather(io.ComfyNode):
    """Collects the results of several loops; its outputs after the first hold Python lists."""

    @classmethod
    def define_schema(cls):
        kinds = (
            io.Image,
            io.Mask,
            io.Image,
            io.String,
            io.Int,
            io.String,
            io.Int,
            io.Int,
            io.String,
        )
        fields = list(zip(GATHERED, kinds))
        return io.Schema(
            node_id="AmodalGather",
            **shows_results(),
            display_name="Gather Results (Amodal)",
            category=f"{CATEGORY}/internal",
            description="Used by Amodal Completion to hand on the results of several loops.",
            inputs=[
                *(
                    kind.Input(name, tooltip=f"The {name} of one more loop.")
                    if kind in (io.Image, io.Mask)
                    else kind.Input(name, force_input=True, tooltip=f"The {name} of one more loop.")
                    for name, kind in fields
                ),
                Results.Input("results", optional=True, tooltip="The results so far."),
            ],
            outputs=[
                Results.Output("all", display_name="results", tooltip="The results so far."),
                *(
                    kind.Output(f"{name}_list", display_name=name, tooltip=f"Each loop's {name}.")
                    for name, kind in fields
                ),
            ],
            hidden=[io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
            is_experimental=True,
        )

    @classmethod
    @names_itself
    def execute(cls, results=None, **fields):
        rows = [*(results or []), tuple(fields[name] for name in GATHERED)]
        shown = completed(cls.hidden, **fields)
        return io.NodeOutput(rows, *(list(column) for column in zip(*rows)), ui=shown)


def completed(hidden, object, overlay, status, warnings, **_others) -> dict:
    """What Amodal Completion shows of one of its completions, to compare them."""
    if ui.in_graph(hidden, ONE_NODE) is None:
        return {}
    end = links_of(hidden.dynprompt, ui.node_id())["status"]
    pictures = {"cutout": object, "overlay": overlay}
    shown = ui.entry(
        hidden,
        **which(hidden.dynprompt, end),
        status=status,
        warnings=warnings,
        **{
            name: ui.saved(visualize.fitted(picture, SHOWN)[0], name)
            for name, picture in pictures.items()
        },
    )
    return {"amodal_completion": [ui.tell("amodal.completion", shown)]}


class MaskFromBatch(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalMaskFromBatch",
            display_name="Mask From Batch (Amodal)",
            category=CATEGORY,
            description="One mask of a batch.",
            inputs=[
                io.Mask.Input("masks", tooltip="A batch of masks."),
                io.Int.Input("index", default=0, min=0, max=4095, tooltip="Which one, from 0."),
            ],
            outputs=[io.Mask.Output("mask", display_name="mask", tooltip="That mask alone.")],
        )

    @classmethod
    @names_itself
    def execute(cls, masks, index):
        masks = validate.as_masks(masks, None, "masks")
        return io.NodeOutput(masks[min(index, len(masks) - 1)][None])


class ItemOfList(io.ComfyNode):
    """Amodal Completion takes lists as they are, and makes loops of their items."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalItemOfList",
            display_name="Item Of List (Amodal)",
            category=f"{CATEGORY}/internal",
            description="Used by Amodal Completion to take one item of a list.",
            inputs=[
                io.AnyType.Input("items", tooltip="A list of anything."),
                io.Int.Input("index", default=0, min=0, tooltip="Which item, from 0."),
            ],
            outputs=[io.AnyType.Output("item", display_name="item", tooltip="That item alone.")],
            is_input_list=True,
            is_experimental=True,
        )

    @classmethod
    @names_itself
    def execute(cls, items, index):
        if not index or not 0 <= index[0] < len(items):
            given = index[0] if index else "missing"
            raise BadInput("index", f"is {given} in a list of {len(items)}", "choose less")
        return io.NodeOutput(items[index[0]])


NODES = [Gather, MaskFromBatch, ItemOfList]
