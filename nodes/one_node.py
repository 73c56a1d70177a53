"""The whole method as one node, which expands into the very nodes of its stages.

`completion` draws the graph of one loop; the shipped workflows are drawn by it too.
"""

from comfy_api.latest import io
from comfy_execution.graph_utils import GraphBuilder

from ..amodal import shapes
from . import types
from .common import CATEGORY, names_itself

RULES = ("known background", "clusters")
TEMPLATE = "a photo of a {label}"


class Completion(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalCompletion",
            display_name="Amodal Completion",
            category=CATEGORY,
            description="Completes the object under the mask, the point or the words: picture in, "
            "whole object out. Several pictures or seeds become one loop each; every output is a "
            "list with one item for each.",
            inputs=[
                io.Model.Input("model", tooltip="Inpainting diffusion model."),
                io.Clip.Input("clip", tooltip="Its text encoder."),
                io.Vae.Input("vae", tooltip="Its autoencoder."),
                types.Segmenter.Input("segmenter", tooltip="Finds the objects."),
                types.OrderModel.Input("order_model", tooltip="Tells what stands in front."),
                io.Image.Input("image", tooltip="The picture, or a batch of them."),
                io.Mask.Input(
                    "mask", optional=True,
                    tooltip="The object's visible pixels. LoadImage's MASK is 1 - alpha.",
                ),
                io.String.Input(
                    "point", default="", tooltip="x,y in pixels: a point on the object."
                ),
                io.String.Input("words", default="", tooltip="The object's name."),
                io.String.Input(
                    "prompt", default=TEMPLATE, tooltip="The prompt; {label} is the object's name."
                ),
                io.String.Input("negative", default="", tooltip="What not to paint."),
                io.Int.Input(
                    "seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True,
                    tooltip="Seed of the first completion; each pass derives its own.",
                ),
                io.Int.Input(
                    "count", default=1, min=1, max=64, tooltip="How many completions, seed by seed."
                ),
                io.Int.Input("steps", default=50, min=2, max=1000, tooltip="N, sampling steps."),
                io.Float.Input(
                    "k", default=20, min=0.01, max=999, step=0.01,
                    tooltip="The step at which contexts mix; below 1 a fraction of N.",
                ),
                io.Float.Input("cfg", default=7.5, min=0, max=100, step=0.1,
                               tooltip="Classifier-free guidance."),
                io.Combo.Input(
                    "mask_rule", options=list(RULES), default=RULES[0],
                    tooltip="How the object is cut out at step k: by its difference from the known "
                    "gray background, or by clusters of decoder features (the paper's rule).",
                ),
                io.Int.Input("size", default=512, min=64, max=4096, step=8,
                             tooltip="Side of the crop the model works on."),
                io.Int.Input("max_passes", default=6, min=1, max=100,
                             tooltip="Stop after so many passes."),
            ],
            outputs=[
                io.Image.Output("object", display_name="object", is_output_list=True,
                                tooltip="The whole object, RGBA on the grown canvas."),
                io.Mask.Output("amodal", display_name="amodal", is_output_list=True,
                               tooltip="Amodal mask on that canvas."),
                io.Image.Output("overlay", display_name="overlay", is_output_list=True,
                                tooltip="The picture with the whole object in place."),
                io.String.Output("status", display_name="status", is_output_list=True,
                                 tooltip="completed, nothing to complete, unchanged, ..."),
                io.Int.Output("passes", display_name="passes", is_output_list=True,
                              tooltip="How many passes painted something."),
                io.String.Output("report", display_name="report", is_output_list=True,
                                 tooltip="One line for each pass."),
                io.Int.Output("x", display_name="x", is_output_list=True,
                              tooltip="Left edge of the canvas in the picture's coordinates."),
                io.Int.Output("y", display_name="y", is_output_list=True,
                              tooltip="Top edge of the canvas in the picture's coordinates."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            enable_expand=True,
        )

    @classmethod
    @names_itself
    def execute(cls, image, seed, count, mask=None, **settings):
        images = shapes.as_images(image, "image")
        masks = None if mask is None else shapes.as_masks(mask, tuple(images.shape[1:3]), "mask")
        if masks is not None:
            shapes.paired(len(images), masks, "mask")
        links = cls.hidden.dynprompt.get_node(cls.hidden.unique_id)["inputs"]
        given = {name: links.get(name, value) for name, value in settings.items()}
        graph, gathered = GraphBuilder(), None
        for index in range(len(images)):
            source = {**given, "image": links["image"]}
            if len(images) > 1:
                source["image"] = from_batch(
                    graph, "ImageFromBatch", f"image{index}", links["image"], index
                )
            if masks is not None:
                single = len(masks) == 1
                source["mask"] = links["mask"] if single else from_batch(
                    graph, "AmodalMaskFromBatch", f"mask{index}", links["mask"], index
                )
            picked = pick(graph, source, f"{index}-")
            for number in range(count):
                made = completion(graph, {**source, **picked, "seed": (seed + number) % 2**64},
                                  f"{index}-{number}-")
                gathered = graph.node(
                    "AmodalGather", f"gather-{index}-{number}",
                    **{name: made[name] for name in GATHERED},
                    **({"results": gathered.out(0)} if gathered else {}),
                )
        return io.NodeOutput(
            *(gathered.out(1 + i) for i in range(len(GATHERED))), expand=graph.finalize()
        )


def from_batch(graph, kind: str, name: str, link, index: int):
    if kind == "ImageFromBatch":
        return graph.node(kind, name, image=link, batch_index=index, length=1).out(0)
    return graph.node(kind, name, masks=link, index=index).out(0)


def pick(graph, source: dict, name: str = "") -> dict:
    """The nodes that find the query object: {"mask": link, "label": link}."""
    found = graph.node(
        "AmodalDetectObjects", f"{name}DetectAll", image=source["image"],
        segmenter=source["segmenter"], words="",
    )
    query = graph.node(
        "AmodalPickObject", f"{name}Pick", objects=found.out(0), mask=source.get("mask"),
        point=source["point"], words=source["words"], index=-1,
    )
    return {"mask": query.out(0), "label": query.out(1)}


def completion(graph, source: dict, name: str = "") -> dict:
    """The nodes that complete one object, as links to its results by name.

    `source` holds links or values: model, clip, vae, segmenter, order_model, image, mask (modal),
    label, prompt, negative, seed, steps, k, cfg, mask_rule, size, max_passes; and as a choice
    sampler, scheduler, context, background.
    """
    def node(kind: str, title: str | None = None, **inputs):
        return graph.node(kind, name + (title or kind.removeprefix("Amodal")), **inputs)

    start = node("AmodalLoopStart", image=source["image"], mask=source["mask"])
    view = analysed(node, source, start)
    inpaint = view["check"].out(0)
    draw = prepared(node, source, start)
    synthetic = node(
        "AmodalSwapBackground", image=view["crop"].out(0), mask=view["crop"].out(1),
        background=source.get("background", "gray"), seed=0,
    )
    first = conditioned(node, source, draw, synthetic.out(0), inpaint, "object")
    at_k = node(
        "AmodalSampleToStep", noise=draw["noise"], guider=first["guider"], sampler=draw["sampler"],
        sigmas=draw["sigmas"], latent=first["latent"], k=source["k"],
    )
    mask_k = mask_at_k(node, source, view, first, at_k, synthetic, inpaint)
    plate = node(
        "AmodalRemoveObjects", image=view["crop"].out(0), mask=view["crop"].out(1),
        occluders=view["occluders"].out(0), beyond=view["crop"].out(2), grow=0.03, method="smooth",
    )
    encoded = node("VAEEncode", "PlateEncode", pixels=plate.out(0), vae=source["vae"])
    noised = node(
        "AmodalNoiseToStep", model=source["model"], noise=draw["noise"], sigmas=at_k.out(2),
        latent=encoded.out(0),
    )
    mixed = node(
        "AmodalCompositeAtStep", object=at_k.out(0), background=noised.out(0), mask=mask_k
    )
    second = conditioned(node, source, draw, view["crop"].out(0), inpaint, "context")
    resumed = node(
        "AmodalResumeFromStep", noise=draw["noise"], guider=second["guider"],
        sampler=draw["sampler"], sigmas=at_k.out(2), latent=mixed.out(0),
    )
    painted = node("VAEDecode", "Painted", samples=resumed.out(0), vae=source["vae"])
    return finished(node, source, start, view, painted, inpaint)


def analysed(node, source, start) -> dict:
    """Section 3.4: padding, zoom, mask analysis, and whether anything is left to paint."""
    pad = node("AmodalPadIfTouching", mask=start.out(2), canvas=start.out(3), amount=0.5, margin=2)
    sides = {side: pad.out(i) for i, side in enumerate(("left", "top", "right", "bottom"))}
    crop = node(
        "AmodalCropToObject", image=start.out(1), mask=start.out(2), canvas=start.out(3), **sides,
        context=source.get("context", 0.3), size=source["size"],
    )
    found = node(
        "AmodalDetectObjects", image=crop.out(0), segmenter=source["segmenter"], words=""
    )
    order = node(
        "AmodalOrderObjects", image=crop.out(0), objects=found.out(0),
        order_model=source["order_model"], mask=crop.out(1), reach=0.03,
    )
    occluders = node(
        "AmodalSelectOccluders", image=crop.out(0), objects=order.out(1), order=order.out(0),
        mask=crop.out(1), threshold=0.5,
    )
    check = node(
        "AmodalCheckOcclusion", occluders=occluders.out(0), beyond=crop.out(2), mask=crop.out(1),
        touching=pad.out(4), names=occluders.out(1), sides=pad.out(5), grow=0.03,
    )
    return {"crop": crop, "occluders": occluders, "check": check}


def prepared(node, source, start) -> dict:
    """Noise, sampler, noise levels and text of a pass."""
    seed = node("AmodalPassSeed", seed=source["seed"], number=start.out(4))
    prompt = node(
        "StringReplace", "Prompt", string=source["prompt"], find="{label}", replace=source["label"]
    )
    return {
        "noise": node("RandomNoise", noise_seed=seed.out(0)).out(0),
        "sampler": node("KSamplerSelect", sampler_name=source.get("sampler", "ddim")).out(0),
        "sigmas": node(
            "BasicScheduler", model=source["model"],
            scheduler=source.get("scheduler", "ddim_uniform"), steps=source["steps"], denoise=1.0,
        ).out(0),
        "positive": node("CLIPTextEncode", "Positive", clip=source["clip"], text=prompt.out(0)),
        "negative": node(
            "CLIPTextEncode", "Negative", clip=source["clip"], text=source["negative"]
        ),
    }


def conditioned(node, source, draw, pixels, inpaint, name: str) -> dict:
    """A guider that sees `pixels` outside the mask, and the latent to begin from."""
    see = node(
        "InpaintModelConditioning", f"See-{name}", positive=draw["positive"].out(0),
        negative=draw["negative"].out(0), vae=source["vae"], pixels=pixels, mask=inpaint,
        noise_mask=False,
    )
    guider = node(
        "CFGGuider", f"Guide-{name}", model=source["model"], positive=see.out(0),
        negative=see.out(1), cfg=source["cfg"],
    )
    return {"guider": guider.out(0), "latent": see.out(2)}


def mask_at_k(node, source, view, first, at_k, synthetic, inpaint):
    """M^k, the object's mask in the noisy picture, by the chosen rule."""
    if source["mask_rule"] == "clusters":
        features = node(
            "AmodalCaptureFeatures", guider=first["guider"], sigmas=at_k.out(2),
            latent=at_k.out(0), levels="3",
        )
        clusters = node(
            "AmodalClusterFeatures", features=features.out(0), level=3, clusters=4, seed=0
        )
        return node(
            "AmodalSelectClusters", clusters=clusters.out(0), mask=view["crop"].out(1),
            inpaint=inpaint, overlap=0.2,
        ).out(0)
    estimate = node("VAEDecode", "EstimateAtK", samples=at_k.out(1), vae=source["vae"])
    return node(
        "AmodalKnownBackgroundMask", estimate=estimate.out(0), background=synthetic.out(0),
        mask=view["crop"].out(1), inpaint=inpaint, threshold=0.08,
    ).out(0)


def finished(node, source, start, view, painted, inpaint) -> dict:
    """Segment the result, paste it back, close the loop, and cut the object out."""
    amodal = node(
        "AmodalSegmentObject", image=painted.out(0), segmenter=source["segmenter"],
        mask=view["crop"].out(1), inpaint=inpaint, label=source["label"], floor=0.3,
    )
    pasted = node(
        "AmodalPasteBack", image=start.out(1), mask=start.out(2), crop=view["crop"].out(3),
        completed=painted.out(0), amodal=amodal.out(0), inpaint=inpaint, feather=0.01,
    )
    end = node(
        "AmodalLoopEnd", loop=start.out(0), occluded=view["check"].out(1),
        reason=view["check"].out(2), image=pasted.out(0), mask=pasted.out(1),
        canvas=pasted.out(2), max_passes=source["max_passes"],
    )
    result = node(
        "AmodalTrimAndOverlay", image=end.out(0), mask=end.out(1), canvas=end.out(2),
        picture=source["image"],
    )
    return {
        "object": result.out(0), "amodal": result.out(2), "overlay": result.out(3),
        "status": end.out(3), "passes": end.out(4), "report": end.out(5),
        "x": result.out(4), "y": result.out(5),
    }


GATHERED = ("object", "amodal", "overlay", "status", "passes", "report", "x", "y")
Results = io.Custom("AMODAL_RESULTS")  # a list of tuples in the order of GATHERED


class Gather(io.ComfyNode):
    """Collects the results of several loops; its outputs after the first hold Python lists."""

    @classmethod
    def define_schema(cls):
        kinds = (io.Image, io.Mask, io.Image, io.String, io.Int, io.String, io.Int, io.Int)
        fields = list(zip(GATHERED, kinds))
        return io.Schema(
            node_id="AmodalGather",
            display_name="Gather Results (Amodal)",
            category=f"{CATEGORY}/internal",
            description="Used by Amodal Completion to hand on the results of several loops.",
            inputs=[
                *(
                    kind.Input(name, tooltip=f"The {name} of one more loop.")
                    if kind in (io.Image, io.Mask)
                    else kind.Input(name, force_input=True, tooltip=f"The {name} of one more loop.")
                    for name, kind in fields
                ),
                Results.Input("results", optional=True, tooltip="The results so far."),
            ],
            outputs=[
                Results.Output("all", display_name="results", tooltip="The results so far."),
                *(
                    kind.Output(f"{name}_list", display_name=name, tooltip=f"Each loop's {name}.")
                    for name, kind in fields
                ),
            ],
            is_experimental=True,
        )

    @classmethod
    @names_itself
    def execute(cls, results=None, **fields):
        rows = [*(results or []), tuple(fields[name] for name in GATHERED)]
        return io.NodeOutput(rows, *(list(column) for column in zip(*rows)))


class MaskFromBatch(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalMaskFromBatch",
            display_name="Mask From Batch (Amodal)",
            category=CATEGORY,
            description="One mask of a batch.",
            inputs=[
                io.Mask.Input("masks", tooltip="A batch of masks."),
                io.Int.Input("index", default=0, min=0, max=4095, tooltip="Which one, from 0."),
            ],
            outputs=[io.Mask.Output("mask", display_name="mask", tooltip="That mask alone.")],
        )

    @classmethod
    @names_itself
    def execute(cls, masks, index):
        masks = shapes.as_masks(masks, None, "masks")
        return io.NodeOutput(masks[min(index, len(masks) - 1)][None])


NODES = [Completion, Gather, MaskFromBatch]
