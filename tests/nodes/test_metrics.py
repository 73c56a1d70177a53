"""Measures of a completion (section 4.1) against the numbers of their packages; result tables."""

import importlib.util
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from amodal.core.errors import BadInput
from amodal.measures import clip, metrics, statistics
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


@pytest.mark.parametrize("form", clip.WEIGHTS)
def test_clip_similarity_is_its_packages_own(tmp_path, form):
    from transformers import CLIPModel, CLIPProcessor

    tiny_clip(tmp_path / "clip")
    own, processor = (
        kind.from_pretrained(tmp_path / "clip") for kind in (CLIPModel, CLIPProcessor)
    )
    if form != clip.WEIGHTS[0]:
        (tmp_path / "clip" / clip.WEIGHTS[0]).unlink()
        counted = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
        torch.save({**own.state_dict(), **counted}, tmp_path / "clip" / form)
    picture = metrics.on_black(PICTURE, TRUE, TRUE)
    net = clip.load(tmp_path / "clip")
    found = [net.similarity(picture, word) for word in ("cat", "dog")]
    pixels = (picture[0].movedim(0, -1) * 255).round().byte().numpy()
    inputs = processor(text=["cat", "dog"], images=[pixels], return_tensors="pt", padding=True)
    with torch.no_grad():
        logits = own.eval()(**inputs).logits_per_image[0] / own.logit_scale.exp()
    assert found == pytest.approx(logits.tolist(), abs=1e-5)
    assert found[0] != found[1]
    assert -1 <= net.similarity(picture, "cat dog " * 500) <= 1


def test_clip_reads_the_config_of_the_published_file(tmp_path):
    """Its sections are overruled by `*_config_dict`, and hold many keys beside the known ones."""
    import json

    tiny_clip(tmp_path / "clip")
    path = tmp_path / "clip" / "config.json"
    config = json.loads(path.read_text())
    heads = config["text_config"]["num_attention_heads"]
    config["text_config_dict"] = {"num_attention_heads": heads, "torch_dtype": "float32"}
    config["text_config"] = {**config["text_config"], "num_attention_heads": 7, "top_k": 50}
    config |= {"vision_config_dict": None, "architectures": ["CLIPModel"], "torch_dtype": None}
    path.write_text(json.dumps(config))
    assert clip.load(tmp_path / "clip").net.config.text_config.num_attention_heads == heads


HOSTILE = {
    "its own python": {"auto_map": {"AutoConfig": "net.Config", "AutoModel": "net.Config"}},
    "python of a part": {"vision_config": {"auto_map": {"AutoModel": "net.Config"}}},
    "python in a later part": {"text_config_dict": {"auto_map": {"AutoModel": "net.Config"}}},
    "another kind": {"model_type": "siglip"},
    "another kind of a part": {"text_config": {"model_type": "bert"}},
    "a kernel": {"text_config": {"_attn_implementation": "someone/kernel"}},
    "an activation": {"vision_config": {"hidden_act": "someone/activation"}},
    "a number of layers": {"vision_config": {"num_hidden_layers": 10**6}},
    "the largest sizes": {"text_config": {"vocab_size": 2**20, "hidden_size": 2**20}},
    "a text for a number": {"projection_dim": "many"},
    "no sections": {"text_config": None},
}
BROKEN = {
    "config.json": (b"", b"[]", b"[" * 100_000, b"\xff"),
    "model.safetensors": (b"", b"\x00" * 40, b"\xff" * 8),
    "vocab.json": (b"", b"[]", b'{"a": 9999999}', b'{"a": "b"}', b"\xff"),
    "merges.txt": (b"\xff\xfe\n\xff",),
}


@pytest.fixture
def clip_folder(tmp_path) -> Path:
    tiny_clip(tmp_path / "clip")
    (tmp_path / "clip" / "net.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    return tmp_path / "clip"


def refused_clip(folder: Path) -> None:
    with pytest.raises(BadInput, match="name CLIP, but .* is not a folder of CLIP"):
        clip.load(folder)
    assert not (folder.parent / "ran").exists()


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_config_of_clip_gives_numbers_and_nothing_else(clip_folder, no_network, attack):
    import json

    path = clip_folder / "config.json"
    config = json.loads(path.read_text())
    for key, value in HOSTILE[attack].items():
        both = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = {**config[key], **value} if both else value
    path.write_text(json.dumps(config))
    refused_clip(clip_folder)


@pytest.mark.parametrize(
    ("file", "data"), [(file, data) for file in BROKEN for data in BROKEN[file]], ids=str
)
def test_a_broken_file_of_clip_is_refused_by_name(clip_folder, no_network, file, data):
    (clip_folder / file).write_bytes(data)
    refused_clip(clip_folder)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "vocab.json", "merges.txt"])
def test_a_missing_file_of_clip_is_refused_by_name(clip_folder, no_network, file):
    (clip_folder / file).unlink()
    refused_clip(clip_folder)


def test_pickled_code_beside_clip_does_not_run(clip_folder, no_network):
    class Runs:
        def __reduce__(self):
            return open, (str(clip_folder.parent / "ran"), "w")

    (clip_folder / clip.WEIGHTS[0]).unlink()
    torch.save({"a": Runs()}, clip_folder / clip.WEIGHTS[1])
    refused_clip(clip_folder)


def test_a_folder_of_clip_gives_its_files_no_say_in_preprocessing(clip_folder, no_network):
    """These files can name Python and other classes, so they are not read."""
    for name in ("preprocessor_config.json", "tokenizer_config.json", "processor_config.json"):
        (clip_folder / name).write_text('{"auto_map": {"AutoProcessor": "net.P"}, "a": [')
    assert -1 <= clip.load(clip_folder).similarity(torch.rand(1, 3, 9, 9), "cat") <= 1
    assert not (clip_folder.parent / "ran").exists()


@pytest.mark.parametrize("name", ["LPIPS", "CLIP", "DreamSim"])
def test_what_is_missing_is_told(name, tmp_path):
    package, file, _ = metrics.MODELS[name]
    there = importlib.util.find_spec(package) is not None
    with pytest.raises(BadInput, match=f"needs {file}.*get it" if there else "pip install"):
        metrics.measure(name, PICTURE, TRUE, PICTURE, TRUE, "cat", tmp_path)


PACKAGE = """
import pathlib, torch

def dreamsim(pretrained, cache_dir, device):
    for path in pathlib.Path(cache_dir).rglob("*.pth"):
        torch.load(path, weights_only=False)  # as a package may do
    return (lambda first, second: (first - second).abs().mean()), None
"""


class Runs:
    """Writes a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def dreamsim_folder(tmp_path, monkeypatch):
    """The metrics folder with sound files for a package of the name dreamsim."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "dreamsim.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "dreamsim", raising=False)
    adapter = tmp_path / "metrics" / "dreamsim" / "ensemble_lora"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "auto_mapping": null}')
    torch.save({"state_dict": {"a": torch.ones(2)}, "epoch": 3}, adapter.parent / "dino.pth")
    safetensors.torch.save_file({"a": torch.ones(2)}, adapter / "adapter_model.safetensors")
    (adapter / "README.md").write_text("about")
    yield tmp_path / "metrics"
    sys.modules.pop("dreamsim", None)


def script(path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)


def compressed(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", "0" * 10_000)


UNSAFE = {
    "dino.pth": lambda path: torch.save(Runs(path.parents[2] / "ran"), path),
    "script.pth": script,
    "compressed.tar": compressed,
    "cut.bin": lambda path: path.write_bytes(b"PK"),
    "text.safetensors": lambda path: path.write_text("text"),
    "ensemble_lora/adapter_config.json": lambda path: path.write_text(
        '{"auto_mapping": {"parent_library": "os"}}'
    ),
    "adapter_config.json": lambda path: path.write_text("[" * 100_000),
    "code.py": lambda path: path.write_text("print()"),
    "link.pth": lambda path: path.symlink_to("/etc/hostname"),
}


def test_dreamsim_measures_with_sound_files(dreamsim_folder):
    distance = metrics.dreamsim_distance(
        torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8), dreamsim_folder
    )
    assert distance == pytest.approx(1)


@pytest.mark.parametrize("name", UNSAFE)
def test_a_dreamsim_folder_runs_nothing(dreamsim_folder, name):
    UNSAFE[name](dreamsim_folder / "dreamsim" / name)
    with pytest.raises(BadInput, match="DreamSim.*Remedy"):
        metrics.dreamsim_distance(PICTURE, PICTURE, dreamsim_folder)
    assert not (dreamsim_folder.parent / "ran").exists()


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
