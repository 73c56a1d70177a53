"""The segmenter for photographs: GroundingDINO and SAM, from files people already have."""

import json
import os

import comfy.model_management
import folder_paths
from comfy_api.latest import io
from safetensors import SafetensorError

from ...amodal.core import detections
from ...amodal.core.errors import BadInput
from ...amodal.models import (
    grounded_sam,
    grounding_dino,
    grounding_dino_weights,
    pretrained,
    sam,
)
from .. import types
from ..common import CATEGORY, names_itself
from . import model_files

DETECTORS, MASKERS, WORDS = "grounding-dino", "sams", "bert-base-uncased"
WORKING = 3e9  # bytes for the activations of either net at its full size
TOKENIZERS = ("tokenizer.json", "vocab.txt")


class LoadSegmenter(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="AmodalLoadSegmenter",
            display_name="Load Grounded Segmenter (Amodal)",
            category=f"{CATEGORY}/models",
            description="GroundingDINO finds what words name on a photograph, SAM its mask "
            "(section 3.4).",
            inputs=[
                io.Combo.Input(
                    "detector",
                    options=model_files.choices(DETECTORS),
                    tooltip="GroundingDINO: a file in models/grounding-dino, or a folder there in "
                    "Hugging Face's layout.",
                ),
                io.Combo.Input(
                    "masker",
                    options=model_files.choices(MASKERS),
                    tooltip="SAM: a file in models/sams, or a folder there in Hugging Face's "
                    "layout. h is the best, b the fastest.",
                ),
                io.String.Input(
                    "vocabulary",
                    default=grounded_sam.VOCABULARY,
                    multiline=True,
                    tooltip="What is looked for where a node names no words: names, comma "
                    "separated. Put in what stands in front of your objects.",
                ),
                io.Float.Input(
                    "box_threshold",
                    default=0.35,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    tooltip="How sure GroundingDINO must be of an object. The other nodes see "
                    "this as a score of 0.5, which is their threshold.",
                ),
                io.Float.Input(
                    "text_threshold",
                    default=0.25,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How sure it must be of a part of a name for that part to count.",
                ),
                io.Float.Input(
                    "overlap",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Of two boxes with a larger IoU only the surer one is kept.",
                ),
            ],
            outputs=[
                types.Segmenter.Output(
                    display_name="segmenter",
                    tooltip="To Detect Objects, Segment Object or Amodal Completion.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, detector=None, masker=None):
        there = model_files.checked(cls, detector=(DETECTORS, detector), masker=(MASKERS, masker))
        if there is not True or detector is None:
            return there
        try:
            vocabulary_of(detector)
        except BadInput as error:
            return str(error.at(cls.define_schema().display_name))
        return True

    @classmethod
    @names_itself
    def execute(cls, detector, masker, vocabulary, box_threshold, text_threshold, overlap):
        names = detections.as_words(vocabulary) or detections.as_words(grounded_sam.VOCABULARY)
        return io.NodeOutput(
            grounded_sam.GroundedSegmenter(
                load_detector(detector, text_threshold),
                load_masker(masker),
                names,
                box_threshold,
                overlap,
            )
        )


def load_detector(name: str, text_threshold: float) -> grounding_dino.Detector:
    tokenizer = load_tokenizer(name)
    path = model_files.need(DETECTORS, name, "detector")
    if os.path.isdir(path):
        net = from_folder(path, name)
    else:
        state = model_files.read(DETECTORS, name, "detector")
        net = grounding_dino_weights.net_of(state, name, "detector")
    patcher = model_files.managed(net)
    half = comfy.model_management.should_use_bf16(patcher.load_device)
    return grounding_dino.Detector(
        net, tokenizer, text_threshold, lambda: model_files.bring(patcher, WORKING), half
    )


def load_masker(name: str) -> sam.Masker:
    net = sam.net_of(model_files.read(MASKERS, name, "masker"), name, "masker")
    device = comfy.model_management.get_torch_device()
    masker = sam.Masker(net, half=comfy.model_management.should_use_fp16(device))
    patcher = model_files.managed(net)
    masker.ready = lambda: model_files.bring(patcher, WORKING)
    return masker


def from_folder(path: str, name: str):
    """The net in a folder of Hugging Face's layout, from its safetensors file alone."""
    from transformers import GroundingDinoForObjectDetection

    with open(os.path.join(path, "config.json"), encoding="utf-8") as file:
        kind = json.load(file).get("model_type")
    if kind != "grounding-dino":
        raise pretrained.foreign(
            name, grounding_dino_weights.WHAT, f"its config.json says {kind}", "detector"
        )
    try:
        net = GroundingDinoForObjectDetection.from_pretrained(
            path, local_files_only=True, use_safetensors=True, disable_custom_kernels=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise model_files.unreadable(name, "detector", error) from error
    return net.eval().requires_grad_(False)


def load_tokenizer(detector: str):
    """BERT's tokenizer, as the detector's folder has it or made from its vocabulary."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer
    from tokenizers.models import WordPiece

    path = vocabulary_of(detector)
    if path.endswith(".json"):
        return Tokenizer.from_file(path)
    return BertWordPieceTokenizer(WordPiece.read_file(path), lowercase=True)


def vocabulary_of(detector: str) -> str:
    """The file with BERT's words; raises BadInput that tells where to get it."""
    found = (path for path in tokenizer_places(detector) if path and os.path.isfile(path))
    path = next(found, None)
    if path is None:
        raise pretrained.missing("vocab.txt", WORDS, "detector", "needs")
    return path


def tokenizer_places(detector: str) -> list[str | None]:
    """Where BERT's vocabulary may lie: beside the detector, in the folders that other packs use,
    and where Hugging Face's programs keep what they have downloaded."""
    path = model_files.need(DETECTORS, detector, "detector")
    beside = path if os.path.isdir(path) else os.path.dirname(path)
    model_files.register(WORDS)
    roots = [beside, os.path.join(beside, WORDS), *folder_paths.get_folder_paths(WORDS)]
    roots += [os.path.join(base, WORDS) for base in folder_paths.get_folder_paths("text_encoders")]
    found = [os.path.join(root, name) for root in roots for name in TOKENIZERS]
    return [*found, *(cached(name) for name in TOKENIZERS)]


def cached(name: str) -> str | None:
    """The file in Hugging Face's cache on this machine; the network is never asked."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    for repository in (WORDS, f"google-bert/{WORDS}"):
        path = try_to_load_from_cache(repository, name)
        if isinstance(path, str):
            return path
    return None


NODES = [LoadSegmenter]
