"""The graph of one completion, drawn with the pack's own nodes and the host's.

The one-node version expands into it and the shipped workflows are made from it. A `graph` is
anything with `node(class_type, id, **inputs)`; inputs are values or links. Below, `node` is what
`naming` gives, `source` what `completion` takes, `start` a pass' Loop Start, and `view` what
`analysed` gives.
"""

from .analysis import analysed, zoomed
from .result import cut_out, finished, placed
from .sampling import conditioned, mixed_context, prepared, sees_around_hole

__all__ = [
    "RULES",
    "TEMPLATE",
    "analysed",
    "completion",
    "conditioned",
    "cut_out",
    "finished",
    "mixed_context",
    "naming",
    "pick",
    "placed",
    "prepared",
    "sees_around_hole",
    "zoomed",
]

RULES = ("known background", "clusters")
TEMPLATE = "a photo of a {label}"


def pick(graph, source: dict, name: str = "") -> dict:
    """The nodes that find the query object: links to mask and label, front and behind by name."""
    found = graph.node(
        "AmodalDetectObjects",
        f"{name}DetectAll",
        image=source["image"],
        segmenter=source["segmenter"],
        words="",
    )
    query = graph.node(
        "AmodalPickObject",
        f"{name}Pick",
        objects=found.out(0),
        mask=source.get("mask"),
        point=source["point"],
        words=source["words"],
        index=-1,
        occluders=source.get("occluders", ""),
    )
    names = ("mask", "label", "front", "behind")
    return {name: query.out(number) for number, name in enumerate(names)}


def completion(graph, source: dict, name: str = "") -> dict:
    """The nodes that complete one object, as links to its results by name.

    `source` holds links or values: model, clip, vae, segmenter, order_model, image, mask (modal),
    label, prompt, negative, seed, steps, k, cfg, mask_rule, size, max_passes; and as a choice
    sampler, scheduler, context, background, levels and level (of the decoder), inpaint_model,
    front and behind (masks of what was marked by hand), noise_mask (for a model that is given no
    masked picture).
    """
    node = naming(graph, name)
    start = node("AmodalLoopStart", image=source["image"], mask=source["mask"])
    view = analysed(node, source, start)
    painted = mixed_context(node, source, view, prepared(node, source, start))["painted"]
    return finished(node, source, start, view, painted)


def naming(graph, name: str = ""):
    """Draws nodes named after their class, behind `name`."""

    def node(kind: str, title: str | None = None, **inputs):
        return graph.node(kind, name + (title or kind.removeprefix("Amodal")), **inputs)

    return node
