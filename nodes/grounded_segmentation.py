"""Mask analysis, first part: find the objects (section 3.4)."""

from dataclasses import replace

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..amodal.core import detections, filed_masks, validate, visualize
from ..amodal.core.errors import BadInput
from ..amodal.core.names import as_words
from ..amodal.core.search import search
from ..amodal.core.types import Objects
from ..amodal.models import bounding_boxes, impact_segs
from . import types, ui
from .common import CATEGORY, aliases, names_itself

DETECT = f"{CATEGORY}/mask analysis"
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


def from_either(masks, segs, words: list[str], boxes: list[dict] | None) -> Objects:
    if masks is None and segs is None:
        raise BadInput("masks", "is not connected, nor is 'segs'", "connect one of the two")
    if masks is not None and segs is not None:
        raise BadInput("masks", "is connected, and so is 'segs'", "connect one of the two")
    if segs is None:
        own, scores = bounding_boxes.read(boxes, len(masks)) if boxes is not None else ([], None)
        return detections.from_masks(masks, [*words, *own[len(words) :]], scores)
    return impact_segs.as_objects(segs, words)


NODES = [DetectObjects, ObjectsFromMasks]
