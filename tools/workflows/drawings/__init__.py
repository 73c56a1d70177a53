"""Drawings of the shipped workflows. They use the graphs of `nodes/assembly/`."""

from pathlib import Path

from . import (
    applications,
    comparisons,
    curation,
    instruction,
    items,
    one_node,
    one_pass,
    progressive,
    sweeps,
)

# The name of the file in API format -> (title among the editor's templates, drawing), in the order
# of the templates.
DRAWINGS = {
    "amodal_completion_stickers": ("Complete an object", progressive.stickers),
    "amodal_completion": ("Complete an object in a photograph", progressive.photographs),
    "beyond_the_boundary": ("Complete beyond the border", progressive.beyond_the_boundary),
    "amodal_one_node": ("Complete an object in one node", one_node.one_node),
    "several_seeds": ("Several completions", one_node.several_seeds),
    "best_of_seeds": ("Best of several completions", curation.best_of_seeds),
    "all_objects": ("Every object of a picture", one_node.all_objects),
    "mixed_context_step_by_step": ("Mixed context step by step", one_pass.step_by_step),
    "ablation_without_mixed_context": ("Without mixed context", comparisons.without_mixed_context),
    "baseline_naive_outpainting": ("Naive outpainting", comparisons.naive_outpainting),
    "sweep_backgrounds": ("Sweep the background", sweeps.backgrounds),
    "sweep_steps": ("Sweep the step k", sweeps.steps),
    "sweep_layers": ("Sweep the decoder level", sweeps.layers),
    "dataset_viewer": ("Look through a data set", items.dataset_viewer),
    "photograph_flux_fill_sam3": (
        "Photograph with Flux Fill and SAM 3 (ComfyUI 0.20)",
        progressive.flux_fill_sam3,
    ),
    "photograph_sdxl": ("Photograph with SDXL and SAM 3 (ComfyUI 0.20)", progressive.sdxl_sam3),
    "photograph_by_instruction": (
        "Photograph by instruction (ComfyUI 0.20)",
        instruction.photograph_by_instruction,
    ),
    "dense_correspondence": ("Match two objects", applications.dense_correspondence),
    "novel_view": ("Turn an object", applications.novel_view),
}
# Drawings with a form, of which a second file opens as that form.
APPS = {"amodal_completion_stickers": "15 Complete an object with a form.app"}

WORKFLOWS = Path(__file__).resolve().parents[3] / "workflows"


def titles() -> dict[str, str]:
    """The numbered title of each workflow, which is the name of its file for the editor.

    The numbers of forms are left out.
    """
    taken = {int(title[:2]) for title in APPS.values()}
    numbers = (number for number in range(1, 100) if number not in taken)
    return {
        name: f"{number:02} {title}"
        for number, (name, (title, _)) in zip(numbers, DRAWINGS.items())
    }


def editor_file(name: str) -> Path:
    """The file for the editor of a workflow, by the name of its file in API format."""
    return WORKFLOWS / f"{titles()[name]}.json"
