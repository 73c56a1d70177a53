"""The progressive loop of section 3.4, on the embedded models and on the paper's models."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import (
    BORDER,
    CAT,
    new_drawing,
    photo_source,
    place_stages,
    save,
    show,
    sticker_source,
    tell,
    with_query,
)

NEXT = {"result": ("3.4 Result, next pass", "#aaa")}


def stickers(assembly) -> Drawing:
    """The shipped workflow that the demo and the command line run."""
    draw = progressive(assembly, CAT, "cat")
    draw.note(
        "query",
        "**1. Choose a picture** in Load Image. **2. Choose the object**: write its name, or press "
        "Detect and click it. Shift and click marks an occluder. **3. Run.**",
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
        "**For photographs.** These five files are not part of the pack. If one is missing, its "
        "loader says where to get it; docs/models.md lists them. Any inpainting checkpoint works. "
        "Nothing is downloaded by itself.",
    )
    draw.note(
        "query",
        "**1. Choose a photograph** in Load Image, and the object: by its name, a point on it, or "
        "a mask. **2. Run.** The segmenter's vocabulary must name what may stand in front.",
    )
    draw.note(
        "segment",
        "**M^k by two rules**, known background and seeded; Choose Mask takes the one that finds "
        "more of the visible object and less of the known background. The paper's rule, clusters "
        "of decoder features, is in mixed_context_step_by_step.",
    )
    draw.note(
        "background",
        "**The removed background**: LaMa removes object and occluder. Noised to the same step. "
        "Without LaMa, delete its loader; the background is then filled smoothly.",
    )
    return draw


def progressive(assembly, picture: str, words: str, models=sticker_source, **changes) -> Drawing:
    """The loop with previews of each pass, saved results, and notes.

    models: `sticker_source` or `photo_source`. changes: other values for entries of the source.
    """
    draw = new_drawing(groups=NEXT)
    source = with_query(draw, assembly, models(draw, assembly, picture, words, **changes))
    completed = assembly.completion(draw, source)
    place_stages(draw)
    show(draw, "analysis", "Hidden", "What hides it", ["SelectOccluders", 2])
    mask_k = draw.nodes["CompositeAtStep"]["inputs"]["mask_at_k"]
    show(draw, "segment", "MaskAtK", "M^k, the object's mask at step k", mask_k, mask=True)
    show(draw, "result", "Pass", "Pass", ["PasteBack", 0])
    save(draw, completed)
    texts = ("status", "passes", "report", "offset", "warnings")
    tell(draw, **{name: completed[name] for name in texts})
    explain(draw)
    return draw


def explain(draw: Drawing) -> None:
    """Adds the notes that do not depend on the models."""
    draw.note(
        "analysis",
        "**What hides the object?** Each pass starts here: padding where the object touches the "
        "border, a zoom, the objects in the crop, and which of them are in front. If nothing "
        "hides the object, Check Occlusion skips the rest of the pass.",
    )
    draw.note(
        "object",
        "**Clean context first.** On gray (I_syn) nothing suggests a co-occurring object. Sampled "
        "to step k of N (20 of 50): the shape is decided, but still noisy.",
    )
    draw.note(
        "background",
        "**The removed background**, without object and occluders. Noised to the same step.",
    )
    draw.note(
        "segment",
        "**M^k** by two rules: whatever differs from the known gray, and a classifier of the "
        "features, seeded with what is certain. Choose Mask takes the one that tells visible "
        "object and certain backdrop apart better. The paper's rule is Capture Features, Cluster "
        "Features and Select Clusters (see mixed_context_step_by_step).",
    )
    draw.note(
        "mix",
        "**Mixed context.** The noisy object on the noisy background, sampled to the end in the "
        "original context.",
    )
    draw.note(
        "result",
        "**Loop End** clones every node between Loop Start and itself into the next pass. It stops "
        "if nothing hides the object, if the mask no longer changes, or at max_passes. Status says "
        "which.",
    )
