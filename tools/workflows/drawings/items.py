"""Section 4.1: shows a data set of pseudo-occluded objects item by item."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import ITEMS, new_drawing, show

GROUPS = {
    "query": ("4.1 An item of the set", "#A88"),
    "pictures": ("Masks", "#3f789e"),
    "result": ("Truth", "#8A8"),
}


def dataset_viewer(_assembly) -> Drawing:
    """Shows picture, masks and truth of the item with a chosen index."""
    draw = new_drawing(groups=GROUPS)
    item = draw.node("AmodalLoadItem", "Item", folder=ITEMS, index=0)
    draw.node("PreviewAny", "About", source=item.out(7))
    draw.place("query", "Item", "About")
    draw.title(About="About")
    show(draw, "pictures", "Overlay", "Visible and hidden part", item.out(5))
    show(draw, "pictures", "Modal", "Modal mask", item.out(1), mask=True)
    show(draw, "pictures", "Amodal", "Amodal mask", item.out(2), mask=True)
    show(draw, "pictures", "Occluder", "Occluder", item.out(3), mask=True)
    show(draw, "result", "Picture", "Picture", item.out(0))
    show(draw, "result", "Truth", "Truth", item.out(4))
    draw.note(
        "query",
        "**A data set of pseudo-occluded objects, item by item.** `index` counts from 0; with its "
        "control on *increment* each run shows the next item. The four shipped items are stickers. "
        "For photographs make a set from COCO or Open Images with `nox -s dataset -- ... --out` a "
        "folder in ComfyUI's input folder, and write its name into `folder`.",
    )
    draw.note(
        "pictures",
        "**White is the object.** The modal mask is its visible part, the amodal mask all of it. "
        "The overlay shows the visible part in green and the hidden part in red.",
    )
    draw.note(
        "result",
        "**The truth** is the picture before the occluder was pasted. Give image, modal mask and "
        "label to *Amodal Completion*, and its result with the truth to *Completion Metrics*.",
    )
    return draw
