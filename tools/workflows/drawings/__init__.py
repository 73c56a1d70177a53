"""Drawings of the shipped workflows, by file name. They use the graphs of `nodes/assembly/`."""

from . import (
    comparisons,
    curation,
    items,
    one_node,
    one_pass,
    progressive,
    sweeps,
)

DRAWINGS = {
    "amodal_completion_stickers": progressive.stickers,
    "amodal_completion": progressive.photographs,
    "beyond_the_boundary": progressive.beyond_the_boundary,
    "amodal_one_node": one_node.one_node,
    "several_seeds": one_node.several_seeds,
    "best_of_seeds": curation.best_of_seeds,
    "all_objects": one_node.all_objects,
    "mixed_context_step_by_step": one_pass.step_by_step,
    "baseline_naive_outpainting": comparisons.naive_outpainting,
    "ablation_without_mixed_context": comparisons.without_mixed_context,
    "sweep_backgrounds": sweeps.backgrounds,
    "sweep_steps": sweeps.steps,
    "sweep_layers": sweeps.layers,
    "dataset_viewer": items.dataset_viewer,
}
