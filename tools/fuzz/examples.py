"""Valid inputs of every node, recorded from a run of a shipped workflow and made from those."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

from amodal.app.workflow import FOLDER
from tools.host import inprocess

from . import beyond
from .run import Inputs, outputs

WORKFLOW = FOLDER / "mixed_context_step_by_step.json"
STEPS, K = 6, 2.0
SCENE = {
    "seed": 12,
    "query": "elephant",
    "occluder": "gift",
    "hidden_from": 0.2,
    "hidden_to": 0.4,
    "cut": "none",
    "background": "plain",
    "size": 128,
}


def recorded(host: inprocess.Host) -> dict[str, Inputs]:
    """For each node of the workflow, by id: the inputs of its first execution, and its outputs."""
    prompt = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    for node in prompt.values():
        inputs = node["inputs"]
        if node["class_type"] == "LoadImage":
            node.update(class_type="AmodalStickerScene", inputs=SCENE)
        elif node["class_type"] == "AmodalPickObject":
            inputs["words"] = SCENE["query"]
        elif node["class_type"] == "BasicScheduler":
            inputs["steps"] = STEPS
        elif node["class_type"] == "AmodalSampleToStep":
            inputs["k"] = K
    door = sys.modules[f"{host.pack['AmodalPickObject'].__module__.rsplit('.', 1)[0]}.door"]
    seen: dict[str, Inputs] = {}
    check = door.checked

    def watch(node: type, inputs: Inputs) -> Inputs:
        seen.setdefault(node.define_schema().node_id, dict(inputs))
        return check(node, inputs)

    door.checked = watch
    try:
        host.run(prompt)
    finally:
        door.checked = check
    return seen


def examples(host: inprocess.Host) -> dict[str, Inputs]:
    """Valid inputs of every node but the loaders of files, by id."""
    seen = recorded(host)
    names = ("image", "modal_mask", "occluder_mask")
    image, modal, occluders = (seen["AmodalRemoveObjects"][name] for name in names)
    gray = image.mean(-1, keepdim=True).expand_as(image)
    objects = seen["AmodalSelectOccluders"]["objects"]
    models = {**seen["AmodalOrderObjects"], **seen["AmodalSegmentObject"]}
    two = {"amodal_mask": modal, "true_amodal_mask": modal, "modal_mask": modal}
    loop = {"image": image, "modal_mask": modal}
    handle = outputs(host, "AmodalLoopStart", loop)[0]
    gathered = {"object": image, "amodal_mask": modal, "overlay": image, "status": "completed"}
    model, clip, vae = outputs(host, "AmodalStickerCheckpoint", {})
    made: dict[str, Inputs] = {
        "AmodalLoopStart": loop,
        "AmodalLoopEnd": {
            **{"loop": handle, "occluded": False, "image": image, "amodal_mask": modal},
            **{"canvas": handle.canvas, "max_passes": 2},
        },
        "AmodalObjectsFromMasks": {"masks": objects.masks, "labels": "a, b"},
        "AmodalOrderFromDepth": {"depth": gray, "objects": objects, "near": "bright"},
        "AmodalKnownBackgroundMask": {
            **{"estimate": image, "synthetic_image": image, "modal_mask": modal},
            "inpaint_mask": occluders,
        },
        "AmodalCounterfactualMask": {"amodal_mask": modal},
        "AmodalCounterfactualBackgrounds": {"image": image, "amodal_mask": modal, "count": 2},
        "AmodalJudgeCompletion": {
            **{"image": image, "amodal_mask": modal, "outpainted_mask": modal}
        },
        "AmodalPickBest": {
            **{"objects": [image, image], "amodal_masks": [modal, modal], "scores": [0.1, 0.9]},
            **{"modal_mask": [modal], "x": [0], "y": [0], "cell": [64]},
        },
        "AmodalCompletionMetrics": {"image": image, "true_image": image, **two, "measures": ""},
        "AmodalResultsTable": {"measures": ["a: 1", "a: 2"], "methods": ["ours"]},
        "AmodalSweepValues": {"values": "1, 2"},
        "AmodalLabelledGrid": {"images": [image, image], "labels": ["a", "b"], "cell": [64]},
        "AmodalGather": {**gathered, "passes": 1, "report": "", "x": 0, "y": 0, "warnings": ""},
        "AmodalMaskFromBatch": {"masks": objects.masks, "index": 0},
        "AmodalBorderOrder": {},
        "AmodalStickerScene": SCENE,
        "AmodalCompletion": {
            **{"model": model, "clip": clip, "vae": vae, "image": image, "modal_mask": modal},
            **{"segmenter": models["segmenter"], "order_model": models["order_model"]},
            **{
                "seed": 1,
                "count": 1,
                "prompt": "{label}",
                "steps": STEPS,
                "k": K,
                "max_passes": 1,
                "size": 128,
            },
        },
    }
    known = {**seen, **made, **beyond.examples(host, seen)}
    return {node: {**defaults(host, node, given), **given} for node, given in known.items()}


def defaults(host: inprocess.Host, node: str, given: Inputs) -> Inputs:
    """The default of each widget of a node that is not given."""
    sockets = host.pack[node].define_schema().inputs
    missing = {s.id: s for s in sockets if s.id not in given and not getattr(s, "optional", False)}
    return {name: s.default for name, s in missing.items() if hasattr(s, "default")}


def tensors(value: Any) -> list[torch.Tensor]:
    """All tensors in a value, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for part in value.values() for t in tensors(part)]
    if isinstance(value, list | tuple):
        return [t for part in value for t in tensors(part)]
    return tensors(vars(value)) if hasattr(value, "__dataclass_fields__") else []
