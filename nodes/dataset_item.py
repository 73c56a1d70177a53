"""Items of a dataset of pseudo-occluded objects with their ground truth (section 4.1)."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io

from ..amodal.core import visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.files import file_inside, inside
from ..amodal.core.text import encodable
from ..amodal.measures import dataset_item
from .common import CATEGORY, names_itself

SHIPPED = "amodal_example_items"


def place(folder: str) -> Path:
    """The path of a dataset inside ComfyUI's input or output folder. Raises BadInput."""
    for base in (folder_paths.get_input_directory(), folder_paths.get_output_directory()):
        path = inside(Path(base), folder)
        if path is not None and file_inside(path, dataset_item.MANIFEST):
            return path
    raise BadInput(
        "folder",
        f"names '{folder}', which is not in ComfyUI's input or output folder, or has no "
        "manifest.jsonl",
        f"make a dataset there with 'nox -s dataset', or copy {SHIPPED} there from the pack's "
        "folder workflows/inputs",
    )


class LoadItem(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLoadItem",
            display_name="Load Pseudo-Occluded Item (Amodal)",
            category=f"{CATEGORY}/measures",
            description="Loads an item of a dataset made by 'nox -s dataset': a picture of an "
            "object that a pasted one occludes, its masks, and the ground truth (section 4.1).",
            inputs=[
                io.String.Input(
                    "folder",
                    default=SHIPPED,
                    tooltip="Folder of the dataset, inside ComfyUI's input or output folder.",
                ),
                io.Int.Input(
                    "index",
                    default=0,
                    min=0,
                    max=2**31,
                    control_after_generate=True,
                    tooltip="Number of the item, from 0. Numbers beyond the last item start over.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "image", display_name="image", tooltip="The picture with the occluder."
                ),
                io.Mask.Output(
                    "modal_mask",
                    display_name="modal_mask",
                    tooltip="Modal mask: the object's visible pixels.",
                ),
                io.Mask.Output(
                    "amodal_mask",
                    display_name="amodal_mask",
                    tooltip="True amodal mask: the complete object.",
                ),
                io.Mask.Output(
                    "occluder_mask",
                    display_name="occluder_mask",
                    tooltip="Mask of the occluder.",
                ),
                io.Image.Output(
                    "true_image",
                    display_name="true_image",
                    tooltip="The picture without the occluder.",
                ),
                io.Image.Output(
                    "overlay",
                    display_name="overlay",
                    tooltip="The picture with the object's visible part in green and its occluded "
                    "part in red.",
                ),
                io.String.Output("label", display_name="label", tooltip="The object's category."),
                io.String.Output(
                    "about",
                    display_name="about",
                    tooltip="The item in words: object, occluder, and occluded fraction.",
                ),
                io.Int.Output(
                    "count", display_name="count", tooltip="Number of items in the dataset."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, folder: str, index: int) -> float:
        try:
            return (place(folder) / dataset_item.MANIFEST).stat().st_mtime_ns
        except (BadInput, OSError):
            return float("nan")  # runs again; execute raises the error

    @classmethod
    @names_itself
    def execute(cls, folder: str, index: int) -> io.NodeOutput:
        path = place(folder)
        lines = dataset_item.manifest(path)
        if not lines:
            raise BadInput(
                "folder",
                f"names '{folder}', which has no items",
                "make the dataset with 'nox -s dataset'",
            )
        item = dataset_item.read(path, lines[index % len(lines)])
        parts = torch.cat([item.modal_mask, item.amodal_mask - item.modal_mask])
        colours = [visualize.QUERY_COLOUR, visualize.CONTRAST_COLOUR]
        return io.NodeOutput(
            item.image,
            item.modal_mask,
            item.amodal_mask,
            item.occluder_mask,
            item.true_image,
            visualize.overlay(item.image, parts, colours=colours),
            encodable(item.line["category"]),
            item.about(),
            len(lines),
        )


NODES = [LoadItem]
