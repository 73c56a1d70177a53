"""Section 3.6: tests several completions by counterfactual outpainting and keeps the best."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

from .common import (
    CAT,
    MODELS,
    SET_SIZE,
    grid,
    new_drawing,
    save,
    sticker_source,
    tell,
    with_query,
)
from .folding import TEST
from .one_node import completion_node


def best_of_seeds(assembly) -> Drawing:
    """Outpaints each of four completions on two backgrounds, and keeps the one that grows least."""
    draw = new_drawing()
    source = with_query(draw, assembly, sticker_source(draw, assembly, CAT, "cat"))
    completed = completion_node(draw, {**source, "words": source["label"], "point": ""}, count=4)
    judged = counterfactual(draw, assembly, source, completed.out(0), completed.out(1))
    draw.call(Whole__0="objects", Whole__1="amodal_masks", Prompt__0="prompt", Seed__0="seed")
    best = draw.node(
        "AmodalPickBest",
        "Best",
        objects=completed.out(0),
        amodal_masks=completed.out(1),
        scores=judged.out(1),
        modal_mask=source["modal_mask"],
        x=completed.out(6),
        y=completed.out(7),
    )
    draw.place("result", "Best")
    save(draw, {"object": best.out(0), "amodal_mask": best.out(1), "overlay": best.out(3)})
    draw.title(Overlay="Ranking")
    grid(draw, "Tests", "Outpainted: what was added, in red", judged.out(5), judged.out(4))
    tell(draw, status=completed.out(3), order=best.out(4))
    draw.note("models", MODELS.format(SET_SIZE))  # of the counterfactual
    draw.note(
        "query",
        "**Several answers, and which to trust.** Four completions of one object; each is tested.",
    )
    draw.note(
        "test",
        "**Section 3.6.** Everything but the object and the corners is painted again, on two plain "
        "backgrounds (*count* of Counterfactual Backgrounds). An incomplete object grows; a "
        "complete one does not. **Judge Completion** decides by two thresholds: the growth, and "
        "the distance to the border. Its menu has those of the paper and those fitted for the "
        "sticker models. The crop's *context* keeps the object about as large as in training: "
        "the model paints a larger object around a small one.",
    )
    draw.note(
        "result",
        "**Best first.** If scores are equal (two digits), the fit to the visible part decides: "
        "the share of it that the mask keeps, minus the colour step at the seam.",
    )
    return draw


def counterfactual(draw: Drawing, assembly, source: dict, objects, masks, prefix: str = ""):
    """Outpaints every completion of a list on plain backgrounds; returns the judging node.

    objects, masks: links to the completions. prefix: goes before the names of the nodes.
    """
    node = assembly.naming(draw, prefix)
    crop = node(
        "AmodalCropToObject",
        image=objects,
        modal_mask=masks,
        context=0.3,
        size=source["size"],
    )
    plain = node(
        "AmodalCounterfactualBackgrounds",
        image=crop.out(0),
        amodal_mask=crop.out(1),
        count=2,
        seed=0,
    )
    inpaint = node("AmodalCounterfactualMask", amodal_mask=crop.out(1), corner=0.1)
    prompt = node(
        "StringReplace",
        "Prompt",
        string=source.get("test_prompt", source["prompt"]),
        find="{label}",
        replace=source["label"],
    )
    texts = {
        name: node("CLIPTextEncode", name.capitalize(), clip=source["clip"], text=text).out(0)
        for name, text in (("positive", prompt.out(0)), ("negative", source["negative"]))
    }
    conditions = assembly.conditioned(node, source, texts, plain.out(0), inpaint.out(0), "test")
    sampled = node(
        "SamplerCustomAdvanced",
        noise=node("RandomNoise", noise_seed=source["seed"]).out(0),
        guider=conditions["guider"],
        sampler=node("KSamplerSelect", sampler_name=source.get("sampler", "ddim")).out(0),
        sigmas=node(
            "BasicScheduler",
            model=source["model"],
            scheduler=source.get("scheduler", "ddim_uniform"),
            steps=12,
            denoise=1.0,
        ).out(0),
        latent_image=conditions["latent"],
    )
    painted = node("VAEDecode", "Outpainted", samples=sampled.out(0), vae=source["vae"])
    outpainted_mask = node(
        "AmodalSegmentObject",
        image=painted.out(0),
        segmenter=source["segmenter"],
        modal_mask=crop.out(1),
        inpaint_mask=inpaint.out(0),
        label=source["label"],
        min_iou=0.3,
        reach=0.1,
    )
    judged = node(
        "AmodalJudgeCompletion",
        image=painted.out(0),
        amodal_mask=crop.out(1),
        outpainted_mask=outpainted_mask.out(0),
        extension=0.2,
        border=0.02,
        thresholds=source.get("thresholds", "sticker models"),
        found=outpainted_mask.out(2),
    )
    draw.place("test", *(f"{prefix}{name}" for name in TESTING))
    draw.place("models", f"{prefix}Prompt")
    draw.titles[f"{prefix}Prompt"] = "Prompt"
    draw.subgraph("test", TEST, "judge")
    draw.expose("count", (f"{prefix}CounterfactualBackgrounds", "count"))
    draw.expose("thresholds", (f"{prefix}JudgeCompletion", "thresholds"))
    return judged


TESTING = (
    "CropToObject",
    "CounterfactualBackgrounds",
    "CounterfactualMask",
    "Positive",
    "Negative",
    "See-test",
    "Guide-test",
    "RandomNoise",
    "KSamplerSelect",
    "BasicScheduler",
    "SamplerCustomAdvanced",
    "Outpainted",
    "SegmentObject",
    "JudgeCompletion",
)
