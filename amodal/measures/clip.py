"""CLIP from a folder in Hugging Face's layout, read as data.

Only known numbers are taken from config.json, only tensors from model.safetensors or
pytorch_model.bin, and only words from vocab.json and merges.txt. The architecture and the
preprocessing of pictures are always the published ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..core import model_config, weight_archive
from ..core.errors import BadInput

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
WORDS = ("vocab.json", "merges.txt")
SOURCE = "https://huggingface.co/openai/clip-vit-base-patch32"
SHARED = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("hidden_act", "layer_norm_eps"),
)
TAKEN = {  # section of config.json -> its kind, and what is taken from it
    "": ("clip", ("projection_dim", "logit_scale_init_value")),
    "text_config": (
        "clip_text_model",
        (
            *SHARED,
            *("vocab_size", "max_position_embeddings"),
            *("bos_token_id", "eos_token_id", "pad_token_id"),
        ),
    ),
    "vision_config": ("clip_vision_model", (*SHARED, "image_size", "patch_size", "num_channels")),
}
COUNTED = "position_ids"  # buffers of older files; the network counts for itself


class Clip:
    """A CLIP network with its tokenizer and its preprocessing of pictures."""

    def __init__(self, net: Any, tokenizer: Any, pictures: Any) -> None:
        self.net, self.tokenizer, self.pictures = net, tokenizer, pictures

    @torch.inference_mode()
    def similarity(self, picture: torch.Tensor, words: str) -> float:
        """Cosine similarity (-1..1) of a picture [1, 3, h, w] in 0..1 and words.

        Words beyond the longest text that the network takes are left out.
        """
        pixels = (picture[0].movedim(0, -1) * 255).round().byte().numpy()
        longest = self.net.config.text_config.max_position_embeddings
        text = self.tokenizer([words], return_tensors="pt", truncation=True, max_length=longest)
        seen = self.pictures([pixels], return_tensors="pt")["pixel_values"]
        output = self.net(pixel_values=seen, **text)
        return float(torch.nn.functional.cosine_similarity(output.image_embeds, output.text_embeds))


def load(folder: Path) -> Clip:
    """The CLIP of a folder. Raises BadInput whatever is wrong with its files."""
    try:
        config = config_of((folder / "config.json").read_text(encoding="utf-8", errors="replace"))
        net = net_of(config, tensors(folder))
        return Clip(net, tokenizer_of(folder, config.text_config.vocab_size), pictures_of(config))
    except Exception as error:  # any bytes may be in the files, and any error in their readers
        why = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(
            "measures",
            f"name CLIP, but {folder} is not a folder of CLIP ({why})",
            f"get config.json, {WEIGHTS[0]} or {WEIGHTS[1]}, and {' and '.join(WORDS)} again from "
            f"{SOURCE}",
        ) from error


def config_of(text: str) -> Any:
    """The CLIPConfig of a config.json's text. Raises ValueError if a key is refused."""
    from transformers import CLIPConfig

    whole = model_config.of_text(text)
    parts = {}
    for name, (kind, keys) in TAKEN.items():
        later = whole.get(f"{name}_dict") if name else None  # overrules the section
        section = whole.get(name)
        if isinstance(later, dict) and isinstance(section, dict):
            whole = {**whole, name: {"model_type": kind, **section, **later}}
        parts[name] = model_config.section_of(whole, name, kind, keys)
    return CLIPConfig(
        **parts[""], text_config=parts["text_config"], vision_config=parts["vision_config"]
    )


def net_of(config: Any, state: dict[str, torch.Tensor]) -> Any:
    """The network in eval mode. Raises an error unless the tensors are exactly its own."""
    from transformers import CLIPModel

    net = weight_archive.bounded(lambda: CLIPModel(config), state)
    net.load_state_dict({name: value for name, value in state.items() if COUNTED not in name})
    return net.eval().requires_grad_(False)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a folder's weights file. Raises an error for anything else in it."""
    from safetensors.torch import load_file

    safe, pickled = (folder / name for name in WEIGHTS)
    state = load_file(safe) if safe.is_file() else weight_archive.tensors_of(pickled)
    if any(weight_archive.is_stretched(value) for value in state.values()):
        raise ValueError("a tensor is larger than its data")
    return state


def tokenizer_of(folder: Path, most: int) -> Any:
    """CLIP's tokenizer of a folder's words, whose numbers are below `most`.

    Raises ValueError for other numbers.
    """
    from transformers import CLIPTokenizer

    words, merges = (folder / name for name in WORDS)
    tokenizer = CLIPTokenizer(str(words), str(merges))
    numbers = tokenizer.get_vocab().values()
    if not all(type(number) is int and 0 <= number < most for number in numbers):
        raise ValueError(f"{WORDS[0]} numbers words beyond {most}")
    return tokenizer


def pictures_of(config: Any) -> Any:
    """CLIP's published preprocessing, for the picture size of the network."""
    from transformers import CLIPImageProcessor

    side = config.vision_config.image_size
    return CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side)
