"""One pass without the loop: Figure 4 as a graph, and the parts for sweeps and comparisons."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import (
    CO_OCCURRING,
    new_drawing,
    place_stages,
    save,
    show,
    sticker_source,
    with_query,
)


class Once:
    """Replaces Loop Start in a graph without a loop: gives picture and modal mask of pass 1."""

    def __init__(self, source: dict):
        self.outputs = (None, source["image"], source["modal_mask"], None, None)

    def out(self, slot: int):
        return self.outputs[slot]


def begin_pass(draw: Drawing, assembly, picture=CO_OCCURRING, words="monkey", **changes) -> tuple:
    """Draws the models and picks the object; returns (node, source, start) for `assembly`."""
    source = with_query(draw, assembly, sticker_source(draw, assembly, picture, words, **changes))
    return assembly.naming(draw), source, Once(source)


def analysed(draw: Drawing, assembly, **changes) -> tuple:
    """Draws one pass up to the mask analysis; returns (node, source, start, view)."""
    node, source, start = begin_pass(draw, assembly, **changes)
    return node, source, start, assembly.analysed(node, source, start)


def step_by_step(assembly) -> Drawing:
    """Figure 4, with a preview of every picture under its name in the paper."""
    draw = new_drawing()
    node, source, start, view = analysed(draw, assembly, mask_rule="clusters")
    stages = assembly.mixed_context(node, source, view, assembly.prepared(node, source, start))
    pasted = assembly.placed(node, source, start, view, stages["painted"])[1]
    completed = assembly.cut_out(node, source, pasted)
    place_stages(draw)
    decode(draw, source, stages)
    show(draw, "analysis", "Hidden", "M_occ: the occluders", ["SelectOccluders", 2])
    show(draw, "object", "Synthetic", "I_syn", stages["synthetic"].out(0))
    show(draw, "background", "Plate", "I_bg: the removed background", stages["background"].out(0))
    show(draw, "segment", "Clusters", "Clusters of decoder features", ["ClusterFeatures", 1])
    show(draw, "segment", "MaskAtK", "M^k_amodal", stages["mask_at_k"], mask=True)
    show(draw, "result", "Final", "I_amodal", stages["painted"].out(0))
    save(draw, completed)
    explain(draw)
    return draw


def decode(draw: Drawing, source: dict, stages: dict) -> None:
    """Decodes the noisy latents and previews them."""
    for group, name, title, link in (
        ("object", "SyntheticAtK", "I^k_syn_amodal, noisy", stages["at_k"].out(0)),
        ("object", "EstimateShown", "The model's estimate at k", stages["at_k"].out(1)),
        ("background", "PlateAtK", "I^k_bg, noisy", stages["noised"].out(0)),
        ("mix", "MixedAtK", "The composite at k, noisy", stages["mixed"].out(0)),
    ):
        decoded = draw.node("VAEDecode", f"Decode{name}", samples=link, vae=source["vae"])
        draw.place(group, f"Decode{name}")
        draw.titles[f"Decode{name}"] = f"Decode {title}"
        show(draw, group, name, title, decoded.out(0))


def explain(draw: Drawing) -> None:
    """Adds the notes."""
    draw.note(
        "query",
        "**Figure 4 of the paper as a graph.** One pass, no loop. Each picture of the figure has a "
        "preview under its name. Choose `amodal_example_monkey.png`; its banana is the usual "
        "co-occurring object. Try another k in Sample To Step, other levels in Capture Features, "
        "another background in Swap Background.",
    )
    draw.note("analysis", "**3.4** The occluders, and the inpaint mask.")
    draw.note(
        "object",
        "**1) Swap background** (red in the figure): everything but the visible object is gray. "
        "Sampled to step k.",
    )
    draw.note(
        "background", "**2) Background** (blue): object and occluder are removed. Noised to step k."
    )
    draw.note(
        "segment",
        "**3) Segment the object at step k** (green): k-means on the features of the third decoder "
        "level; the clusters that overlap the modal mask are kept.",
    )
    draw.note(
        "mix",
        "**4) Composite** (purple): the object of 1 on the background of 2, by the mask of 3. "
        "Then the remaining N - k steps.",
    )
    draw.note(
        "result",
        "The result of the pass, cut out and pasted back. amodal_completion_stickers has more "
        "passes.",
    )
