"""Blueprints: subgraphs for the editor's node library, cut out of the main workflow."""

from __future__ import annotations

from tools.workflows.drawing import Drawing, Subgraph

from .progressive import photographs

COMPLETE = Subgraph("Complete an object", "#233", "#355")
INSIDE = (
    "DetectAll",
    "Pick",
    "LoopStart",
    "Prompt",
    "analysis",
    "mixed",
    "paste",
    "LoopEnd",
    "TrimAndOverlay",
)
# The name in the node library, which is that of the file -> (key of the subgraph, description).
BLUEPRINTS = {
    "Complete an object (Amodal)": (
        "complete",
        "Picture in, whole object out: picks the object by its name, a point or its modal mask, "
        "and completes it pass by pass. Open it to see and rewire every stage. With the sticker "
        "models set size 128 and cfg 2.5.",
    ),
    "Mask analysis (Amodal)": (
        "analysis",
        "Section 3.4: pads and zooms, and finds what hides the object and where to paint.",
    ),
    "Mixed context diffusion (Amodal)": (
        "mixed",
        "Section 3.5 and Figure 4: paints the hidden part of an object in a mixed context. With "
        "the sticker models set cfg 2.5.",
    ),
    "Segment and paste back (Amodal)": (
        "paste",
        "Section 3.4: finds the amodal mask in the painted crop, and pastes the crop back.",
    ),
}


def whole(assembly) -> Drawing:
    """The main workflow with one more subgraph around everything from the query to the result."""
    draw = photographs(assembly)
    for item in INSIDE:
        draw.places[item], draw.columns[item] = "complete", 0
    draw.subgraph("complete", COMPLETE, "pass")
    draw.note(
        "complete",
        "**Figure 2.** The object is picked, then each pass analyses the masks, paints the hidden "
        "part and segments the object again. Loop End clones all that lies between Loop Start and "
        "itself into the next pass.",
    )
    draw.expose("modal_mask", ("Pick", "modal_mask"))
    draw.nodes["Pick"]["inputs"]["words"] = ""  # not the name of the workflow's own picture
    draw.expose("object", ("Pick", "words"))
    draw.expose("point", ("Pick", "point"))
    draw.expose("prompt", ("Prompt", "string"))
    draw.expose("max_passes", ("LoopEnd", "max_passes"))
    draw.call(
        Names__0="names_to_search",
        TrimAndOverlay__0="object",
        TrimAndOverlay__2="amodal_mask",
        TrimAndOverlay__3="overlay",
    )
    return draw
