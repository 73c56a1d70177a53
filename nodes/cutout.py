"""The result: the object as a cut-out, and the picture with the object in place (section 3.4)."""

from comfy_api.latest import io

from ..amodal.core import validate, visualize
from ..amodal.core.canvas import canvas_of, check_original
from ..amodal.method import cutout
from . import types, ui
from .common import CATEGORY, aliases, names_itself, shows_results

SHOWN = 1024  # longer side of the pictures in the slider


class TrimAndOverlay(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalTrimAndOverlay",
            **shows_results(),
            **aliases("cut out", "alpha", "transparent background"),
            display_name="Trim And Overlay (Amodal)",
            category=f"{CATEGORY}/result",
            description="Cuts the completed object out with transparency, and shows it in its "
            "picture, in front of its occluders.",
            inputs=[
                io.Image.Input("image", tooltip="The canvas, from Loop End."),
                io.Mask.Input("amodal_mask", tooltip="The object on it, from Loop End."),
                types.Canvas.Input(
                    "canvas", optional=True, tooltip="The map of the canvas, from Loop End."
                ),
                io.Image.Input(
                    "original_image", tooltip="The input picture, as it went into Loop Start."
                ),
                io.Float.Input(
                    "edge",
                    optional=True,
                    default=1.5,
                    min=0.0,
                    max=64.0,
                    step=0.1,
                    tooltip="Pixels over which the cut-out's edge fades. 0 gives a hard edge.",
                ),
                io.Float.Input(
                    "softness",
                    default=0.002,
                    min=0.0,
                    max=0.1,
                    step=0.001,
                    optional=True,
                    tooltip="Or this fraction of the object's larger side; the larger of the two "
                    "counts, unless 'edge' is 0.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="object", tooltip="The object on the canvas, RGBA."),
                io.Image.Output(display_name="trimmed", tooltip="The same, cut to its box."),
                io.Mask.Output(display_name="amodal_mask", tooltip="The object on the canvas."),
                io.Image.Output(
                    display_name="overlay", tooltip="The picture with the object in front."
                ),
                io.Int.Output(
                    display_name="x",
                    tooltip="Left edge of the canvas in the input picture's pixels, 0 or negative.",
                ),
                io.Int.Output(
                    display_name="y",
                    tooltip="Top edge of the canvas in the input picture's pixels, 0 or negative.",
                ),
                io.String.Output(display_name="offset", tooltip="x,y as text."),
            ],
            hidden=[io.Hidden.extra_pnginfo],
        )

    @classmethod
    @names_itself
    def execute(cls, image, amodal_mask, original_image, canvas=None, edge=1.5, softness=0.002):
        image = validate.one_image(image)
        original = validate.one_image(original_image, "original_image")
        amodal_mask = validate.object_mask(amodal_mask, validate.picture_size(image), "amodal_mask")
        canvas = canvas_of(image, canvas)
        check_original(original, canvas)
        result = cutout.cut_out(image, amodal_mask, canvas, original, edge, softness)
        before = cutout.on_canvas(original, canvas)
        return io.NodeOutput(
            result.object,
            result.trimmed,
            amodal_mask,
            result.overlay,
            result.x,
            result.y,
            f"{result.x},{result.y}",
            ui=before_and_after(cls.hidden, result, before, amodal_mask),
        )


def before_and_after(hidden, result: cutout.Cutout, before, amodal_mask) -> dict:
    """What the slider in the node shows; nothing where the node is a stage inside another one."""
    if not ui.is_in_graph(ui.node_id()):
        return {}
    pictures = {
        "before": visualize.fitted(before, SHOWN)[0],
        "after": visualize.fitted(result.overlay, SHOWN)[0],
        "object": visualize.fitted(result.object, SHOWN)[0],
        "mask": visualize.veil(amodal_mask, SHOWN),
    }
    height, width = pictures["before"].shape[:2]
    shown = ui.entry(
        hidden,
        size=[width, height],
        **{name: ui.saved(pixels, name) for name, pixels in pictures.items()},
    )
    return {"amodal_result": [ui.tell("amodal.result", shown)]}


NODES = [TrimAndOverlay]
