"""Writes data/groundingdino_tiny.json: what the authors' own code says, for a tiny random net.

    python tests/support/reference_groundingdino.py      # with the package groundingdino-py 0.4.0

The file holds the names and shapes of the authors' tensors, and the net's answer; the weights are
`weight(name, shape)` for each name. So the tests need neither the package nor any weights.
"""

import json
import sys
import types
import zlib
from pathlib import Path

import torch

DATA = Path(__file__).with_name("data") / "groundingdino_tiny.json"
IDS = [[101, 7, 9, 1012, 8, 1012, 102]]  # [CLS] two words . one word . [SEP]
WIDTH, FFN, QUERIES, WORDS = 256, 64, 12, 1200


def weight(name: str, shape: tuple) -> torch.Tensor:
    """A tensor of the tiny net, the same wherever and whenever it is made."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    noise = torch.randn(tuple(shape), generator=generator)
    if len(shape) < 2:
        return 0.3 * noise + (1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0)
    return noise * 1.2 * (noise[0].numel() ** -0.5)


def picture() -> torch.Tensor:
    return torch.randn(1, 3, 97, 130, generator=torch.Generator().manual_seed(3))


def same_tensor(name: str) -> str:
    """The box heads of all layers are one; so is its weight."""
    kept = name.removeprefix("transformer.decoder.")
    return "bbox_embed.0." + kept.split(".", 2)[2] if kept.startswith("bbox_embed.") else name


def weights(shapes: dict) -> dict:
    """A state dict of these {name: shape}; tables of positions are no weights and are left out."""
    return {
        name: weight(same_tensor(name), shape)
        for name, shape in shapes.items()
        if not name.endswith(("relative_position_index", "position_ids"))
    }


def authors_net():
    from transformers import BertConfig, BertModel

    stand_in_for_what_the_net_does_not_use()
    from groundingdino.models.GroundingDINO import groundingdino, transformer
    from groundingdino.models.GroundingDINO.backbone import position_encoding, swin_transformer
    from groundingdino.models.GroundingDINO.backbone.backbone import Joiner

    bert = BertModel(
        BertConfig(
            vocab_size=WORDS,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=1,
            intermediate_size=96,
            max_position_embeddings=64,
            attn_implementation="eager",
        )
    )
    groundingdino.get_tokenlizer.get_tokenlizer = lambda *_: Tokenizer()
    groundingdino.get_tokenlizer.get_pretrained_language_model = lambda *_: bert
    swin = swin_transformer.SwinTransformer(
        pretrain_img_size=96,
        embed_dim=16,
        depths=[1, 1, 2, 1],
        num_heads=[1, 2, 4, 4],
        window_size=3,
        out_indices=(1, 2, 3),
        use_checkpoint=False,
    )
    backbone = Joiner(
        swin,
        position_encoding.PositionEmbeddingSineHW(
            WIDTH // 2, temperatureH=20, temperatureW=20, normalize=True
        ),
    )
    backbone.num_channels = swin.num_features[1:]
    inner = transformer.Transformer(
        d_model=WIDTH,
        nhead=8,
        num_queries=QUERIES,
        dim_feedforward=FFN,
        num_encoder_layers=2,
        num_decoder_layers=2,
        dropout=0.0,
        return_intermediate_dec=True,
        query_dim=4,
        activation="relu",
        num_feature_levels=4,
        enc_n_points=4,
        dec_n_points=4,
        learnable_tgt_init=True,
        two_stage_type="standard",
        embed_init_tgt=True,
        use_text_enhancer=True,
        use_fusion_layer=True,
        use_checkpoint=False,
        use_transformer_ckpt=False,
        use_text_cross_attention=True,
        text_dropout=0.0,
        fusion_dropout=0.0,
        fusion_droppath=0.1,
    )
    return groundingdino.GroundingDINO(
        backbone,
        inner,
        num_queries=QUERIES,
        aux_loss=True,
        iter_update=True,
        query_dim=4,
        num_feature_levels=4,
        nheads=8,
        dec_pred_bbox_embed_share=True,
        two_stage_type="standard",
        two_stage_bbox_embed_share=False,
        two_stage_class_embed_share=False,
    ).eval(), groundingdino.nested_tensor_from_tensor_list


class Encoded(dict):
    __getattr__ = dict.__getitem__

    def to(self, _device):
        return self


class Tokenizer:
    def __call__(self, *_, **__):
        ids = torch.tensor(IDS)
        return Encoded(input_ids=ids, attention_mask=torch.ones_like(ids), token_type_ids=ids * 0)

    def convert_tokens_to_ids(self, _):
        return [101, 102, 1012, 1029]


def stand_in_for_what_the_net_does_not_use():
    """Empty modules for plotting and the like, so that the package needs no others."""

    def module(name, **content):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(content)

    class DropPath(torch.nn.Identity):
        def __init__(self, *_, **__):
            super().__init__()

    module("timm")
    module("timm.models")
    module(
        "timm.models.layers",
        DropPath=DropPath,
        trunc_normal_=torch.nn.init.trunc_normal_,
        to_2tuple=lambda x: x if isinstance(x, tuple) else (x, x),
    )
    module("groundingdino.util.slconfig", SLConfig=object)
    module("groundingdino.util.visualizer", COCOVisualizer=object)


def main():
    net, nested = authors_net()
    shapes = {name: list(value.shape) for name, value in net.state_dict().items()}
    net.load_state_dict(weights(shapes), strict=False)
    with torch.inference_mode():
        said = net(nested([picture()[0]]), captions=["words"])
    logits, boxes = said["pred_logits"][0, :, : len(IDS[0])], said["pred_boxes"][0]
    DATA.write_text(
        json.dumps(
            {
                "shapes": shapes,
                "logits": [
                    [round(x, 5) if abs(x) < 1e9 else None for x in row] for row in logits.tolist()
                ],
                "boxes": [[round(x, 6) for x in row] for row in boxes.tolist()],
            }
        )
        + "\n"
    )
    print(DATA, len(shapes), "tensors")


if __name__ == "__main__":
    main()
