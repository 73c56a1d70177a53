"""Measures of a completion against the truth, and tables of many of them (section 4.1)."""

from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io

from ..amodal.core import detections, validate
from ..amodal.core.errors import BadInput
from ..amodal.measures import metrics
from ..amodal.measures.table import Table
from .common import CATEGORY, names_itself
from .loaders import model_files

MEASURES = f"{CATEGORY}/measures"
FOLDER = "amodal_metrics"  # of models/: the weights of LPIPS, CLIP and DreamSim


class CompletionMetrics(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCompletionMetrics",
            display_name="Completion Metrics (Amodal)",
            category=MEASURES,
            description="How like the true object the completed one is (section 4.1): masks, "
            "colours, and perceptual distances of the object over black.",
            inputs=[
                io.Image.Input("image", tooltip="The completed picture, on the truth's canvas."),
                io.Mask.Input("mask", tooltip="The completed object's amodal mask."),
                io.Image.Input("truth", tooltip="The true picture, without the occluders."),
                io.Mask.Input("amodal", tooltip="The true amodal mask."),
                io.Mask.Input("seen", tooltip="The object's visible pixels."),
                io.String.Input("label", default="", tooltip="The object's name, for CLIP."),
                io.String.Input(
                    "measures",
                    default="ST-LPIPS",
                    tooltip="Comma separated, of ST-LPIPS, LPIPS, CLIP, DreamSim. ST-LPIPS brings "
                    "its weights; those of the others lie in models/amodal_metrics/.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="measures", tooltip="A line for each, to Results Table."
                ),
                io.Float.Output(display_name="whole", tooltip="IoU of the amodal mask."),
                io.Float.Output(display_name="hidden", tooltip="IoU of its hidden part."),
                io.Float.Output(
                    display_name="colour", tooltip="Mean colour difference in the hidden part."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, truth, amodal, seen, label="", measures="ST-LPIPS"):
        image, truth = validate.one_image(image), validate.one_image(truth, "truth")
        size = tuple(truth.shape[1:3])
        if tuple(image.shape[1:3]) != size:
            raise BadInput(
                "image",
                f"is {list(image.shape[1:3])}, the truth {list(size)}",
                "bring both to one canvas, with Crop To Object for example",
            )
        mask, amodal, seen = (
            validate.one_mask(one, size, name)[0]
            for one, name in ((mask, "mask"), (amodal, "amodal"), (seen, "seen"))
        )
        found = metrics.of_masks(mask, amodal, seen)
        found["colour error"] = metrics.colour_error(image[0], mask, truth[0], amodal, seen)
        model_files.listed(FOLDER)
        folder = Path(folder_paths.get_folder_paths(FOLDER)[0])
        for name in detections.as_words(measures):
            found[name] = metrics.measure(name, image[0], mask, truth[0], amodal, label, folder)
        lines = "\n".join(f"{name}: {value:.6f}" for name, value in found.items())
        return io.NodeOutput(lines, found["whole IoU"], found["hidden IoU"], found["colour error"])


class ResultsTable(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalResultsTable",
            display_name="Results Table (Amodal)",
            category=MEASURES,
            description="Means of all measures by method, with 95 % intervals by bootstrap and "
            "paired tests against the first method.",
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "measures",
                    force_input=True,
                    tooltip="A list of texts from Completion Metrics, one for each completion.",
                ),
                io.String.Input(
                    "methods",
                    default="",
                    multiline=True,
                    tooltip="The method of each: a list, or lines; one line stands for all.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="markdown", tooltip="The table in Markdown."),
                io.String.Output(display_name="csv", tooltip="Every value, a row a completion."),
                io.Image.Output(display_name="picture", tooltip="The table as a picture."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, measures, methods):
        if len(methods) == 1 and len(measures) > 1:
            methods = methods[0].splitlines() or [""]
        if len(methods) == 1:
            methods = methods * len(measures)
        table = Table.of(measures, methods)
        picture = torch.from_numpy(table.picture())[None]
        return io.NodeOutput(table.markdown(), table.csv(), picture)


NODES = [CompletionMetrics, ResultsTable]
