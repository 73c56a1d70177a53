"""The hidden part of an object by a net of its own, without diffusion (SSSD; Table 1)."""

from __future__ import annotations

import comfy.utils
import torch
from comfy_api.latest import io

from ..amodal.core import validate
from . import types
from .common import CATEGORY, aliases, names_itself

RESULT = f"{CATEGORY}/result"


class CompleteMask(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCompleteMask",
            **aliases("sssd", "pcnet-m", "de-occlusion"),
            display_name="Complete Mask (Amodal)",
            category=RESULT,
            description="Predicts the amodal mask from the modal mask and the mask of what stands "
            "in front, without painting anything (SSSD, a rival in Table 1).",
            inputs=[
                types.MaskModel.Input("mask_model", tooltip="From Load Mask Model."),
                io.Mask.Input("modal_mask", tooltip="The object's visible pixels, or a batch."),
                io.Mask.Input(
                    "occluder_mask",
                    tooltip="All that stands in front, from Select Occluders. One for each modal "
                    "mask; for a single modal mask, all masks of a batch count.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="Pixels behind the occluder that are likelier than this belong to the "
                    "object. A lower one gives a larger mask.",
                ),
            ],
            outputs=[
                io.Mask.Output(display_name="amodal_mask", tooltip="The whole object."),
                io.Mask.Output(display_name="hidden_mask", tooltip="Its hidden part alone."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, mask_model, modal_mask, occluder_mask, threshold=0.5):
        modal = (validate.as_masks(modal_mask, None, "modal_mask") > 0.5).float()
        occluders = validate.as_masks(occluder_mask, validate.size_of(modal), "occluder_mask")
        if len(modal) == 1:
            occluders = occluders.amax(0, keepdim=True)
        occluders = validate.paired(len(modal), occluders, "occluder_mask")
        bar, masks = comfy.utils.ProgressBar(len(modal)), []
        for shown, front in zip(modal, occluders):
            mask = mask_model.complete(shown, front, threshold)
            masks.append(validate.one_mask(mask, validate.size_of(modal), "mask_model")[0])
            bar.update(1)
        amodal = torch.stack(masks)
        return io.NodeOutput(amodal, amodal * (1 - modal))


class FillHiddenPart(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalFillHiddenPart",
            **aliases("sssd", "pcnet-c", "de-occlusion"),
            display_name="Fill Hidden Part (Amodal)",
            category=RESULT,
            description="Fills the hidden part of an object in one step, without diffusion (SSSD, "
            "a rival in Table 1). All other pixels stay as they are.",
            inputs=[
                types.ContentModel.Input("content_model", tooltip="From Load Content Model."),
                io.Image.Input("image", tooltip="The picture, or a batch."),
                io.Mask.Input("modal_mask", tooltip="The object's visible pixels."),
                io.Mask.Input("amodal_mask", tooltip="The whole object, from Complete Mask."),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image",
                    tooltip="The picture with the whole object. To Trim And Overlay, with the "
                    "amodal mask.",
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, content_model, image, modal_mask, amodal_mask):
        image = validate.as_images(image)
        size, count = validate.picture_size(image), max(len(image), len(amodal_mask))
        image = validate.paired(count, image, "image")
        modal, amodal = (
            validate.paired(count, validate.as_masks(mask, size, name), name)
            for mask, name in ((modal_mask, "modal_mask"), (amodal_mask, "amodal_mask"))
        )
        bar, pictures = comfy.utils.ProgressBar(count), []
        for picture, shown, whole in zip(image, modal, amodal):
            filled = content_model.fill(picture, shown, whole)
            pictures.append(validate.one_image(filled, "content_model")[0])
            bar.update(1)
        return io.NodeOutput(torch.stack(pictures))


NODES = [CompleteMask, FillHiddenPart]
