"""GroundingDINO in the authors' own code, the package groundingdino-py, as a second backend.

It is installed with `pip install --no-deps groundingdino-py==0.4.0`: of its dependencies the
network needs torch, torchvision and transformers below version 5 only. Nothing is downloaded.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..core import weight_archive
from . import grounding_dino_weights, pretrained
from .grounding_dino_weights import WHAT, config_of, converted

NAME = "groundingdino-py"
INSTALL = f"pip install --no-deps {NAME}==0.4.0"
PARTS = "groundingdino.models.GroundingDINO"
SPECIAL = (101, 102, 1012, 1029)  # BERT's ids of [CLS], [SEP], full stop and question mark
OWN = (  # tensors that some files lack and the network does not use
    *("relative_position_index", "position_ids"),
    *("bert.pooler.dense.weight", "bert.pooler.dense.bias"),
)


def problem() -> str:
    """Why the package cannot be used here; empty if it can."""
    from transformers import BertModel

    if not hasattr(BertModel, "get_head_mask"):
        return f"it needs transformers below 5, this is {version('transformers')}"
    try:
        parts()
    except Exception as error:  # code of other packages runs, in any of their versions
        return f"{error}; {INSTALL}"
    return ""


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def net_of(state: pretrained.State, file: str, input: str = "file") -> torch.nn.Module:
    """The network of the authors' state dict. Raises BadInput if `file` holds another model."""
    from transformers import GroundingDinoForObjectDetection

    try:
        config = config_of(converted(state))
        weight_archive.check_size(lambda: GroundingDinoForObjectDetection(config), state)
        net = built(config)
    except (KeyError, ValueError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else "its layers differ"
        raise pretrained.wrong_model(file, WHAT, why, input) from error
    wanted = net.state_dict()
    spare = {name: value for name, value in wanted.items() if name.endswith(OWN)}
    given = pretrained.without_prefix(state)
    kept = {
        name: value
        for name, value in given.items()
        if name in wanted or not (grounding_dino_weights.UNUSED.match(name) or name.endswith(OWN))
    }
    return Answers(pretrained.load_into(net, {**spare, **kept}, file, WHAT, input))


class Answers(torch.nn.Module):
    """The authors' network with the inputs and outputs of that in transformers."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixel_values, input_ids, attention_mask, token_type_ids) -> Any:
        """logits [1, queries, tokens] and pred_boxes [1, queries, 4], for one picture."""
        self.net.tokenizer = Tokens(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        nested = parts().misc.nested_tensor_from_tensor_list
        said = self.net(nested(list(pixel_values)), captions=[""])
        return types.SimpleNamespace(logits=said["pred_logits"], pred_boxes=said["pred_boxes"])


class Tokens(dict):
    """In the place of a tokenizer: the tokens of the caption, which are known already."""

    __getattr__ = dict.__getitem__

    def __call__(self, *_: Any, **__: Any) -> Tokens:
        return self

    def to(self, _device: Any) -> Tokens:
        return self

    def convert_tokens_to_ids(self, _words: list[str]) -> list[int]:
        return list(SPECIAL)


def built(config: Any) -> Any:
    """The authors' network, without weights, in the sizes of a GroundingDinoConfig."""
    from transformers import BertModel

    authors, swin, width = parts(), config.backbone_config, config.d_model
    config.text_config._attn_implementation = "eager"  # its masks have four dimensions
    bert = BertModel(config.text_config)
    backbone = authors.backbone.Joiner(
        authors.swin_transformer.SwinTransformer(
            pretrain_img_size=swin.image_size,
            embed_dim=swin.embed_dim,
            depths=list(swin.depths),
            num_heads=list(swin.num_heads),
            window_size=swin.window_size,
            out_indices=(1, 2, 3),
            use_checkpoint=False,
        ),
        authors.position_encoding.PositionEmbeddingSineHW(
            width // 2, temperatureH=20, temperatureW=20, normalize=True
        ),
    )
    backbone.num_channels = backbone[0].num_features[1:]
    with no_downloads(authors.groundingdino.get_tokenlizer, bert):
        return authors.groundingdino.GroundingDINO(
            backbone,
            authors.transformer.Transformer(**transformer_sizes(config)),
            num_queries=config.num_queries,
            aux_loss=True,
            iter_update=True,
            query_dim=4,
            num_feature_levels=config.num_feature_levels,
            nheads=config.encoder_attention_heads,
            dec_pred_bbox_embed_share=True,
            two_stage_type="standard",
            two_stage_bbox_embed_share=False,
            two_stage_class_embed_share=False,
        )


def transformer_sizes(config: Any) -> dict:
    """The arguments of the authors' Transformer; what no file states is as they published it."""
    return dict(
        d_model=config.d_model,
        nhead=config.encoder_attention_heads,
        num_queries=config.num_queries,
        dim_feedforward=config.encoder_ffn_dim,
        num_encoder_layers=config.encoder_layers,
        num_decoder_layers=config.decoder_layers,
        num_feature_levels=config.num_feature_levels,
        enc_n_points=config.encoder_n_points,
        dec_n_points=config.decoder_n_points,
        dropout=0.0,
        text_dropout=0.0,
        fusion_dropout=0.0,
        fusion_droppath=0.1,
        activation="relu",
        query_dim=4,
        return_intermediate_dec=True,
        learnable_tgt_init=True,
        embed_init_tgt=True,
        two_stage_type="standard",
        use_text_enhancer=True,
        use_fusion_layer=True,
        use_text_cross_attention=True,
        use_checkpoint=False,
        use_transformer_ckpt=False,
    )


@contextmanager
def no_downloads(source: Any, bert: torch.nn.Module) -> Iterator[None]:
    """While the network is built, it gets this text encoder, and no tokenizer, from `source`."""
    own = source.get_tokenlizer, source.get_pretrained_language_model
    source.get_tokenlizer = lambda *_: Tokens()
    source.get_pretrained_language_model = lambda *_: bert
    try:
        yield
    finally:
        source.get_tokenlizer, source.get_pretrained_language_model = own


@functools.cache
def parts() -> types.SimpleNamespace:
    """The package's modules by name. Raises ImportError if it is missing or does not load."""
    names = (
        *(f"{PARTS}.{name}" for name in ("groundingdino", "transformer", "backbone.backbone")),
        *(f"{PARTS}.backbone.{name}" for name in ("position_encoding", "swin_transformer")),
        "groundingdino.util.misc",
    )
    with stand_ins():
        found = {name.rsplit(".", 1)[1]: importlib.import_module(name) for name in names}
    return types.SimpleNamespace(**found)


@contextmanager
def stand_ins() -> Iterator[None]:
    """While the package is imported: modules in the place of dependencies that are missing.

    They are for plotting and for configuration files, and timm, of which the network takes three
    helpers. They leave again; those that are installed are taken instead.
    """
    put = []
    for name, content in missing_ones().items():
        try:
            importlib.import_module(name)
        except Exception:  # missing, or of another version
            sys.modules[name] = module = types.ModuleType(name)
            module.__dict__.update(content)
            put.append(name)
    try:
        yield
    finally:
        for name in put:
            sys.modules.pop(name, None)


def missing_ones() -> dict[str, dict]:
    """Module -> what the package takes from it."""

    class DropPath(torch.nn.Identity):
        """It drops paths in training only."""

        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()

    helpers = {
        "DropPath": DropPath,
        "trunc_normal_": torch.nn.init.trunc_normal_,
        "to_2tuple": lambda value: value if isinstance(value, tuple) else (value, value),
    }
    return {
        "timm": {},
        "timm.models": {},
        "timm.models.layers": helpers,
        "groundingdino.util.slconfig": {"SLConfig": object},
        "groundingdino.util.visualizer": {"COCOVisualizer": object},
    }
