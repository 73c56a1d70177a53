"""GroundingDINO in the authors' own package: the same answers as transformers', and the choice."""

import json
import sys

import pytest
import torch
from model_files import LOADER, WORDS, put_segmenter, small_sam
from reference_groundingdino import DATA, IDS, picture, weights
from stickers_at_hand import module_of

from amodal.core.errors import BadInput
from amodal.models import grounding_dino, grounding_dino_package, grounding_dino_weights
from tools.host.inprocess import Failed

PACKAGE = grounding_dino_package.NAME
PROBLEM = grounding_dino_package.problem()
# A vocabulary in which the full stop has its number in BERT's: the authors' code looks for that.
VOCABULARY = [*(word if word != "." else "[unused]" for word in WORDS)]
VOCABULARY += [*(f"[more{i}]" for i in range(1012 - len(WORDS))), "."]
needs_package = pytest.mark.skipif(bool(PROBLEM), reason=f"{PACKAGE}: {PROBLEM}")


@pytest.fixture(scope="module")
def state() -> dict:
    shapes = json.loads(DATA.read_text())["shapes"]
    return {f"module.{name}": value for name, value in weights(shapes).items()}


@pytest.fixture(scope="module")
def nets(state) -> list:
    """The tiny network in the authors' package, and in transformers."""
    both = grounding_dino_package, grounding_dino_weights
    return [module.net_of(state, "tiny.pth") for module in both]


@needs_package
@torch.inference_mode()
def test_both_backends_give_the_same_outputs(nets):
    ids = torch.tensor(IDS)
    asked = {
        "pixel_values": picture(),
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
    }
    one, two = (net(**asked) for net in nets)
    assert (one.pred_boxes - two.pred_boxes).abs().max() < 1e-5
    count = ids.shape[1]
    one, two = one.logits[0, :, :count], two.logits[0, :, :count]
    finite = two.isfinite()
    assert torch.equal(finite, one.isfinite()) and finite.float().mean() > 0.5
    assert (one[finite] - two[finite]).abs().max() < 1e-3


@needs_package
@pytest.mark.parametrize("size", [(90, 120), (200, 64)])
def test_both_backends_find_the_same_boxes(nets, size, monkeypatch):
    from tokenizers import BertWordPieceTokenizer

    monkeypatch.setattr(grounding_dino, "SHORT", 96)
    tokenizer = BertWordPieceTokenizer(
        {word: i for i, word in enumerate(VOCABULARY)}, lowercase=True
    )
    image = torch.rand(*size, 3, generator=torch.Generator().manual_seed(5))
    words = ["cat", "traffic light", "baseball bat", *(f"cat {i}" for i in range(140))]
    one, two = (grounding_dino.Detector(net, tokenizer).find(image, words) for net in nets)
    scale = max(size)
    assert (one.boxes - two.boxes).abs().max() < 1e-3 * scale
    assert (one.scores - two.scores).abs().max() < 1e-3
    same = [a == b for a, b in zip(one.words, two.words)]
    assert len(one.words) > 12 and sum(same) >= 0.95 * len(same)  # ties may fall either way


@needs_package
def test_other_packages_find_none_of_what_stood_in(nets):
    for name in ("timm", "groundingdino.util.slconfig", "groundingdino.util.visualizer"):
        module = sys.modules.get(name)
        assert module is None or getattr(module, "__file__", None), name


@needs_package
@pytest.mark.parametrize("change", ["nothing of it", "a layer short", "one tensor more"])
def test_a_file_of_another_kind_is_refused_by_name(state, change):
    other = dict(state)
    if change == "nothing of it":
        other = {"a.weight": torch.zeros(1)}
    elif change == "one tensor more":
        other["module.transformer.extra.weight"] = torch.zeros(1)
    else:
        del other["module.transformer.encoder.layers.1.linear1.weight"]
    with pytest.raises(
        BadInput, match=r"'detector' names other\.pth, which is not a GroundingDINO"
    ):
        grounding_dino_package.net_of(other, "other.pth", "detector")


# --- the loader ----------------------------------------------------------------------------------


def loader(graph, **inputs):
    files = {"detector": "groundingdino_swint_ogc.pth", "masker": "sam_vit_b_01ec64.pth"}
    graph.keep(model=graph.add("AmodalLoadSegmenter", **{**files, **LOADER, **inputs}))
    return graph


def backends() -> dict:
    return module_of("AmodalLoadSegmenter").BACKENDS


@needs_package
def test_the_package_makes_a_segmenter_without_the_network(models, host, graph, no_network):
    put_segmenter(models)
    (models / "bert-base-uncased" / "vocab.txt").write_text("\n".join(VOCABULARY))
    run = host.run(loader(graph, backend=PACKAGE))
    found = run.values["model"].detect(torch.rand(90, 120, 3), ["cat", "traffic light"], 0.0)
    assert found.masks.shape[1:] == (90, 120) and set(found.labels) <= {"cat", "traffic light"}
    assert run.ui["1"]["text"] == [f"GroundingDINO runs in {PACKAGE} 0.4.0"]


@needs_package
def test_a_sam_file_is_refused_by_name_in_the_package_too(models, host, graph):
    put_segmenter(models)
    torch.save(small_sam().state_dict(), models / "grounding-dino" / "wrong.pth")
    with pytest.raises(Failed, match=r"'detector' names wrong\.pth, which is not a GroundingDINO"):
        host.run(loader(graph, detector="wrong.pth", backend=PACKAGE))


@pytest.mark.parametrize("broken", [(), ("transformers",), (PACKAGE,), ("transformers", PACKAGE)])
def test_automatic_takes_the_first_backend_that_works(models, real_host, broken, monkeypatch):
    put_segmenter(models)
    for name, module in backends().items():
        said = "it is broken" if name in broken else ""
        monkeypatch.setattr(module, "problem", lambda said=said: said)
    working = module_of("AmodalLoadSegmenter").working
    left = [name for name in ("transformers", PACKAGE) if name not in broken]
    if left:
        assert working("automatic", "groundingdino_swint_ogc.pth") == left[0]
    else:
        with pytest.raises(ValueError, match="'backend' is automatic: transformers does not work"):
            working("automatic", "groundingdino_swint_ogc.pth")


@pytest.mark.parametrize("backend", ["transformers", PACKAGE])
def test_a_backend_that_does_not_work_is_refused_with_the_reason(
    models, host, graph, backend, monkeypatch
):
    put_segmenter(models)
    monkeypatch.setattr(backends()[backend], "problem", lambda: "no such thing here")
    with pytest.raises(Failed, match=f"'backend' is {backend}: .*no such thing here.*Remedy"):
        host.run(loader(graph, backend=backend))


def test_automatic_says_which_backend_it_took(models, host, graph):
    import transformers

    put_segmenter(models)
    said = host.run(loader(graph)).ui["1"]["text"]
    assert said == [f"GroundingDINO runs in transformers {transformers.__version__}"]


def test_the_package_reads_no_folder(models, host, graph, monkeypatch):
    put_segmenter(models)
    (models / "grounding-dino" / "folder").mkdir()
    monkeypatch.setattr(backends()[PACKAGE], "problem", lambda: "")
    working = module_of("AmodalLoadSegmenter").working
    monkeypatch.setattr(
        module_of("AmodalLoadSegmenter").model_files, "need", lambda *_: str(models / "sams")
    )
    with pytest.raises(ValueError, match="no folder in Hugging Face's layout"):
        working(PACKAGE, "folder")
    assert working("automatic", "folder") == "transformers"


def test_a_package_that_is_missing_or_too_new_a_transformers_is_a_reason(monkeypatch):
    import transformers

    grounding_dino_package.parts.cache_clear()
    for name in [name for name in sys.modules if name.startswith("groundingdino")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "groundingdino", None)
    assert "pip install --no-deps groundingdino-py" in grounding_dino_package.problem()
    monkeypatch.setattr(transformers, "BertModel", torch.nn.Module)
    assert "needs transformers below 5" in grounding_dino_package.problem()
    grounding_dino_package.parts.cache_clear()
