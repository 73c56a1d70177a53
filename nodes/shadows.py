"""Shadows and reflections of the occluders, to be removed with them (section 5)."""

import torch
from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.search import search
from ..amodal.method import shadows
from . import types
from .common import CATEGORY, aliases, names_itself

WORDS = "shadow of {occluder}, reflection of {occluder}"
COLOURS = ((0.3, 0.5, 1.0), visualize.CONTRAST_COLOUR)  # on the ground, on the object


class FindShadows(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalFindShadows",
            **aliases("shadow", "reflection", "remove shadow"),
            display_name="Find Shadows (Amodal)",
            category=f"{CATEGORY}/mask analysis",
            description="Finds shadows and reflections of the occluders, which would call them "
            "back in (section 5): darkened ground, the occluder upside down, and by words.",
            inputs=[
                io.Image.Input("image", tooltip="The crop."),
                io.Mask.Input("modal_mask", tooltip="M_modal: the object's visible pixels."),
                io.Mask.Input("occluder_mask", tooltip="M_occ, from Select Occluders."),
                io.Mask.Input(
                    "padding_mask", optional=True, tooltip="Unknown pixels, from Crop To Object."
                ),
                types.Objects.Input(
                    "objects", optional=True, tooltip="All objects of the crop; they are no ground."
                ),
                types.Occlusion.Input(
                    "occlusion",
                    optional=True,
                    tooltip="From Select Occluders: the occluders' names, for the words.",
                ),
                types.Segmenter.Input(
                    "segmenter",
                    optional=True,
                    tooltip="Searches for the words. One that knows only its own names finds none.",
                ),
                io.String.Input(
                    "words",
                    default=WORDS,
                    optional=True,
                    tooltip="What to search for; {occluder} is each occluder's name. Empty: "
                    "nothing by words.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="The least score of what is found by words, 0 to 1.",
                ),
                io.Boolean.Input(
                    "ground",
                    default=True,
                    optional=True,
                    tooltip="Search for darkened ground that touches the occluder, and for the "
                    "occluder upside down below itself.",
                ),
                io.Boolean.Input(
                    "relight",
                    default=False,
                    optional=True,
                    tooltip="Give the object's own surface its light back in the image, by the "
                    "factor of the shadow on the ground.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="shadow_mask",
                    tooltip="On the ground: shadows and reflections. To Check Occlusion and Remove "
                    "Objects. All zeros if there are none.",
                ),
                io.Mask.Output(
                    display_name="object_shadow",
                    tooltip="The shadow on the object's visible pixels. They stay visible.",
                ),
                io.Image.Output(
                    display_name="image", tooltip="The crop; with 'relight', the object relit."
                ),
                io.Image.Output(
                    display_name="overlay",
                    tooltip="The crop with shadows on the ground in blue, on the object in red.",
                ),
                io.String.Output(display_name="report", tooltip="What was found, in words."),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        modal_mask,
        occluder_mask,
        padding_mask=None,
        objects=None,
        occlusion=None,
        segmenter=None,
        words=WORDS,
        threshold=0.5,
        ground=True,
        relight=False,
    ):
        image = validate.one_image(image)
        size = validate.picture_size(image)
        modal_mask = validate.object_mask(modal_mask, size, "modal_mask")
        occluder_mask = validate.one_mask(occluder_mask, size, "occluder_mask")
        others = covered(padding_mask, objects, size)
        found = shadows.nothing(image)
        if ground:
            found = shadows.on_ground(image, occluder_mask, modal_mask, others)
        shade = shadows.on_object(image, modal_mask, occluder_mask, found)
        by_words, said = named(image, occluder_mask, occlusion, segmenter, words, threshold)
        free = (1 - modal_mask) * (1 - occluder_mask)
        mask = torch.maximum(found.mask, by_words * free)
        shown = visualize.overlay(image, torch.cat([mask, shade]), colours=COLOURS)
        relit = shadows.relit(image, shade, found.light) if relight else image
        return io.NodeOutput(mask, shade, relit, shown, "; ".join([*in_words(found, shade), *said]))


def covered(padding_mask, objects, size: validate.Size) -> torch.Tensor:
    """[1, H, W]: 1 where an object or nothing known is."""
    result = torch.zeros(1, *size)
    if padding_mask is not None:
        result = validate.one_mask(padding_mask, size, "padding_mask")
    if objects is not None and len(objects):
        masks = validate.as_masks(objects.masks.float(), size, "objects")
        result = torch.maximum(result, masks.amax(0, keepdim=True))
    return result


def named(image, occluder_mask, occlusion, segmenter, words: str, threshold: float) -> tuple:
    """(mask [1, H, W], what to say) of what the segmenter finds by the words."""
    nothing = torch.zeros_like(occluder_mask)
    if segmenter is None or occlusion is None or not occluder_mask.any():
        return nothing, []
    if "{occluder}" in words:
        names = dict.fromkeys(name for name in occlusion.occluders if name)
        words = ", ".join(words.replace("{occluder}", name) for name in names)
    if not words.strip():
        return nothing, []
    try:
        found = search(segmenter, image[0], words, threshold, add_known=False)
    except BadInput:
        return nothing, [f"the segmenter cannot search for {words}"]
    if not len(found):
        return nothing, [f"nothing found by words (looked for {words})"]
    labels = ", ".join(dict.fromkeys(found.labels))
    return found.masks.float().amax(0, keepdim=True), [f"found by words: {labels}"]


def in_words(found: shadows.Traces, shade: torch.Tensor) -> list[str]:
    said = []
    if found.shadow.any():
        said.append(f"shadow on the ground, which leaves {float(found.light.mean()):.0%} there")
    if found.reflection.any():
        said.append("reflection in the ground")
    if shade.any():
        said.append("shadow on the object")
    return said or ["no shadow or reflection on the ground"]


NODES = [FindShadows]
