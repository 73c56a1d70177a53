"""The segmenter for photographs: GroundingDINO and SAM, from the files that other packs use too."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import comfy.model_management
import folder_paths
import torch
from comfy_api.latest import io

from ...amodal.core.errors import BadInput
from ...amodal.core.names import as_words
from ...amodal.models import (
    grounded_sam,
    grounding_dino,
    grounding_dino_folder,
    grounding_dino_package,
    grounding_dino_weights,
    pretrained,
    sam,
)
from .. import types, ui
from ..common import CATEGORY, names_itself, shows_results
from . import model_files

DETECTORS, MASKERS, WORDS = "grounding-dino", "sams", "bert-base-uncased"
WORKING = 3e9  # bytes for the activations of either network at full size
TOKENIZERS = ("tokenizer.json", "vocab.txt")
AUTOMATIC = "automatic"
BACKENDS = {  # the code that GroundingDINO runs in, in the order that AUTOMATIC tries it
    "transformers": grounding_dino_weights,
    grounding_dino_package.NAME: grounding_dino_package,
}


class LoadSegmenter(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="AmodalLoadSegmenter",
            **shows_results(),
            display_name="Load Grounded Segmenter (Amodal)",
            category=f"{CATEGORY}/models",
            description="Loads a segmenter for photographs: GroundingDINO finds the objects that "
            "words name, SAM makes their masks (section 3.4).",
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
                    tooltip="SAM: a file in models/sams, or a folder in it with Hugging Face's "
                    "layout. vit_h is the best, vit_b the fastest.",
                ),
                io.String.Input(
                    "vocabulary",
                    default=grounded_sam.VOCABULARY,
                    multiline=True,
                    tooltip="Names to detect when a node gives no words, comma separated. Add "
                    "the kinds of objects that occlude yours.",
                ),
                io.Float.Input(
                    "box_threshold",
                    default=0.35,
                    min=0.01,
                    max=0.99,
                    step=0.01,
                    tooltip="Minimum score of a box in GroundingDINO. Lower finds more objects, "
                    "also false ones. Scores are shifted: this value becomes 0.5, the threshold "
                    "of the other nodes.",
                ),
                io.Float.Input(
                    "text_threshold",
                    default=0.25,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Minimum probability of a token of a name. Tokens below it do not "
                    "count when a box gets its name.",
                ),
                io.Float.Input(
                    "overlap",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Of two boxes with a larger IoU, only the one with the better score is "
                    "kept. Lower keeps fewer boxes.",
                ),
                io.Combo.Input(
                    "backend",
                    options=[AUTOMATIC, *BACKENDS],
                    default=AUTOMATIC,
                    optional=True,
                    tooltip="The code that GroundingDINO runs in: transformers, or the authors' "
                    "package groundingdino-py, which takes .pth files only. automatic: the first "
                    "of them that is installed and works. The node says which.",
                ),
            ],
            outputs=[
                types.Segmenter.Output(
                    display_name="segmenter",
                    tooltip="Connect it to Detect Objects, Segment Object or Amodal Completion.",
                )
            ],
            hidden=[io.Hidden.dynprompt],
        )

    @classmethod
    def validate_inputs(cls, detector: str | None = None, masker: str | None = None) -> bool | str:
        checked = model_files.checked(cls, detector=(DETECTORS, detector), masker=(MASKERS, masker))
        if checked is not True or detector is None:
            return checked
        try:
            vocabulary_of(detector)
        except BadInput as error:
            return str(error.at(cls.define_schema().display_name))
        return True

    @classmethod
    @names_itself
    def execute(
        cls,
        detector: str,
        masker: str,
        vocabulary: str,
        box_threshold: float,
        text_threshold: float,
        overlap: float,
        backend: str = AUTOMATIC,
    ) -> io.NodeOutput:
        names = as_words(vocabulary) or as_words(grounded_sam.VOCABULARY)
        taken = working(backend, detector)
        segmenter = grounded_sam.GroundedSegmenter(
            load_detector(detector, text_threshold, taken),
            load_masker(masker),
            names,
            box_threshold,
            overlap,
        )
        said = f"GroundingDINO runs in {taken} {grounding_dino_package.version(taken)}"
        logging.info("Load Grounded Segmenter: %s", said)
        return io.NodeOutput(segmenter, ui=ui.say(cls.hidden, "AmodalLoadSegmenter", said))


def working(backend: str, detector: str) -> str:
    """The backend to take for a detector. Raises BadInput where none works, or not that one."""
    is_folder = os.path.isdir(model_files.need(DETECTORS, detector, "detector"))
    problems = {}
    for name in BACKENDS if backend == AUTOMATIC else (backend,):
        if is_folder and name == grounding_dino_package.NAME:
            problems[name] = "it reads no folder in Hugging Face's layout"
        else:
            problems[name] = BACKENDS[name].problem()
        if not problems[name]:
            return name
    why = "; ".join(f"{name} does not work here ({text})" for name, text in problems.items())
    raise BadInput("backend", f"is {backend}: {why}", "choose another backend, or install it")


def load_detector(
    name: str, text_threshold: float, backend: str = "transformers"
) -> grounding_dino.Detector:
    """GroundingDINO from a file or folder, in bfloat16 where the device is fast with it."""
    tokenizer = load_tokenizer(name)
    path = model_files.need(DETECTORS, name, "detector")
    with model_files.building(name, grounding_dino_weights.WHAT, "detector"):
        if os.path.isdir(path):
            net = from_folder(path, name)
        else:
            state = model_files.read(DETECTORS, name, "detector")
            net = BACKENDS[backend].net_of(state, name, "detector")
    patcher = model_files.managed(net)
    half = comfy.model_management.should_use_bf16(patcher.load_device)
    half = half and backend == "transformers"  # the authors' code computes in float32
    return grounding_dino.Detector(
        net, tokenizer, text_threshold, lambda: model_files.bring(patcher, WORKING), half
    )


def load_masker(name: str) -> sam.Masker:
    """SAM from a file or folder, its encoder in float16 where the device is fast with it."""
    state = model_files.read(MASKERS, name, "masker")
    with model_files.building(name, sam.WHAT, "masker"):
        net = sam.net_of(state, name, "masker")
    device = comfy.model_management.get_torch_device()
    masker = sam.Masker(net, half=comfy.model_management.should_use_fp16(device))
    patcher = model_files.managed(net)
    masker.ready = lambda: model_files.bring(patcher, WORKING)
    return masker


def from_folder(path: str, name: str) -> torch.nn.Module:
    """GroundingDINO from a folder in Hugging Face's layout. Only safetensors weights are read.

    Raises BadInput if the folder holds another model, or cannot be read.
    """
    text = Path(path, "config.json").read_text(encoding="utf-8", errors="replace")
    config = grounding_dino_folder.config_of(text)
    state = model_files.read(DETECTORS, name, "detector")
    return grounding_dino_folder.net_of(config, state, name, "detector")


def load_tokenizer(detector: str) -> Any:
    """BERT's tokenizer, from tokenizer.json or vocab.txt. Raises BadInput if both are missing."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer
    from tokenizers.models import WordPiece

    path = vocabulary_of(detector)
    try:
        if path.endswith(".json"):
            return Tokenizer.from_file(path)
        return BertWordPieceTokenizer(WordPiece.read_file(path), lowercase=True)
    except Exception as error:  # the package raises bare Exceptions
        raise BadInput(
            "detector",
            f"needs {os.path.basename(path)}, which holds no vocabulary ({str(error)[:100]})",
            "get BERT's vocab.txt again, or remove the broken file",
        ) from error


def vocabulary_of(detector: str) -> str:
    """The file with BERT's vocabulary. Raises BadInput that tells where to get it."""
    existing = (path for path in tokenizer_places(detector) if path and os.path.isfile(path))
    path = next(existing, None)
    if path is None:
        raise pretrained.missing("vocab.txt", WORDS, "detector", "needs")
    return path


def tokenizer_places(detector: str) -> list[str | None]:
    """Possible paths of BERT's vocabulary: next to the detector, in the folders that other packs
    use, and in the cache of Hugging Face."""
    path = model_files.need(DETECTORS, detector, "detector")
    beside = path if os.path.isdir(path) else os.path.dirname(path)
    model_files.register(WORDS)
    roots = [beside, os.path.join(beside, WORDS), *folder_paths.get_folder_paths(WORDS)]
    roots += [os.path.join(base, WORDS) for base in folder_paths.get_folder_paths("text_encoders")]
    paths = [os.path.join(root, name) for root in roots for name in TOKENIZERS]
    return [*paths, *(cached(name) for name in TOKENIZERS)]


def cached(name: str) -> str | None:
    """The file in Hugging Face's cache on this machine, without network access; None if missing."""
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
