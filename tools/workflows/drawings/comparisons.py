"""What the paper compares with: naive outpainting, and the loop's pass without mixed context."""

from __future__ import annotations

from tools.workflows.workflow_formats import Drawing

from .common import begun, grid, place_stages, save, tell
from .one_node import whole
from .one_pass import analysed, chosen

LABELS = "picture\nthis baseline\nwith mixed context"
PLAIN = (
    "Everything",
    "Prompt",
    "PassSeed",
    "RandomNoise",
    "KSamplerSelect",
    "BasicScheduler",
    "Positive",
    "Negative",
    "SwapBackground",
    "Begin",
    "See-context",
    "Guide-context",
    "SamplerCustomAdvanced",
    "Painted",
)


def naive_outpainting(assembly) -> Drawing:
    """Section 3.3, equation 2: everything outside the modal mask is painted."""
    draw = begun(groups={"plain": ("3.3 Naive outpainting", "#a1309b")})
    node, source, start = chosen(draw, assembly)
    crop = assembly.zoomed(node, source, start)[1]
    everything = node("InvertMask", "Everything", mask=crop.out(1))
    draw.titles["Everything"] = "Everything but the visible object"
    compared(draw, assembly, node, source, start, {"crop": crop, "inpaint_mask": everything.out(0)})
    draw.note(
        "plain",
        "**Equation 2.** Every pixel outside the modal mask is painted. The object may grow, turn, "
        "or get company, because nothing shows where it ends (Figure 3).",
    )
    return draw


def without_mixed_context(assembly) -> Drawing:
    """Table 2: the occluder's area painted in the original context from beginning to end."""
    draw = begun(groups={"plain": ("Without mixed context", "#a1309b")})
    compared(draw, assembly, *analysed(draw, assembly))
    draw.note(
        "plain",
        "**Table 2, without mixed context.** Only the occluder's area is painted, in the original "
        "context from the first step to the last. The occluder, or what usually stands there, "
        "often comes back.",
    )
    return draw


def compared(draw: Drawing, assembly, node, source, start, view) -> None:
    """All N steps in the original context, beside the whole method on the same object and seed."""
    prepared = assembly.prepared(node, source, start)
    image = view["crop"].out(0)
    seen = assembly.conditioned(node, source, prepared, image, view["inpaint_mask"], "context")
    synthetic = node(
        "AmodalSwapBackground",
        image=image,
        modal_mask=view["crop"].out(1),
        background="gray",
        seed=0,
    )
    begin = node("VAEEncode", "Begin", pixels=synthetic.out(0), vae=source["vae"])
    sampled = node(
        "SamplerCustomAdvanced",
        noise=prepared["noise"],
        guider=seen["guider"],
        sampler=prepared["sampler"],
        sigmas=prepared["sigmas"],
        latent_image=begin.out(0),
    )
    painted = node("VAEDecode", "Painted", samples=sampled.out(0), vae=source["vae"])
    pasted = assembly.placed(node, source, start, view, painted)[1]
    made = assembly.cut_out(node, source, pasted)
    full = whole(draw, {**source, "words": source["label"], "point": ""})
    tell(draw, status=full.out(3))
    place_stages(draw)
    draw.place("plain", *PLAIN)
    draw.title(Begin="Begin without the occluder")
    save(draw, made)
    pair = draw.node("ImageBatch", "Pair", image1=source["image"], image2=made["object"])
    three = draw.node("ImageBatch", "Three", image1=pair.out(0), image2=full.out(0))
    draw.place("result", "Pair", "Three")
    grid(draw, "Both", "Picture, baseline, mixed context", three.out(0), LABELS, columns=3)
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
