"""Mask analysis: which of the detected objects is to be completed (section 3.4)."""

import torch
from comfy_api.latest import io

from ..amodal.core import picking, validate, visualize
from ..amodal.core.names import name_in_prompt
from ..amodal.core.types import Objects
from ..amodal.method.occluder_hints import hint_masks
from . import types, ui
from .common import aliases, names_itself
from .grounded_segmentation import DETECT
from .limits import both_bounds, drawn_bound_input

SHOWN = 1024  # longer side of the picture


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


NODES = [PickObject]
