"""Parameter sweeps: run nodes once for each value, and show the results as a labelled grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.text import listed, number, whole_number
from .common import CATEGORY, aliases, names_itself

SWEEPS = f"{CATEGORY}/sweeps"
CHOICE = io.Custom("COMBO")  # an output of io.Combo would need its options
Value = TypeVar("Value")


class SweepValues(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalSweepValues",
            **aliases("xy plot", "for each", "parameter sweep"),
            display_name="Sweep Values (Amodal)",
            category=SWEEPS,
            description="Nodes that use these values run once for each value. All other nodes run "
            "only once. Not for use with the loop, which completes one object.",
            inputs=[
                io.String.Input(
                    "values",
                    default="",
                    multiline=True,
                    tooltip="Values, one in each line or comma separated: numbers, words, or "
                    "choices of a menu.",
                )
            ],
            outputs=[
                io.String.Output(
                    display_name="text", is_output_list=True, tooltip="The values as text."
                ),
                io.Int.Output(
                    display_name="integer",
                    is_output_list=True,
                    tooltip="The values as integers. If one of them is not an integer, connected "
                    "nodes do not run.",
                ),
                io.Float.Output(
                    display_name="number",
                    is_output_list=True,
                    tooltip="The values as numbers. If one of them is not a number, connected "
                    "nodes do not run.",
                ),
                CHOICE.Output(
                    display_name="choice",
                    is_output_list=True,
                    tooltip="The values as choices of a menu, such as that of Swap Background.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, values: str) -> io.NodeOutput:
        texts = listed(values)
        if not texts:
            raise BadInput("values", "are empty", "write one value in each line")
        return io.NodeOutput(texts, numbers(texts, whole_number), numbers(texts, number), texts)


def numbers(
    texts: list[str], read: Callable[[str], Value | None]
) -> list[Value] | list[ExecutionBlocker]:
    """The texts as numbers, or a blocker that says why they are not.

    `read`: `whole_number` or `number`.
    """
    values = [read(text) for text in texts]
    found = [value for value in values if value is not None]
    if len(found) == len(texts):
        return found
    name = "integers" if read is whole_number else "numbers"
    return [ExecutionBlocker(f"Sweep Values: {', '.join(texts)} are not all {name}.")]


class LabelledGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLabelledGrid",
            **aliases("contact sheet", "xy plot", "image grid"),
            display_name="Labelled Grid (Amodal)",
            category=SWEEPS,
            description="Shows all pictures of a list or batch as a grid, with a label under each.",
            is_input_list=True,
            inputs=[
                io.Image.Input(
                    "images",
                    tooltip="The pictures. Transparent ones are shown on a chequered background.",
                ),
                io.String.Input(
                    "labels",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="Labels of the pictures: one in each line, or a list, such as the text "
                    "of Sweep Values. A picture without a label gets its number.",
                ),
                io.String.Input(
                    "title", default="", optional=True, tooltip="Title above the grid. Empty: none."
                ),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    tooltip="Pictures in each row. 0 makes the grid as square as possible.",
                ),
                io.Int.Input(
                    "cell",
                    default=256,
                    min=32,
                    max=2048,
                    step=8,
                    optional=True,
                    tooltip="Larger side of each picture in the grid, in pixels.",
                ),
            ],
            outputs=[io.Image.Output(display_name="grid", tooltip="The grid as one picture.")],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        images: list[torch.Tensor],
        labels: list[str] | None = None,
        title: list[str] | None = None,
        columns: list[int] | None = None,
        cell: list[int] | None = None,
    ) -> io.NodeOutput:
        pictures = validate.each_picture(images, "images")
        texts = labels if labels and len(labels) > 1 else first(labels, "").splitlines()
        grid = visualize.grid(
            pictures, texts, first(title, ""), first(columns, 0), first(cell, 256)
        )
        return io.NodeOutput(torch.from_numpy(grid)[None])


def first(values: list[Value] | None, default: Value) -> Value:
    """The value of a widget, which a node that takes lists receives as a list of one."""
    return values[0] if values else default


NODES = [SweepValues, LabelledGrid]
