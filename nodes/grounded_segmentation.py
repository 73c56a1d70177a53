"""Mask analysis, first part: find the objects, and pick the one to complete (section 3.4)."""

from dataclasses import replace

import torch
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..amodal.core import detections, filed_masks, picking, validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.names import as_words, name_in_prompt
from ..amodal.core.search import search
from ..amodal.core.types import Objects
from ..amodal.method.occluder_hints import hint_masks
from ..amodal.models import bounding_boxes, impact_segs
from . import types, ui
from .common import CATEGORY, aliases, names_itself
from .limits import both_bounds, drawn_bound_input

DETECT = f"{CATEGORY}/mask analysis"
SHOWN = 1024  # longer side of the picture in Pick Object
NOTHING = (
    "Detect Objects: nothing detected{}, so there are no masks. Remedy: name other objects, clear "
    "'words' to search for everything the segmenter knows, or lower the threshold."
)
NAMES = "separated by commas, semicolons, full stops, vertical bars or lines"


class DetectObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalDetectObjects",
            **aliases("segment", "grounding dino", "sam", "find objects"),
            display_name="Detect Objects (Amodal)",
            category=DETECT,
            description="Finds objects with their modal masks, labels and scores (section 3.4).",
            inputs=[
                io.Image.Input("image", tooltip="The picture; one, not a batch."),
                types.Segmenter.Input("segmenter", tooltip="From a segmenter's loader node."),
                io.String.Input(
                    "words",
                    default="",
                    optional=True,
                    tooltip=f"Names of objects, {NAMES}. Empty: everything the segmenter knows.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="The least score of a detection, 0 to 1.",
                ),
                io.Boolean.Input(
                    "add_known",
                    default=False,
                    optional=True,
                    tooltip="Search for everything the segmenter knows beside 'words'. An object "
                    "found by both keeps its name in 'words'.",
                ),
            ],
            outputs=[
                types.Objects.Output(
                    display_name="objects", tooltip="Masks, labels, scores and boxes; may be none."
                ),
                io.Mask.Output(
                    display_name="masks",
                    tooltip="A batch with one modal mask for each object. If nothing was detected, "
                    "the nodes after it do not run, and a message says so.",
                ),
                io.String.Output(display_name="labels", tooltip="A line for each object."),
                io.Int.Output(display_name="count", tooltip="How many objects; may be 0."),
                io.Image.Output(display_name="overlay", tooltip="The picture with the objects."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, segmenter, words="", threshold=0.5, add_known=False):
        image = validate.one_image(image)
        objects = search(segmenter, image[0], words, threshold, add_known)
        nothing = NOTHING.format(detections.looked_for(objects))
        return io.NodeOutput(
            replace(objects, image=image),  # a reference, for Pick Object to show
            filed_masks.as_numbers(objects.masks, ui.temporary_folder())
            if len(objects)
            else ExecutionBlocker(nothing),
            "\n".join(objects.labels),
            len(objects),
            visualize.overlay(image, objects.masks, objects.labels),
        )


class ObjectsFromMasks(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalObjectsFromMasks",
            display_name="Objects From Masks (Amodal)",
            category=DETECT,
            description="Makes objects from any masks, drawn by hand or from another pack's node, "
            "or from the Impact Pack's SEGS.",
            inputs=[
                types.MasksOrNone(
                    "masks",
                    optional=True,
                    tooltip="A batch with one modal mask for each object. Empty masks are dropped, "
                    "and a batch of none means no objects.",
                ),
                io.String.Input(
                    "labels",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip=f"Their names, {NAMES}. May be fewer.",
                ),
                io.Custom("SEGS").Input(
                    "segs",
                    optional=True,
                    tooltip="Instead of masks: detections of the Impact Pack. Their labels and "
                    "confidences are kept; 'labels' replaces the first ones.",
                ),
                types.Boxes.Input(
                    "bboxes",
                    optional=True,
                    tooltip="The boxes of a core detector such as SAM3 Detect, one for each mask, "
                    "for their scores and labels.",
                ),
            ],
            outputs=[
                types.Objects.Output(
                    display_name="objects",
                    tooltip="The objects. Masks without boxes have the score 1.",
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, masks=None, labels="", segs=None, bboxes=None):
        boxes = None if bboxes is None else bounding_boxes.flat(bboxes)
        return io.NodeOutput(from_either(masks, segs, as_words(labels), boxes))


class PickObject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalPickObject",
            **aliases("select object", "click", "choose a mask"),
            display_name="Pick Object (Amodal)",
            category=DETECT,
            description="Chooses the object to complete, the query. The first one given decides: "
            "mask, point, words, index, else the largest object.",
            inputs=[
                types.Objects.Input(
                    "objects", optional=True, tooltip="From Detect Objects or Objects From Masks."
                ),
                io.Mask.Input(
                    "modal_mask",
                    optional=True,
                    tooltip="The object's visible pixels, 1 on the object. Load Image's mask is 1 "
                    "where a file is transparent or painted over in the mask editor. An empty "
                    "64x64 mask means a file without transparency, and counts as not given.",
                ),
                io.String.Input(
                    "point",
                    default="",
                    optional=True,
                    tooltip="A point on the object, x,y from the top left corner: in pixels, or "
                    "with decimal points as fractions of the picture, like 0.43,0.61. A click into "
                    "the node's picture writes it.",
                ),
                io.String.Input(
                    "words",
                    default="",
                    optional=True,
                    tooltip="The object's label, as Detect Objects gives it. With a mask: the "
                    "label to give it.",
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
                    tooltip="The picture that the node shows. Detect Objects sends it along; "
                    "Objects From Masks does not.",
                ),
                io.String.Input(
                    "occluder_hints",
                    default="",
                    optional=True,
                    tooltip="Points on objects that hide this one, separated by semicolons; 'not' "
                    "before a point marks an object that does not. Shift and click an object in "
                    "the node's picture to change its mark: occluder, not an occluder, no mark.",
                ),
                drawn_bound_input(),
                io.Mask.Input(
                    "upper_bound",
                    optional=True,
                    tooltip="Another bound, such as an amodal mask. With a drawn one, the object "
                    "stays within both.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="modal_mask", tooltip="M_modal: the object's visible pixels."
                ),
                io.String.Output(
                    display_name="label",
                    tooltip="Its label; empty if it has none. To Segment Object.",
                ),
                io.Mask.Output(
                    display_name="front_hint",
                    tooltip="Objects marked as occluders, to Apply Occluder Hints. May be empty.",
                ),
                io.Mask.Output(
                    display_name="behind_hint",
                    tooltip="Objects marked as not being occluders, to Apply Occluder Hints. May "
                    "be empty.",
                ),
                io.String.Output(
                    display_name="name",
                    tooltip="The label for the prompt: 'single object' if it has none.",
                ),
                io.Mask.Output(
                    display_name="upper_bound",
                    tooltip="What the object must not leave: the drawn shape, and upper_bound. All "
                    "ones without either.",
                ),
            ],
            is_output_node=True,  # so that it can run alone, and every run returns its list
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        objects=None,
        modal_mask=None,
        point="",
        words="",
        index=-1,
        image=None,
        occluder_hints="",
        drawn_bound="",
        upper_bound=None,
    ):
        if is_absent(modal_mask):
            modal_mask = None
        shown = choice(cls.hidden, objects, image)  # before picking, which may raise
        query, label = pick(objects, modal_mask, point, words, index)
        hints = hint_masks(objects, occluder_hints, query)
        bound = both_bounds(drawn_bound, upper_bound, validate.size_of(query))
        name = name_in_prompt(label)
        return io.NodeOutput(query, label, *hints, name, bound, ui=shown)


def from_either(masks, segs, words: list[str], boxes: list[dict] | None) -> Objects:
    if masks is None and segs is None:
        raise BadInput("masks", "is not connected, nor is 'segs'", "connect one of the two")
    if masks is not None and segs is not None:
        raise BadInput("masks", "is connected, and so is 'segs'", "connect one of the two")
    if segs is None:
        own, scores = bounding_boxes.read(boxes, len(masks)) if boxes is not None else ([], None)
        return detections.from_masks(masks, [*words, *own[len(words) :]], scores)
    return impact_segs.as_objects(segs, words)


def choice(hidden, objects: Objects | None, image) -> dict:
    """What can be clicked in the node: the picture, and which object covers which pixel."""
    if objects is None or not ui.is_in_graph(ui.node_id()):
        return {}
    image = objects.image if image is None else validate.one_image(image)
    areas = visualize.index_map(objects.masks, SHOWN)
    if image is None:
        image = torch.full((1, *areas.shape, 3), 0.5)
    shown = ui.entry(
        hidden,
        labels=objects.labels,
        scores=[round(float(score), 3) for score in objects.scores],
        size=list(objects.masks.shape[:0:-1]),
        areas=ui.saved(areas, "areas"),
        image=ui.saved(visualize.fitted(image, SHOWN)[0], "picture"),
    )
    return {"amodal_objects": [ui.tell("amodal.objects", shown)]}


def is_absent(mask) -> bool:
    """True for what Load Image gives for a file without transparency."""
    return mask is None or (validate.size_of(mask) == (64, 64) and not bool(mask.any()))


def pick(objects: Objects | None, mask, point: str, words: str, index: int):
    size = (1, 1) if objects is None else validate.size_of(objects.masks)
    return picking.pick(objects, mask, picking.as_point(point, size), words, index)


NODES = [DetectObjects, ObjectsFromMasks, PickObject]
