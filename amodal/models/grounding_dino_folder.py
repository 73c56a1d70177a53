"""GroundingDINO from a folder in Hugging Face's layout: config.json and model.safetensors.

A config.json can name a backbone on the hub, Python files of the folder, or other kernels. So only
known numbers are taken from it; the architecture is always the published one.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from . import pretrained
from .grounding_dino_weights import WHAT, fitted

LARGEST = 2**20  # of any number in a config.json
MOST_LAYERS = 64
ACTIVATIONS = ("relu", "gelu")
TAKEN = {  # section of config.json -> what is taken from it
    "": (
        *("num_queries", "d_model", "activation_function", "num_feature_levels", "query_dim"),
        *("encoder_layers", "encoder_ffn_dim", "encoder_attention_heads", "encoder_n_points"),
        *("decoder_layers", "decoder_ffn_dim", "decoder_attention_heads", "decoder_n_points"),
        *("two_stage", "max_text_len", "decoder_bbox_embed_share", "two_stage_bbox_embed_share"),
        *("embedding_init_target", "positional_embedding_temperature", "layer_norm_eps"),
    ),
    "backbone_config": (
        *("image_size", "patch_size", "num_channels", "embed_dim", "depths", "num_heads"),
        *("window_size", "mlp_ratio", "qkv_bias", "hidden_act", "use_absolute_embeddings"),
        *("layer_norm_eps", "out_indices"),
    ),
    "text_config": (
        *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
        *("intermediate_size", "hidden_act", "max_position_embeddings", "type_vocab_size"),
        *("layer_norm_eps", "pad_token_id"),
    ),
}
KINDS = {"": "grounding-dino", "backbone_config": "swin", "text_config": "bert"}
REFUSED = (  # what names code, another source, or another implementation
    *("auto_map", "trust_remote_code", "custom_pipelines", "quantization_config"),
    *("backbone", "backbone_kwargs", "use_timm_backbone", "use_pretrained_backbone"),
    *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
)


def net_of(config: Any, state: pretrained.State, file: str, input: str = "file") -> torch.nn.Module:
    """The network of a checked configuration and the tensors of model.safetensors.

    Raises BadInput if the tensors are not those of the configuration.
    """
    from transformers import GroundingDinoForObjectDetection

    net = pretrained.bounded(lambda: GroundingDinoForObjectDetection(config), state)
    net.tie_weights()
    state = with_tied(net, fitted(state, net.state_dict()))
    return pretrained.load_into(net, state, file, WHAT, input)


def config_of(text: str) -> Any:
    """The GroundingDinoConfig of a config.json's text. Raises ValueError if a key is refused."""
    from transformers import BertConfig, GroundingDinoConfig, SwinConfig

    whole = json.loads(text)
    if not isinstance(whole, dict):
        raise ValueError("its config.json holds no keys")
    sections = {name: section_of(whole, name) for name in TAKEN}
    return GroundingDinoConfig(
        **sections[""],
        backbone_config=SwinConfig(**sections["backbone_config"]),
        text_config=BertConfig(**sections["text_config"]),
        disable_custom_kernels=True,
    )


def section_of(whole: dict, name: str) -> dict[str, Any]:
    """What is taken from a section of config.json, checked."""
    section = whole.get(name) if name else whole
    if not isinstance(section, dict):
        raise ValueError(f"its config.json has no {name}")
    kind = section.get("model_type")
    if kind != KINDS[name]:
        raise ValueError(f"its config.json says {str(kind)[:40]}{f' in {name}' if name else ''}")
    for key in REFUSED:
        if section.get(key):
            raise ValueError(f"its config.json asks for {key}, which is not supported")
    taken = {key: section[key] for key in TAKEN[name] if key in section}
    for key, value in taken.items():
        if not all(is_plain(item, key) for item in (value if isinstance(value, list) else [value])):
            raise ValueError(f"its config.json has an unknown value of {key}")
    return taken


def is_plain(value: Any, key: str) -> bool:
    """Is it a number of a possible size, a truth value or a known activation function?"""
    if isinstance(value, str):
        return value in ACTIVATIONS
    if isinstance(value, bool):
        return True
    most = MOST_LAYERS if "layers" in key or key == "depths" else LARGEST
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= most


def with_tied(net: torch.nn.Module, state: pretrained.State) -> pretrained.State:
    """The state dict with every name of a parameter that several names share.

    safetensors keep such a parameter under one of its names.
    """
    wanted = net.state_dict()
    held = {wanted[name].data_ptr(): value for name, value in state.items() if name in wanted}
    shared = {
        name: held[value.data_ptr()]
        for name, value in wanted.items()
        if name not in state and value.data_ptr() in held
    }
    return {**state, **shared}
