"""Baselines of the paper: naive outpainting, and a pass without mixed context."""

from __future__ import annotations

from tools.workflows.drawing import Drawing, Subgraph

from .common import MODELS, SET_SIZE, grid, new_drawing, place_stages, save, tell
from .folding import ANALYSIS, MIXED, fold
from .one_node import completion_node
from .one_pass import analysed, begin_pass

ZOOM = Subgraph("Zoom (3.4)", ANALYSIS.color, ANALYSIS.bgcolor)
NAIVE = Subgraph("Naive outpainting (3.3)", MIXED.color, MIXED.bgcolor)
PLAIN_LOOK = Subgraph("Plain inpainting (Table 2)", MIXED.color, MIXED.bgcolor)
LABELS = "picture\nthis baseline\nwith mixed context"
PLAIN = (
    "Everything",
    "SwapBackground",
    "Begin",
    "See-context",
    "Guide-context",
    "SamplerCustomAdvanced",
    "Painted",
)


def naive_outpainting(assembly) -> Drawing:
    """Section 3.3, equation 2: paints everything outside the modal mask."""
    draw = new_drawing()
    node, source, start = begin_pass(draw, assembly)
    crop = assembly.zoomed(node, source, start)[1]
    everything = node("InvertMask", "Everything", mask=crop.out(1))
    draw.titles["Everything"] = "Everything but the visible object"
    view = {"crop": crop, "modal_mask": crop.out(1), "inpaint_mask": everything.out(0)}
    compared(draw, NAIVE, assembly, node, source, start, view)
    draw.subgraphs["analysis"] = ZOOM
    draw.note("analysis", "**The crop around the object**, as in the whole method.")
    draw.note(
        "plain",
        "**Equation 2.** Every pixel outside the modal mask is painted. The object may grow, turn, "
        "or get company, because nothing shows where it ends (Figure 3).",
    )
    return draw


def without_mixed_context(assembly) -> Drawing:
    """Table 2: paints the occluder's area in the original context in all N steps."""
    draw = new_drawing()
    compared(draw, PLAIN_LOOK, assembly, *analysed(draw, assembly))
    draw.note(
        "plain",
        "**Table 2, without mixed context.** Only the occluder's area is painted, in the original "
        "context from the first step to the last. The occluder, or what usually stands there, "
        "often comes back.",
    )
    return draw


def compared(draw: Drawing, look: Subgraph, assembly, node, source, start, view) -> None:
    """Draws N steps in the original context, and the whole method on the same object and seed."""
    prepared = assembly.prepared(node, source, start)
    image = view["crop"].out(0)
    conditions = assembly.conditioned(
        node, source, prepared, image, view["inpaint_mask"], "context"
    )
    synthetic = node(
        "AmodalSwapBackground",
        image=image,
        modal_mask=view["modal_mask"],
        background="gray",
        seed=0,
    )
    begin = node("VAEEncode", "Begin", pixels=synthetic.out(0), vae=source["vae"])
    sampled = node(
        "SamplerCustomAdvanced",
        noise=prepared["noise"],
        guider=conditions["guider"],
        sampler=prepared["sampler"],
        sigmas=prepared["sigmas"],
        latent_image=begin.out(0),
    )
    painted = node("VAEDecode", "Painted", samples=sampled.out(0), vae=source["vae"])
    pasted = assembly.placed(node, source, start, view, painted)[1]
    completed = assembly.cut_out(node, source, pasted)
    full = completion_node(draw, {**source, "words": source["label"], "point": ""})
    tell(draw, status=full.out(3))
    draw.place("result", "Status", column=1)
    place_stages(draw)
    draw.place("plain", *PLAIN)
    fold(draw, parts="plain")
    draw.subgraph("plain", look, "pass")
    draw.title(Begin="Begin without the occluder")
    save(draw, completed)
    pair = draw.node("ImageBatch", "Pair", image1=source["image"], image2=completed["object"])
    three = draw.node("ImageBatch", "Three", image1=pair.out(0), image2=full.out(0))
    draw.place("result", "Pair", "Three")
    grid(draw, "Both", "Picture, baseline, mixed context", three.out(0), LABELS, columns=3)
    draw.note("models", MODELS.format(SET_SIZE))  # of the baseline
    draw.note(
        "query",
        "Choose `amodal_example_monkey.png`; its banana is the usual co-occurring object. Run. "
        "At the right: the picture, this baseline, and the whole method.",
    )
    draw.note(
        "whole",
        "**For comparison**: the same object and seed with mixed context, pass by pass, in one "
        "node.",
    )
