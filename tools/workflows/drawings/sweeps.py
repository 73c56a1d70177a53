"""Figures 8 and 9 as graphs: one setting varies, and the nodes after it run for each value."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import grid, new_drawing, place_stages, show
from .folding import fold
from .one_pass import analysed


def backgrounds(assembly) -> Drawing:
    """Figure 8, left: varies the clean background of I_syn."""
    values = "gray\nwhite\nblack\nblur\nnoise\noriginal"
    draw = swept(assembly, values, lambda sweep: {"background": sweep.out(3)})
    draw.note(
        "sweep",
        "**Figure 8, left.** The choices of Swap Background, one run each. In the paper gray has "
        "20 % more successes than the original background, and busy backgrounds have fewer.",
    )
    return draw


def steps(assembly) -> Drawing:
    """Figure 8, right: varies k, the step at which the contexts mix."""
    draw = swept(assembly, "5\n10\n15\n20\n25\n30\n40\n49", lambda sweep: {"k": sweep.out(2)})
    draw.note(
        "sweep",
        "**Figure 8, right.** k of 50, one run each, for one picture and seed. In the paper, over "
        "many pictures, 20 is best: earlier there is no shape to cut out, later the object fits "
        "its surroundings less. One picture may not show this; try other seeds.",
    )
    return draw


def layers(assembly) -> Drawing:
    """Figure 9: varies the decoder level whose features are clustered."""
    draw = swept(
        assembly,
        "1\n2\n3\n4",
        lambda sweep: {"mask_rule": "clusters", "levels": "1,2,3,4", "level": sweep.out(1)},
    )
    grid(draw, "ClusterGrid", "Clusters, by level", ["ClusterFeatures", 1], ["Sweep", 0])
    draw.place("result", "ClusterGrid", "SaveClusterGrid", column=1)
    draw.note(
        "sweep",
        "**Figure 9.** Levels of the UNet's decoder, 1 the deepest: clusters and M^k of each. "
        "Sampling to step k runs once for all. In the paper level 3 is best.",
    )
    return draw


def swept(assembly, values: str, setting) -> Drawing:
    """Draws one pass that runs for each value.

    values: one in each line. setting: maps the Sweep Values node to the changed entries of the
    source.
    """
    draw = new_drawing()
    sweep = draw.node("AmodalSweepValues", "Sweep", values=values)
    draw.place("sweep", "Sweep")
    draw.titles["Sweep"] = "What is varied"
    node, source, start, view = analysed(draw, assembly, **setting(sweep))
    stages = assembly.mixed_context(node, source, view, assembly.prepared(node, source, start))
    place_stages(draw)
    show(draw, "analysis", "Hidden", "What hides it", ["SelectOccluders", 2])
    draw.node("MaskToImage", "MaskAtK", mask=stages["mask_at_k"])
    draw.place("segment", "MaskAtK")
    fold(draw)
    labels = sweep.out(0)
    grid(draw, "MaskGrid", "M^k", ["MaskAtK", 0], labels)
    grid(draw, "ResultGrid", "I_amodal", stages["painted"].out(0), labels)
    draw.note("query", "Choose `amodal_example_monkey.png`, and run; the grids are at the right.")
    draw.note("result", "**One picture of each run**, under its value; saved with the workflow.")
    return draw
