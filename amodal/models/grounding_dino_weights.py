"""GroundingDINO's published weights under the names that transformers' own net has for them.

The authors' .pth files, which other packs use too, are converted when they are loaded: every size
is read off the file's tensors.
"""

from __future__ import annotations

import re

import torch

from . import pretrained

WHAT = "GroundingDINO model"
SWIN, LAYER = "model.backbone.conv_encoder.model.", r"model.encoder.layers.\1."
SPLIT = ("query", "key", "value")

# What the authors call things, and what transformers calls them; the first that fits counts.
NAMES = [
    (re.compile(old), new)
    for old, new in (
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
]
PARTS = [
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
# What later versions of transformers (5.24 for one) call the parts of the picture's backbone.
LATER = [
    (re.compile(rf"^({re.escape(SWIN)})" + old), new)
    for old, new in (
        (r"((?:embeddings|encoder)\.)", r"\1swin.\2"),
        (r"(.*\.attention\.)self\.(query|key|value)\.", lambda m: f"{m[1]}{m[2]}{m[3][0]}_proj."),
        (r"(.*\.attention\.)output\.dense\.", r"\1\2o_proj."),
        (r"(.*\.attention\.)self\.(relative_position_)", r"\1\2relative_position_bias.\3"),
        (r"(.*\.)intermediate\.dense\.", r"\1\2mlp.fc1."),
        (r"(.*\.)output\.dense\.", r"\1\2mlp.fc2."),
    )
]
UNUSED = re.compile(r"^label_enc\.|^bert\.pooler\.|^bert\.embeddings\.position_ids$")


def renamed(name: str) -> str:
    """transformers' name of a tensor that the authors' file calls `name`."""
    for old, new in NAMES:
        if old.match(name):
            name = old.sub(new, name)
            break
    for place, names in PARTS:
        found = place.search(name)
        if found:
            rest = name[found.end() :]
            for old, new in names.items():
                if rest == old or rest.startswith(f"{old}."):
                    return name[: found.end()] + new + rest[len(old) :]
    return name


def converted(state: dict) -> dict:
    """The state dict of transformers' net from the authors', whose projections come in threes."""
    result = {}
    for name, value in pretrained.without_prefix(state).items():
        if UNUSED.match(name):
            continue
        name = renamed(name)
        three = re.fullmatch(r"(.*\.)(?:qkv\.|in_proj_)(weight|bias)", name)
        if three:
            for one, part in zip(SPLIT, value.chunk(3)):
                result[f"{three[1]}{one}.{three[2]}"] = part
        else:
            result[name] = value
    return result


def config_of(state: dict):
    """The net's configuration, read off a converted state dict; the heads are the authors'."""
    from transformers import BertConfig, GroundingDinoConfig, SwinConfig

    def rows(name):
        return state[name].shape[0]

    def count(pattern):
        found = (re.match(pattern, name) for name in state)
        return 1 + max(int(one[1]) for one in found if one)

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


def net_of(state: dict, file: str, input: str = "file") -> torch.nn.Module:
    """The net of an authors' file; BadInput, by name, where the file is of another model."""
    from transformers import GroundingDinoForObjectDetection

    state = converted(state)
    try:
        config = config_of(state)
    except (KeyError, ValueError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else "its layers are others"
        raise pretrained.foreign(file, WHAT, why, input) from error
    net = GroundingDinoForObjectDetection(config)
    return pretrained.load_into(net, fitted(state, net.state_dict()), file, WHAT, input)


def fitted(state: dict, wanted: dict) -> dict:
    """A converted state dict under the names of the transformers at hand, whose net has `wanted`.

    What the net works out by itself, and not every file stores, is taken from the net; so is the
    backbone's last norm, which later versions have and no GroundingDINO uses.
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
    for old, new in LATER:
        name = old.sub(new, name)
    return name
