"""Measures of a completion against the ground truth, and tables of them (section 4.1)."""

from __future__ import annotations

from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from ..amodal.core.text import listed
from ..amodal.measures import metrics
from ..amodal.measures.table import Table, lines_of
from .common import CATEGORY, names_itself
from .loaders import model_files

MEASURES = f"{CATEGORY}/measures"
FOLDER = "amodal_metrics"  # in models/: the weights of LPIPS, CLIP and DreamSim


class CompletionMetrics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalCompletionMetrics",
            display_name="Completion Metrics (Amodal)",
            category=MEASURES,
            description="Compares a completed object with the true one (section 4.1): IoU of the "
            "masks, colour error, and perceptual distances of the objects on black.",
            inputs=[
                io.Image.Input(
                    "image", tooltip="The completed picture, of the same size as true_image."
                ),
                io.Mask.Input("amodal_mask", tooltip="Amodal mask of the completed object."),
                io.Image.Input("true_image", tooltip="The true picture, without the occluders."),
                io.Mask.Input("true_amodal_mask", tooltip="The true amodal mask."),
                io.Mask.Input("modal_mask", tooltip="Modal mask: the object's visible pixels."),
                io.String.Input(
                    "label", default="", tooltip="Name of the object. Used only by CLIP."
                ),
                io.String.Input(
                    "measures",
                    default="ST-LPIPS",
                    tooltip="Comma separated perceptual measures: ST-LPIPS, LPIPS, CLIP, DreamSim. "
                    "ST-LPIPS includes its weights. The others need theirs in "
                    "models/amodal_metrics/. Empty: masks and colours only.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="measures",
                    tooltip="One line for each measure. Connect it to Results Table.",
                ),
                io.Float.Output(
                    display_name="amodal_iou",
                    tooltip="IoU of the amodal masks, 0 to 1.",
                ),
                io.Float.Output(
                    display_name="occluded_iou",
                    tooltip="IoU of the amodal masks outside the modal mask, 0 to 1.",
                ),
                io.Float.Output(
                    display_name="colour_error",
                    tooltip="Mean absolute colour difference on the occluded part, 0 to 1.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image: torch.Tensor,
        amodal_mask: torch.Tensor,
        true_image: torch.Tensor,
        true_amodal_mask: torch.Tensor,
        modal_mask: torch.Tensor,
        label: str = "",
        measures: str = "ST-LPIPS",
    ) -> io.NodeOutput:
        image = validate.one_image(image)
        true_image = validate.one_image(true_image, "true_image")
        size = true_image.shape[1], true_image.shape[2]
        if tuple(image.shape[1:3]) != size:
            raise BadInput(
                "image",
                f"is {list(image.shape[1:3])}, but true_image is {list(size)}",
                "bring both to one canvas, for example with Crop To Object",
            )
        completed = validate.one_mask(amodal_mask, size, "amodal_mask")[0]
        true = validate.one_mask(true_amodal_mask, size, "true_amodal_mask")[0]
        modal = validate.one_mask(modal_mask, size, "modal_mask")[0]
        values = metrics.of_masks(completed, true, modal)
        values["colour error"] = metrics.colour_error(
            image[0], completed, true_image[0], true, modal
        )
        model_files.listed(FOLDER)
        folder = Path(folder_paths.get_folder_paths(FOLDER)[0])
        for name in listed(measures):
            values[name] = metrics.measure(
                name, image[0], completed, true_image[0], true, label, folder
            )
        return io.NodeOutput(
            lines_of(values),
            values["amodal IoU"],
            values["occluded IoU"],
            values["colour error"],
        )


class ResultsTable(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalResultsTable",
            display_name="Results Table (Amodal)",
            category=MEASURES,
            description="Tabulates the mean of every measure for each method, with bootstrapped "
            "95 % intervals and paired tests against the first method.",
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "measures",
                    force_input=True,
                    tooltip="List of texts from Completion Metrics, one for each completion.",
                ),
                io.String.Input(
                    "methods",
                    default="",
                    multiline=True,
                    tooltip="Name of the method of each completion: a list, or one name in each "
                    "line. A single name applies to all completions.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="markdown", tooltip="The table in Markdown."),
                io.String.Output(
                    display_name="csv", tooltip="All values, one row for each completion."
                ),
                io.Image.Output(display_name="picture", tooltip="The table as a picture."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, measures: list[str], methods: list[str]) -> io.NodeOutput:
        if len(methods) == 1 and len(measures) > 1:
            methods = methods[0].splitlines() or [""]
        if len(methods) == 1:
            methods = methods * len(measures)
        table = Table.of(measures, methods)
        picture = torch.from_numpy(table.picture())[None]
        return io.NodeOutput(table.markdown(), table.csv(), picture)


NODES = [CompletionMetrics, ResultsTable]
