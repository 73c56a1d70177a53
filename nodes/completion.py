"""The whole method as one node. It expands into the nodes of its stages (`assembly`)."""

from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..amodal.core import validate
from . import types, ui
from .assembly import AUTOMATIC, RULES, TEMPLATE, completion, pick, sees_around_hole
from .common import CATEGORY, aliases, names_itself, shows_results
from .limits import bounds_of
from .model_family import crop_of_family
from .unet_features import shows_features


class Completion(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCompletion",
            **shows_results(),
            **aliases("deocclusion", "uncover", "complete a hidden object", "amodal"),
            display_name="Amodal Completion",
            category=CATEGORY,
            description="Completes the object at the mask, the point or the words: picture in, "
            "whole object out. Each picture, each mask of one picture and each seed becomes a "
            "loop of its own. Every output is a list with one item for each.",
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="Diffusion model, preferably an inpainting model. An ordinary model "
                    "paints through a noise mask.",
                ),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                io.Vae.Input("vae", tooltip="Its autoencoder."),
                types.Segmenter.Input("segmenter", tooltip="Finds the objects."),
                types.OrderModel.Input("order_model", tooltip="Tells what stands in front."),
                io.Image.Input("image", tooltip="The picture, or a batch of them."),
                io.Mask.Input(
                    "modal_mask",
                    optional=True,
                    tooltip="The object's visible pixels, 1 on the object. Several masks of one "
                    "picture are several objects. Load Image's mask is 1 - alpha.",
                ),
                io.String.Input(
                    "point",
                    default="",
                    tooltip="A point on the object: x,y in pixels, or fractions like 0.43,0.61.",
                ),
                io.String.Input(
                    "words",
                    default="",
                    tooltip="The object's name, in any words: 'red mug'. The segmenter searches "
                    "for it beside everything it knows. With a mask: the label to give it.",
                ),
                io.String.Input(
                    "prompt", default=TEMPLATE, tooltip="The prompt; {label} is the object's name."
                ),
                io.String.Input("negative", default="", tooltip="What not to paint."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="Seed of the first completion; each pass derives its own.",
                ),
                io.Int.Input(
                    "count",
                    default=1,
                    min=1,
                    max=64,
                    tooltip="Number of completions; each has the next seed.",
                ),
                io.Int.Input("steps", default=50, min=2, max=1000, tooltip="N, sampling steps."),
                io.Float.Input(
                    "k",
                    default=0.4,
                    min=0.01,
                    max=999,
                    step=0.01,
                    tooltip="The step at which contexts mix; below 1 a fraction of N. The paper's "
                    "20 of 50 is 0.4.",
                ),
                io.Float.Input(
                    "cfg",
                    default=7.5,
                    min=0,
                    max=100,
                    step=0.1,
                    tooltip="Classifier-free guidance.",
                ),
                io.Combo.Input(
                    "mask_rule",
                    options=list(RULES),
                    default=AUTOMATIC,
                    tooltip="How the object is cut out at step k: by its difference from the known "
                    "gray background, by clusters of decoder features (the paper's rule), or by a "
                    "classifier of features, seeded with what is certain. automatic takes the "
                    "known background or the seeded rule, whichever tells visible object and "
                    "certain background apart better.",
                ),
                io.Int.Input(
                    "size",
                    default=0,
                    min=0,
                    max=4096,
                    step=8,
                    tooltip="Side of the crop the model works on. 0: the size the model was "
                    "trained at, which is 512 for Stable Diffusion 1 and 2, 1024 for newer ones, "
                    "128 for the sticker models.",
                ),
                io.Int.Input(
                    "max_passes", default=6, min=1, max=100, tooltip="Maximum number of passes."
                ),
                io.Float.Input(
                    "context",
                    optional=True,
                    default=0.3,
                    min=0.0,
                    max=4.0,
                    step=0.05,
                    tooltip="What is shown around the object, as a fraction of its larger side.",
                ),
                io.String.Input(
                    "occluder_hints",
                    default="",
                    optional=True,
                    tooltip="Points on objects that hide this one, separated by semicolons; 'not' "
                    "before a point marks an object that does not. As in Pick Object. Empty: the "
                    "order model decides.",
                ),
                io.String.Input(
                    "occluder_words",
                    default="",
                    optional=True,
                    tooltip="Names of things that may stand in front, such as 'hand, pole, "
                    "curtain'. The segmenter searches for them beside everything it knows.",
                ),
                io.Mask.Input(
                    "upper_bound",
                    optional=True,
                    tooltip="The object reaches no further than this: a shape drawn on the "
                    "picture, any amodal mask, or Size Prior's. For enclosed and nearly hidden "
                    "objects.",
                ),
                io.Boolean.Input(
                    "avoid_occluders",
                    default=False,
                    optional=True,
                    tooltip="Add the occluders' names to the negative prompt, where a pose calls "
                    "its partner back in.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "object",
                    display_name="object",
                    is_output_list=True,
                    tooltip="The whole object, RGBA on the grown canvas.",
                ),
                io.Mask.Output(
                    "amodal_mask",
                    display_name="amodal_mask",
                    is_output_list=True,
                    tooltip="M_amodal: the object's mask on that canvas.",
                ),
                io.Image.Output(
                    "overlay",
                    display_name="overlay",
                    is_output_list=True,
                    tooltip="The picture with the whole object in place.",
                ),
                io.String.Output(
                    "status",
                    display_name="status",
                    is_output_list=True,
                    tooltip="completed, nothing to complete, unchanged, not found again, or "
                    "stopped at cap.",
                ),
                io.Int.Output(
                    "passes",
                    display_name="passes",
                    is_output_list=True,
                    tooltip="How many passes painted something.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    is_output_list=True,
                    tooltip="One line for each pass.",
                ),
                io.Int.Output(
                    "x",
                    display_name="x",
                    is_output_list=True,
                    tooltip="Left edge of the canvas in the picture's coordinates.",
                ),
                io.Int.Output(
                    "y",
                    display_name="y",
                    is_output_list=True,
                    tooltip="Top edge of the canvas in the picture's coordinates.",
                ),
                io.String.Output(
                    "warnings",
                    display_name="warnings",
                    is_output_list=True,
                    tooltip="Empty, or comma-separated: enclosed, nothing left to paint. See Loop "
                    "End.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
            enable_expand=True,
        )

    @classmethod
    @names_itself
    def execute(cls, image, seed, count, modal_mask=None, **settings):
        images = validate.as_images(image, "image")
        masks = None
        if modal_mask is not None:
            masks = validate.as_masks(modal_mask, validate.picture_size(images), "modal_mask")
        links = cls.hidden.dynprompt.get_node(cls.hidden.unique_id)["inputs"]
        given = {name: links.get(name, value) for name, value in settings.items()}
        given["noise_mask"] = not sees_around_hole(settings["model"])
        given["features"] = shows_features(settings["model"])
        given.update(crop_of_family(settings["model"], settings["size"]))
        texts = {name: settings.get(name, "") for name in ("words", "occluder_words")}
        given.update(texts)  # values in place of links, to be joined
        for name in ("mask_rule", "avoid_occluders"):  # they decide which nodes there are
            given[name] = settings.get(name)
        graph = GraphBuilder()
        gathered: list = []  # a link to the results so far
        loops = []  # which object and seed each is of
        chosen_ones = queries(graph, links, images, masks)
        bounds = bounds_of(graph, links, settings.get("upper_bound"), len(chosen_ones))
        for index, (chosen, bound) in enumerate(zip(chosen_ones, bounds)):
            source = {**given, **chosen, **bound, "edges": "modal_mask" not in chosen}
            picked = pick(graph, source, f"{index}-")
            for number in range(count):
                one = {"object": index + 1, "seed": (seed + number) % 2**64}
                made = completion(
                    graph, {**source, **picked, "seed": one["seed"]}, f"{index}-{number}-"
                )
                loops.append(one)
                gathered = graph.node(
                    "AmodalGather",
                    f"gather-{index}-{number}",
                    **{name: made[name] for name in types.GATHERED},
                    **({"results": gathered} if gathered else {}),
                ).out(0)
        names = range(1, len(types.GATHERED) + 1)
        shown_on = cls.hidden.dynprompt.get_display_node_id(cls.hidden.unique_id)
        shown = ui.entry(cls.hidden, node=shown_on, loops=loops)
        return io.NodeOutput(
            *([gathered[0], slot] for slot in names),
            expand=graph.finalize(),
            ui={"amodal_loops": [ui.tell("amodal.loops", shown)]},
        )


def queries(graph, links: dict, images, masks) -> list[dict]:
    """Links to image and modal mask of each object: one for each picture, or each mask of one."""
    several_masks = masks is not None and len(images) == 1
    if masks is not None and not several_masks:
        validate.paired(len(images), masks, "modal_mask")
    sources = []
    for index in range(len(masks) if several_masks else len(images)):
        source = {"image": links["image"]}
        if len(images) > 1:
            source["image"] = from_batch(
                graph, "ImageFromBatch", f"image{index}", links["image"], index
            )
        if masks is not None:
            source["modal_mask"] = links["modal_mask"]
            if len(masks) > 1:
                source["modal_mask"] = from_batch(
                    graph, "AmodalMaskFromBatch", f"mask{index}", links["modal_mask"], index
                )
        sources.append(source)
    return sources


def from_batch(graph, kind: str, name: str, link, index: int):
    if kind == "ImageFromBatch":
        return graph.node(kind, name, image=link, batch_index=index, length=1).out(0)
    return graph.node(kind, name, masks=link, index=index).out(0)


NODES = [Completion]
