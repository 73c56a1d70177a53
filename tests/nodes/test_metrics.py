"""Measures of a completion (section 4.1) against the numbers of their packages; result tables."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from amodal.core.errors import BadInput
from amodal.measures import metrics, statistics
from amodal.measures.table import Table


def square(left, top, right, bottom, side=32) -> torch.Tensor:
    mask = torch.zeros(side, side)
    mask[top:bottom, left:right] = 1
    return mask


TRUE, MODAL = square(4, 4, 20, 20), square(4, 4, 20, 12)
PICTURE = torch.rand(32, 32, 3, generator=torch.Generator().manual_seed(1))


def test_ious_of_the_true_mask_and_of_the_modal_mask():
    assert metrics.of_masks(TRUE, TRUE, MODAL) == {"amodal IoU": 1, "occluded IoU": 1}
    assert metrics.of_masks(MODAL, TRUE, MODAL) == {"amodal IoU": 0.5, "occluded IoU": 0}
    assert metrics.of_masks(MODAL, MODAL, MODAL) == {"amodal IoU": 1, "occluded IoU": 1}


def test_colours_are_compared_on_the_occluded_pixels_of_both_masks():
    wrong = torch.where(MODAL[..., None] > 0, 0.0, (PICTURE + 0.25))
    found = metrics.colour_error(wrong, square(4, 4, 20, 16), PICTURE, TRUE, MODAL)
    assert found == pytest.approx(0.25, abs=1e-6)
    assert metrics.colour_error(PICTURE, MODAL, PICTURE, TRUE, MODAL) == 1


def test_objects_are_compared_over_black_in_the_box_of_both():
    one, other = metrics.pair_on_black(PICTURE, MODAL, PICTURE, TRUE)
    assert one.shape == other.shape == (1, 3, 16, 16)
    assert not one[..., 8:, :].any() and torch.equal(one[..., :8, :], other[..., :8, :])


def test_st_lpips_is_its_packages_own():
    stlpips = pytest.importorskip("stlpips_pytorch.stlpips")
    other = PICTURE.flip(0)
    found = metrics.measure("ST-LPIPS", PICTURE, TRUE, other, TRUE, "")
    one, two = metrics.pair_on_black(PICTURE, TRUE, other, TRUE)
    pair = torch.nn.functional.interpolate(torch.cat([one, two]), size=(128, 128), mode="bilinear")
    model = stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval()
    with torch.no_grad():
        own = float(model(pair[:1], pair[1:], normalize=True))
    assert found == pytest.approx(own, abs=1e-6) and found > 0.01
    assert metrics.measure("ST-LPIPS", PICTURE, TRUE, PICTURE, TRUE, "") == pytest.approx(0)


def alexnet(path: Path) -> dict:
    """Random weights in torchvision's layout."""
    torch.manual_seed(0)
    shapes = {
        0: (64, 3, 11, 11),
        3: (192, 64, 5, 5),
        6: (384, 192, 3, 3),
        8: (256, 384, 3, 3),
        10: (256, 256, 3, 3),
    }
    state = {
        "classifier.1.weight": torch.zeros(4096, 9216),
        "classifier.1.bias": torch.zeros(4096),
        "classifier.4.weight": torch.zeros(4096, 4096),
        "classifier.4.bias": torch.zeros(4096),
        "classifier.6.weight": torch.zeros(1000, 4096),
        "classifier.6.bias": torch.zeros(1000),
    }
    for number, shape in shapes.items():
        state[f"features.{number}.weight"] = torch.randn(shape) / np.prod(shape[1:]) ** 0.5
        state[f"features.{number}.bias"] = torch.randn(shape[0]) * 0.1
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)
    return state


def test_lpips_is_its_packages_own(tmp_path, monkeypatch):
    package = pytest.importorskip("lpips")
    folder = tmp_path / "hub" / "checkpoints"  # where the package itself looks
    alexnet(folder / metrics.ALEXNET)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    one, two = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    own = package.LPIPS(net="alex", verbose=False).eval()
    with torch.no_grad():
        wanted = float(own(one, two, normalize=True))
    found = metrics.perceptual(metrics.lpips(folder), one, two, 64)
    assert found == pytest.approx(wanted, rel=1e-5)
    assert wanted > 0.001


def tiny_clip(folder: Path) -> None:
    """A CLIP with random weights and a vocabulary of a few letters, as Hugging Face saves it."""
    import json

    from transformers import (
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        CLIPProcessor,
        CLIPTokenizer,
    )

    folder.mkdir()
    words = ["<|startoftext|>", "<|endoftext|>", *"catdog", *(c + "</w>" for c in "catdog")]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    small = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    torch.manual_seed(4)
    config = CLIPConfig(
        text_config={**small, "vocab_size": len(vocabulary), "eos_token_id": 1, "bos_token_id": 0},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    CLIPModel(config).eval().save_pretrained(folder)
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    CLIPProcessor(images, tokenizer).save_pretrained(folder)


def test_clip_similarity_is_its_packages_own(tmp_path):
    tiny_clip(tmp_path / "clip")
    picture = metrics.on_black(PICTURE, TRUE, TRUE)
    found = {word: metrics.clip_similarity(picture, word, tmp_path) for word in ("cat", "dog")}
    model, processor = metrics.clip(tmp_path)
    pixels = (picture[0].movedim(0, -1) * 255).round().byte().numpy()
    inputs = processor(text=["cat", "dog"], images=[pixels], return_tensors="pt", padding=True)
    with torch.no_grad():
        logits = model(**inputs).logits_per_image[0] / model.logit_scale.exp()
    assert [found["cat"], found["dog"]] == pytest.approx(logits.tolist(), abs=1e-5)
    assert found["cat"] != found["dog"]


@pytest.mark.parametrize("name", ["LPIPS", "CLIP", "DreamSim"])
def test_what_is_missing_is_told(name, tmp_path):
    package, file, _ = metrics.MODELS[name]
    there = importlib.util.find_spec(package) is not None
    with pytest.raises(BadInput, match=f"needs {file}.*get it" if there else "pip install"):
        metrics.measure(name, PICTURE, TRUE, PICTURE, TRUE, "cat", tmp_path)


# --- tables ------------------------------------------------------------------------------------


def texts(values) -> list[str]:
    return [f"amodal IoU: {value:.6f}\nST-LPIPS: {1 - value:.6f}" for value in values]


def test_a_table_holds_means_intervals_and_paired_tests():
    rng = np.random.default_rng(0)
    ours = rng.uniform(0.6, 0.9, 12)
    table = Table.of(texts(ours) + texts(ours - 0.1), ["ours"] * 12 + ["other"] * 12)
    assert table.methods == ["ours", "other"] and table.measures == ["amodal IoU", "ST-LPIPS"]
    rounded = [round(float(v), 6) for v in ours]
    value, low, high = statistics.mean(rounded)
    head, first, second = table.cells()
    assert first[:3] == ["ours", "12", f"{value:.3f} ({low:.3f} to {high:.3f})"]
    assert second[2].startswith(f"{value - 0.1:.3f}") and second[2].endswith("p 0.00049")
    assert table.markdown().splitlines()[1] == "| --- | --- | --- | --- |"
    lines = table.csv().splitlines()
    assert len(lines) == 25 and lines[1].split(",")[1] == str(rounded[0])
    assert table.picture().shape[0] == 3 * 32 + 1 and table.picture().min() < 0.5


def test_paired_differences():
    assert statistics.paired([1, 2, 3], [1, 2, 3]) == (0, 1)
    difference, p = statistics.paired(list(range(8)), [n + 1 + n / 10 for n in range(8)])
    assert difference == pytest.approx(1.35) and p == pytest.approx(2 / 2**8)


def test_texts_and_methods_must_fit():
    with pytest.raises(BadInput, match="2 for 3"):
        Table.of(texts([1, 1, 1]), ["a", "b"])
    with pytest.raises(BadInput, match="Completion Metrics"):
        Table.of(["hello"], ["a"])


def test_the_nodes_measure_and_tabulate(host, graph):
    image = graph.value("image", PICTURE[None])
    links = {
        "image": image,
        "true_image": image,
        "true_amodal_mask": graph.value("true amodal mask", TRUE[None]),
        "modal_mask": graph.value("modal mask", MODAL[None]),
        "measures": "",
        "label": "cat",
    }
    right = graph.add("AmodalCompletionMetrics", amodal_mask=links["true_amodal_mask"], **links)
    both = graph.add("TestList", value=right[0])
    table = graph.add("AmodalResultsTable", measures=both, methods="ours\nours")
    values = host.run(
        graph.keep(
            lines=right[0],
            amodal_iou=right[1],
            occluded_iou=right[2],
            colour_error=right[3],
            markdown=table[0],
            csv=table[1],
            picture=table[2],
        )
    ).values
    assert (values["amodal_iou"], values["occluded_iou"], values["colour_error"]) == (1, 1, 0)
    assert values["lines"].splitlines()[0] == "amodal IoU: 1.000000"
    assert "| ours | 2 | 1.000 (1.000 to 1.000) |" in values["markdown"]
    assert len(values["csv"].splitlines()) == 3 and values["picture"].shape[-1] == 3
