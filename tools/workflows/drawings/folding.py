"""Folds the stages of a pass into subgraphs: the sections of the paper, and Figure 4's parts."""

from __future__ import annotations

from tools.workflows.drawing import Drawing, Subgraph

ANALYSIS = Subgraph("Mask analysis (3.4)", "#233", "#355")
MIXED = Subgraph("Mixed context diffusion (3.5)", "#432", "#653")
PASTE = Subgraph("Segment and paste back (3.4)", "#233", "#355")
SETTINGS = Subgraph("Prompt, noise and steps", "#222", "#444")
PARTS = {
    "object": Subgraph("1 Swap background, to step k", "#322", "#533"),
    "background": Subgraph("2 Removed background, noised to k", "#223", "#335"),
    "segment": Subgraph("3 Segment the object at step k", "#232", "#353"),
    "mix": Subgraph("4 Composite, and on to the end", "#323", "#535"),
}
TEST = Subgraph("Counterfactual outpainting (3.6)", "#233", "#355")
DETAILS = Subgraph("Details in words", "#222", "#444")
NOTES = {
    "analysis": "**What hides the object?** Each pass starts here: padding where the object "
    "touches the border, a zoom, the objects in the crop, and which of them are in front. If "
    "nothing hides the object, Check Occlusion skips the rest of the pass.",
    "mixed": "**Figure 4.** 1 (red) samples the object on a clean background to step k. 2 (blue) "
    "brings the removed background to the same step. 3 (green) segments the object at step k. 4 "
    "(purple) puts the object on that background and samples on to the end.",
    "settings": "**The same for all parts**: text, noise, sampler and noise levels. Each pass has "
    "a seed of its own, made from the seed of the run.",
    "object": "**Clean context first.** On gray (I_syn) nothing suggests a co-occurring object. "
    "Sampled to step k of N (20 of 50): the shape is decided, but still noisy.",
    "background": "**The removed background**, without object and occluders. Noised to the same "
    "step.",
    "segment": "**M^k, the object's mask at step k.** *known background*: whatever differs from "
    "the known gray is the object. *seeded*: a classifier of the features, trained on what is "
    "certain. *automatic*: whichever of these two tells visible object and certain backdrop apart "
    "better. *clusters*: the paper's rule, the clusters of the decoder's features that overlap the "
    "modal mask. Only the chosen rule's nodes run.",
    "mix": "**Mixed context.** The noisy object on the noisy background, sampled to the end in the "
    "original context.",
    "paste": "**The amodal mask** is the object in the painted crop. The crop goes back into the "
    "canvas; pixels outside the painted area stay as they were.",
    "details": "**The rest of the report**: how many passes, a line for each, and warnings.",
}


def fold(draw: Drawing, parts: str = "mixed", inside: str = "pass") -> None:
    """Folds the stages of a pass into subgraphs: those of Figure 2 in `inside`, Figure 4's in
    `parts`. Stages that are not drawn, or placed elsewhere, are left out."""
    draw.subgraph("settings", SETTINGS, parts)
    for key, look in PARTS.items():
        draw.subgraph(key, look, parts)
    draw.subgraph("analysis", ANALYSIS, inside)
    draw.subgraph("mixed", MIXED, inside)
    draw.subgraph("paste", PASTE, inside)
    for key, text in NOTES.items():
        if key in draw.subgraphs:
            draw.note(key, text)
    draw.expose("size", ("CropToObject", "size"))
    draw.expose("steps", ("BasicScheduler", "steps"))
    draw.expose("k", ("SampleToStep", "k"))
    draw.expose("cfg", ("Guide-object", "cfg"), ("Guide-context", "cfg"))
    draw.expose("background", ("SwapBackground", "background"))
    draw.expose("mask_rule", ("MaskRule", "mask_rule"))
    draw.call(
        Prompt__0="prompt",
        Seed__0="seed",
        CropToObject__0="crop_image",
        CropToObject__1="crop_mask",
        CropToObject__2="padding_mask",
        CropToObject__3="crop",
        SelectOccluders__0="occluder_mask",
        CheckOcclusion__0="inpaint_mask",
        RandomNoise__0="noise",
        KSamplerSelect__0="sampler",
        BasicScheduler__0="sigmas",
        Positive__0="positive",
        Negative__0="negative",
        SwapBackground__0="I_syn",
        Guide__object__0="guider",
        SampleToStep__0="I_syn_at_k",
        SampleToStep__1="estimate",
        SampleToStep__2="remaining_sigmas",
        NoiseToStep__0="I_bg_at_k",
        KnownBackgroundMask__0="mask_at_k",
        SelectClusters__0="mask_at_k",
        SeededMask__0="mask_at_k",
        ChooseMask__0="mask_at_k",
        MaskRule__0="mask_at_k",
        RefineModalMask__0="canvas_mask",
        KeepInBound__0="canvas_mask",
        SelectOccluders__3="modal_mask",
        ApplyOccluderHints__1="objects",
        SegmentObject__2="found",
        SegmentObject__3="joined",
        Painted__0="I_amodal",
        SegmentObject__0="amodal_mask",
        LoopEnd__3="status",
        LoopEnd__4="passes",
        LoopEnd__5="report",
        LoopEnd__6="warnings",
        TrimAndOverlay__6="offset",
    )
