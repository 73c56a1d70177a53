"""The progressive loop of section 3.4, on the embedded models."""

from __future__ import annotations

from tools.workflows.workflow_formats import Drawing

from .common import (
    BORDER,
    CAT,
    begun,
    given,
    photographic,
    picked,
    place_stages,
    save,
    show,
    tell,
)

NEXT = {"result": ("3.4 Result, next pass", "#aaa")}


def stickers(assembly) -> Drawing:
    """The shipped workflow that the demo and the command line run."""
    draw = progressive(assembly, CAT, "cat")
    draw.note(
        "query",
        "**1. Choose a picture** in Load Image (the example comes with the pack). "
        "**2. Say which object**: by its name, or press Detect and click it; "
        "Shift and click marks what hides it. **3. Run.**",
    )
    return draw


def beyond_the_boundary(assembly) -> Drawing:
    """An object that the picture's border cuts: padded on the touched sides, pass by pass."""
    draw = progressive(assembly, BORDER, "duck")
    draw.note(
        "query",
        "**An object cut by the picture's border.** Nothing stands in front of it; "
        "what is missing lies outside. Choose `amodal_example_border.png`, and run.",
    )
    draw.note(
        "analysis",
        "**Pad If Touching** finds the sides that the object touches and "
        "adds room there, half of the object's larger side in a pass; **Crop To Object** "
        "zooms in on it. What was added is *beyond*: unknown, so it is painted.",
    )
    return draw


def photographs(assembly) -> Drawing:
    """The same graph on the paper's own models, for photographs."""
    draw = progressive(assembly, CAT, "cat", photographic, mask_rule=assembly.RULES[1])
    draw.note(
        "models",
        "**For photographs.** These five files are not part of the pack; running "
        "tells for each that is missing where to get it, and the pack's README has the table "
        "of them. Any inpainting checkpoint will do. Nothing is downloaded by itself.",
    )
    draw.note(
        "query",
        "**1. Choose a photograph** in Load Image and say which object: by its "
        "name, a point on it, or a mask. **2. Run.** What may stand in front of it must be "
        "among the segmenter's words.",
    )
    draw.note(
        "segment",
        "**Where is the object?** The paper's rule: clusters of the third decoder "
        "level's features that overlap the visible object. Known Background Mask is the "
        "other rule (see amodal_completion_stickers).",
    )
    draw.note(
        "background",
        "**The true background**, freed of object and occluder by LaMa, noised "
        "to the same step. Without LaMa: delete its loader, and it is filled smoothly.",
    )
    return draw


def progressive(assembly, picture: str, words: str, models=given, **changes) -> Drawing:
    draw = begun(groups=NEXT)
    source = picked(draw, assembly, models(draw, assembly, picture, words, **changes))
    made = assembly.completion(draw, source)
    place_stages(draw)
    show(draw, "analysis", "Hidden", "What hides it", ["SelectOccluders", 2])
    mask_k = draw.nodes["CompositeAtStep"]["inputs"]["mask"]
    show(draw, "segment", "MaskAtK", "M^k, the object's mask at step k", mask_k, mask=True)
    show(draw, "result", "Pass", "Pass", ["PasteBack", 0])
    save(draw, made)
    tell(draw, **{name: made[name] for name in ("status", "passes", "report", "offset")})
    explain(draw)
    return draw


def explain(draw: Drawing) -> None:
    draw.note(
        "analysis",
        "**What hides the object?** Each pass begins here: room where the object "
        "touches the border, a zoom, the objects in it, and which of them are nearer. When "
        "nothing hides it, Check Occlusion gives no mask and the rest is skipped.",
    )
    draw.note(
        "object",
        "**Clean context first.** The object alone on gray (I_syn) calls for no "
        "companion. Sampled to step k of N (20 of 50): the shape is decided, still noisy.",
    )
    draw.note(
        "background",
        "**The true background**, freed of object and occluders, noised to the same step.",
    )
    draw.note(
        "segment",
        "**Where is the object?** Whatever differs from the known gray. The "
        "paper's rule instead: Capture, Cluster and Select Clusters (see "
        "mixed_context_step_by_step).",
    )
    draw.note(
        "mix",
        "**Mixed context.** The noisy object on the noisy background, sampled to the "
        "end in the true context.",
    )
    draw.note(
        "result",
        "**Loop End** clones all that lies between Loop Start and itself into the "
        "next pass, rewired as you like, until nothing hides the object, the mask no longer "
        "changes, or the cap is reached. Status says which.",
    )
