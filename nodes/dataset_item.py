"""Sets of pseudo-occluded objects with their ground truth (section 4.1), an item at a time."""

from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io

from ..amodal.core import visualize
from ..amodal.core.errors import BadInput
from ..amodal.measures import dataset_item
from .common import CATEGORY, names_itself

HIDDEN = (0.95, 0.25, 0.2)
SHIPPED = "amodal_example_items"


def place(folder: str) -> Path:
    """A folder in the host's input or output folder; raises BadInput for any other."""
    for base in (folder_paths.get_input_directory(), folder_paths.get_output_directory()):
        found = (Path(base) / folder).resolve()
        if found.is_relative_to(Path(base).resolve()) and (found / "manifest.jsonl").is_file():
            return found
    raise BadInput(
        "folder",
        f"'{folder}' with a manifest.jsonl is not in ComfyUI's input or output folder",
        f"make a set there with 'nox -s dataset'; {SHIPPED} is in the pack's folder pictures/",
    )


class LoadItem(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoadItem",
            display_name="Load Pseudo-Occluded Item (Amodal)",
            category=f"{CATEGORY}/measures",
            description="An item of a set that 'nox -s dataset' made: an object with another one "
            "pasted over it, its masks, and the truth (section 4.1).",
            inputs=[
                io.String.Input(
                    "folder",
                    default=SHIPPED,
                    tooltip="The set's folder, in ComfyUI's input or output folder.",
                ),
                io.Int.Input(
                    "index",
                    default=0,
                    min=0,
                    max=2**31,
                    control_after_generate=True,
                    tooltip="Which item, from 0; behind the last one comes the first.",
                ),
            ],
            outputs=[
                io.Image.Output("picture", display_name="picture", tooltip="With the occluder."),
                io.Mask.Output(
                    "modal", display_name="modal", tooltip="What is seen of the object."
                ),
                io.Mask.Output("amodal", display_name="amodal", tooltip="All of the object."),
                io.Mask.Output("occluder", display_name="occluder", tooltip="What hides it."),
                io.Image.Output("truth", display_name="truth", tooltip="Without the occluder."),
                io.Image.Output(
                    "overlay",
                    display_name="overlay",
                    tooltip="The picture with the object's visible part in green, its hidden part "
                    "in red.",
                ),
                io.String.Output("label", display_name="label", tooltip="The object's category."),
                io.String.Output(
                    "about",
                    display_name="about",
                    tooltip="The item in words: which object, behind what, and how much is hidden.",
                ),
                io.Int.Output("count", display_name="count", tooltip="How many items there are."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, folder, index):
        try:
            return (place(folder) / "manifest.jsonl").stat().st_mtime_ns
        except BadInput:
            return float("nan")  # execute says what is wrong

    @classmethod
    @names_itself
    def execute(cls, folder, index):
        found = place(folder)
        lines = dataset_item.manifest(found)
        if not lines:
            raise BadInput("folder", f"'{folder}' holds no item", "make it with 'nox -s dataset'")
        item = dataset_item.read(found, lines[index % len(lines)])
        parts = torch.cat([item.modal, item.amodal - item.modal])
        colours = [visualize.QUERY_COLOUR, HIDDEN]
        return io.NodeOutput(
            item.picture,
            item.modal,
            item.amodal,
            item.occluder,
            item.truth,
            visualize.overlay(item.picture, parts, colours=colours),
            item.line["category"],
            item.told(),
            len(lines),
        )


NODES = [LoadItem]
