"""Learned inpainters for Remove Objects, as INPAINT_MODEL.

The loaders of other packs give the same type.
"""

from __future__ import annotations

from typing import Any

import comfy.model_patcher
import torch
from comfy_api.latest import io

from ...amodal.core.errors import BadInput
from ...amodal.models import inpainter, pretrained
from ..common import CATEGORY, names_itself
from . import model_files

FOLDER = "inpaint"
WHAT = "inpainting model"
InpaintModel = io.Custom("INPAINT_MODEL")  # spandrel's MaskedImageModelDescriptor, or similar
SQUARE = {"MAT": inpainter.Needs(512, 512, square=True)}  # for models that do not state sizes
MODEST = inpainter.Needs(16, 8)
EACH_PIXEL = 16_000  # bytes of activations for each pixel, in LaMa, which needs most


class LoadInpaintModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLoadInpaintModel",
            display_name="Load Inpaint Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="Loads LaMa for Remove Objects (section 3.5), or MAT if the package "
            "spandrel_extra_arches is installed.",
            inputs=[model_files.file_input(FOLDER)],
            outputs=[
                InpaintModel.Output(
                    display_name="inpaint_model",
                    tooltip="Connect it to Remove Objects, or to an inpainting node of any pack.",
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
        with model_files.building(file, WHAT):
            model = described(state, file)
        return io.NodeOutput(model)


def described(state: pretrained.State, file: str) -> Any:
    """spandrel's MaskedImageModelDescriptor of a state dict.

    Raises BadInput if `file` does not hold an inpainting model that spandrel knows.
    """
    import spandrel

    registry = spandrel.MAIN_REGISTRY.copy()
    try:
        from spandrel_extra_arches import EXTRA_REGISTRY
    except ImportError:
        more = "; MAT needs the package spandrel_extra_arches"
    else:
        registry.add(*EXTRA_REGISTRY, ignore_duplicates=True)
        more = ""
    state = pretrained.without_prefix(state)
    try:
        model = spandrel.ModelLoader(registry=registry).load_from_state_dict(state)
    except spandrel.UnsupportedModelError as error:
        raise pretrained.wrong_model(file, WHAT, f"spandrel does not know it{more}") from error
    if not isinstance(model, spandrel.MaskedImageModelDescriptor):
        raise pretrained.wrong_model(file, WHAT, f"it is made for {model.purpose}")
    return model.eval()


def remove(model: Any, image: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """image [1, H, W, 3] in 0..1 with the pixels of removed [1, H, W] inpainted by `model`.

    Raises BadInput if `model` is not an INPAINT_MODEL.
    """
    net = getattr(model, "model", None)
    if not callable(model) or not isinstance(net, torch.nn.Module):
        raise BadInput(
            "inpaint_model",
            f"is a {type(model).__name__}, which is not an inpainting model",
            "connect Load Inpaint Model, or leave it unconnected",
        )
    dtype = next(net.parameters()).dtype

    @torch.inference_mode()
    def call(picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
        device = model_files.bring(patcher_of(model, net), EACH_PIXEL * hole.numel())
        net.to(device)  # a node of another pack may have moved it without ComfyUI's knowledge
        return model(picture.to(device, dtype), hole.to(device, dtype)).cpu()

    return inpainter.fill(call, image, removed, needs(model))


def patcher_of(model: Any, net: torch.nn.Module) -> comfy.model_patcher.ModelPatcher:
    """The ModelPatcher of the model's network. It is kept on the model."""
    patcher = getattr(model, "amodal_patcher", None)
    if patcher is None or patcher.model.net is not net:
        patcher = model.amodal_patcher = model_files.managed(net)
    return patcher


def needs(model: Any) -> inpainter.Needs:
    """The sizes that a model accepts: as it states them, or the known ones of its architecture."""
    stated = getattr(model, "size_requirements", None)
    if stated is not None:
        return inpainter.Needs(stated.minimum, stated.multiple_of, stated.square)
    kind = getattr(getattr(model, "architecture", None), "id", "")
    return SQUARE.get(str(kind), MODEST)


NODES = [LoadInpaintModel]
