"""GroundingDINO from a folder in Hugging Face's layout: config.json and model.safetensors.

`core/model_config.py` says what is taken from a config.json, and why nothing else.
"""

from __future__ import annotations

from typing import Any

import torch

from ..core import model_config, weight_archive
from . import pretrained
from .grounding_dino_weights import WHAT, fitted

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


def net_of(config: Any, state: pretrained.State, file: str, input: str = "file") -> torch.nn.Module:
    """The network of a checked configuration and the tensors of model.safetensors.

    Raises BadInput if the tensors are not those of the configuration.
    """
    from transformers import GroundingDinoForObjectDetection

    net = weight_archive.bounded(lambda: GroundingDinoForObjectDetection(config), state)
    net.tie_weights()
    state = with_tied(net, fitted(state, net.state_dict()))
    return pretrained.load_into(net, state, file, WHAT, input)


def config_of(text: str) -> Any:
    """The GroundingDinoConfig of a config.json's text. Raises ValueError if a key is refused."""
    from transformers import BertConfig, GroundingDinoConfig, SwinConfig

    whole = model_config.of_text(text)
    sections = {
        name: model_config.section_of(whole, name, KINDS[name], keys)
        for name, keys in TAKEN.items()
    }
    return GroundingDinoConfig(
        **sections[""],
        backbone_config=SwinConfig(**sections["backbone_config"]),
        text_config=BertConfig(**sections["text_config"]),
        disable_custom_kernels=True,
    )


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
