"""Counterfactual curation (section 3.6): is the completion complete?"""

from __future__ import annotations

from pathlib import Path

import folder_paths
import torch
from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.files import file_inside
from ..amodal.method import curation
from .common import CATEGORY, names_itself
from .loaders import model_files

CURATION = f"{CATEGORY}/curation"


class CounterfactualMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalCounterfactualMask",
            display_name="Counterfactual Mask (Amodal)",
            category=CURATION,
            description="The area to outpaint in the counterfactual test (section 3.6): everything "
            "except the completed object and the corners of the picture.",
            inputs=[
                io.Mask.Input("amodal_mask", tooltip="Amodal mask of the completed object."),
                io.Float.Input(
                    "corner",
                    default=0.1,
                    min=0.0,
                    max=0.5,
                    step=0.01,
                    optional=True,
                    tooltip="Side of the four corner squares that are kept, as a fraction of the "
                    "smaller side. They show the model the background. 0 keeps no corners.",
                ),
            ],
            outputs=[io.Mask.Output(display_name="inpaint_mask", tooltip="The area to outpaint.")],
        )

    @classmethod
    @names_itself
    def execute(cls, amodal_mask: torch.Tensor, corner: float = 0.1) -> io.NodeOutput:
        mask = validate.object_mask(amodal_mask, name="amodal_mask")
        return io.NodeOutput(curation.counterfactual_mask(mask, corner))


class CounterfactualBackgrounds(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalCounterfactualBackgrounds",
            display_name="Counterfactual Backgrounds (Amodal)",
            category=CURATION,
            description="The completed object on several plain backgrounds, as a batch. Outpaint "
            "the batch to run several counterfactual tests (section 3.6) at once.",
            inputs=[
                io.Image.Input("image", tooltip="The crop with the completed object."),
                io.Mask.Input("amodal_mask", tooltip="Amodal mask of the completed object."),
                io.Int.Input(
                    "count",
                    default=2,
                    min=1,
                    max=32,
                    tooltip="Number of counterfactuals. Each has its own background and noise, and "
                    "takes one more sampling run.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**53,
                    optional=True,
                    control_after_generate=False,
                    tooltip="Seed of the background colours. The first background is always gray.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="images",
                    tooltip="The batch. Connect it to Inpaint Model Conditioning.",
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls, image: torch.Tensor, amodal_mask: torch.Tensor, count: int, seed: int = 0
    ) -> io.NodeOutput:
        image = validate.one_image(image)
        size = validate.picture_size(image)
        mask = validate.object_mask(amodal_mask, size, "amodal_mask")
        return io.NodeOutput(curation.on_plain(image, mask, count, seed))


AS_SET_HERE = "as set here"
THRESHOLDS = {  # choice in the menu -> shipped file
    "paper, Stable Diffusion 2": "stable_diffusion_2.json",
    "sticker models": "stickers.json",
}
FOLDER = "amodal_curation"  # in models/: the user's own files


def own_thresholds() -> list[str]:
    """The user's own threshold files in models/amodal_curation."""
    return [name for name in model_files.listed(FOLDER) if name.endswith(".json")]


def chosen(choice: str, extension: float, border: float) -> curation.Thresholds:
    """The thresholds of a choice in the menu. Raises BadInput."""
    names = model_files.meant(str(choice), [AS_SET_HERE, *THRESHOLDS, *own_thresholds()])
    if len(names) > 1:
        problem = f"name '{choice}', which is in several folders"
        raise BadInput("thresholds", problem, f"choose one of {', '.join(names)}")
    choice = names[0] if names else str(choice)
    if choice == AS_SET_HERE:
        return curation.Thresholds(extension, border)
    if choice in THRESHOLDS:
        return curation.read_thresholds(curation.SHIPPED / THRESHOLDS[choice])
    model_files.register(FOLDER)
    folders = map(Path, folder_paths.get_folder_paths(FOLDER))
    path = next(filter(None, (file_inside(folder, choice) for folder in folders)), None)
    if path is None:
        raise BadInput(
            "thresholds",
            f"name '{choice}', which is missing or leads out of its folder",
            f"put the file itself into models/{FOLDER}/",
        )
    return curation.read_thresholds(path)


class JudgeCompletion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalJudgeCompletion",
            display_name="Judge Completion (Amodal)",
            category=CURATION,
            description="Decides whether an object is complete, by how much it grew when its "
            "surroundings were outpainted (section 3.6).",
            inputs=[
                io.Image.Input(
                    "image", tooltip="The outpainted picture. Used only for the output picture."
                ),
                io.Mask.Input("amodal_mask", tooltip="Amodal mask of the completed object."),
                io.Mask.Input(
                    "outpainted_mask",
                    tooltip="Mask of the object in the outpainted picture, from Segment Object. A "
                    "batch of several counterfactuals is averaged.",
                ),
                io.Float.Input(
                    "extension",
                    default=curation.EXTENSION,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    optional=True,
                    tooltip="A complete object grows by at most this fraction of its area (0.2 in "
                    "the paper). Lower is stricter.",
                ),
                io.Float.Input(
                    "border",
                    default=curation.BORDER,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    optional=True,
                    tooltip="Minimum distance of the grown object from the border of the picture, "
                    "as a fraction of the larger side. Higher is stricter.",
                ),
                io.Combo.Input(
                    "thresholds",
                    options=[AS_SET_HERE, *THRESHOLDS, *own_thresholds()],
                    default=AS_SET_HERE,
                    optional=True,
                    tooltip="Use the two values above, thresholds fitted for a model, or your own "
                    ".json file in models/amodal_curation/.",
                ),
                io.Boolean.Input(
                    "found",
                    default=True,
                    force_input=True,
                    optional=True,
                    tooltip="From Segment Object: was the object found again? If not, there is no "
                    "verdict: not complete, score -1, so that Pick Best ranks it last.",
                ),
            ],
            outputs=[
                io.Boolean.Output(display_name="complete", tooltip="True if complete."),
                io.Float.Output(
                    display_name="score",
                    tooltip="0 to 1; complete from 0.5; -1 without a verdict. Connect it to Pick "
                    "Best.",
                ),
                io.Float.Output(
                    display_name="extension",
                    tooltip="Gained area, as a fraction of the area before.",
                ),
                io.Float.Output(
                    display_name="border",
                    tooltip="Distance from the border, as a fraction of the larger side.",
                ),
                io.String.Output(display_name="verdict", tooltip="All of the above in words."),
                io.Image.Output(
                    display_name="picture",
                    tooltip="The object in green and its growth in red; counterfactuals side by "
                    "side.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, thresholds: str | None = None) -> bool | str:
        try:
            chosen(AS_SET_HERE if thresholds is None else thresholds, 0.0, 0.0)
        except BadInput as error:
            return str(error.at(cls.define_schema().display_name))
        return True

    @classmethod
    @names_itself
    def execute(
        cls,
        image: torch.Tensor,
        amodal_mask: torch.Tensor,
        outpainted_mask: torch.Tensor,
        extension: float = curation.EXTENSION,
        border: float = curation.BORDER,
        thresholds: str = AS_SET_HERE,
        found: bool = True,
    ) -> io.NodeOutput:
        image = validate.as_images(image, "image")
        size = validate.picture_size(image)
        before = validate.object_mask(amodal_mask, size, "amodal_mask")
        after = validate.as_masks(outpainted_mask, size, "outpainted_mask")
        limits = chosen(thresholds, extension, border)
        verdict = curation.judge(before, after, limits.extension, limits.border, found)
        return io.NodeOutput(
            verdict.complete,
            verdict.score,
            verdict.extension,
            verdict.border,
            described(verdict),
            side_by_side(image, before, after),
        )


def side_by_side(image: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """[1, H, n * W, 3] in 0..1: the growth of the object, for each counterfactual with a picture.

    image [n, H, W, 3], before [1, H, W], after [n, H, W].
    """
    colours = [visualize.QUERY_COLOUR, visualize.CONTRAST_COLOUR]
    overlays = []
    for picture, mask in zip(image, after):
        growth = (mask > 0.5).float() * (1 - before[0])
        overlays.append(
            visualize.overlay(picture[None], torch.stack([before[0], growth]), colours=colours)
        )
    return torch.cat(overlays, 2)


def described(verdict: curation.Verdict) -> str:
    """A verdict in words, for people only."""
    if verdict.score == curation.NO_VERDICT:
        return "no verdict: the object was not found again in the outpainted picture"
    decision = "complete" if verdict.complete else "incomplete"
    return (
        f"{decision}, score {verdict.score:.2f}: grew by {verdict.extension:.0%}, "
        f"{verdict.border:.0%} from the border"
    )


NODES = [CounterfactualMask, CounterfactualBackgrounds, JudgeCompletion]
