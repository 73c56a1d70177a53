"""Counterfactual curation (section 3.6): is a completion complete, and which of several is best?"""

from pathlib import Path

import torch
from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.method import curation
from .common import CATEGORY, names_itself
from .loaders import model_files

CURATION = f"{CATEGORY}/curation"
GREW = (0.95, 0.25, 0.2)


class CounterfactualMask(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCounterfactualMask",
            display_name="Counterfactual Mask (Amodal)",
            category=CURATION,
            description="What to outpaint for the test of section 3.6: all but the completed "
            "object and the picture's corners.",
            inputs=[
                io.Mask.Input("mask", tooltip="The completed object's amodal mask."),
                io.Float.Input(
                    "corner",
                    default=0.1,
                    min=0.0,
                    max=0.5,
                    step=0.01,
                    optional=True,
                    tooltip="Side of the corners that are kept, as a fraction of the smaller side; "
                    "they tell the model what background there is.",
                ),
            ],
            outputs=[io.Mask.Output(display_name="inpaint", tooltip="What to paint.")],
        )

    @classmethod
    @names_itself
    def execute(cls, mask, corner=0.1):
        return io.NodeOutput(curation.counterfactual_mask(validate.object_mask(mask), corner))


class CounterfactualBackgrounds(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCounterfactualBackgrounds",
            display_name="Counterfactual Backgrounds (Amodal)",
            category=CURATION,
            description="The completed object alone on several plain backgrounds, a batch, each to "
            "be outpainted: several tests of section 3.6 at once.",
            inputs=[
                io.Image.Input("image", tooltip="The crop with the completed object."),
                io.Mask.Input("mask", tooltip="Its amodal mask."),
                io.Int.Input(
                    "count",
                    default=2,
                    min=1,
                    max=32,
                    tooltip="How many counterfactuals: each has noise and a background of its own, "
                    "and takes the time of a sampling run.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=2**53,
                    optional=True,
                    tooltip="Of the backgrounds' colours; the first one is gray.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="images", tooltip="A batch, to Inpaint Model Conditioning."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, mask, count, seed=0):
        image = validate.one_image(image)
        mask = validate.object_mask(mask, tuple(image.shape[1:3]))
        return io.NodeOutput(curation.on_plain(image, mask, count, seed))


AS_SET_HERE = "as set here"
THRESHOLDS = {  # the menu's choice -> the file shipped for it
    "paper, Stable Diffusion 2": "stable_diffusion_2.json",
    "sticker models": "stickers.json",
}
FOLDER = "amodal_curation"  # of models/: people's own files


def own_thresholds() -> list[str]:
    return [name for name in model_files.listed(FOLDER) if name.endswith(".json")]


def chosen(choice: str, extension: float, border: float) -> curation.Thresholds:
    if choice == AS_SET_HERE:
        return curation.Thresholds(extension, border)
    if choice in THRESHOLDS:
        return curation.read_thresholds(curation.SHIPPED / THRESHOLDS[choice])
    path = model_files.place(FOLDER, choice) if choice in own_thresholds() else None
    if path is None:
        raise BadInput("thresholds", f"'{choice}' is not there", f"put it into models/{FOLDER}/")
    return curation.read_thresholds(Path(path))


class JudgeCompletion(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalJudgeCompletion",
            display_name="Judge Completion (Amodal)",
            category=CURATION,
            description="Complete or not, by how much the object grew when all around it was "
            "outpainted (section 3.6).",
            inputs=[
                io.Image.Input("image", tooltip="The outpainted picture, to show what was added."),
                io.Mask.Input("mask", tooltip="The completed object's amodal mask."),
                io.Mask.Input(
                    "outpainted",
                    tooltip="Its mask in the outpainted picture, from Segment Object; a batch of "
                    "several counterfactuals is averaged.",
                ),
                io.Float.Input(
                    "extension",
                    default=curation.EXTENSION,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    optional=True,
                    tooltip="The most a complete object may grow, over its area (paper: 0.2).",
                ),
                io.Float.Input(
                    "border",
                    default=curation.BORDER,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    optional=True,
                    tooltip="How near to the border it may then come, over the larger side.",
                ),
                io.Combo.Input(
                    "thresholds",
                    options=[AS_SET_HERE, *THRESHOLDS, *own_thresholds()],
                    default=AS_SET_HERE,
                    optional=True,
                    tooltip="Both of the above, or those fitted for a model: shipped ones, or your "
                    "own .json in models/amodal_curation/.",
                ),
            ],
            outputs=[
                io.Boolean.Output(display_name="complete", tooltip="The decision."),
                io.Float.Output(
                    display_name="score", tooltip="0 to 1; complete from 0.5 on. To Pick Best."
                ),
                io.Float.Output(display_name="extension", tooltip="Area gained over area before."),
                io.Float.Output(
                    display_name="border", tooltip="Distance to the border over the larger side."
                ),
                io.String.Output(display_name="verdict", tooltip="All of it in words."),
                io.Image.Output(
                    display_name="picture",
                    tooltip="The object in green, what it grew by in red; counterfactuals side by "
                    "side.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        mask,
        outpainted,
        extension=curation.EXTENSION,
        border=curation.BORDER,
        thresholds=AS_SET_HERE,
    ):
        image = validate.as_images(image, "image")
        size = tuple(image.shape[1:3])
        before = validate.object_mask(mask, size)
        after = validate.as_masks(outpainted, size, "outpainted")
        limits = chosen(thresholds, extension, border)
        verdict = curation.judge(before, after, limits.extension, limits.border)
        picture = side_by_side(image, before, after)
        return io.NodeOutput(
            verdict.complete,
            verdict.score,
            verdict.extension,
            verdict.border,
            told(verdict),
            picture,
        )


def side_by_side(image: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """[1, H, n * W, 3]: what was added in each counterfactual that there is a picture of."""
    colours = [visualize.QUERY_COLOUR, GREW]
    drawn = []
    for picture, mask in zip(image, after):
        grown = (mask > 0.5).float() * (1 - before[0])
        drawn.append(
            visualize.overlay(picture[None], torch.stack([before[0], grown]), colours=colours)
        )
    return torch.cat(drawn, 2)


def told(verdict: curation.Verdict) -> str:
    decision = "complete" if verdict.complete else "incomplete"
    return (
        f"{decision}, score {verdict.score:.2f}: grew by {verdict.extension:.0%}, "
        f"{verdict.border:.0%} from the border"
    )


class PickBest(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPickBest",
            display_name="Pick Best (Amodal)",
            category=CURATION,
            description="Of several completions the one with the best score, ties broken by the "
            "fit to the visible part; and all of them as a grid, best first.",
            is_input_list=True,
            inputs=[
                io.Image.Input("objects", tooltip="The completions, a list."),
                io.Mask.Input("masks", tooltip="Their amodal masks, a list."),
                io.Float.Input(
                    "scores", default=0.0, force_input=True, tooltip="From Judge Completion."
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
                io.Mask.Input(
                    "visible",
                    optional=True,
                    tooltip="What is seen of the object in the original picture, from Pick Object. "
                    "Scores that look the same (two digits) are then decided by the fit: the part "
                    "of it that is kept, less the step in colour at its seam.",
                ),
                io.Int.Input(
                    "x",
                    default=0,
                    min=-65536,
                    max=0,
                    optional=True,
                    force_input=True,
                    tooltip="Left edge of each completion's canvas, from Amodal Completion.",
                ),
                io.Int.Input(
                    "y",
                    default=0,
                    min=-65536,
                    max=0,
                    optional=True,
                    force_input=True,
                    tooltip="Top edge of each completion's canvas, from Amodal Completion.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="object", tooltip="The best completion."),
                io.Mask.Output(display_name="mask", tooltip="Its amodal mask."),
                io.Int.Output(display_name="index", tooltip="Its number in the list, from 0."),
                io.Image.Output(display_name="ranking", tooltip="All of them, best first."),
                io.String.Output(
                    display_name="order", tooltip="The same in words: number, score and fit."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, objects, masks, scores, cell=None, visible=None, x=None, y=None):
        if not len(objects) == len(masks) == len(scores):
            raise BadInput(
                "scores",
                f"are {len(scores)} for {len(objects)} objects, {len(masks)} masks",
                "judge every completion of the list, and connect that list",
            )
        fits = fits_of(objects, masks, visible, x or [0], y or [0]) if visible else None
        order = curation.ranked(scores, fits)
        best = order[0]
        fit = {i: f", fit {fits[i]:.3f}" if fits else "" for i in order}
        labels = [f"{i + 1}: {scores[i]:.2f}{fit[i]}" for i in order]
        side = cell[0] if cell else 256
        grid = visualize.grid([objects[i][0] for i in order], labels, "Best first", 0, side)
        told = "\n".join(f"{i + 1}: score {scores[i]:.2f}{fit[i]}" for i in order)
        return io.NodeOutput(objects[best], masks[best], best, torch.from_numpy(grid)[None], told)


def fits_of(objects: list, masks: list, visible: list, x: list, y: list) -> list[float]:
    """The fit of each completion to the visible part; one mask, x and y for all, or one each."""
    found = []
    for number, (image, mask) in enumerate(zip(objects, masks)):
        image = validate.one_image(image, "objects")
        size = tuple(image.shape[1:3])
        seen, left, top = (
            each(given, number, len(objects), name)
            for given, name in ((visible, "visible"), (x, "x"), (y, "y"))
        )
        seen = curation.on_canvas(validate.object_mask(seen, name="visible"), size, left, top)
        found.append(curation.fit_to_visible(image, validate.one_mask(mask, size, "masks"), seen))
    return found


def each(given: list, number: int, count: int, name: str):
    """The number-th of a list of `count`, or the only one."""
    if len(given) not in (1, count):
        raise BadInput(
            name, f"has {len(given)} items for {count} objects", "give one, or one for each"
        )
    return given[number if len(given) > 1 else 0]


NODES = [CounterfactualMask, CounterfactualBackgrounds, JudgeCompletion, PickBest]
