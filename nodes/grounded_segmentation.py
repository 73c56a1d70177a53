"""Mask analysis, first part: the objects of a picture, and the one to complete (section 3.4)."""

from dataclasses import replace

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..amodal.core import detections, validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.method import occluder_hints
from ..amodal.models import impact_segs
from . import types, ui
from .common import CATEGORY, aliases, names_itself

DETECT = f"{CATEGORY}/mask analysis"
SHOWN = 1024  # longer side of the picture in Pick Object
NOTHING = (
    "Detect Objects: nothing detected, so there are no masks. Remedy: name other objects, leave "
    "the words empty to look for all that is known, or lower the threshold."
)


class DetectObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalDetectObjects",
            **aliases("segment", "grounding dino", "sam", "find objects"),
            display_name="Detect Objects (Amodal)",
            category=DETECT,
            description="Finds objects with their visible masks, labels and scores (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture; one, not a batch."),
                types.Segmenter.Input("segmenter", tooltip="From a segmenter's loader node."),
                io.String.Input(
                    "words",
                    default="",
                    optional=True,
                    tooltip="What to look for, comma separated. Empty: everything it knows.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="The least score of a detection.",
                ),
            ],
            outputs=[
                types.Objects.Output(
                    display_name="objects", tooltip="Masks, labels, scores and boxes; may be none."
                ),
                io.Mask.Output(
                    display_name="masks",
                    tooltip="A batch with one visible mask for each object. When nothing was "
                    "detected, what hangs on it does not run and a message says so.",
                ),
                io.String.Output(display_name="labels", tooltip="A line for each object."),
                io.Int.Output(display_name="count", tooltip="How many objects; may be 0."),
                io.Image.Output(display_name="overlay", tooltip="The picture with the objects."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, segmenter, words="", threshold=0.5):
        image = validate.one_image(image)
        wanted = detections.as_words(words) or None
        found = detections.distinct(segmenter.detect(image[0], wanted, threshold))
        return io.NodeOutput(
            replace(found, image=image),  # a reference, for Pick Object to show
            found.masks if len(found) else ExecutionBlocker(NOTHING),
            "\n".join(found.labels),
            len(found),
            visualize.overlay(image, found.masks, found.labels),
        )


class ObjectsFromMasks(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalObjectsFromMasks",
            display_name="Objects From Masks (Amodal)",
            category=DETECT,
            description="Makes objects of any masks, drawn by hand or from another pack's node, or "
            "of the Impact Pack's SEGS.",
            inputs=[
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip="A batch with one visible mask for each object; empty ones are "
                    "dropped.",
                ),
                io.String.Input(
                    "labels",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip="Their names, in lines or comma separated. May be fewer.",
                ),
                io.Custom("SEGS").Input(
                    "segs",
                    optional=True,
                    tooltip="In place of masks: what a detector of the Impact Pack found. Labels "
                    "and confidences are kept; names given here count before its labels.",
                ),
            ],
            outputs=[
                types.Objects.Output(
                    display_name="objects", tooltip="The objects; those of masks with a score of 1."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, masks=None, labels="", segs=None):
        return io.NodeOutput(from_either(masks, segs, detections.as_words(labels)))


class PickObject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPickObject",
            **aliases("select object", "click", "choose a mask"),
            display_name="Pick Object (Amodal)",
            category=DETECT,
            description="Chooses the object to complete. What is given counts in this order: mask, "
            "point, words, index, the largest object.",
            inputs=[
                types.Objects.Input(
                    "objects", optional=True, tooltip="From Detect Objects or Objects From Masks."
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The object's visible pixels, 1 on the object. Load Image gives 1 "
                    "where a file is transparent or painted over in the mask editor, and an empty "
                    "64x64 mask for a file without transparency, which counts as none.",
                ),
                io.String.Input(
                    "point",
                    default="",
                    optional=True,
                    tooltip="A point on the object, x,y from the top left corner: in pixels, or, "
                    "with decimal points, as fractions of the picture, like 0.43,0.61. A click "
                    "into the picture in the node writes it.",
                ),
                io.String.Input(
                    "words",
                    default="",
                    optional=True,
                    tooltip="The object's label. With a mask: the name to give it.",
                ),
                io.Int.Input(
                    "index",
                    default=-1,
                    min=-1,
                    max=9999,
                    optional=True,
                    tooltip="The object's number, from 0. -1: not chosen by number.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The picture, to be shown in the node. Detect Objects sends it along; "
                    "Objects From Masks does not.",
                ),
                io.String.Input(
                    "occluders",
                    default="",
                    optional=True,
                    tooltip="Objects marked by hand: points like those of point, separated by "
                    "semicolons, on what hides the object; 'not' before a point on what does not. "
                    "Shift and click on an object in the picture in the node: hides it, does not, "
                    "as the order says.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="mask", tooltip="M_modal: the object's visible pixels."
                ),
                io.String.Output(display_name="label", tooltip="Its label, for the prompt."),
                io.Mask.Output(
                    display_name="front",
                    tooltip="What was marked as an occluder, for Select Occluders; may be empty.",
                ),
                io.Mask.Output(
                    display_name="behind",
                    tooltip="What was marked as no occluder, for Select Occluders; may be empty.",
                ),
            ],
            is_output_node=True,  # so that it can be run alone, and its list comes with every run
        )

    @classmethod
    @names_itself
    def execute(
        cls, objects=None, mask=None, point="", words="", index=-1, image=None, occluders=""
    ):
        if is_absent(mask):
            mask = None
        shown = choice(cls.hidden, objects, image)  # before picking, which may find nothing there
        query, label = pick(objects, mask, point, words, index)
        return io.NodeOutput(
            query, label, *occluder_hints.by_hand(objects, occluders, query), ui=shown
        )


def from_either(masks, found, words: list[str]):
    if (masks is None) == (found is None):
        raise BadInput(
            "masks",
            "is not connected, nor is 'segs'"
            if masks is None
            else "is connected, and so is 'segs'",
            "connect one of the two",
        )
    return (
        detections.from_masks(masks, words)
        if found is None
        else impact_segs.as_objects(found, words)
    )


def choice(hidden, found, image) -> dict:
    """What there is to click on in the node: the picture, and which object is where."""
    if found is None or not ui.is_in_graph(ui.node_id()):
        return {}
    image = found.image if image is None else validate.one_image(image)
    areas = visualize.index_map(found.masks, SHOWN)
    if image is None:
        image = torch.full((1, *areas.shape, 3), 0.5)
    shown = ui.entry(
        hidden,
        labels=found.labels,
        scores=[round(float(s), 3) for s in found.scores],
        size=list(found.masks.shape[:0:-1]),
        areas=ui.saved(areas, "areas"),
        image=ui.saved(visualize.fitted(image, SHOWN)[0], "picture"),
    )
    return {"amodal_objects": [ui.tell("amodal.objects", shown)]}


def is_absent(mask) -> bool:
    """Load Image's way to say that a file has no transparency."""
    return mask is None or (tuple(mask.shape[-2:]) == (64, 64) and not bool(mask.any()))


def pick(found, mask, point, words, index):
    size = (1, 1) if found is None else tuple(found.masks.shape[-2:])
    return detections.pick(found, mask, detections.as_point(point, size), words, index)


NODES = [DetectObjects, ObjectsFromMasks, PickObject]
