"""Parts of every drawing: groups named after the paper's sections, loaders, picture, outputs."""

from __future__ import annotations

from tools.workflows.workflow_formats import Drawing

# Files in workflows/inputs/, to choose in Load Image. (The host takes a folder "examples" for
# templates, and then serves none of `workflows/`.)
CAT = "amodal_example_cat.png"
COMPANION = "amodal_example_monkey.png"
BORDER = "amodal_example_border.png"
SEVERAL = "amodal_example_several.png"
ITEMS = "amodal_example_items"  # a folder: a set of pseudo-occluded objects

GROUPS = {
    "models": ("Models", "#88A"),
    "query": ("Picture and object", "#A88"),
    "sweep": ("What is varied", "#b06634"),
    "analysis": ("3.4 Mask analysis", "#3f789e"),
    "object": ("3.5 Clean background", "#b58b2a"),
    "background": ("3.5 Removed background", "#8A8"),
    "segment": ("3.5 Segment at k", "#3f789e"),
    "mix": ("3.5 Composite", "#a1309b"),
    "plain": ("Plain inpainting", "#a1309b"),
    "whole": ("The whole method", "#3f789e"),
    "test": ("3.6 Counterfactual", "#8A8"),
    "result": ("3.4 Result", "#aaa"),
}
# From left to right; groups in one pair of brackets stand below each other.
STACKS = (
    ("query", "sweep", "models"),
    ("analysis", "whole"),
    ("object", "background"),
    ("segment",),
    ("mix", "plain"),
    ("test",),
    ("result",),
)
DIFFUSION = "512-inpainting-ema.safetensors"
DETECTOR, WORDS, MASKER = "groundingdino_swint_ogc.pth", "vocab.txt", "sam_vit_h_4b8939.pth"
ORDER, REMOVER = "InstaOrder_InstaOrderNet_od.pth.tar", "big-lama.pt"
MODELS = """**For photographs** replace these loaders: an inpainting checkpoint (Load Checkpoint), a
segmenter and an order model; set size to 512 and cfg to 7.5. The three here come with the pack and
know 56 stickers at 128x128."""


def begun(stacks=STACKS, groups: dict | None = None) -> Drawing:
    draw = Drawing({**GROUPS, **(groups or {})}, stacks)
    draw.note("models", MODELS.replace("\n", " "))
    return draw


def given(draw: Drawing, assembly, picture: str, words: str, **changes) -> dict:
    """Loaders, picture and seed, as the source of `assembly`."""
    checkpoint = draw.node("AmodalStickerCheckpoint", "Checkpoint")
    segmenter = draw.node("AmodalStickerSegmenter", "Segmenter")
    order = draw.node("AmodalStickerOrder", "OrderModel")
    return about(draw, assembly, checkpoint, segmenter, order, picture, words, **changes)


def photographic(draw: Drawing, assembly, picture: str, words: str, **changes) -> dict:
    """As `given`, with the paper's own models, whose files people download."""
    checkpoint = draw.node("CheckpointLoaderSimple", "Checkpoint", ckpt_name=DIFFUSION)
    segmenter = draw.node("AmodalLoadSegmenter", "Segmenter", detector=DETECTOR, masker=MASKER)
    order = draw.node("AmodalLoadOrderModel", "OrderModel", file=ORDER)
    inpaint = draw.node("AmodalLoadInpaintModel", "InpaintModel", file=REMOVER)
    draw.model("Checkpoint", DIFFUSION)
    draw.model("Segmenter", DETECTOR, WORDS, MASKER)
    draw.model("OrderModel", ORDER)
    draw.model("InpaintModel", REMOVER)
    draw.place("models", "InpaintModel")
    return about(
        draw,
        assembly,
        checkpoint,
        segmenter,
        order,
        picture,
        words,
        cfg=7.5,
        size=512,
        inpaint_model=inpaint.out(0),
        **changes,
    )


def about(draw: Drawing, assembly, checkpoint, segmenter, order, picture, words, **changes) -> dict:
    image = draw.node("LoadImage", "Picture", image=picture)
    seed = draw.node("PrimitiveInt", "Seed", value=1)
    draw.place("models", "Checkpoint", "Segmenter", "OrderModel")
    draw.place("query", "Picture", "Seed")
    draw.title(Picture="Picture", Seed="Seed")
    return {
        "model": checkpoint.out(0),
        "clip": checkpoint.out(1),
        "vae": checkpoint.out(2),
        "segmenter": segmenter.out(0),
        "order_model": order.out(0),
        "image": image.out(0),
        "point": "",
        "words": words,
        "prompt": assembly.TEMPLATE,
        "negative": "",
        "seed": seed.out(0),
        "steps": 50,
        "k": 20.0,
        "cfg": 2.5,
        "mask_rule": assembly.RULES[0],
        "size": 128,
        "max_passes": 6,
        "context": 0.5,
        **changes,
    }


def picked(draw: Drawing, assembly, source: dict) -> dict:
    """The source with the picked object."""
    query = assembly.pick(draw, source)
    draw.place("query", "DetectAll", "Pick")
    draw.title(Pick="Pick the object")
    return {**source, **query}


STAGES = {
    "analysis": (
        "LoopStart",
        "PadIfTouching",
        "CropToObject",
        "DetectObjects",
        "OrderObjects",
        "OrderInpaintedContacts",
        "ApplyOccluderHints",
        "SelectOccluders",
        "CheckOcclusion",
    ),
    "object": (
        "Prompt",
        "PassSeed",
        "RandomNoise",
        "KSamplerSelect",
        "BasicScheduler",
        "Positive",
        "Negative",
        "SwapBackground",
        "See-object",
        "Guide-object",
        "SampleToStep",
    ),
    "background": ("RemoveObjects", "BackgroundEncode", "NoiseToStep"),
    "segment": (
        "EstimateAtK",
        "KnownBackgroundMask",
        "CaptureFeatures",
        "ClusterFeatures",
        "SelectClusters",
    ),
    "mix": ("See-context", "Guide-context", "CompositeAtStep", "ResumeFromStep", "Painted"),
    "result": ("SegmentObject", "PasteBack", "LoopEnd", "TrimAndOverlay"),
}


def place_stages(draw: Drawing) -> None:
    """Puts the stages into the groups of the paper's sections, with the paper's names."""
    for group, names in STAGES.items():
        draw.place(group, *names)
    draw.title(
        Prompt="Prompt",
        See__object="Condition on I_syn",
        See__context="Condition on the original context",
        Guide__object="Guider for I_syn",
        Guide__context="Guider for the context",
        BackgroundEncode="Encode the background",
        Painted="Decode I_amodal",
        EstimateAtK="Decode the estimate at k",
        Positive="Positive",
        Negative="Negative",
    )


def show(draw: Drawing, group: str, name: str, title: str, link, mask: bool = False) -> None:
    """A preview in a group."""
    if mask:
        draw.node("MaskPreview", name, mask=link)
    else:
        draw.node("PreviewImage", name, images=link)
    draw.place(group, name)
    draw.titles[name] = title


def tell(draw: Drawing, **links) -> None:
    """Texts under the result, titled after their names."""
    for name, link in links.items():
        draw.node("PreviewAny", name.capitalize(), source=link)
        draw.place("result", name.capitalize())
        draw.titles[name.capitalize()] = name.capitalize()


def save(draw: Drawing, made: dict) -> None:
    """The saved files: completed object, amodal mask, overlay. Other programs use their titles."""
    draw.node("SaveImage", "Completed", images=made["object"], filename_prefix="amodal/completed")
    draw.node("MaskToImage", "MaskPicture", mask=made["amodal_mask"])
    draw.node("SaveImage", "AmodalMask", images=["MaskPicture", 0], filename_prefix="amodal/mask")
    draw.node("SaveImage", "Overlay", images=made["overlay"], filename_prefix="amodal/overlay")
    draw.place("result", "Completed", "MaskPicture", "AmodalMask", "Overlay")
    draw.title(Completed="Completed object", AmodalMask="Amodal mask", Overlay="Overlay")


def grid(draw: Drawing, name: str, title: str, images, labels=None, **widgets) -> None:
    """A labelled grid that is saved."""
    made = draw.node(
        "AmodalLabelledGrid", name, images=images, labels=labels, title=title, **widgets
    )
    draw.node("SaveImage", f"Save{name}", images=made.out(0), filename_prefix=f"amodal/{name}")
    draw.place("result", name, f"Save{name}")
    draw.titles.update({name: title, f"Save{name}": f"{title}: picture"})
