"""The amodal mask of the completed object (section 3.4)."""

import torch
from comfy_api.latest import io

from ..amodal.core import detections, validate
from ..amodal.core.errors import BadInput
from ..amodal.method.amodal_mask import segment_amodal
from . import types
from .common import CATEGORY, names_itself
from .limits import bound_inputs, forbidden


class SegmentObject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSegmentObject",
            display_name="Segment Object (Amodal)",
            category=f"{CATEGORY}/result",
            description="Segments the completed object: its visible part and the part that was "
            "painted, without the painted background (section 3.4).",
            inputs=[
                io.Image.Input(
                    "image", tooltip="The completed crop. Each picture of a batch gets its mask."
                ),
                types.Segmenter.Input("segmenter", tooltip="From a segmenter's loader node."),
                io.Mask.Input(
                    "modal_mask", tooltip="The object before this pass. It prompts the segmenter."
                ),
                io.String.Input(
                    "label", default="", optional=True, tooltip="The object's label, or empty."
                ),
                io.Mask.Input("inpaint_mask", tooltip="The painted pixels."),
                io.Float.Input(
                    "min_iou",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="The segment is taken if it agrees with the modal mask by at least "
                    "this IoU. Else the modal mask is kept and 'found' is false.",
                ),
                io.Float.Input(
                    "reach",
                    default=0.1,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    optional=True,
                    tooltip="How far outside the inpaint mask the object may grow, as a fraction "
                    "of the crop's side. Closes gaps of the modal mask. 0 allows none.",
                ),
                types.Objects.Input(
                    "objects",
                    optional=True,
                    tooltip="The objects of the crop before painting, from Apply Occluder Hints or "
                    "Order Objects. Visible pixels of other objects are never taken.",
                ),
                *bound_inputs(),
            ],
            outputs=[
                io.Mask.Output(display_name="amodal_mask", tooltip="The completed object."),
                io.String.Output(
                    display_name="explanation",
                    tooltip="Where the mask comes from: the segment, or the modal mask and why.",
                ),
                io.Boolean.Output(
                    display_name="found",
                    tooltip="True if the segmenter found the object again. To Loop End and Judge "
                    "Completion.",
                ),
                io.Boolean.Output(
                    display_name="joined",
                    tooltip="True if an occluder had split the object in two, and the part beyond "
                    "the painted area was taken too. To Loop End.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls,
        image,
        segmenter,
        modal_mask,
        inpaint_mask,
        label="",
        min_iou=0.3,
        reach=0.1,
        objects=None,
        upper_bound=None,
        crop=None,
    ):
        image = validate.as_images(image)
        size = validate.picture_size(image)
        modal_mask = validate.object_mask(modal_mask, size, "modal_mask")[0]
        inpaint_mask = validate.one_mask(inpaint_mask, size, "inpaint_mask")[0]
        if objects is not None and len(objects) and validate.size_of(objects.masks) != size:
            raise BadInput("objects", "belong to a picture of another size", "take the crop's")
        allowed = 1 - forbidden(upper_bound, crop, size)[0]
        others = [
            validate.one_mask(mask, size, "objects")[0]
            for mask in (detections.others(objects, modal_mask) if objects is not None else ())
        ]
        results = []
        for picture in image:
            segment = segmenter.segment(
                picture, prior_mask=modal_mask, label=label or None, painted=inpaint_mask
            )
            segment = validate.one_mask(segment, size, "segmenter")[0]
            results.append(
                segment_amodal(segment, modal_mask, inpaint_mask, min_iou, reach, *others)
            )
        return io.NodeOutput(
            torch.stack([result.mask * torch.maximum(allowed, modal_mask) for result in results]),
            "\n".join(result.describe() for result in results),
            all(result.found for result in results),
            any(result.joined for result in results),
        )


NODES = [SegmentObject]
