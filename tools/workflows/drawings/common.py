"""Parts that drawings share: groups named after the paper's sections, loaders, picture, outputs."""

from __future__ import annotations

from tools.workflows.drawing import Drawing

# Files in workflows/inputs/, to choose in Load Image. (Not in a folder "examples": the host would
# take that for the folder of templates, and would not serve `workflows/`.)
CAT = "amodal_example_cat.png"
CO_OCCURRING = "amodal_example_monkey.png"
BORDER = "amodal_example_border.png"
SEVERAL = "amodal_example_several.png"
ITEMS = "amodal_example_items"  # a folder with a data set of pseudo-occluded objects

GROUPS = {
    "models": ("Models, prompt and seed", "#88A"),
    "query": ("Picture and object", "#A88"),
    "sweep": ("What is varied", "#b06634"),
    "pass": ("Each pass (Figure 2)", "#3f789e"),
    "background": ("3.5 Removed background", "#8A8"),
    "pictures": ("The pictures of Figure 4", "#aaa"),
    "whole": ("The whole method", "#3f789e"),
    "judge": ("3.6 Counterfactual", "#8A8"),
    "result": ("3.4 Result", "#aaa"),
}
# From left to right; the groups of one tuple lie below each other.
STACKS = (
    ("query", "models"),
    ("sweep",),
    ("pass", "pictures", "background"),
    ("whole",),
    ("judge",),
    ("result",),
)
LOW_MODELS = (("query",), ("pass", "models"), ("result",))  # loaders stand below the pass
ROWS = ("pass", "judge")
DIFFUSION = "512-inpainting-ema.safetensors"
DETECTOR, WORDS, MASKER = "groundingdino_swint_ogc.pth", "vocab.txt", "sam_vit_h_4b8939.pth"
SAM3, SDXL = "sam3.1_multiplex_fp16.safetensors", "sd_xl_base_1.0_inpainting_0.1.safetensors"
FLUX, VAE = "flux1-fill-dev.safetensors", "ae.safetensors"
CLIP_L, T5 = "clip_l.safetensors", "t5xxl_fp16.safetensors"
ORDER, REMOVER = "InstaOrder_InstaOrderNet_od.pth.tar", "big-lama.pt"
MODELS = (
    "**For photographs** replace these loaders: an inpainting checkpoint (Load Checkpoint), a "
    "segmenter and an order model. {} The three here come with the pack and know 56 stickers at "
    "128x128."
)
SET_SIZE = "Set size to 512 and cfg to 7.5 for Stable Diffusion 2, to 1024 and 7 for SDXL."
FOLLOWS = "Size and cfg 0 follow the model."


def new_drawing(stacks=STACKS, groups: dict | None = None) -> Drawing:
    """An empty drawing with the shared groups and note; `groups` replaces some of the groups."""
    draw = Drawing({**GROUPS, **(groups or {})}, stacks, ROWS)
    draw.note("models", MODELS.format(SET_SIZE))
    return draw


def sticker_source(draw: Drawing, assembly, picture: str, words: str, **changes) -> dict:
    """Draws the embedded models, picture and seed; returns the `source` of `nodes.assembly`.

    words: the name of the object. changes: other values for entries of the source.
    """
    checkpoint = draw.node("AmodalStickerCheckpoint", "Checkpoint")
    segmenter = draw.node("AmodalStickerSegmenter", "Segmenter")
    order = draw.node("AmodalStickerOrder", "OrderModel")
    loaded = links_of(checkpoint)
    return source_of(draw, assembly, loaded, segmenter, order, picture, words, **changes)


def photo_source(draw: Drawing, assembly, picture: str, words: str, **changes) -> dict:
    """As `sticker_source`, with loaders of the paper's models, whose files users download."""
    checkpoint = draw.node("CheckpointLoaderSimple", "Checkpoint", ckpt_name=DIFFUSION)
    segmenter = draw.node("AmodalLoadSegmenter", "Segmenter", detector=DETECTOR, masker=MASKER)
    order = draw.node("AmodalLoadOrderModel", "OrderModel", file=ORDER)
    inpaint = draw.node("AmodalLoadInpaintModel", "InpaintModel", file=REMOVER)
    draw.model("Checkpoint", DIFFUSION)
    draw.model("Segmenter", DETECTOR, WORDS, MASKER)
    draw.model("OrderModel", ORDER)
    draw.model("InpaintModel", REMOVER)
    draw.place("models", "InpaintModel")
    draw.title(
        Checkpoint="Checkpoint",
        Segmenter="Segmenter",
        OrderModel="Order model",
        InpaintModel="Inpaint model",
    )
    return source_of(
        draw,
        assembly,
        links_of(checkpoint),
        segmenter,
        order,
        picture,
        words,
        cfg=7.5,
        size=512,
        shape="rectangle",
        match_colours=1.0,
        inpaint_model=inpaint.out(0),
        **changes,
    )


def flux_source(draw: Drawing, assembly, picture: str, words: str, **changes) -> dict:
    """As `sticker_source`, with Flux Fill and SAM 3, which ComfyUI's own nodes load."""
    unet = draw.node("UNETLoader", "Checkpoint", unet_name=FLUX, weight_dtype="default")
    clip = draw.node(
        "DualCLIPLoader", "Clip", clip_name1=CLIP_L, clip_name2=T5, type="flux", device="default"
    )
    vae = draw.node("VAELoader", "Vae", vae_name=VAE)
    draw.model("Checkpoint", FLUX)
    draw.model("Clip", CLIP_L, T5)
    draw.model("Vae", VAE)
    draw.place("models", "Clip", "Vae")
    draw.title(Checkpoint="Flux Fill", Clip="Text encoders", Vae="VAE")
    settings = {
        "guidance": 30.0,
        "cfg": 1.0,
        "sampler": "euler",
        "scheduler": "normal",
        "steps": 20,
        "largest": 1408,
    }
    loaded = unet.out(0), clip.out(0), vae.out(0)
    return today(draw, assembly, loaded, picture, words, **{**settings, **changes})


def sdxl_source(draw: Drawing, assembly, picture: str, words: str, **changes) -> dict:
    """As `sticker_source`, with Stable Diffusion XL's inpainting model and SAM 3."""
    checkpoint = draw.node("CheckpointLoaderSimple", "Checkpoint", ckpt_name=SDXL)
    draw.model("Checkpoint", SDXL)
    draw.title(Checkpoint="SDXL inpainting")
    settings = {"cfg": 7.0, "steps": 30, **changes}
    return today(draw, assembly, links_of(checkpoint), picture, words, **settings)


def today(draw: Drawing, assembly, loaded: tuple, picture: str, words: str, **changes) -> dict:
    """The models that come with ComfyUI around a diffusion model: SAM 3, and the border order."""
    segmenter = draw.node("AmodalLoadSam3Segmenter", "Segmenter", file=SAM3)
    order = draw.node("AmodalBorderOrder", "OrderModel")
    draw.model("Segmenter", SAM3)
    draw.title(Segmenter="SAM 3", OrderModel="Order by the borders")
    draw.editor_lists_models = True
    settings = {"k": 0.4, "size": 1024, "shape": "rectangle", "match_colours": 1.0, **changes}
    return source_of(draw, assembly, loaded, segmenter, order, picture, words, **settings)


def links_of(checkpoint) -> tuple:
    """Links to model, clip and vae of a checkpoint's loader."""
    return tuple(checkpoint.out(slot) for slot in range(3))


def source_of(
    draw: Drawing, assembly, loaded: tuple, segmenter, order, picture, words, **changes
) -> dict:
    """Draws picture and seed; returns the `source` with these and the given models.

    loaded: links to model, clip and vae.
    """
    image = draw.node("LoadImage", "Picture", image=picture)
    seed = draw.node("PrimitiveInt", "Seed", value=1)
    draw.place("models", "OrderModel", "Segmenter", "Checkpoint")
    draw.place("models", "Seed", column=1)
    draw.place("query", "Picture")
    draw.title(Picture="Picture", Seed="Seed")
    return {
        **dict(zip(("model", "clip", "vae"), loaded)),
        "segmenter": segmenter.out(0),
        "order_model": order.out(0),
        "image": image.out(0),
        "point": "",
        "words": words,
        "prompt": assembly.TEMPLATE,
        "negative": "",
        "seed": seed.out(0),
        "steps": 50,
        "k": 0.4,
        "cfg": 2.5,
        "mask_rule": assembly.AUTOMATIC,
        "size": 128,
        "max_passes": 6,
        "context": 0.5,
        **changes,
    }


def with_query(draw: Drawing, assembly, source: dict) -> dict:
    """Draws the nodes that pick the object; returns the source with their outputs.

    One text holds the names that all detections search for beside what the segmenter knows.
    """
    names = draw.node("PrimitiveString", "Names", value=source["words"])
    query = assembly.pick(draw, {**source, "sought": names.out(0)})
    draw.place("query", "Names")
    draw.place("query", "DetectAll", column=1)
    draw.place("query", "Pick", column=1)
    draw.title(Names="Names to search for", Pick="Pick the object")
    return {**source, **query}


STAGES = {
    "pass": ("LoopStart", "Prompt", "LoopEnd"),
    "analysis": (
        "RefineModalMask",
        "KeepInBound",
        "PadIfTouching",
        "CropToObject",
        "DetectObjects",
        "OrderObjects",
        "OrderInpaintedContacts",
        "ApplyOccluderHints",
        "SelectOccluders",
        "CheckOcclusion",
    ),
    "settings": (
        "PassSeed",
        "RandomNoise",
        "KSamplerSelect",
        "BasicScheduler",
        "Positive",
        "FluxGuidance",
        "Negative",
    ),
    "object": ("SwapBackground", "See-object", "Guide-object", "SampleToStep"),
    "background": ("RemoveObjects", "BackgroundEncode", "NoiseToStep"),
    "segment": (
        "EstimateAtK",
        "KnownBackgroundMask",
        "CaptureFeatures",
        "ClusterFeatures",
        "SelectClusters",
        "FinestFeatures",
        "SeededMask",
        "ChooseMask",
        "MaskRule",
    ),
    "mix": ("See-context", "Guide-context", "CompositeAtStep", "ResumeFromStep", "Painted"),
    "paste": ("SegmentObject", "PasteBack"),
    "result": ("TrimAndOverlay",),
}


def place_stages(draw: Drawing) -> None:
    """Puts the stages of a pass into groups, and gives them titles after the paper."""
    for group, names in STAGES.items():
        draw.place(group, *names)
    draw.place("models", "Seed", column=1)
    draw.title(
        Prompt="Prompt",
        See__object="Condition on I_syn",
        See__context="Condition on the original context",
        Guide__object="Guider for I_syn",
        Guide__context="Guider for the context",
        BackgroundEncode="Encode the background",
        Painted="Decode I_amodal",
        EstimateAtK="Decode the estimate at k",
        FinestFeatures="Capture the finest features",
        Positive="Positive",
        Negative="Negative",
    )


def place_loaders_low(draw: Drawing) -> None:
    """Puts the segmenter's loader below the picture, and the others in two columns."""
    draw.column_height = 1560
    del draw.places["Segmenter"]
    draw.place("query", "Segmenter")
    draw.place("models", "Seed")
    draw.place("models", "InpaintModel", "Checkpoint", "Clip", "Vae", column=1)


def show(draw: Drawing, group: str, name: str, title: str, link, mask: bool = False) -> None:
    """Adds a preview of an image or a mask to a group."""
    if mask:
        draw.node("MaskPreview", name, mask=link)
    else:
        draw.node("PreviewImage", name, images=link)
    draw.place(group, name)
    draw.titles[name] = title


def tell(draw: Drawing, **links) -> None:
    """Adds previews of texts to the result group, titled by their capitalized names."""
    for name, link in links.items():
        draw.node("PreviewAny", name.capitalize(), source=link)
        draw.place("result", name.capitalize())
        draw.titles[name.capitalize()] = name.capitalize()


def save(draw: Drawing, completed: dict) -> None:
    """Saves object, amodal mask and overlay. The command line finds these nodes by title."""
    draw.node(
        "SaveImage", "Completed", images=completed["object"], filename_prefix="amodal/completed"
    )
    draw.node("MaskToImage", "MaskPicture", mask=completed["amodal_mask"])
    draw.node("SaveImage", "AmodalMask", images=["MaskPicture", 0], filename_prefix="amodal/mask")
    draw.node("SaveImage", "Overlay", images=completed["overlay"], filename_prefix="amodal/overlay")
    draw.place("result", "Completed", "Overlay", "MaskPicture", "AmodalMask", column=1)
    draw.title(Completed="Completed object", AmodalMask="Amodal mask", Overlay="Overlay")


def grid(draw: Drawing, name: str, title: str, images, labels=None, **widgets) -> None:
    """Adds a labelled grid and saves it."""
    labelled = draw.node(
        "AmodalLabelledGrid", name, images=images, labels=labels, title=title, **widgets
    )
    draw.node("SaveImage", f"Save{name}", images=labelled.out(0), filename_prefix=f"amodal/{name}")
    draw.place("result", name, f"Save{name}")
    draw.titles.update({name: title, f"Save{name}": f"{title}: picture"})
