"""Learned inpainters for Remove Objects, as INPAINT_MODEL, which other packs' loaders give too."""

import torch
from comfy_api.latest import io

from ...amodal.core.errors import BadInput
from ...amodal.models import inpainter, pretrained
from ..common import CATEGORY, names_itself
from . import model_files

FOLDER = "inpaint"
WHAT = "inpainting model"
InpaintModel = io.Custom("INPAINT_MODEL")  # spandrel's MaskedImageModelDescriptor, or its like
SQUARE = {"MAT": inpainter.Needs(512, 512, square=True)}  # where the model itself says nothing
MODEST = inpainter.Needs(16, 8)
EACH_PIXEL = 16_000  # bytes of activations, of LaMa, which needs most


class LoadInpaintModel(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoadInpaintModel",
            display_name="Load Inpaint Model (Amodal)",
            category=f"{CATEGORY}/models",
            description="LaMa, or MAT where spandrel_extra_arches is installed, for Remove "
            "Objects (section 3.5).",
            inputs=[model_files.file_input(FOLDER)],
            outputs=[
                InpaintModel.Output(
                    display_name="inpaint_model",
                    tooltip="To Remove Objects, or another pack's node that inpaints.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, file=None):
        return model_files.checked(cls, file=(FOLDER, file))

    @classmethod
    @names_itself
    def execute(cls, file):
        return io.NodeOutput(described(model_files.read(FOLDER, file), file))


def described(state: dict, file: str):
    """spandrel's description of the model in a state dict; BadInput where it is none it paints."""
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
        raise pretrained.foreign(file, WHAT, f"spandrel does not know it{more}") from error
    except (RuntimeError, KeyError, ValueError) as error:
        raise pretrained.foreign(file, WHAT, " ".join(str(error).split())[:160]) from error
    if not isinstance(model, spandrel.MaskedImageModelDescriptor):
        raise pretrained.foreign(file, WHAT, f"it is made for {model.purpose}")
    return model.eval()


def remove(model, image: torch.Tensor, removed: torch.Tensor) -> torch.Tensor:
    """image [1, H, W, 3] with the pixels of removed [1, H, W] painted by an INPAINT_MODEL."""
    net = getattr(model, "model", None)
    if not callable(model) or not isinstance(net, torch.nn.Module):
        raise BadInput(
            "inpaint_model",
            f"is a {type(model).__name__}, which takes no picture and mask",
            "connect Load Inpaint Model, or leave it unconnected",
        )
    dtype = next(net.parameters()).dtype

    @torch.inference_mode()
    def call(picture, hole):
        device = model_files.bring(patcher_of(model, net), EACH_PIXEL * hole.numel())
        net.to(device)  # another pack's node may have moved it without telling the host
        return model(picture.to(device, dtype), hole.to(device, dtype)).cpu()

    return inpainter.fill(call, image, removed, needs(model))


def patcher_of(model, net):
    """What the host moves the model's net by; it lives as long as the model."""
    patcher = getattr(model, "amodal_patcher", None)
    if patcher is None or patcher.model.net is not net:
        patcher = model.amodal_patcher = model_files.managed(net)
    return patcher


def needs(model) -> inpainter.Needs:
    """The sizes a model takes, by its own word or by what is known of its kind."""
    said = getattr(model, "size_requirements", None)
    if said is not None:
        return inpainter.Needs(said.minimum, said.multiple_of, said.square)
    kind = getattr(getattr(model, "architecture", None), "id", "")
    return SQUARE.get(str(kind), MODEST)


NODES = [LoadInpaintModel]
