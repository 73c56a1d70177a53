"""What the pictures of the help pages show: for each node some outputs of a workflow's nodes."""

from __future__ import annotations

from dataclasses import dataclass

from tools.docs.help_prompts import (
    BORDER,
    BOUNDED,
    LAYERS,
    MARKED,
    MOVED,
    OBJECTS,
    ONE_NODE,
    PAIR,
    SCENE,
    SEEDS,
    SHADED,
    SQUARE,
    STEPS,
    VIEWER,
    WITHOUT_DIFFUSION,
)

MASK, LATENT, IMAGE = "mask", "latent", "image"


@dataclass(frozen=True)
class Tile:
    """An output of a node in a workflow. Several pictures of one output are numbered.

    label: the text below. node: title or class of the node. slot: number of the output.
    kind: IMAGE, MASK or LATENT. index: which of the nodes of that class, as in a list.
    limit: the most pictures to show of an output that gives a list, or one for each pass.
    """

    label: str
    node: str
    slot: int = 0
    kind: str = IMAGE
    index: int = -1
    limit: int = 4


def mask(label: str, node: str, slot: int = 0, **which) -> Tile:
    return Tile(label, node, slot, MASK, **which)


def latent(label: str, node: str, slot: int = 0) -> Tile:
    return Tile(label, node, slot, LATENT)


ORIGINAL = Tile("image", "Picture")
CROP, MODAL_MASK = Tile("crop", "AmodalCropToObject"), mask("modal_mask", "AmodalCropToObject", 1)
OCCLUDER_MASK = mask("occluder_mask", "AmodalSelectOccluders")
OVERLAY = Tile("overlay", "AmodalSelectOccluders", 2)
INPAINT_MASK = mask("inpaint_mask", "AmodalCheckOcclusion")
SYNTHETIC, BACKGROUND = Tile("I_syn", "AmodalSwapBackground"), Tile("I_bg", "AmodalRemoveObjects")
PAINTED = Tile("I_amodal", "Decode I_amodal")
MASK_AT_K = mask("M^k", "AmodalMaskRule")
OBJECT_AT_K = latent("object at k", "AmodalSampleToStep")
BACKGROUND_AT_K = latent("background at k", "AmodalNoiseToStep")
COMPOSITE = latent("composite at k", "AmodalCompositeAtStep")

SHOWN = {  # NodeId -> (workflow, tiles)
    "AmodalDetectObjects": (STEPS, ORIGINAL, Tile("overlay", "AmodalDetectObjects", 4, index=0)),
    "AmodalObjectsFromMasks": (STEPS, mask("mask", "AmodalDetectObjects", 1, index=0)),
    "AmodalOrderObjects": (
        STEPS,
        CROP,
        Tile("query and occluder", "AmodalSelectOccluders", 2),
    ),
    "AmodalApplyOccluderHints": (
        MARKED,
        CROP,
        mask("front_hint", "AmodalPickObject", 2),
        Tile("query and occluders", "AmodalSelectOccluders", 2),
    ),
    "AmodalSelectOccluders": (STEPS, CROP, OVERLAY, OCCLUDER_MASK),
    "AmodalCheckOcclusion": (STEPS, CROP, OCCLUDER_MASK, INPAINT_MASK),
    "AmodalSwapBackground": (STEPS, CROP, MODAL_MASK, SYNTHETIC),
    "AmodalRemoveObjects": (STEPS, CROP, BACKGROUND),
    "AmodalSampleToStep": (
        STEPS,
        SYNTHETIC,
        latent("latent", "AmodalSampleToStep"),
        latent("preview", "AmodalSampleToStep", 1),
    ),
    "AmodalNoiseToStep": (STEPS, BACKGROUND, latent("latent", "AmodalNoiseToStep")),
    "AmodalClusterFeatures": (STEPS, OBJECT_AT_K, Tile("picture", "AmodalClusterFeatures", 1)),
    "AmodalCompositeAtStep": (STEPS, OBJECT_AT_K, BACKGROUND_AT_K, MASK_AT_K, COMPOSITE),
    "AmodalResumeFromStep": (STEPS, COMPOSITE, PAINTED),
    "AmodalSegmentObject": (STEPS, PAINTED, mask("amodal_mask", "AmodalSegmentObject")),
    "AmodalPasteBack": (STEPS, PAINTED, INPAINT_MASK, Tile("canvas", "AmodalPasteBack")),
    "AmodalCaptureFeatures": (LAYERS, Tile("level", "AmodalClusterFeatures", 1)),
    "AmodalSweepValues": (LAYERS, Tile("result of each value", "I_amodal")),
    "AmodalLabelledGrid": (LAYERS, Tile("image", "Clusters, by level")),
    "AmodalPadIfTouching": (
        BORDER,
        ORIGINAL,
        Tile("padded on the right", "AmodalCropToObject", limit=1),
    ),
    "AmodalCropToObject": (
        BORDER,
        ORIGINAL,
        Tile("crop", "AmodalCropToObject", limit=1),
        mask("modal_mask", "AmodalCropToObject", 1, limit=1),
        mask("padding_mask", "AmodalCropToObject", 2, limit=1),
    ),
    "AmodalLoopStart": (BORDER, Tile("pass", "AmodalLoopStart", 1)),
    "AmodalKnownBackgroundMask": (
        BORDER,
        Tile("estimate", "Decode the estimate at k"),
        Tile("synthetic_image", "AmodalSwapBackground", limit=1),
        mask("mask_at_k", "AmodalKnownBackgroundMask"),
    ),
    "AmodalSeededMask": (
        BORDER,
        Tile("estimate", "Decode the estimate at k"),
        mask("alone", "AmodalSeededMask", 3),
        mask("mask_at_k", "AmodalSeededMask"),
    ),
    "AmodalChooseMask": (
        BORDER,
        mask("known_background", "AmodalKnownBackgroundMask"),
        mask("seeded", "AmodalSeededMask"),
        mask("mask_at_k", "AmodalChooseMask"),
    ),
    "AmodalCounterfactualMask": (
        SEEDS,
        Tile("completion", "AmodalCounterfactualBackgrounds", limit=1),
        mask("inpaint_mask", "AmodalCounterfactualMask"),
    ),
    "AmodalJudgeCompletion": (
        SEEDS,
        Tile("what was added, in red", "Outpainted: what was added, in red"),
    ),
    "AmodalPickBest": (
        SEEDS,
        Tile("completion", "AmodalCompletion"),
        Tile("best", "AmodalPickBest"),
    ),
    "AmodalLoadItem": (
        VIEWER,
        Tile("image", "AmodalLoadItem"),
        mask("modal_mask", "AmodalLoadItem", 1),
        mask("amodal_mask", "AmodalLoadItem", 2),
        Tile("true_image", "AmodalLoadItem", 4),
    ),
    "AmodalCompletion": (
        ONE_NODE,
        ORIGINAL,
        Tile("object", "AmodalCompletion"),
        Tile("overlay", "AmodalCompletion", 2),
    ),
    "AmodalMatchFeatures": (
        PAIR,
        Tile("map", "AmodalMatchFeatures"),
        Tile("lines", "AmodalMatchFeatures", 1),
    ),
    "AmodalSceneLayers": (
        OBJECTS,
        ORIGINAL,
        Tile("background", "AmodalRemoveObjects"),
        Tile("object", "AmodalCompletion"),
    ),
    "AmodalComposeLayers": (OBJECTS, ORIGINAL, Tile("front object moved", "AmodalComposeLayers")),
    "AmodalRegisterToCrop": (
        MOVED,
        SYNTHETIC,
        Tile("answer", "ImageCrop"),
        Tile("registered", "AmodalRegisterToCrop"),
    ),
    "AmodalSizePrior": (
        BOUNDED,
        Tile("image", "ImageStitch"),
        mask("modal_mask", "MaskComposite"),
        mask("upper_bound", "AmodalSizePrior"),
    ),
    "AmodalKeepInBound": (
        BOUNDED,
        mask("mask", "GrowMask"),
        mask("before", "MaskComposite"),
        mask("upper_bound", "AmodalSizePrior"),
        mask("mask, kept", "AmodalKeepInBound"),
    ),
    "AmodalFindShadows": (
        SHADED,
        Tile("image", "ImageCompositeMasked"),
        OCCLUDER_MASK,
        mask("shadow_mask", "AmodalFindShadows"),
        Tile("overlay", "AmodalFindShadows", 3),
    ),
    "AmodalCompleteMask": (
        WITHOUT_DIFFUSION,
        MODAL_MASK,
        OCCLUDER_MASK,
        mask("amodal_mask", "AmodalCompleteMask"),
    ),
    "AmodalFillHiddenPart": (
        WITHOUT_DIFFUSION,
        CROP,
        MODAL_MASK,
        mask("amodal_mask", "AmodalCompleteMask"),
        Tile("image", "AmodalFillHiddenPart"),
    ),
    "AmodalPrepareFor3D": (
        SQUARE,
        Tile("object", "AmodalCompletion"),
        Tile("image", "AmodalPrepareFor3D"),
        mask("mask", "AmodalPrepareFor3D", 1),
    ),
    "AmodalStickerScene": (
        SCENE,
        Tile("image", "AmodalStickerScene"),
        mask("modal_mask", "AmodalStickerScene", 1),
        Tile("true_image", "AmodalStickerScene", 3),
        mask("amodal_mask", "AmodalStickerScene", 4),
    ),
}
