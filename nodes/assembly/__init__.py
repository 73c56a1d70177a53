"""The graph of one completion, drawn with the pack's nodes and the host's.

Amodal Completion expands into this graph, and the shipped workflows are made from it. A `graph` is
anything with `node(class_type, id, **inputs)`; inputs are values or links. Throughout, `node` is
the result of `naming`, `source` the settings that `completion` takes, `start` the Loop Start of a
pass, and `view` the result of `analysed`.
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
    """The nodes that find the query, as links: modal_mask, label, front_hint, behind_hint."""
    detected = graph.node(
        "AmodalDetectObjects",
        f"{name}DetectAll",
        image=source["image"],
        segmenter=source["segmenter"],
        words="",
    )
    query = graph.node(
        "AmodalPickObject",
        f"{name}Pick",
        objects=detected.out(0),
        modal_mask=source.get("modal_mask"),
        point=source["point"],
        words=source["words"],
        index=-1,
        occluder_hints=source.get("occluder_hints", ""),
    )
    names = ("modal_mask", "label", "front_hint", "behind_hint")
    return {name: query.out(number) for number, name in enumerate(names)}


def completion(graph, source: dict, name: str = "") -> dict:
    """The nodes that complete one object, as links to its results by name.

    `source` holds links or values: model, clip, vae, segmenter, order_model, image, modal_mask,
    label, prompt, negative, seed, steps, k, cfg, mask_rule, size, max_passes. Optional: sampler,
    scheduler, context, background, levels and level (of the decoder), inpaint_model, front_hint
    and behind_hint (masks), noise_mask (for a model that takes no masked picture), choose_rule
    (draws both mask rules and a menu that chooses).
    """
    node = naming(graph, name)
    start = node("AmodalLoopStart", image=source["image"], modal_mask=source["modal_mask"])
    view = analysed(node, source, start)
    painted = mixed_context(node, source, view, prepared(node, source, start))["painted"]
    return finished(node, source, start, view, painted)


def naming(graph, name: str = ""):
    """A function that draws nodes, named after their class with `name` before it."""

    def node(kind: str, title: str | None = None, **inputs):
        return graph.node(kind, name + (title or kind.removeprefix("Amodal")), **inputs)

    return node
