"""The progressive loop of section 3.4, on the embedded models and on the paper's models."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import (
    BORDER,
    CAT,
    LOW_MODELS,
    flux_source,
    new_drawing,
    photo_source,
    place_loaders_low,
    place_stages,
    save,
    sdxl_source,
    show,
    sticker_source,
    tell,
    with_query,
)
from .folding import DETAILS, fold

NAME_IT = (
    "**1. Choose a photograph** in Load Image, and the object: by its name, a point on it, or "
    "a mask. **2. Run.** Names to search for also takes what may stand in front."
)


def stickers(assembly) -> Drawing:
    """The shipped workflow that the demo and the command line run."""
    draw = progressive(assembly, CAT, "cat")
    draw.note(
        "query",
        "**1. Choose a picture. 2. Choose the object**: write its name, or press "
        "Detect and click it. Shift and click marks an occluder, Draw bound limits "
        "the object. **3. Run.**",
    )
    draw.form(
        {
            ("Picture", "image"): ("Picture",),
            ("Pick", "amodal_picker"): ("Object: press Detect, then click it", 340),
            ("Names", "value"): ("Names to search for",),
            ("Seed", "value"): ("Seed",),
            ("mixed", "steps"): ("Steps",),
            ("mixed", "k"): ("Contexts mix at step k",),
            ("LoopEnd", "max_passes"): ("Most passes",),
        },
        "Completed",
    )
    return draw


def beyond_the_boundary(assembly) -> Drawing:
    """Completes an object that the picture's border cuts off, with padding in each pass."""
    draw = progressive(assembly, BORDER, "duck")
    draw.note(
        "query",
        "**An object cut off by the picture's border.** Nothing stands in front of it; the missing "
        "part lies outside. Choose `amodal_example_border.png`, and run.",
    )
    draw.note(
        "analysis",
        "**Pad If Touching** finds the sides that the object touches, and adds half of the "
        "object's larger side there in each pass. **Crop To Object** zooms in. The added pixels "
        "are in the padding mask: they are unknown, so they are painted.",
    )
    return draw


def photographs(assembly) -> Drawing:
    """The same graph on the paper's models, for photographs."""
    draw = progressive(assembly, CAT, "cat", photo_source)
    draw.note(
        "models",
        "**For photographs.** The files of these models are not part of the pack, and nothing is "
        "downloaded by itself. The segmenter's loader lists what is missing and where it goes. "
        "Any inpainting checkpoint works.",
    )
    draw.note("query", NAME_IT)
    draw.note(
        "background",
        "**The removed background**: LaMa removes object and occluder. Noised to the same step. "
        "Without LaMa, delete its loader; the background is then filled smoothly.",
    )
    return draw


CORE_MODELS = (
    "SAM 3 comes with ComfyUI 0.20 and newer. The order is decided by the objects' borders, which "
    "needs no file; for a depth picture instead, put Load Depth Anything 3, Run Depth Anything 3 "
    "and Render Depth Anything 3 before **Order From Depth**, in the place of Order Objects. "
    "Nothing is downloaded by itself."
)


def flux_fill_sam3(assembly) -> Drawing:
    """The same graph for photographs on Flux Fill and SAM 3."""
    draw = progressive(assembly, CAT, "cat", flux_source)
    draw.expose("guidance", ("FluxGuidance", "guidance"))
    draw.note("models", f"**For photographs: Flux Fill and SAM 3.** {CORE_MODELS}")
    draw.note("query", NAME_IT)
    return draw


def sdxl_sam3(assembly) -> Drawing:
    """The same graph for photographs on Stable Diffusion XL and SAM 3."""
    draw = progressive(assembly, CAT, "cat", sdxl_source)
    draw.note("models", f"**For photographs: SDXL inpainting and SAM 3.** {CORE_MODELS}")
    draw.note("query", NAME_IT)
    return draw


def progressive(assembly, picture: str, words: str, models=sticker_source, **changes) -> Drawing:
    """The loop with previews of each pass, saved results, and notes; Figure 2 at the top level.

    models: `sticker_source` or `photo_source`. changes: other values for entries of the source.
    """
    draw = new_drawing(LOW_MODELS)
    given = models(draw, assembly, picture, words, rule_menu=True, drawn_bound="", **changes)
    source = with_query(draw, assembly, given)
    completed = assembly.completion(draw, source)
    texts = ("status", "passes", "report", "offset", "warnings")
    tell(draw, **{name: completed[name] for name in texts})
    place_stages(draw)
    show(draw, "analysis", "Hidden", "What hides it", ["SelectOccluders", 2])
    mask_k = draw.nodes["CompositeAtStep"]["inputs"]["mask_at_k"]
    show(draw, "segment", "MaskAtK", "M^k, the object's mask at step k", mask_k, mask=True)
    show(draw, "paste", "Pass", "Pass", ["PasteBack", 0])
    save(draw, completed)
    draw.place("details", "Passes", "Report", "Warnings", "Offset")
    draw.subgraph("details", DETAILS, "result")
    place_loaders_low(draw)
    if models is sticker_source:  # short titles, so that they fit below the columns of a pass
        draw.title(Checkpoint="Checkpoint", Segmenter="Segmenter", OrderModel="Order model")
    fold(draw)
    explain(draw)
    return draw


def explain(draw: Drawing) -> None:
    """Adds the notes that do not depend on the models."""
    draw.note(
        "pass",
        "**Figure 2.** Each pass finds what hides the object, paints the hidden part, and segments "
        "the object again. Open a coloured node to see its stages; inside Mixed context diffusion "
        "is Figure 4. **Loop End** clones all that lies between Loop Start and itself into the "
        "next pass, rewired as you like. It stops if nothing hides the object, if the mask no "
        "longer changes, or at max_passes. Status says which.",
    )
