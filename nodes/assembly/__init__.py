"""The graph of one completion, drawn with the pack's nodes and the host's.

Amodal Completion expands into this graph, and the shipped workflows are made from it. A `graph` is
anything with `node(class_type, id, **inputs)`; inputs are values or links. Throughout, `node` is
the result of `naming`, `source` the settings that `completion` takes, `start` the Loop Start of a
pass, and `view` the result of `analysed`.
"""

from .analysis import SHADOWS, analysed, zoomed
from .instruction import INSTRUCTION, by_instruction
from .result import cut_out, finished, placed
from .sampling import conditioned, mixed_context, prepared, sees_around_hole

__all__ = [
    "AUTOMATIC",
    "INSTRUCTION",
    "RULES",
    "SHADOWS",
    "TEMPLATE",
    "analysed",
    "by_instruction",
    "completion",
    "conditioned",
    "cut_out",
    "finished",
    "instructed",
    "mixed_context",
    "naming",
    "pick",
    "placed",
    "prepared",
    "sees_around_hole",
    "zoomed",
]

RULES = ("known background", "clusters", "seeded", "automatic")
AUTOMATIC = RULES[3]
TEMPLATE = "a photo of a {label}"
BOUNDS = ("drawn_bound", "upper_bound")


def pick(graph, source: dict, name: str = "") -> dict:
    """The nodes that find the query, as links: modal_mask, label, front_hint, behind_hint, name.

    And upper_bound, if the source has that or drawn_bound, a text, empty where it is yet to be
    drawn: what both allow. And `sought`, the names that the detections search for beside everything
    that the segmenter knows: those of the source, else its words and occluder words, which are
    texts then. The words of an object whose mask is given are only its label.
    """
    words = "" if source.get("modal_mask") is not None else source["words"]
    own = "\n".join(filter(None, (words, source.get("occluder_words"))))
    sought = source.get("sought", own)
    detected = graph.node(
        "AmodalDetectObjects",
        f"{name}DetectAll",
        image=source["image"],
        segmenter=source["segmenter"],
        words=sought,
        add_known=True,
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
        drawn_bound=source.get("drawn_bound") or "",
        upper_bound=source.get("upper_bound"),
    )
    names = ["modal_mask", "label", "front_hint", "behind_hint", "name"]
    if any(source.get(bound) is not None for bound in BOUNDS):
        names.append("upper_bound")
    return {**{name: query.out(number) for number, name in enumerate(names)}, "sought": sought}


def completion(graph, source: dict, name: str = "") -> dict:
    """The nodes that complete one object, as links to its results by name.

    `source` holds links or values: model, clip, vae, segmenter, order_model, image, modal_mask,
    label, prompt, negative, seed, steps, k, cfg, mask_rule, size, max_passes. Optional: sampler (a
    name or a link), scheduler, guidance (of Flux), positive_conditioning and
    negative_conditioning (links, in place of the prompts), context, shape and largest (of the
    crop), match_colours, background, levels and level (of the decoder), inpaint_model, front_hint
    and behind_hint (masks), noise_mask (for a model that takes no masked picture), features (False
    for a model whose features cannot be captured), name (the label for the prompt), sought (names
    to search for beside the known ones), rule_menu (draws all mask rules, and a menu that chooses),
    upper_bound (a mask that the object stays within), avoid_occluders (puts the occluders' names
    into the negative prompt), shadows (one of SHADOWS).
    """
    node = naming(graph, name)
    start = node("AmodalLoopStart", image=source["image"], modal_mask=source["modal_mask"])
    view = analysed(node, source, start)
    painted = mixed_context(node, source, view, prepared(node, source, start, view))["painted"]
    return finished(node, source, start, view, painted)


def instructed(graph, source: dict, name: str = "") -> dict:
    """As `completion`, with a model that edits by instruction.

    Of the source it needs no k and no mask_rule. Its prompt is the instruction (INSTRUCTION).
    """
    node = naming(graph, name)
    start = node("AmodalLoopStart", image=source["image"], modal_mask=source["modal_mask"])
    view = analysed(node, source, start)
    stages = by_instruction(node, source, view, prepared(node, source, start))
    return finished(node, source, start, view, stages["painted"], stages["background"])


def naming(graph, name: str = ""):
    """A function that draws nodes, named after their class with `name` before it."""

    def node(kind: str, title: str | None = None, **inputs):
        return graph.node(kind, name + (title or kind.removeprefix("Amodal")), **inputs)

    return node
