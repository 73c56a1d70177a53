"""Loads GroundingDINO's published weights into the network of transformers.

The authors' .pth files, which other packs use too, are converted while loading. All sizes are read
from the tensors of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from ..core import weight_archive
from . import pretrained

WHAT = "GroundingDINO model"
SWIN, LAYER = "model.backbone.conv_encoder.model.", r"model.encoder.layers.\1."
SPLIT = ("query", "key", "value")

Replacement = str | Callable[[re.Match[str]], str]

# Name of the authors -> name in transformers. The first matching rule is applied.
RULES: tuple[tuple[str, Replacement], ...] = (
    (r"^backbone\.0\.patch_embed\.proj\.", rf"{SWIN}embeddings.patch_embeddings.projection."),
    (r"^backbone\.0\.patch_embed\.norm\.", rf"{SWIN}embeddings.norm."),
    (r"^backbone\.0\.norm(\d)\.", lambda m: f"{SWIN}hidden_states_norms.stage{int(m[1]) + 1}."),
    (r"^backbone\.0\.(layers\.\d+\.)", rf"{SWIN}encoder.\1"),
    (r"^input_proj\.", r"model.input_proj_vision."),
    (r"^bert\.", r"model.text_backbone."),
    (r"^feat_map\.", r"model.text_projection."),
    (r"^transformer\.level_embed$", r"model.level_embed"),
    (r"^transformer\.tgt_embed\.", r"model.query_position_embeddings."),
    (r"^transformer\.enc_out_bbox_embed\.", r"model.encoder_output_bbox_embed."),
    (r"^transformer\.(enc_output(_norm)?)\.", r"model.\1."),
    (r"^transformer\.decoder\.norm\.", r"model.decoder.layer_norm."),
    (r"^transformer\.decoder\.ref_point_head\.", r"model.decoder.reference_points_head."),
    (r"^transformer\.decoder\.", r"model.decoder."),
    (r"^transformer\.encoder\.layers\.(\d+)\.", rf"{LAYER}deformable_layer."),
    (r"^transformer\.encoder\.text_layers\.(\d+)\.", rf"{LAYER}text_enhancer_layer."),
    (r"^transformer\.encoder\.fusion_layers\.(\d+)\.", rf"{LAYER}fusion_layer."),
)
NAMES = [(re.compile(old), new) for old, new in RULES]

# Names inside the block that a pattern matches.
PARTS: list[tuple[re.Pattern[str], dict[str, str]]] = [
    (re.compile(place), names)
    for place, names in (
        (
            r"\.blocks\.\d+\.",
            {
                "norm1": "layernorm_before",
                "norm2": "layernorm_after",
                "attn.qkv": "attention.self.qkv",
                "attn.relative_position_bias_table": "attention.self.relative_position_bias_table",
                "attn.relative_position_index": "attention.self.relative_position_index",
                "attn.proj": "attention.output.dense",
                "mlp.fc1": "intermediate.dense",
                "mlp.fc2": "output.dense",
            },
        ),
        (
            r"\.deformable_layer\.",
            {
                "norm1": "self_attn_layer_norm",
                "norm2": "final_layer_norm",
                "linear1": "fc1",
                "linear2": "fc2",
            },
        ),
        (
            r"\.text_enhancer_layer\.",
            {
                "norm1": "layer_norm_before",
                "norm2": "layer_norm_after",
                "linear1": "fc1",
                "linear2": "fc2",
            },
        ),
        (
            r"\.fusion_layer\.",
            {
                "gamma_v": "vision_param",
                "gamma_l": "text_param",
                "layer_norm_v": "layer_norm_vision",
                "layer_norm_l": "layer_norm_text",
                "attn.v_proj": "attn.vision_proj",
                "attn.l_proj": "attn.text_proj",
                "attn.values_v_proj": "attn.values_vision_proj",
                "attn.values_l_proj": "attn.values_text_proj",
                "attn.out_v_proj": "attn.out_vision_proj",
                "attn.out_l_proj": "attn.out_text_proj",
            },
        ),
        (
            r"^model\.decoder\.layers\.\d+\.",
            {
                "cross_attn": "encoder_attn",
                "norm1": "encoder_attn_layer_norm",
                "ca_text": "encoder_attn_text",
                "catext_norm": "encoder_attn_text_layer_norm",
                "norm2": "self_attn_layer_norm",
                "linear1": "fc1",
                "linear2": "fc2",
                "norm3": "final_layer_norm",
            },
        ),
    )
]
# Names of the backbone in later versions of transformers (such as 5.24).
LATER_RULES: tuple[tuple[str, Replacement], ...] = (
    (r"((?:embeddings|encoder)\.)", r"\1swin.\2"),
    (r"(.*\.attention\.)self\.(query|key|value)\.", lambda m: f"{m[1]}{m[2]}{m[3][0]}_proj."),
    (r"(.*\.attention\.)output\.dense\.", r"\1\2o_proj."),
    (r"(.*\.attention\.)self\.(relative_position_)", r"\1\2relative_position_bias.\3"),
    (r"(.*\.)intermediate\.dense\.", r"\1\2mlp.fc1."),
    (r"(.*\.)output\.dense\.", r"\1\2mlp.fc2."),
)
LATER = [(re.compile(rf"^({re.escape(SWIN)})" + old), new) for old, new in LATER_RULES]
UNUSED = re.compile(r"^label_enc\.|^bert\.pooler\.|^bert\.embeddings\.position_ids$")


def problem() -> str:
    """Why the network of transformers cannot be used here; empty if it can."""
    try:
        from transformers import GroundingDinoForObjectDetection  # noqa: F401
    except Exception as error:  # code of other packages runs, in any of their versions
        return f"transformers has no GroundingDINO ({error})"
    return ""


def renamed(name: str) -> str:
    """The name in transformers of a tensor with the authors' name `name`."""
    for old, new in NAMES:
        if old.match(name):
            name = old.sub(new, name)
            break
    for place, names in PARTS:
        match = place.search(name)
        if match:
            rest = name[match.end() :]
            for old_part, new_part in names.items():
                if rest == old_part or rest.startswith(f"{old_part}."):
                    return name[: match.end()] + new_part + rest[len(old_part) :]
    return name


def converted(state: pretrained.State) -> pretrained.State:
    """The authors' state dict with the names of transformers.

    Joint query, key and value projections are split into three tensors.
    """
    result = {}
    for name, value in pretrained.without_prefix(state).items():
        if UNUSED.match(name):
            continue
        name = renamed(name)
        three = re.fullmatch(r"(.*\.)(?:qkv\.|in_proj_)(weight|bias)", name)
        if three:
            for projection, part in zip(SPLIT, value.chunk(3)):
                result[f"{three[1]}{projection}.{three[2]}"] = part
        else:
            result[name] = value
    return result


def config_of(state: pretrained.State) -> Any:
    """The GroundingDinoConfig of a converted state dict.

    The number of attention heads is not stored in the file and is the authors'. Raises KeyError if
    a tensor is missing.
    """
    from transformers import BertConfig, GroundingDinoConfig, SwinConfig

    def rows(name: str) -> int:
        return state[name].shape[0]

    def count(pattern: str) -> int:
        return pretrained.layers(state, pattern)

    blocks = rf"{re.escape(SWIN)}encoder\.layers\.(\d+)\."
    tables = [
        f"{SWIN}encoder.layers.{i}.blocks.0.attention.self.relative_position_bias_table"
        for i in range(count(blocks))
    ]
    window = (round(rows(tables[0]) ** 0.5) + 1) // 2
    swin = SwinConfig(
        image_size=384 if window == 12 else 224,
        window_size=window,
        embed_dim=rows(f"{SWIN}embeddings.norm.weight"),
        depths=[
            count(rf"{re.escape(SWIN)}encoder\.layers\.{i}\.blocks\.(\d+)\.")
            for i in range(len(tables))
        ],
        num_heads=[state[name].shape[1] for name in tables],
        out_indices=[2, 3, 4],
    )
    text = "model.text_backbone."
    vocabulary, width = state[f"{text}embeddings.word_embeddings.weight"].shape
    bert = BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_attention_heads=max(1, width // 64),
        num_hidden_layers=count(rf"{re.escape(text)}encoder\.layer\.(\d+)\."),
        intermediate_size=rows(f"{text}encoder.layer.0.intermediate.dense.weight"),
        max_position_embeddings=rows(f"{text}embeddings.position_embeddings.weight"),
    )
    queries, inner = state["model.query_position_embeddings.weight"].shape
    points = rows("model.encoder.layers.0.deformable_layer.self_attn.attention_weights.bias")
    return GroundingDinoConfig(
        backbone_config={**swin.to_dict(), "model_type": "swin"},
        text_config={**bert.to_dict(), "model_type": "bert"},
        num_queries=queries,
        d_model=inner,
        num_feature_levels=rows("model.level_embed"),
        encoder_layers=count(r"model\.encoder\.layers\.(\d+)\."),
        decoder_layers=count(r"model\.decoder\.layers\.(\d+)\."),
        encoder_n_points=points // 8 // rows("model.level_embed"),
        decoder_n_points=points // 8 // rows("model.level_embed"),
        encoder_ffn_dim=rows("model.encoder.layers.0.deformable_layer.fc1.weight"),
        decoder_ffn_dim=rows("model.decoder.layers.0.fc1.weight"),
        disable_custom_kernels=True,
    )


def net_of(state: pretrained.State, file: str, input: str = "file") -> torch.nn.Module:
    """The network of the authors' state dict. Raises BadInput if `file` holds another model."""
    from transformers import GroundingDinoForObjectDetection

    state = converted(state)
    try:
        config = config_of(state)
        net = weight_archive.bounded(lambda: GroundingDinoForObjectDetection(config), state)
    except (KeyError, ValueError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else "its layers differ"
        raise pretrained.wrong_model(file, WHAT, why, input) from error
    return pretrained.load_into(net, fitted(state, net.state_dict()), file, WHAT, input)


def fitted(state: pretrained.State, wanted: pretrained.State) -> pretrained.State:
    """A converted state dict adapted to the installed transformers.

    `wanted` is the state dict of its new network. Two kinds of tensors come from `wanted`: buffers
    that the network computes itself and that some files do not store, and the final norm of the
    backbone, which later versions define but GroundingDINO does not use.
    """
    if f"{SWIN}embeddings.norm.weight" not in wanted:
        state = {later(name): value for name, value in state.items()}
    own = ("relative_position_index", "model.swin.layernorm.weight", "model.swin.layernorm.bias")
    spare = {name: value for name, value in wanted.items() if name.endswith(own)}
    kept = {
        name: value
        for name, value in state.items()
        if name in wanted or not name.endswith("relative_position_index")
    }
    return {**spare, **kept}


def later(name: str) -> str:
    """The name of a tensor in later versions of transformers."""
    for old, new in LATER:
        name = old.sub(new, name)
    return name
