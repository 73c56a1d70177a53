"""One pass without the loop: figure 4 as a graph, and what sweeps and comparisons begin from."""

from __future__ import annotations

from tools.workflows.workflow_formats import Drawing

from .common import (
    COMPANION,
    begun,
    given,
    picked,
    place_stages,
    save,
    show,
)


class Once:
    """In place of Loop Start: the picture and the mask themselves, as pass 1."""

    def __init__(self, source: dict):
        self.outputs = (None, source["image"], source["mask"], None, None)

    def out(self, slot: int):
        return self.outputs[slot]


def chosen(draw: Drawing, assembly, picture=COMPANION, words="monkey", **changes) -> tuple:
    """(node, source, start): the object to complete, and the way to draw."""
    source = picked(draw, assembly, given(draw, assembly, picture, words, **changes))
    return assembly.naming(draw), source, Once(source)


def analysed(draw: Drawing, assembly, **changes) -> tuple:
    """(node, source, start, view) of one pass up to the mask analysis."""
    node, source, start = chosen(draw, assembly, **changes)
    return node, source, start, assembly.analysed(node, source, start)


def step_by_step(assembly) -> Drawing:
    """Figure 4, every picture of it previewed under its name in the paper."""
    draw = begun()
    node, source, start, view = analysed(draw, assembly, mask_rule="clusters")
    stages = assembly.mixed_context(node, source, view, assembly.prepared(node, source, start))
    pasted = assembly.placed(node, source, start, view, stages["painted"])[1]
    made = assembly.cut_out(node, source, pasted)
    place_stages(draw)
    decode(draw, source, stages)
    show(draw, "analysis", "Hidden", "M_occ: what hides it", ["SelectOccluders", 2])
    show(draw, "object", "Synthetic", "I_syn", stages["synthetic"].out(0))
    show(draw, "background", "Plate", "I_bg: the removed background", stages["plate"].out(0))
    show(draw, "segment", "Clusters", "Clusters of decoder features", ["ClusterFeatures", 1])
    show(draw, "segment", "MaskAtK", "M^k_amodal", stages["mask_k"], mask=True)
    show(draw, "result", "Final", "I_amodal", stages["painted"].out(0))
    save(draw, made)
    explain(draw)
    return draw


def decode(draw: Drawing, source: dict, stages: dict) -> None:
    """The noisy latents as pictures."""
    for group, name, title, link in (
        ("object", "SyntheticAtK", "I^k_syn_amodal, noisy", stages["at_k"].out(0)),
        ("object", "EstimateShown", "What the model sees in it", stages["at_k"].out(1)),
        ("background", "PlateAtK", "I^k_bg, noisy", stages["noised"].out(0)),
        ("mix", "MixedAtK", "The composite at k, noisy", stages["mixed"].out(0)),
    ):
        decoded = draw.node("VAEDecode", f"Decode{name}", samples=link, vae=source["vae"])
        draw.place(group, f"Decode{name}")
        draw.titles[f"Decode{name}"] = f"Decode {title}"
        show(draw, group, name, title, decoded.out(0))


def explain(draw: Drawing) -> None:
    draw.note(
        "query",
        "**Figure 4 of the paper as a graph.** One pass, no loop: every picture of "
        "the figure is previewed under its name. Choose `amodal_example_monkey.png`, whose "
        "banana is the usual companion. Try other k in Sample To Step, other levels in "
        "Capture Features, another background in Swap Background.",
    )
    draw.note("analysis", "**3.4** What hides the object, and the mask to paint.")
    draw.note(
        "object",
        "**1) Swap background** (red in the figure): I_in with everything but the "
        "visible object gray, painted to step k.",
    )
    draw.note(
        "background", "**2) The background** (blue): object and occluder removed, noised to step k."
    )
    draw.note(
        "segment",
        "**3) Segment the object in the noisy picture** (green): features of the "
        "decoder's third level, k-means, and the clusters that lie on the visible object.",
    )
    draw.note(
        "mix",
        "**4) Composite** (purple): the object of 1 on the background of 2, by the "
        "mask of 3; then the remaining N - k steps.",
    )
    draw.note(
        "result",
        "The pass' result, cut out and laid back into the picture. For more passes "
        "see amodal_completion_stickers.",
    )
