"""GroundingDINO: the authors' files in transformers, captions, and the word of a box."""

import json

import pytest
import torch
from model_files import WORDS
from reference_groundingdino import DATA, IDS, picture, weights

from amodal.core.errors import BadInput
from amodal.models import grounding_dino, grounding_dino_weights

REFERENCE = json.loads(DATA.read_text())


@pytest.fixture(scope="module")
def state() -> dict:
    """A tiny network in the layout of groundingdino_swint_ogc.pth; see reference_groundingdino."""
    return {f"module.{name}": value for name, value in weights(REFERENCE["shapes"]).items()}


@pytest.fixture(scope="module")
def net(state):
    return grounding_dino_weights.net_of(state, "tiny.pth")


@pytest.fixture
def tokenizer():
    from tokenizers import BertWordPieceTokenizer

    return BertWordPieceTokenizer({word: i for i, word in enumerate(WORDS)}, lowercase=True)


@torch.inference_mode()
def test_the_converted_network_gives_the_outputs_of_the_authors_code(net):
    ids = torch.tensor(IDS)
    said = net(
        pixel_values=picture(),
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        token_type_ids=torch.zeros_like(ids),
    )
    logits = said.logits[0, :, : ids.shape[1]]
    rows = REFERENCE["logits"]
    theirs = torch.tensor([[float("nan") if x is None else x for x in row] for row in rows])
    assert torch.equal(theirs.isnan(), ~logits.isfinite())
    assert theirs.isfinite().float().mean() > 0.5 and theirs.nan_to_num().std() > 0.5
    assert torch.allclose(logits[theirs.isfinite()], theirs[theirs.isfinite()], atol=1e-4)
    assert torch.allclose(said.pred_boxes[0], torch.tensor(REFERENCE["boxes"]), atol=1e-4)


def test_sizes_are_read_from_the_file(state):
    config = grounding_dino_weights.config_of(grounding_dino_weights.converted(state))
    assert config.backbone_config.depths == [1, 1, 2, 1]
    assert config.backbone_config.num_heads == [1, 2, 4, 4]
    assert (config.backbone_config.window_size, config.backbone_config.embed_dim) == (3, 16)
    assert (config.num_queries, config.d_model, config.encoder_layers) == (12, 256, 2)
    assert (config.text_config.hidden_size, config.text_config.num_hidden_layers) == (64, 2)


def test_names_of_later_versions_of_transformers():
    """As in transformers 5.24. The installed version decides which names are used."""
    block = f"{grounding_dino_weights.SWIN}encoder.layers.0.blocks.1."
    later = f"{grounding_dino_weights.SWIN}swin.encoder.layers.0.blocks.1."
    for old, new in {
        "attention.self.key.bias": "attention.k_proj.bias",
        "attention.output.dense.weight": "attention.o_proj.weight",
        "attention.self.relative_position_bias_table": (
            "attention.relative_position_bias.relative_position_bias_table"
        ),
        "intermediate.dense.bias": "mlp.fc1.bias",
        "output.dense.bias": "mlp.fc2.bias",
        "layernorm_after.bias": "layernorm_after.bias",
    }.items():
        assert grounding_dino_weights.later(block + old) == later + new
    stage = f"{grounding_dino_weights.SWIN}hidden_states_norms.stage2.bias"
    for same in (
        stage,
        "model.level_embed",
        "model.text_backbone.encoder.layer.0.attention.output.dense.bias",
    ):
        assert grounding_dino_weights.later(same) == same


@pytest.mark.parametrize("change", ["nothing of it", "a layer short", "an order model"])
def test_a_file_of_another_kind_is_refused_by_name(state, change):
    other = dict(state)
    if change == "nothing of it":
        other = {"a.weight": torch.zeros(1)}
    elif change == "an order model":
        other = {"module.conv1.weight": torch.zeros(64, 5, 7, 7)}
    else:
        del other["module.transformer.encoder.layers.1.linear1.weight"]
    with pytest.raises(
        BadInput, match=r"'detector' names other\.pth, which is not a GroundingDINO"
    ):
        grounding_dino_weights.net_of(other, "other.pth", "detector")


def test_a_caption_knows_the_tokens_of_each_word(tokenizer):
    ids, spans = grounding_dino.caption(tokenizer, ["Cat", "traffic light", "baseball bat."])
    words = [WORDS[i] for i in ids]
    assert words == [
        "[CLS]",
        "cat",
        ".",
        "traffic",
        "light",
        ".",
        "base",
        "##ball",
        "bat",
        ".",
        "[SEP]",
    ]
    assert [[words[n] for n in span] for span in spans] == [
        ["cat"],
        ["traffic", "light"],
        ["base", "##ball", "bat"],
    ]


def test_a_box_gets_one_word_even_if_parts_of_two_names_fit():
    spans = [[1, 2], [4, 5], [7]]  # baseball bat, baseball glove, cat
    chance = torch.zeros(3, 9)
    chance[0, [1, 4]], chance[0, 5], chance[0, 2] = 0.6, 0.5, 0.1  # the glove
    chance[1, 7] = 0.4
    chance[2, :] = 0.2  # no token is above the threshold
    best, scores = grounding_dino.resolved(chance, spans, 0.25)
    assert best[:2].tolist() == [1, 2]
    assert scores.tolist() == pytest.approx([0.6, 0.4, 0.0])


def test_many_words_are_split_into_several_captions(tokenizer):
    words = [f"cat {i}" for i in range(300)] + ["cat 7", "", "."]
    parts = grounding_dino.captions(tokenizer, words)
    assert len(parts) > 1 and [w for part in parts for w in part] == words[:300]
    assert all(len(grounding_dino.caption(tokenizer, part)[0]) <= 256 for part in parts)


def test_words_without_tokens_are_left_out(tokenizer):
    assert grounding_dino.captions(tokenizer, ["\u200b", "Cat", "\x07", " . ", "cat"]) == [["cat"]]


@pytest.mark.parametrize("words", [[], [""], [".", " "], ["\u200b"]])
def test_words_that_name_nothing_are_refused(net, tokenizer, words):
    detector = grounding_dino.Detector(net, tokenizer)
    with pytest.raises(BadInput, match="'words' is .*names nothing"):
        detector.find(torch.rand(30, 40, 3), words)


@pytest.mark.parametrize("words", [["cat " * 300], ["cat", "cat " * 250 + "bat"]])
def test_a_word_too_long_for_the_text_encoder_is_refused_by_name(net, tokenizer, words):
    detector = grounding_dino.Detector(net, tokenizer)
    with pytest.raises(
        BadInput, match=r"'words' holds 'cat cat .*\.\.\.', which is (300|251) tokens"
    ):
        detector.find(torch.rand(30, 40, 3), words)


def test_the_longest_word_that_fits_is_searched_for(net, tokenizer, monkeypatch):
    monkeypatch.setattr(grounding_dino, "SHORT", 64)
    word = " ".join(["cat"] * (grounding_dino.MOST_TOKENS - 1))
    found = grounding_dino.Detector(net, tokenizer).find(torch.rand(60, 80, 3), [word])
    assert set(found.words) == {word}
    assert len(grounding_dino.caption(tokenizer, [word])[0]) <= 256


@pytest.mark.parametrize(
    "size, view",
    [
        ((480, 640), (800, 1067)),
        ((100, 1000), (133, 1333)),
        ((1200, 900), (1067, 800)),
    ],
)
def test_pictures_are_resized_as_the_authors_do(size, view):
    seen = grounding_dino.picture_view(torch.full((*size, 3), 0.5))
    assert seen.shape == (1, 3, *view)
    assert seen[0, :, 5, 5].tolist() == pytest.approx([0.0655, 0.1964, 0.4178], abs=1e-3)


@pytest.mark.parametrize("half", [False, True])
def test_boxes_come_in_the_pictures_pixels_with_a_word_each(net, tokenizer, half, monkeypatch):
    monkeypatch.setattr(grounding_dino, "SHORT", 64)
    detector = grounding_dino.Detector(net, tokenizer, half=half)
    found = detector.find(torch.rand(90, 120, 3), ["cat", "traffic light"])
    assert found.boxes.shape == (12, 4) and found.scores.shape == (12,)
    assert set(found.words) <= {"cat", "traffic light"} and len(found.words) == 12
    assert (found.boxes[:, 2:] >= found.boxes[:, :2]).all() and found.boxes.min() >= 0
    assert found.boxes[:, [0, 2]].max() <= 120 and found.boxes[:, [1, 3]].max() <= 90
    assert found.scores.dtype == torch.float32 and ((found.scores >= 0) & (found.scores <= 1)).all()
