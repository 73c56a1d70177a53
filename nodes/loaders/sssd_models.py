"""The two nets of SSSD: PCNet-M for masks and order, PCNet-C for the hidden part's content."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ...amodal.models import sssd, sssd_content
from .. import types
from ..common import CATEGORY, aliases, names_itself
from . import model_files

FOLDER = "sssd"
WORKING = 600e6  # bytes for the activations of one batch


class ManagedMasks(sssd.MaskCompletion):
    """PCNet-M, loaded and unloaded by ComfyUI."""

    def __init__(self, net: sssd.MaskNet) -> None:
        super().__init__(net)
        self.patcher = model_files.managed(net)

    def likely(self, inputs: torch.Tensor) -> torch.Tensor:
        model_files.bring(self.patcher, WORKING)
        return super().likely(inputs)


class ManagedContent(sssd_content.ContentCompletion):
    """PCNet-C, loaded and unloaded by ComfyUI."""

    def __init__(self, net: sssd_content.ContentNet) -> None:
        super().__init__(net)
        self.patcher = model_files.managed(net)

    def paint(self, inputs: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        model_files.bring(self.patcher, WORKING)
        return super().paint(inputs, known)


class LoadMaskModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLoadMaskModel",
            **aliases("sssd", "pcnet-m", "de-occlusion"),
            display_name="Load Mask Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="Loads PCNet-M of SSSD, a rival of the method (Table 1). From masks alone, "
            "it predicts amodal masks and which of two objects hides the other.",
            inputs=[model_files.file_input(FOLDER)],
            outputs=[
                types.OrderModel.Output(
                    display_name="order_model",
                    tooltip="Connect it to Order Objects or Amodal Completion.",
                ),
                types.MaskModel.Output(
                    display_name="mask_model", tooltip="Connect it to Complete Mask."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        return model_files.checked(cls, file=(FOLDER, file))

    @classmethod
    @names_itself
    def execute(cls, file: str) -> io.NodeOutput:
        state = model_files.read(FOLDER, file)
        with model_files.building(file, sssd.WHAT):
            net = sssd.net_of(state, file)
        model = ManagedMasks(net)
        return io.NodeOutput(model, model)


class LoadContentModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLoadContentModel",
            **aliases("sssd", "pcnet-c", "de-occlusion"),
            display_name="Load Content Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="Loads PCNet-C of SSSD, a rival of the method (Table 1). It fills the "
            "hidden part of an object in one step.",
            inputs=[model_files.file_input(FOLDER)],
            outputs=[
                types.ContentModel.Output(
                    display_name="content_model", tooltip="Connect it to Fill Hidden Part."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        return model_files.checked(cls, file=(FOLDER, file))

    @classmethod
    @names_itself
    def execute(cls, file: str) -> io.NodeOutput:
        state = model_files.read(FOLDER, file)
        with model_files.building(file, sssd_content.WHAT):
            net = sssd_content.net_of(state, file)
        return io.NodeOutput(ManagedContent(net))


NODES = [LoadMaskModel, LoadContentModel]
