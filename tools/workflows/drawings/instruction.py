"""Models that edit by instruction, in the loop of section 3.4."""

from __future__ import annotations

from tools.workflows.drawing import Drawing, Subgraph

from .common import (
    CAT,
    CLIP_L,
    LOW_MODELS,
    T5,
    VAE,
    new_drawing,
    place_loaders_low,
    place_stages,
    save,
    show,
    tell,
    today,
    with_query,
)
from .curation import counterfactual
from .folding import DETAILS, TEST, fold

KONTEXT = "flux1-dev-kontext_fp8_scaled.safetensors"
INSTRUCTED = Subgraph("Complete by instruction", "#432", "#653")
STAGES = (
    "SwapBackground",
    "Encode-reference",
    "See-reference",
    "Guide-edit",
    "Edit",
    "Answer",
    "RegisterToCrop",
    "RemoveObjects",
)


def photograph_by_instruction(assembly) -> Drawing:
    """The progressive loop with a model that edits by instruction, and a test of the result."""
    draw = new_drawing(LOW_MODELS)
    given = kontext_source(draw, assembly, CAT, "cat")
    source = with_query(draw, assembly, {**given, "drawn_bound": ""})
    completed = assembly.instructed(draw, source)
    place_stages(draw)
    draw.place("instructed", *STAGES)
    draw.place("paste", "InPlace")
    draw.title(
        Encode__reference="Encode I_syn",
        See__reference="I_syn as reference",
        Guide__edit="Guider",
        Edit="Edit",
        Answer="Decode the answer",
        InPlace="The object before its background",
    )
    show(draw, "instructed", "AnswerShown", "The model's answer", ["Answer", 0])
    show(draw, "instructed", "Registered", "Back in its place", ["RegisterToCrop", 0])
    draw.node("PreviewAny", "Moved", source=["RegisterToCrop", 1])
    draw.place("instructed", "Moved")
    draw.titles["Moved"] = "What was undone"
    show(draw, "paste", "Pass", "Pass", ["PasteBack", 0])
    end = draw.nodes["TrimAndOverlay"]["inputs"]
    judged = counterfactual(draw, assembly, source, end["image"], end["amodal_mask"], "Test-")
    draw.place("test", "Test-Prompt")
    draw.subgraph("test", TEST, "result")
    save(draw, completed)
    texts = ("status", "passes", "report", "offset", "warnings")
    tell(draw, **{name: completed[name] for name in texts}, verdict=judged.out(4))
    draw.place("details", "Passes", "Report", "Warnings", "Offset", "Verdict")
    place_loaders_low(draw)
    draw.subgraph("details", DETAILS, "result")
    fold(draw, parts="instructed")
    draw.subgraph("instructed", INSTRUCTED, "pass")
    draw.call(RegisterToCrop__0="registered", RemoveObjects__0="background")
    explain(draw)
    return draw


def kontext_source(draw: Drawing, assembly, picture: str, words: str) -> dict:
    """Draws Flux Kontext, SAM 3 and the border order; returns the source."""
    unet = draw.node("UNETLoader", "Checkpoint", unet_name=KONTEXT, weight_dtype="default")
    clip = draw.node(
        "DualCLIPLoader", "Clip", clip_name1=CLIP_L, clip_name2=T5, type="flux", device="default"
    )
    vae = draw.node("VAELoader", "Vae", vae_name=VAE)
    draw.model("Checkpoint", KONTEXT)
    draw.model("Clip", CLIP_L, T5)
    draw.model("Vae", VAE)
    draw.title(Checkpoint="Flux Kontext", Clip="Text encoders", Vae="VAE")
    return today(
        draw,
        assembly,
        (unet.out(0), clip.out(0), vae.out(0)),
        picture,
        words,
        prompt=assembly.INSTRUCTION,
        test_prompt=assembly.TEMPLATE,
        noise_mask=True,
        sampler="euler",
        scheduler="simple",
        steps=20,
        cfg=1.0,
        guidance=2.5,
        shape="square",
        thresholds="paper, Stable Diffusion 2",
    )


def explain(draw: Drawing) -> None:
    """Adds the notes."""
    draw.note(
        "models",
        "**For photographs, with Flux Kontext.** For *Flux.2 Klein* load its files, and set 4 "
        "steps. For *Qwen Image Edit* put Text Encode Qwen Image Edit Plus, with I_syn as its "
        "image, in the place of Positive and of I_syn as reference. SAM 3 comes with ComfyUI 0.20 "
        "and newer; Load Grounded Segmenter does the same work on older ones. For an order by "
        "depth, put the nodes of Depth Anything 3 before **Order From Depth**, in the place of "
        "Order Objects. Nothing is downloaded by itself.",
    )
    draw.note(
        "query",
        "**1. Choose a photograph** in Load Image, and the object: by its name, a point on it, or "
        "a mask. **2. Run.** Names to search for also takes what may stand in front.",
    )
    draw.note(
        "pass",
        "**Each pass** finds what hides the object, has the hidden part drawn, and segments the "
        "object again. Loop End clones all that lies between Loop Start and itself into the next "
        "pass.",
    )
    draw.note(
        "instructed",
        "**An edit model takes no mask**: it sees the visible object on plain gray, and draws it "
        "whole. **Register To Crop** finds from the visible object by how much the answer has "
        "moved, undoes it, and matches the colours. Only the hidden part is used: visible pixels "
        "stay those of the picture.",
    )
    draw.note(
        "test",
        "**Section 3.6.** Everything but the object is painted again. An incomplete object grows.",
    )
