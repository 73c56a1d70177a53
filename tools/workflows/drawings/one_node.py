"""Amodal Completion, the whole method in one node: one object, several seeds, all objects."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import (
    CAT,
    FOLLOWS,
    MODELS,
    SEVERAL,
    grid,
    new_drawing,
    save,
    show,
    sticker_source,
    tell,
)

TEXTS = {"status": 3, "passes": 4, "report": 5, "warnings": 8}


def one_node(assembly) -> Drawing:
    """Completes one object."""
    draw = new_drawing()
    completed = completion_node(draw, sticker_source(draw, assembly, CAT, "cat"))
    save(draw, results(completed))
    tell(draw, **{name: completed.out(slot) for name, slot in TEXTS.items()})
    draw.note(
        "query",
        "**Picture in, whole object out.** Choose the object in the node: by its name, by a point "
        "x,y on it, or by its modal mask (the visible pixels).",
    )
    draw.note(
        "whole",
        "This node expands into the nodes of the workflow Complete an object. Open that one to "
        "rewire the stages.",
    )
    return draw


def several_seeds(assembly) -> Drawing:
    """Completes one object with six seeds, and shows the results side by side."""
    draw = new_drawing()
    completed = completion_node(draw, sticker_source(draw, assembly, CAT, "cat"), count=6)
    save(draw, results(completed))
    grid(draw, "Seeds", "Six seeds", completed.out(0), columns=3)
    tell(draw, status=completed.out(3))
    draw.note(
        "query",
        "**The hidden part is not known**, so compare several completions: `count` of them, one "
        "for each seed.",
    )
    draw.note(
        "result",
        "Every output of the node is a list with one item for each seed, so every completion is "
        "saved.",
    )
    return draw


def all_objects(assembly) -> Drawing:
    """Completes every object of a picture as a layer before its background; moves the front one."""
    draw = new_drawing(groups={"judge": ("Layers", "#8A8")})
    source = sticker_source(draw, assembly, SEVERAL, "")
    objects = draw.node(
        "AmodalDetectObjects",
        "DetectAll",
        image=source["image"],
        segmenter=source["segmenter"],
        words="",
    )
    draw.place("query", "DetectAll")
    show(draw, "query", "Found", "The objects", objects.out(4))
    completed = completion_node(draw, {**source, "modal_mask": objects.out(1)})
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
    save(draw, results(completed))
    grid(draw, "Layers", "Layers", completed.out(0), objects.out(2))
    draw.node(
        "SaveImage", "Background", images=background.out(0), filename_prefix="amodal/background"
    )
    draw.place("result", "Background")
    draw.titles["Background"] = "Background"
    layers_of_scene(draw, source, objects, completed, background)
    tell(draw, status=completed.out(3))
    draw.place("result", "Status", column=1)
    draw.note("query", "**All objects of a picture**: one mask each, one loop each.")
    draw.note("background", "The background behind the layers: the picture without its objects.")
    draw.note(
        "judge",
        "**Composed unmoved, the layers give the picture back.** Here the front object is moved "
        "away, and the whole one behind it shows. Newer hosts have Image Compositor, to drag "
        "layers by hand: connect `layers` and set `blend`.",
    )
    draw.note(
        "result",
        "**Layers** with transparency: one file for each object, and one OpenRaster file of all, "
        "which Krita and GIMP open.",
    )
    return draw


def layers_of_scene(draw: Drawing, source, objects, completed, background) -> None:
    """Stacks the completed objects before the background, saves them, and moves the front one."""
    order = draw.node(
        "AmodalOrderObjects",
        "Order",
        image=source["image"],
        objects=objects.out(0),
        order_model=source["order_model"],
    )
    stack = draw.node(
        "AmodalSceneLayers",
        "SceneLayers",
        image=source["image"],
        background=background.out(0),
        objects=completed.out(0),
        modal_masks=objects.out(1),
        x=completed.out(6),
        y=completed.out(7),
        order=order.out(0),
        names=objects.out(2),
    )
    moved = draw.node("AmodalComposeLayers", "Move", layers=stack.out(0), layer="1", x=48, y=24)
    draw.title(Order="Who hides whom", SceneLayers="Scene Layers", Move="Move the front object")
    draw.node("AmodalSaveLayers", "SaveStack", layers=stack.out(0), filename_prefix="amodal/scene")
    draw.node("SaveImage", "Moved", images=moved.out(0), filename_prefix="amodal/moved")
    draw.place("judge", "Order", "SceneLayers", "Move", "SaveStack")
    draw.place("result", "Moved")
    draw.title(SaveStack="Save for Krita and GIMP", Moved="The front object moved")


def completion_node(draw: Drawing, source: dict, **changes):
    """Draws Amodal Completion with the links and values of the source."""
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
        "mask_rule",
        "max_passes",
        "context",
    )
    inputs = {name: source[name] for name in names if name in source}
    inputs |= {"size": 0, "cfg": 0}
    completion = draw.node("AmodalCompletion", "Whole", **{**inputs, **changes})
    draw.note("models", MODELS.format(FOLLOWS))
    draw.place("whole", "Whole")
    draw.titles["Whole"] = "Amodal Completion"
    return completion


def results(completion) -> dict:
    """Links to the results of Amodal Completion, for `save`."""
    return {
        "object": completion.out(0),
        "amodal_mask": completion.out(1),
        "overlay": completion.out(2),
    }
