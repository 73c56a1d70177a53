"""The graph that Amodal Completion expands into: a loop for each picture or mask, and each seed."""

from collections.abc import Iterator

from comfy_execution.graph_utils import GraphBuilder

from ..amodal.core import validate
from ..amodal.core.errors import BadInput
from . import types
from .assembly import completion, pick, sees_around_hole
from .limits import bounds_of
from .model_family import crop_of_family, sampling_of_family
from .unet_features import shows_features

TEXTS = ("words", "occluder_words")
DECIDE = ("mask_rule", "avoid_occluders", "shadows")  # which nodes there are, so they are values


def expanded(links: dict, lists: dict) -> tuple[GraphBuilder, list, list[dict]]:
    """The graph, a link to its gathered results, and which object and seed each loop is of.

    links: the node's inputs in the prompt, values or links. lists: its inputs, each a list of
    values. Raises BadInput for pictures and masks that do not fit, and for an empty list.
    """
    graph = GraphBuilder()
    gathered: list = []
    loops: list[dict] = []
    objects = 0
    for values, given in items(graph, links, lists):
        settings = settings_of(values, given)
        chosen_ones = queries(graph, given, values, objects)
        count = len(chosen_ones)
        bounds = bounds_of(graph, given, values.get("upper_bound"), count, objects)
        for chosen, bound in zip(chosen_ones, bounds):
            source = {**settings, **chosen, **bound, "edges": "modal_mask" not in chosen}
            picked = pick(graph, source, f"{objects}-")
            for number in range(values["count"]):
                one = {"object": objects + 1, "seed": (values["seed"] + number) % 2**64}
                name = f"{objects}-{number}"
                made = completion(graph, {**source, **picked, "seed": one["seed"]}, f"{name}-")
                loops.append(one)
                gathered = graph.node(
                    "AmodalGather",
                    f"gather-{name}",
                    **{result: made[result] for result in types.GATHERED},
                    **({"results": gathered} if gathered else {}),
                ).out(0)
            objects += 1
    return graph, gathered, loops


def items(graph, links: dict, lists: dict) -> Iterator[tuple[dict, dict]]:
    """The inputs item by item, as values and as links or values; the last of a list repeats.

    Raises BadInput for an empty list.
    """
    for name, several in lists.items():
        if not several:
            raise BadInput(name, "is an empty list", "connect a list of at least one")
    for place in range(max(map(len, lists.values()))):
        values, given = {}, {}
        for name, several in lists.items():
            index = min(place, len(several) - 1)
            values[name], given[name] = several[index], links.get(name, several[index])
            if len(several) > 1:
                given[name] = graph.node(
                    "AmodalItemOfList", f"{name}-{index}", items=links[name], index=index
                ).out(0)
        yield values, given


def settings_of(values: dict, given: dict) -> dict:
    """The `source` of `assembly.completion`, less the picture and the object."""
    model = values["model"]
    settings = {
        **given,
        **crop_of_family(model, values["size"]),
        **sampling_of_family(model, values),
        **{name: values.get(name, "") for name in TEXTS},  # in place of links, to be joined
        **{name: values[name] for name in DECIDE if name in values},
        "drawn_bound": values.get("drawn_bound", "").strip() or None,  # none: not to be drawn
        "noise_mask": not sees_around_hole(model),
        "features": shows_features(model),
    }
    if "sampler" in given:
        settings["sampler"] = given["sampler"]
    return settings


def queries(graph, given: dict, values: dict, first: int) -> list[dict]:
    """Links to image and modal mask of each object: one for each picture, or each mask of one.

    first: how many objects there are already. Raises BadInput if they do not fit each other.
    """
    images, masks = validate.as_images(values["image"], "image"), values.get("modal_mask")
    if masks is not None:
        masks = validate.as_masks(masks, validate.picture_size(images), "modal_mask")
    several_masks = masks is not None and len(images) == 1
    if masks is not None and not several_masks:
        validate.paired(len(images), masks, "modal_mask")
    sources = []
    for index in range(max(len(images), 0 if masks is None else len(masks))):
        name, source = first + index, {"image": given["image"]}
        if len(images) > 1:
            source["image"] = from_batch(
                graph, "ImageFromBatch", f"image{name}", given["image"], index
            )
        if masks is not None:  # one for each
            source["modal_mask"] = given["modal_mask"]
            if len(masks) > 1:
                source["modal_mask"] = from_batch(
                    graph, "AmodalMaskFromBatch", f"mask{name}", given["modal_mask"], index
                )
        sources.append(source)
    return sources


def from_batch(graph, kind: str, name: str, link, index: int):
    if kind == "ImageFromBatch":
        return graph.node(kind, name, image=link, batch_index=index, length=1).out(0)
    return graph.node(kind, name, masks=link, index=index).out(0)
