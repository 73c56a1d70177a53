"""Order models for photographs: InstaOrder, and the model of borders, which needs no file."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from ...amodal.models import border_order, instaorder
from .. import types
from ..common import CATEGORY, names_itself
from . import model_files

FOLDER = "instaorder"
WORKING = 600e6  # bytes for the activations of one batch


class ManagedOrder(instaorder.InstaOrder):
    """InstaOrder, loaded and unloaded by ComfyUI."""

    def __init__(self, net: instaorder.OrderNet) -> None:
        super().__init__(net)
        self.patcher = model_files.managed(net)

    def order(
        self, image: torch.Tensor, masks: torch.Tensor, pairs: list[tuple[int, int]]
    ) -> torch.Tensor:
        if pairs:
            model_files.bring(self.patcher, WORKING)
        return super().order(image, masks, pairs)


class LoadOrderModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLoadOrderModel",
            display_name="Load Order Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="Loads InstaOrderNet_od, which predicts for two objects of a photograph "
            "which one hides the other (section 3.4).",
            inputs=[model_files.file_input(FOLDER)],
            outputs=[
                types.OrderModel.Output(
                    display_name="order_model",
                    tooltip="Connect it to Order Objects or Amodal Completion.",
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
        with model_files.building(file, instaorder.WHAT):
            net = instaorder.net_of(state, file)
        return io.NodeOutput(ManagedOrder(net))


class BorderOrderModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalBorderOrder",
            display_name="Border Order Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="Predicts which of two objects hides the other from the shape of their "
            "border. Needs no file and ignores the picture. Use it as a last resort.",
            inputs=[],
            outputs=[
                types.OrderModel.Output(
                    display_name="order_model",
                    tooltip="Connect it to Order Objects or Amodal Completion.",
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(border_order.BorderOrder())


NODES = [LoadOrderModel, BorderOrderModel]
