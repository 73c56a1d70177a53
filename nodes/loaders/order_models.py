"""Order models for photographs: from the file that its authors publish, and from no file at all."""

from comfy_api.latest import io

from ...amodal.models import border_order, instaorder
from .. import types
from ..common import CATEGORY, names_itself
from . import model_files

FOLDER = "instaorder"
WORKING = 600e6  # bytes for the activations of one batch


class ManagedOrder(instaorder.InstaOrder):
    """The order model with its net in the host's care."""

    def __init__(self, net):
        super().__init__(net)
        self.patcher = model_files.managed(net)

    def order(self, image, masks, pairs):
        if pairs:
            model_files.bring(self.patcher, WORKING)
        return super().order(image, masks, pairs)


class LoadOrderModel(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoadOrderModel",
            display_name="Load Order Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="InstaOrderNet_od, which tells of two objects on a photograph which one "
            "hides the other (section 3.4).",
            inputs=[model_files.file_input(FOLDER)],
            outputs=[
                types.OrderModel.Output(
                    display_name="order_model", tooltip="To Order Objects or Amodal Completion."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, file=None):
        return model_files.checked(cls, file=(FOLDER, file))

    @classmethod
    @names_itself
    def execute(cls, file):
        state = model_files.read(FOLDER, file)
        return io.NodeOutput(ManagedOrder(instaorder.net_of(state, file)))


class BorderOrderModel(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalBorderOrder",
            display_name="Border Order Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="Tells by the shape of two objects' common border which one hides the "
            "other. Needs no file and does not look at the picture; the last resort.",
            inputs=[],
            outputs=[
                types.OrderModel.Output(
                    display_name="order_model", tooltip="To Order Objects or Amodal Completion."
                )
            ],
        )

    @classmethod
    @names_itself
    def execute(cls):
        return io.NodeOutput(border_order.BorderOrder())


NODES = [LoadOrderModel, BorderOrderModel]
