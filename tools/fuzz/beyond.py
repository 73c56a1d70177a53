"""Valid inputs of the nodes beyond the chain of one completion: other choices, applications."""

from __future__ import annotations

import sys
from types import ModuleType

import torch

from tools.host import inprocess

from .run import Inputs, outputs


def examples(host: inprocess.Host, seen: dict[str, Inputs]) -> dict[str, Inputs]:
    """Inputs by node id, made of those that `examples.recorded` has `seen`."""
    image, modal, occluders = (
        seen["AmodalRemoveObjects"][name] for name in ("image", "modal_mask", "occluder_mask")
    )
    report = seen["AmodalCheckOcclusion"]["occlusion"]
    return {
        **other_masks(host, seen, image, modal, occluders),
        **of_scenes(host, image, modal),
        "AmodalFindShadows": {
            **{"image": image, "modal_mask": modal, "occluder_mask": occluders},
            **{"objects": seen["AmodalSelectOccluders"]["objects"], "occlusion": report},
        },
        "AmodalNegativeFromOccluders": {
            **{"negative": "blurry", "occlusion": report, "label": "elephant"}
        },
        "AmodalRegisterToCrop": {
            **{"image": image, "answer": image, "modal_mask": modal, "inpaint_mask": occluders}
        },
        "AmodalSizePrior": {
            **{"objects": seen["AmodalPickObject"]["objects"], "modal_mask": modal},
            "label": "elephant",
        },
        "AmodalAddToStudy": {"images": [image], "study": ["fuzz"], "method": ["a"], "name": ["b"]},
    }


def other_masks(host: inprocess.Host, seen: dict[str, Inputs], image, modal, occluders) -> dict:
    """Inputs of the nodes that make an amodal mask, or M^k, in another way."""
    masks, content = (module_of(host, name) for name in ("sssd", "sssd_content"))
    clusters = seen["AmodalClusterFeatures"]
    return {
        "AmodalCompleteMask": {
            "mask_model": masks.MaskCompletion(masks.MaskNet(4, 64).eval()),
            **{"modal_mask": modal, "occluder_mask": occluders},
        },
        "AmodalFillHiddenPart": {
            "content_model": content.ContentCompletion(content.ContentNet(2, 5, 64).eval()),
            **{"image": image, "modal_mask": modal, "amodal_mask": modal},
        },
        "AmodalSeededMask": {
            **{"features": clusters["features"], "level": clusters["level"]},
            **{"modal_mask": modal, "inpaint_mask": occluders},
            **{"estimate": image, "synthetic_image": image},
        },
        "AmodalChooseMask": {
            **{"modal_mask": modal, "inpaint_mask": occluders},
            **dict.fromkeys(("known_background", "known_background_alone"), modal),
        },
        "AmodalKeepInBound": {"mask": modal, "before": modal, "upper_bound": modal},
    }


def of_scenes(host: inprocess.Host, image: torch.Tensor, modal: torch.Tensor) -> dict[str, Inputs]:
    """Inputs of the nodes that use completed objects: layers and 3D."""
    cut_out = torch.cat([image, modal[..., None]], -1)
    scene: Inputs = {
        **{"image": [image], "background": [image], "objects": [cut_out], "modal_masks": [modal]},
        **{"x": [0], "y": [0], "names": ["elephant"], "blend": ["image editors"]},
    }
    layers = outputs(host, "AmodalSceneLayers", scene)[0]
    return {
        "AmodalSceneLayers": scene,
        "AmodalComposeLayers": {"layers": layers, "layer": "elephant", "x": 3, "y": 0},
        "AmodalSaveLayers": {"layers": layers, "filename_prefix": "fuzz/scene"},
        "AmodalPrepareFor3D": {"object": cut_out, "size": 64},
    }


def module_of(host: inprocess.Host, name: str) -> ModuleType:
    """The pack's module of this name among its models, as the host has loaded it."""
    pack = host.pack["AmodalCompleteMask"].__module__.rsplit(".nodes.", 1)[0]
    return sys.modules[f"{pack}.amodal.models.{name}"]
