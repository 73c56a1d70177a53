"""A scene as layers that can be edited: whole objects before a clean background (section 3.4)."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui

from ..amodal.applications import framing, open_raster, scene_layers
from ..amodal.applications.scene_layers import Layer
from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from . import types
from .common import aliases, names_itself
from .layer_document import (
    document,
    numbered,
    numbered_file,
    read_document,
    separate,
    write_all,
)
from .match_features import APPLICATIONS

MOST = 50  # layers that the host's Image Compositor takes
PLAIN, LINEAR = "image editors", "Image Compositor"
ORA, PNGS, BOTH = "OpenRaster (.ora)", "PNGs and JSON", "both"


class SceneLayers(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSceneLayers",
            **aliases("layered image", "decompose", "move an object"),
            display_name="Scene Layers (Amodal)",
            category=APPLICATIONS,
            description="Takes a picture apart into whole objects before a clean background. "
            "Composed unmoved, the layers give the picture back. Move one, and what it hid shows.",
            is_input_list=True,
            inputs=[
                io.Image.Input("image", tooltip="The picture; one."),
                io.Image.Input(
                    "background",
                    tooltip="The picture without the objects, from Remove Objects for example.",
                ),
                io.Image.Input(
                    "objects",
                    tooltip="The completed objects, RGBA, from Amodal Completion or several Trim "
                    "And Overlay.",
                ),
                io.Mask.Input(
                    "modal_masks",
                    tooltip="The objects' visible pixels in the picture, in the same order.",
                ),
                io.Int.Input(
                    "x",
                    default=0,
                    min=-(2**20),
                    max=2**20,
                    force_input=True,
                    tooltip="Left edge of each object's canvas in the picture, from the same node.",
                ),
                io.Int.Input(
                    "y",
                    default=0,
                    min=-(2**20),
                    max=2**20,
                    force_input=True,
                    tooltip="Top edge of each object's canvas in the picture.",
                ),
                types.Order.Input(
                    "order",
                    optional=True,
                    tooltip="Who hides whom, from Order Objects without a modal mask. Without it "
                    "the first object is the farthest.",
                ),
                io.String.Input(
                    "names",
                    optional=True,
                    force_input=True,
                    tooltip="The objects' names: a list, or one text with a name in each line.",
                ),
                io.Combo.Input(
                    "blend",
                    options=[PLAIN, LINEAR],
                    default=PLAIN,
                    optional=True,
                    tooltip="Where the layers will be composed. Krita, GIMP and Compose Layers "
                    "blend soft edges as sRGB values, ComfyUI's Image Compositor in linear light.",
                ),
            ],
            outputs=[
                types.Layers.Output(
                    display_name="layers",
                    tooltip="For Compose Layers, Save Layers, or ComfyUI's Image Compositor.",
                ),
                io.Image.Output(display_name="image", tooltip="The layers, composed unmoved."),
                io.String.Output(
                    display_name="report", tooltip="The layers from front to back, in words."
                ),
            ],
        )

    @classmethod
    @names_itself
    def execute(
        cls, image, background, objects, modal_masks, x, y, order=None, names=None, blend=None
    ):
        picture = validate.one_image(one_of(image, "image"))[0]
        size = picture.shape[0], picture.shape[1]
        plate = validate.one_image(one_of(background, "background"), "background")[0]
        if plate.shape != picture.shape:
            raise BadInput(
                "background",
                f"has {plate.shape[1]}x{plate.shape[0]} pixels, the picture {size[1]}x{size[0]}",
                "make it from the same picture",
            )
        modal = torch.cat([validate.as_masks(m, size, "modal_masks") for m in modal_masks])
        cut = cut_outs(objects, x, y, labels(names, len(modal)))
        if len(cut) != len(modal):
            raise BadInput(
                "modal_masks",
                f"are {len(modal)} for {len(cut)} objects",
                "give one for each object, in the same order",
            )
        ranks = ranks_of(order, len(cut))
        kept = [ranks[number] for number in scene_layers.largest([cut[i] for i in ranks], MOST - 1)]
        linear = blend is not None and one_of(blend, "blend") == LINEAR
        stack = scene_layers.taken_apart(
            picture, plate, [cut[i] for i in kept], modal[kept], linear
        )
        merged = [cut[i].name for i in ranks if i not in kept]
        return io.NodeOutput(
            document(stack, size, linear),
            scene_layers.composed(stack, size, linear)[None],
            described(stack, merged),
        )


class ComposeLayers(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalComposeLayers",
            **aliases("layered image", "compositor", "move an object"),
            display_name="Compose Layers (Amodal)",
            category=APPLICATIONS,
            description="Composes layers to a picture, with one of them moved. Chain several to "
            "move several.",
            inputs=[
                types.Layers.Input("layers", tooltip="From Scene Layers, or of the host's nodes."),
                io.String.Input(
                    "layer",
                    default="",
                    tooltip="Which layer to move: its name, or its number from the front, 1 first. "
                    "Empty: none.",
                ),
                io.Int.Input(
                    "x", default=0, min=-16384, max=16384, tooltip="Pixels to move it to the right."
                ),
                io.Int.Input(
                    "y", default=0, min=-16384, max=16384, tooltip="Pixels to move it down."
                ),
            ],
            outputs=[
                io.Image.Output(display_name="image", tooltip="The picture."),
                types.Layers.Output("moved", display_name="layers", tooltip="The layers as moved."),
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, layers, layer="", x=0, y=0):
        stack, size, linear = read_document(layers)
        if layer.strip():
            number = numbered(stack, layer.strip())
            stack[number] = stack[number].moved(x, y)
        return io.NodeOutput(
            scene_layers.composed(stack, size, linear)[None], document(stack, size, linear)
        )


class SaveLayers(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalSaveLayers",
            **aliases("openraster", "ora", "krita", "gimp", "psd"),
            display_name="Save Layers (Amodal)",
            category=APPLICATIONS,
            description="Saves layers for an image editor: as one OpenRaster file, which Krita and "
            "GIMP 3 open, as PNGs with a JSON of their places, or both.",
            is_output_node=True,
            inputs=[
                types.Layers.Input("layers", tooltip="From Scene Layers or Compose Layers."),
                io.String.Input(
                    "filename_prefix",
                    default="amodal/layers",
                    tooltip="Beginning of the files' names, in the output folder.",
                ),
                io.Combo.Input(
                    "format", options=[ORA, PNGS, BOTH], default=ORA, tooltip="What to write."
                ),
            ],
            outputs=[
                io.String.Output(display_name="files", tooltip="The files, one in each line.")
            ],
        )

    @classmethod
    @names_itself
    def execute(cls, layers, filename_prefix="amodal/layers", format=ORA):
        stack, size, linear = read_document(layers)
        merged = scene_layers.composed(stack, size, linear)
        base = numbered_file(filename_prefix, size)
        files = {}
        if format in (ORA, BOTH):
            files[base.with_name(base.name + ".ora")] = open_raster.open_raster(stack, merged)
        if format in (PNGS, BOTH):
            files |= separate(base, stack, size)
        write_all(files)
        listed = "\n".join(str(path) for path in files)
        return io.NodeOutput(listed, ui=ui.PreviewImage(merged[None], cls=cls))


def one_of(values: list, name: str):
    """The only entry of an input that comes as a list. Raises BadInput for several."""
    if len(values) != 1:
        raise BadInput(name, f"is a list of {len(values)}", "connect one")
    return values[0]


def labels(names: list | None, count: int) -> list[str]:
    """A name for each of `count` objects; numbers where there are too few."""
    given = [line.strip() for text in names or [] for line in str(text).splitlines()]
    given = [name for name in given if name]
    return [*given[:count], *(f"object {number + 1}" for number in range(len(given), count))]


def cut_outs(objects: list, x: list[int], y: list[int], names: list[str]) -> list[Layer]:
    """A layer for each object, cut to its box, at its place in the picture."""
    pictures = [
        picture
        for batch in objects
        for picture in framing.with_alpha(batch, None, "objects", "Trim And Overlay")
    ]
    for name, places in (("x", x), ("y", y)):
        if len(places) not in (1, len(pictures)):
            raise BadInput(
                name,
                f"is a list of {len(places)} for {len(pictures)} objects",
                "take x and y from the node that gives the objects",
            )
    return [
        Layer(picture, at(x, i), at(y, i), names[i] if i < len(names) else "").trimmed()
        for i, picture in enumerate(pictures)
    ]


def at(values: list, number: int):
    """Entry `number` of a list, or its only one."""
    return values[number] if len(values) > 1 else values[0]


def ranks_of(order: list | None, count: int) -> list[int]:
    """The objects' numbers from back to front. Raises BadInput for an order of another number."""
    if order is None or order[0] is None:
        return list(range(count))
    table = one_of(order, "order")
    if len(table) != count:
        raise BadInput(
            "order",
            f"is of {len(table)} objects, but there are {count}",
            "order the objects that were completed, without a modal mask",
        )
    return scene_layers.depth_order(table)


def described(stack: list[Layer], merged: list[str]) -> str:
    """The layers from front to back, a line each, and what was left in the background."""
    lines = [
        f"{number}. {layer.name}: {layer.image.shape[1]}x{layer.image.shape[0]} at "
        f"{layer.x},{layer.y}"
        for number, layer in enumerate(reversed(stack), 1)
    ]
    if merged:
        lines.append(
            f"Image Compositor takes {MOST} layers, so the smallest objects stay in the "
            f"background: {', '.join(merged)}"
        )
    return "\n".join(lines)


NODES = [SceneLayers, ComposeLayers, SaveLayers]
