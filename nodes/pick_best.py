"""Picks the best of several completions by their scores (section 3.6) and their fit."""

from __future__ import annotations

from typing import TypeVar

import torch
from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.method import curation
from .common import names_itself
from .curation import CURATION

Value = TypeVar("Value")


class PickBest(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalPickBest",
            display_name="Pick Best (Amodal)",
            category=CURATION,
            description="Picks the completion with the best score, and shows all of them in a "
            "grid, best first. With a modal mask, the fit to the visible part breaks ties.",
            is_input_list=True,
            inputs=[
                io.Image.Input("objects", tooltip="The completions, as a list."),
                io.Mask.Input("amodal_masks", tooltip="Their amodal masks, as a list."),
                io.Float.Input(
                    "scores",
                    default=0.0,
                    force_input=True,
                    tooltip="Their scores from Judge Completion, as a list.",
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
                io.Mask.Input(
                    "modal_mask",
                    optional=True,
                    tooltip="Modal mask on the original picture, from Pick Object. If connected, "
                    "the fit decides between scores that agree to two digits. The fit is the "
                    "fraction of the modal mask that the completion keeps, times one minus the "
                    "colour step at its edge.",
                ),
                io.Int.Input(
                    "x",
                    default=0,
                    min=-65536,
                    max=0,
                    optional=True,
                    force_input=True,
                    tooltip="Left edge of each completion's canvas in pixels, from Amodal "
                    "Completion. Used with modal_mask.",
                ),
                io.Int.Input(
                    "y",
                    default=0,
                    min=-65536,
                    max=0,
                    optional=True,
                    force_input=True,
                    tooltip="Top edge of each completion's canvas in pixels, from Amodal "
                    "Completion. Used with modal_mask.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="object", tooltip="The best completion."),
                io.Mask.Output(display_name="amodal_mask", tooltip="Its amodal mask."),
                io.Int.Output(display_name="index", tooltip="Its number in the list, from 0."),
                io.Image.Output(
                    display_name="ranking", tooltip="Grid of all completions, best first."
                ),
                io.String.Output(
                    display_name="order",
                    tooltip="The ranking as text: number (from 1), score and fit.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        objects: list[torch.Tensor],
        amodal_masks: list[torch.Tensor],
        scores: list[float],
        cell: list[int] | None = None,
        modal_mask: list[torch.Tensor] | None = None,
        x: list[int] | None = None,
        y: list[int] | None = None,
    ) -> io.NodeOutput:
        if not len(objects) == len(amodal_masks) == len(scores):
            raise BadInput(
                "scores",
                f"are {len(scores)} for {len(objects)} objects and {len(amodal_masks)} masks",
                "judge every completion of the list, and connect the list of scores",
            )
        objects = [validate.as_pictures(image, "objects") for image in objects]
        fits = None
        if modal_mask:
            fits = fits_of(objects, amodal_masks, modal_mask, x or [0], y or [0])
        order = curation.ranked(scores, fits)
        best = order[0]
        fit = {i: f", fit {fits[i]:.3f}" if fits else "" for i in order}
        labels = [f"{i + 1}: {scores[i]:.2f}{fit[i]}" for i in order]
        side = cell[0] if cell else 256
        grid = visualize.grid([objects[i][0] for i in order], labels, "Best first", 0, side)
        text = "\n".join(f"{i + 1}: score {scores[i]:.2f}{fit[i]}" for i in order)
        ranking = torch.from_numpy(grid)[None]
        return io.NodeOutput(objects[best], amodal_masks[best], best, ranking, text)


def fits_of(
    objects: list[torch.Tensor],
    amodal_masks: list[torch.Tensor],
    modal_masks: list[torch.Tensor],
    x: list[int],
    y: list[int],
) -> list[float]:
    """The fit (0..1) of each completion to the visible part. Raises BadInput.

    `modal_masks`, `x` and `y` hold one item for each completion, or one for all.
    """
    fits = []
    for number, (image, mask) in enumerate(zip(objects, amodal_masks)):
        image = validate.one_image(image, "objects")
        size = validate.picture_size(image)
        modal = each(modal_masks, number, len(objects), "modal_mask")
        modal = validate.object_mask(modal, name="modal_mask")
        left, top = each(x, number, len(objects), "x"), each(y, number, len(objects), "y")
        placed = curation.on_canvas(modal, size, left, top)
        amodal = validate.one_mask(mask, size, "amodal_masks")
        fits.append(curation.fit_to_visible(image, amodal, placed))
    return fits


def each(given: list[Value], number: int, count: int, name: str) -> Value:
    """Item `number` of a list of `count`, or the only item. Raises BadInput for other lengths."""
    if len(given) not in (1, count):
        raise BadInput(
            name,
            f"has {len(given)} items for {count} objects",
            "give one item, or one for each object",
        )
    return given[number if len(given) > 1 else 0]


NODES = [PickBest]
