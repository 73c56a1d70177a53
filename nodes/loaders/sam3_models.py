"""The segmenter of today's ComfyUI: SAM 3, loaded and run by the host's own nodes.

This is the only module that knows the host's SAM 3. It calls the nodes in the host's registry, and
so it also loads on a host that has none.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from comfy_api.latest import io

from ...amodal.core.errors import BadInput
from ...amodal.core.names import as_words
from ...amodal.models import pretrained, sam3
from .. import types
from ..common import CATEGORY, names_itself
from . import model_files

CHECKPOINTS = "checkpoints"
DETECT, LOAD = "SAM3_Detect", "CheckpointLoaderSimple"
SINCE = "0.20"  # the first ComfyUI with DETECT


class CoreSam3:
    """The host's SAM 3 behind `sam3.Sam3`.

    model, clip: from the host's checkpoint loader. refine: how often the host's SAM decoder refines
    a mask, in a crop around the object where words found it.
    """

    def __init__(self, model: Any, clip: Any, refine: int = 2) -> None:
        self.model, self.clip, self.refine = model, clip, refine

    def named(
        self, image: torch.Tensor, name: str, most: int, threshold: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.clip.tokenize(f"{name}:{most}")
        masks, boxes = self.detect(
            image,
            conditioning=self.clip.encode_from_tokens_scheduled(tokens),
            threshold=min(max(threshold, 0.0), 1.0),
        )
        rows = [box for picture in boxes for box in picture]
        scores = torch.tensor([float(row["score"]) for row in rows])
        return masks, scores

    @contextmanager
    def one_picture(self) -> Iterator[None]:
        """The network's features of the first picture are kept for the other names.

        The host computes them anew for each name, which takes most of the time. A host that names
        its parts in another way does so here too.
        """
        try:
            backbone = self.model.model.diffusion_model.detector.backbone["vision_backbone"]
        except (AttributeError, KeyError, TypeError):
            yield
            return
        own = backbone.forward
        kept: list[tuple[torch.Tensor, dict, Any]] = []

        def remembered(images: torch.Tensor, **options: Any) -> Any:
            if kept and kept[0][1] == options and torch.equal(kept[0][0], images):
                return kept[0][2]
            answer = own(images, **options)
            if not kept:
                kept.append((images, options, answer))
            return answer

        backbone.forward = remembered
        try:
            yield
        finally:
            del backbone.forward

    def boxed(self, image: torch.Tensor, box: list[float]) -> torch.Tensor:
        x0, y0, x1, y1 = box
        asked = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
        return self.one(image, bboxes=[[asked]])

    def pointed(self, image: torch.Tensor, points: list[list[float]]) -> torch.Tensor:
        return self.one(image, positive_coords=json.dumps([{"x": x, "y": y} for x, y in points]))

    def one(self, image: torch.Tensor, **prompt) -> torch.Tensor:
        """The mask [H, W] bool for one prompt; empty where the host gives none."""
        masks, _ = self.detect(image, **prompt)
        return masks[0] if len(masks) else torch.zeros(image.shape[:2], dtype=torch.bool)

    def detect(self, image: torch.Tensor, **prompt) -> tuple[torch.Tensor, list]:
        """(masks [n, H, W] bool on the CPU, boxes of each picture) of the host's node."""
        answer = registered(DETECT).execute(
            model=self.model,
            image=image[None, ..., :3],
            refine_iterations=self.refine,
            individual_masks=True,
            **prompt,
        )
        return answer[0].cpu() > 0.5, answer[1]


class LoadSam3Segmenter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLoadSam3Segmenter",
            display_name="Load SAM 3 Segmenter (Amodal)",
            category=f"{CATEGORY}/models",
            description="Loads a segmenter for photographs: ComfyUI's own SAM 3 finds the objects "
            f"that words name and makes their masks (section 3.4). Needs ComfyUI {SINCE} or newer.",
            inputs=[
                io.Combo.Input(
                    "file",
                    options=files(),
                    tooltip="A SAM 3 checkpoint in models/checkpoints. The menu also lists the "
                    "published file where it is missing.",
                ),
                io.String.Input(
                    "vocabulary",
                    default=sam3.VOCABULARY,
                    multiline=True,
                    tooltip="Names to detect when a node gives no words, comma separated. Add "
                    "the kinds of objects that occlude yours. Each name costs one search of the "
                    "picture.",
                ),
                io.Int.Input(
                    "most",
                    default=10,
                    min=1,
                    max=200,
                    tooltip="The most objects of one name, the best scored ones.",
                ),
                io.Int.Input(
                    "refine",
                    default=2,
                    min=0,
                    max=5,
                    tooltip="How often SAM 3 refines a mask. Masks of words are refined in a crop "
                    "around the object. 0: the detector's own masks.",
                ),
            ],
            outputs=[
                types.Segmenter.Output(
                    display_name="segmenter",
                    tooltip="Connect it to Detect Objects, Segment Object or Amodal Completion.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool | str:
        try:
            registered(DETECT)
        except BadInput as error:
            return str(error.at(cls.define_schema().display_name))
        return model_files.checked(cls, file=(CHECKPOINTS, file))

    @classmethod
    @names_itself
    def execute(cls, file: str, vocabulary: str, most: int, refine: int) -> io.NodeOutput:
        registered(DETECT)
        names = as_words(vocabulary) or as_words(sam3.VOCABULARY)
        core = CoreSam3(*loaded(file), refine)
        return io.NodeOutput(sam3.Sam3Segmenter(core, names, most))


def files() -> list[str]:
    """The menu: SAM 3's files first, those that are missing too, then the other checkpoints."""
    present = model_files.present(CHECKPOINTS)
    names = {*present, *(m.file for m in pretrained.known(CHECKPOINTS) if is_sam3(m.file))}
    return sorted(names, key=lambda name: (not is_sam3(name), name))


def is_sam3(name: str) -> bool:
    return "sam3" in model_files.base_of(name).lower()


def loaded(file: str) -> tuple[Any, Any]:
    """(MODEL, CLIP) of a SAM 3 checkpoint, by the host's loader. Raises BadInput for another."""
    model_files.need(CHECKPOINTS, file)
    name = model_files.meant(file, model_files.present(CHECKPOINTS))[0]
    with model_files.building(file, sam3.WHAT):
        model, clip, *_ = registered(LOAD)().load_checkpoint(name)
        if not hasattr(model.model.diffusion_model, "forward_segment"):
            raise ValueError("it holds another network")
        if clip is None:
            raise ValueError("it holds no text encoder")
    return model, clip


def registered(name: str) -> Any:
    """A node class of the host. Raises BadInput that names the version where it has none."""
    # By name: to type checkers `nodes` is this pack's folder; when running, it is the host's module
    found = importlib.import_module("nodes").NODE_CLASS_MAPPINGS.get(name)
    if found is None:
        version = importlib.import_module("comfyui_version").__version__
        raise BadInput(
            "file",
            f"needs SAM 3, which ComfyUI {version} does not have",
            f"update ComfyUI to {SINCE} or newer, or use Load Grounded Segmenter",
        )
    return found


NODES = [LoadSam3Segmenter]
