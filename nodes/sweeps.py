"""Sweeps: values that run what follows once each, and a labelled grid of what came of them."""

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..amodal.core import detections, visualize
from ..amodal.core.errors import BadInput
from .common import CATEGORY, aliases, names_itself

SWEEPS = f"{CATEGORY}/sweeps"
CHOICE = io.Custom("COMBO")  # io.Combo's output would ask for its options


class SweepValues(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSweepValues",
            **aliases("xy plot", "for each", "parameter sweep"),
            display_name="Sweep Values (Amodal)",
            category=SWEEPS,
            description="Whatever hangs on these values runs once for each. What hangs on none of "
            "them runs once for all. Not for the loop, which completes one object.",
            inputs=[
                io.String.Input(
                    "values",
                    default="",
                    multiline=True,
                    tooltip="In lines or comma separated: numbers, words, a menu's choices.",
                )
            ],
            outputs=[
                io.String.Output(
                    display_name="text", is_output_list=True, tooltip="The values as text."
                ),
                io.Int.Output(
                    display_name="whole",
                    is_output_list=True,
                    tooltip="As whole numbers. What hangs on it does not run if they are none.",
                ),
                io.Float.Output(
                    display_name="number",
                    is_output_list=True,
                    tooltip="As numbers. What hangs on it does not run if they are none.",
                ),
                CHOICE.Output(
                    display_name="choice",
                    is_output_list=True,
                    tooltip="As a menu's choices, such as Swap Background's.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, values):
        texts = detections.as_words(values)
        if not texts:
            raise BadInput("values", "are empty", "write one value in each line")
        return io.NodeOutput(texts, numbers(texts, int), numbers(texts, float), texts)


def numbers(texts: list[str], kind: type) -> list:
    try:
        return [kind(text) for text in texts]
    except ValueError:
        called = "whole numbers" if kind is int else "numbers"
        return [ExecutionBlocker(f"Sweep Values: {', '.join(texts)} are not all {called}.")]


class LabelledGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLabelledGrid",
            **aliases("contact sheet", "xy plot", "image grid"),
            display_name="Labelled Grid (Amodal)",
            category=SWEEPS,
            description="All pictures of a list or batch side by side, a label under each.",
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "images", tooltip="The pictures; transparent ones on a chequered ground."
                ),
                io.String.Input(
                    "labels",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="A label for each: in lines, or a list, as Sweep Values gives. "
                    "Pictures without one get their number.",
                ),
                io.String.Input(
                    "title", default="", optional=True, tooltip="Written above the grid."
                ),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    tooltip="Pictures in a row; 0: as square as it gets.",
                ),
                io.Int.Input(
                    "cell",
                    default=256,
                    min=32,
                    max=2048,
                    step=8,
                    optional=True,
                    tooltip="The larger side of each picture in the grid, in pixels.",
                ),
            ],
            outputs=[io.Image.Output(display_name="grid", tooltip="One picture of all.")],
        )

    @classmethod
    @names_itself
    def execute(cls, images, labels=None, title=None, columns=None, cell=None):
        pictures = [picture for batch in images for picture in batch]
        named = labels if labels and len(labels) > 1 else first(labels, "").splitlines()
        grid = visualize.grid(
            pictures, named, first(title, ""), first(columns, 0), first(cell, 256)
        )
        return io.NodeOutput(torch.from_numpy(grid)[None])


def first(values: list | None, default):
    """A widget of a node that takes lists comes as a list of one."""
    return values[0] if values else default


NODES = [SweepValues, LabelledGrid]
