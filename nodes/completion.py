"""The whole method as one node. It expands into the nodes of its stages (`assembly`)."""

import comfy.samplers
from comfy_api.latest import io

from . import types, ui
from .assembly import AUTOMATIC, RULES, SHADOWS, TEMPLATE
from .common import CATEGORY, aliases, names_itself, shows_results
from .completion_graph import expanded
from .limits import drawn_bound_input
from .loaders.inpaint_models import InpaintModel


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
            "whole object out. Each picture, each mask of one picture, each item of a list and "
            "each seed becomes a loop of its own. Every output is a list with one item for each.",
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
                    tooltip="The step at which contexts mix; below 1 a fraction of N, with at "
                    "least one step on each side. The paper's 20 of 50 is 0.4.",
                ),
                io.Float.Input(
                    "cfg",
                    default=0,
                    min=0,
                    max=100,
                    step=0.1,
                    tooltip="Classifier-free guidance. 0: what suits the model, which is 7.5 for "
                    "Stable Diffusion, 4 for transformers, 2.5 for the sticker models, and 1 for "
                    "models with a guidance of their own and for runs of 8 steps or fewer.",
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
                    "objects. With drawn_bound, it stays within both.",
                ),
                io.Boolean.Input(
                    "avoid_occluders",
                    default=False,
                    optional=True,
                    tooltip="Add the occluders' names to the negative prompt, where a pose calls "
                    "its partner back in. No effect where there is no negative prompt: at cfg 1 "
                    "(Flux, runs of 8 steps or fewer), and with negative_conditioning.",
                ),
                io.Conditioning.Input(
                    "positive_conditioning",
                    optional=True,
                    tooltip="What to paint, in place of the prompt: any text encoder's output.",
                ),
                io.Conditioning.Input(
                    "negative_conditioning",
                    optional=True,
                    tooltip="What not to paint, in place of the negative prompt.",
                ),
                io.Sampler.Input(
                    "sampler",
                    optional=True,
                    tooltip="Any sampler. Open: ddim, the paper's; euler for flow models and for "
                    "runs of 8 steps or fewer.",
                ),
                io.Combo.Input(
                    "scheduler",
                    optional=True,
                    options=[AUTOMATIC, *comfy.samplers.SCHEDULER_NAMES],
                    default=AUTOMATIC,
                    tooltip="The noise levels. automatic: ddim_uniform, the paper's; from the "
                    "highest noise on for flow models (simple) and for runs of 8 steps or fewer "
                    "(sgm_uniform).",
                ),
                io.Float.Input(
                    "guidance",
                    optional=True,
                    default=0.0,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    tooltip="The guidance that Flux takes as a number. 0: what suits the model, "
                    "which is 30 for Flux Fill and 3.5 for Flux; a given conditioning keeps its "
                    "own. Models that take none ignore it.",
                ),
                InpaintModel.Input(
                    "inpaint_model",
                    optional=True,
                    tooltip="Removes object and occluder from the background, as in Remove "
                    "Objects. Open: a smooth fill.",
                ),
                drawn_bound_input(),
                io.Combo.Input(
                    "shadows",
                    optional=True,
                    options=list(SHADOWS),
                    default=SHADOWS[0],
                    tooltip="Shadows and reflections of the occluders: removed with them, and by "
                    "choice from the object's own surface too. See Find Shadows.",
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
                    tooltip="Empty, or comma-separated: enclosed, nothing left to paint, "
                    "joined. See Loop End.",
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt, io.Hidden.extra_pnginfo],
            is_input_list=True,
            enable_expand=True,
        )

    @classmethod
    @names_itself
    def execute(cls, **lists):
        links = cls.hidden.dynprompt.get_node(cls.hidden.unique_id)["inputs"]
        graph, gathered, loops = expanded(links, lists)
        names = range(1, len(types.GATHERED) + 1)
        shown_on = cls.hidden.dynprompt.get_display_node_id(cls.hidden.unique_id)
        shown = ui.entry(cls.hidden, node=shown_on, loops=loops)
        return io.NodeOutput(
            *([gathered[0], slot] for slot in names),
            expand=graph.finalize(),
            ui={"amodal_loops": [ui.tell("amodal.loops", shown)]},
        )


NODES = [Completion]
