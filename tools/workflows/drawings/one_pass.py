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
from .folding import fold


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
    draw = new_drawing(groups={"pass": ("3.5 Mixed context diffusion (Figure 4)", "#3f789e")})
    draw.column_height = 1700
    del draw.notes["models"]
    node, source, start, view = analysed(draw, assembly, mask_rule="clusters", rule_menu=True)
    stages = assembly.mixed_context(node, source, view, assembly.prepared(node, source, start))
    pasted = assembly.placed(node, source, start, view, stages["painted"])[1]
    completed = assembly.cut_out(node, source, pasted)
    place_stages(draw)
    draw.place("models", "Prompt", column=1)
    decode(draw, source, stages)
    show(draw, "pictures", "Hidden", "M_occ: the occluders", ["SelectOccluders", 2])
    show(draw, "pictures", "Synthetic", "I_syn", stages["synthetic"].out(0))
    show(draw, "pictures", "Plate", "I_bg: the removed background", stages["background"].out(0))
    show(draw, "pictures", "Clusters", "Clusters of decoder features", ["ClusterFeatures", 1])
    show(draw, "pictures", "MaskAtK", "M^k_amodal", stages["mask_at_k"], mask=True)
    show(draw, "result", "Final", "I_amodal", stages["painted"].out(0))
    save(draw, completed)
    fold(draw, parts="pass")
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
        show(draw, "pictures", name, title, decoded.out(0))


def explain(draw: Drawing) -> None:
    """Adds the notes."""
    draw.note(
        "query",
        "**Figure 4 as a graph.** One pass, no loop. In `amodal_example_monkey.png` the banana is "
        "the usual co-occurring object.",
    )
    draw.note(
        "pass",
        "**Each picture of the figure has a preview under its name.** The parts have the figure's "
        "colours; open one to see its stages. Try another k or background in part 1, other levels "
        "in Capture Features of part 3.",
    )
    draw.note(
        "result",
        "The result of the pass, cut out and pasted back. Complete an object has more passes. For "
        "photographs, replace the three loaders.",
    )
