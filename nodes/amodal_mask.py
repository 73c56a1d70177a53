"""The amodal mask of the completed object (section 3.4)."""

import torch
from comfy_api.latest import io

from ..amodal.core import validate
from ..amodal.method import amodal_mask
from . import types
from .common import CATEGORY, names_itself


class SegmentObject(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSegmentObject",
            display_name="Segment Object (Amodal)",
            category=f"{CATEGORY}/result",
            description="Segments the completed object: its visible part, and what was painted of "
            "it; the painted background is left out (section 3.4).",
            inputs=[
                io.Image.Input(
                    "image", tooltip="The completed crop; of a batch, each gets its own mask."
                ),
                types.Segmenter.Input("segmenter", tooltip="From a segmenter's loader node."),
                io.Mask.Input("mask", tooltip="The object before this pass, as a prompt."),
                io.String.Input(
                    "label", default="", optional=True, tooltip="Its label; may be empty."
                ),
                io.Mask.Input("inpaint", tooltip="What was painted."),
                io.Float.Input(
                    "floor",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="Believe the segmenter when it agrees with the visible part by at "
                    "least this IoU; else the visible part is kept and the status says so.",
                ),
                io.Float.Input(
                    "reach",
                    default=0.1,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    optional=True,
                    tooltip="How far from what was painted the object may grow, as a fraction of "
                    "the crop's side: closes gaps of the visible mask. 0: nowhere else.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="The amodal mask."),
                io.String.Output(
                    display_name="status", tooltip="segmented, or: kept the visible part, and why."
                ),
                io.Boolean.Output(
                    display_name="found",
                    tooltip="Whether the segmenter found the object again. To Loop End.",
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, image, segmenter, mask, inpaint, label="", floor=0.3, reach=0.1):
        image = validate.as_images(image)
        size = tuple(image.shape[1:3])
        modal = validate.object_mask(mask, size)[0]
        inpaint = validate.one_mask(inpaint, size, "inpaint")[0]
        masks, lines = [], []
        for one in image:
            found = segmenter.segment(one, prior_mask=modal, label=label or None)
            found = validate.one_mask(found, size, "segmenter")[0]
            amodal, status = amodal_mask.amodal_mask(found, modal, inpaint, floor, reach)
            masks.append(amodal)
            lines.append(status)
        again = not any(line.startswith(amodal_mask.KEPT) for line in lines)
        return io.NodeOutput(torch.stack(masks), "\n".join(lines), again)


NODES = [SegmentObject]
