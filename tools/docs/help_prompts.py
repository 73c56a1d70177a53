"""The prompts that the pictures of the help pages come from: shipped workflows, some changed."""

from __future__ import annotations

from amodal.app import workflow
from tools.workflows.drawings.common import SEVERAL

STEPS, LAYERS, BORDER, SEEDS, ONE_NODE, VIEWER, OBJECTS, PAIR = (
    "mixed_context_step_by_step",
    "sweep_layers",
    "beyond_the_boundary",
    "best_of_seeds",
    "amodal_one_node",
    "dataset_viewer",
    "all_objects",
    "dense_correspondence",
)
SCENE = "Sticker Scene alone"
MARKED = "the cat of another picture, with the scooter marked as in front"
MARKS = {"words": "cat", "occluder_hints": "40,49"}
MOVED = "an answer to I_syn that is larger than it and moved"
SQUARE = "the completed object, prepared for 3D"
BOUNDED = "a hidden object beside a whole one of its kind"
SHADED = "the crop with a shadow of the occluder"
WITHOUT_DIFFUSION = "the crop completed by SSSD's small pair of the sticker world"
WORD = 2  # the output of Sticker Scene with the object's name
SCENE_INPUTS = {  # values of Sticker Scene's inputs
    "seed": 3,
    "query": "any",
    "occluder": "co-occurring",
    "hidden_from": 0.2,
    "hidden_to": 0.5,
    "cut": "none",
    "background": "plain",
    "size": 128,
}


def prompt_of(source: str) -> dict:
    """The prompt of a shipped workflow, of SCENE, or of one with other values or more nodes."""
    if source == SCENE:
        return {"1": {"class_type": "AmodalStickerScene", "inputs": SCENE_INPUTS}}
    if source == BOUNDED:
        return bounded()
    changed = {
        STEPS: (STEPS, automatic),
        MARKED: (STEPS, marked),
        MOVED: (STEPS, moved),
        SHADED: (STEPS, shaded),
        WITHOUT_DIFFUSION: (STEPS, without_diffusion),
        SQUARE: (ONE_NODE, prepared),
    }
    name, change = changed.get(source, (source, None))
    prompt = workflow.load(workflow.FOLDER / f"{name}.json", dict)
    if change:
        change(prompt)
    return prompt


def automatic(prompt: dict) -> None:
    """M^k as in the main workflow; this one has the paper's clusters, which often lose a limb."""
    rule = only(prompt, "AmodalMaskRule")[0]
    prompt[rule]["inputs"]["mask_rule"] = "automatic"


def marked(prompt: dict) -> None:
    """Another picture, with a mark on what hides the object."""
    prompt[workflow.need(prompt, "Picture")]["inputs"]["image"] = SEVERAL
    prompt[workflow.need(prompt, "Pick the object")]["inputs"].update(MARKS)


def moved(prompt: dict) -> None:
    """I_syn enlarged by a fifth and moved, as an edit model may draw it, and its registration."""
    synthetic = only(prompt, "AmodalSwapBackground")
    larger = add(prompt, "ImageScaleBy", image=synthetic, upscale_method="bicubic", scale_by=1.2)
    answer = add(prompt, "ImageCrop", image=larger, width=128, height=128, x=4, y=20)
    add(
        prompt,
        "AmodalRegisterToCrop",
        image=synthetic,
        answer=answer,
        modal_mask=only(prompt, "AmodalCropToObject", 1),
        inpaint_mask=only(prompt, "AmodalCheckOcclusion"),
    )


def prepared(prompt: dict) -> None:
    add(
        prompt,
        "AmodalPrepareFor3D",
        object=only(prompt, "AmodalCompletion"),
        size=256,
        margin=0.1,
        background="white",
    )


def shaded(prompt: dict) -> None:
    """The crop, darkened by the occluder's shape, which is moved down and to the right."""
    crop, occluder = only(prompt, "AmodalCropToObject"), only(prompt, "AmodalSelectOccluders")
    nothing = add(prompt, "SolidMask", value=0.0, width=128, height=128)
    moved = dict(destination=nothing, source=occluder, operation="add")
    fallen = add(prompt, "MaskComposite", x=14, y=12, **moved)
    apart = dict(destination=fallen, source=occluder, operation="subtract")
    shadow = add(prompt, "MaskComposite", x=0, y=0, **apart)
    black = add(prompt, "EmptyImage", width=128, height=128, batch_size=1, color=0)
    dark = add(
        prompt, "ImageBlend", image1=crop, image2=black, blend_factor=0.5, blend_mode="normal"
    )
    above = dict(destination=crop, source=dark, mask=shadow, x=0, y=0, resize_source=False)
    image = add(prompt, "ImageCompositeMasked", **above)
    add(
        prompt,
        "AmodalFindShadows",
        image=image,
        modal_mask=only(prompt, "AmodalCropToObject", 1),
        occluder_mask=occluder,
    )


def bounded() -> dict:
    """A sticker scene and its truth side by side, the object's bound, and a mask kept in it."""
    prompt = prompt_of(SCENE)
    both = dict(direction="right", match_image_size=True, spacing_width=0, spacing_color="white")
    both |= dict(image1=["1", 0], image2=["1", 3])
    picture = add(prompt, "ImageStitch", **both)
    words = ["1", WORD]
    segmenter = add(prompt, "AmodalStickerSegmenter")
    searched = dict(image=picture, segmenter=segmenter, words=words)
    objects = add(prompt, "AmodalDetectObjects", **searched, threshold=0.5, add_known=False)
    nothing = add(prompt, "SolidMask", value=0.0, width=256, height=128)
    placed = dict(destination=nothing, source=["1", 1], x=0, y=0, operation="add")
    visible = add(prompt, "MaskComposite", **placed)
    sized = dict(objects=objects, modal_mask=visible, label=words, tolerance=0.15)
    bound = add(prompt, "AmodalSizePrior", **sized)
    grown = add(prompt, "GrowMask", mask=visible, expand=30, tapered_corners=True)
    add(prompt, "AmodalKeepInBound", mask=grown, before=visible, upper_bound=bound)
    return prompt


def without_diffusion(prompt: dict) -> None:
    """The amodal mask and the hidden part of the crop in one step each."""
    visible = only(prompt, "AmodalCropToObject", 1)
    masks = add(prompt, "AmodalLoadMaskModel", file="stickers_pcnet_m.safetensors")
    content = add(prompt, "AmodalLoadContentModel", file="stickers_pcnet_c.safetensors")
    whole = add(
        prompt,
        "AmodalCompleteMask",
        mask_model=[masks[0], 1],
        modal_mask=visible,
        occluder_mask=only(prompt, "AmodalSelectOccluders"),
        threshold=0.5,
    )
    add(
        prompt,
        "AmodalFillHiddenPart",
        content_model=content,
        image=only(prompt, "AmodalCropToObject"),
        modal_mask=visible,
        amodal_mask=whole,
    )


def only(prompt: dict, kind: str, slot: int = 0) -> list:
    """A link to an output of the last node of a class."""
    return [[key for key, node in prompt.items() if node["class_type"] == kind][-1], slot]


def add(prompt: dict, kind: str, **inputs) -> list:
    """Adds a node to the prompt; a link to its first output."""
    key = f"help{len(prompt)}"
    prompt[key] = {"class_type": kind, "inputs": inputs, "_meta": {"title": key}}
    return [key, 0]
