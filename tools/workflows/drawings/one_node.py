"""The whole method as one node: for an object, for several seeds, for all objects of a picture."""

from __future__ import annotations

from tools.workflows.workflow_formats import Drawing

from .common import (
    CAT,
    SEVERAL,
    begun,
    given,
    grid,
    save,
    show,
    tell,
)

TEXTS = {"status": 3, "passes": 4, "report": 5, "warnings": 8}


def one_node(assembly) -> Drawing:
    """Picture in, object out."""
    draw = begun()
    made = whole(draw, given(draw, assembly, CAT, "cat"))
    save(draw, results(made))
    tell(draw, **{name: made.out(slot) for name, slot in TEXTS.items()})
    draw.note(
        "query",
        "**Picture in, whole object out.** Choose the object in the node: by its name, by a point "
        "x,y on it, or by its modal mask (the visible pixels).",
    )
    draw.note(
        "whole",
        "This node expands into the nodes of amodal_completion_stickers. Open that workflow to "
        "rewire the stages.",
    )
    return draw


def several_seeds(assembly) -> Drawing:
    """Diverse completions of one object, side by side."""
    draw = begun()
    made = whole(draw, given(draw, assembly, CAT, "cat"), count=6)
    save(draw, results(made))
    grid(draw, "Seeds", "Six seeds", made.out(0), columns=3)
    tell(draw, status=made.out(3))
    draw.note(
        "query",
        "**The hidden part is not known**, so compare several answers: `count` completions, one "
        "for each seed.",
    )
    draw.note(
        "result",
        "Every output of the node is a list with one item for each seed, so every completion is "
        "saved.",
    )
    return draw


def all_objects(assembly) -> Drawing:
    """Every object of a picture completed, as layers, and the background behind them."""
    draw = begun()
    source = given(draw, assembly, SEVERAL, "")
    objects = draw.node(
        "AmodalDetectObjects",
        "DetectAll",
        image=source["image"],
        segmenter=source["segmenter"],
        words="",
    )
    draw.place("query", "DetectAll")
    show(draw, "query", "Found", "The objects", objects.out(4))
    made = whole(draw, {**source, "modal_mask": objects.out(1)})
    background = draw.node(
        "AmodalRemoveObjects",
        "RemoveObjects",
        image=source["image"],
        modal_mask=objects.out(1),
        occluder_mask=objects.out(1),
        dilate=0.03,
        method="smooth",
    )
    draw.place("background", "RemoveObjects")
    save(draw, results(made))
    grid(draw, "Layers", "Layers", made.out(0), objects.out(2))
    draw.node(
        "SaveImage", "Background", images=background.out(0), filename_prefix="amodal/background"
    )
    draw.place("result", "Background")
    draw.titles["Background"] = "Background"
    tell(draw, status=made.out(3), x=made.out(6), y=made.out(7))
    draw.note("query", "**All objects of a picture**: one mask each, one loop each.")
    draw.note("background", "The background behind the layers: the picture without its objects.")
    draw.note(
        "result",
        "**Layers** with transparency, one file for each object. x and y are the top left corner "
        "of its canvas in the picture.",
    )
    return draw


def whole(draw: Drawing, source: dict, **changes):
    """Amodal Completion with the source's links and values."""
    names = (
        "model",
        "clip",
        "vae",
        "segmenter",
        "order_model",
        "image",
        "modal_mask",
        "point",
        "words",
        "prompt",
        "negative",
        "seed",
        "steps",
        "k",
        "cfg",
        "mask_rule",
        "size",
        "max_passes",
        "context",
    )
    inputs = {name: source[name] for name in names if name in source}
    made = draw.node("AmodalCompletion", "Whole", **inputs, **changes)
    draw.place("whole", "Whole")
    draw.titles["Whole"] = "Amodal Completion"
    return made


def results(made) -> dict:
    return {"object": made.out(0), "amodal_mask": made.out(1), "overlay": made.out(2)}
