"""Files made to do harm: no code of theirs runs, no size of theirs is believed.

Every refusal names the node, the input and the file, and ComfyUI goes on.
"""

import json
import random
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from model_files import LOADER, WORDS, small_sam
from reference_groundingdino import DATA, weights

from amodal.core import weight_archive
from amodal.models import grounding_dino_weights
from tools.host.inprocess import Failed

NO_DETECTOR = "which is not a GroundingDINO model"
LOADERS = {  # input -> (node, folder)
    "detector": ("AmodalLoadSegmenter", "grounding-dino"),
    "masker": ("AmodalLoadSegmenter", "sams"),
    "order": ("AmodalLoadOrderModel", "instaorder"),
    "inpaint": ("AmodalLoadInpaintModel", "inpaint"),
    "masks": ("AmodalLoadMaskModel", "sssd"),
    "content": ("AmodalLoadContentModel", "sssd"),
}


class Writes(torch.nn.Module):
    """TorchScript that writes a file as soon as torch.jit.load reads it."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path
        self.training = False

    @torch.jit.export
    def __getstate__(self):
        return (self.path, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]):
        self.path = state[0]
        self.training = state[1]
        torch.save(torch.ones(1), self.path)

    def forward(self, x):
        return x


class Loops(torch.nn.Module):
    """TorchScript that never comes back from torch.jit.load."""

    def __init__(self):
        super().__init__()
        self.training = False

    @torch.jit.export
    def __getstate__(self):
        return (0, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[int, bool]):
        self.training = state[1]
        n = state[0]
        while n >= 0:
            n = n + 0

    def forward(self, x):
        return x


class Nested(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
        self.register_buffer("steps", torch.arange(3))
        self.turned = torch.nn.Parameter(torch.rand(4, 5).half().T)
        self.sizes, self.name, self.scale, self.on = [1, 2], "x", 1.5, True

    def forward(self, x):
        return self.net(x) * self.scale


@pytest.fixture
def folders(models, real_host):
    for _, folder in LOADERS.values():
        (models / folder).mkdir(parents=True, exist_ok=True)
    (models / "bert-base-uncased").mkdir(exist_ok=True)
    (models / "bert-base-uncased" / "vocab.txt").write_text("\n".join(WORDS))
    torch.save(small_sam().state_dict(), models / "sams" / "good.pth")
    torch.save(
        weights(json.loads(DATA.read_text())["shapes"]), models / "grounding-dino" / "good.pth"
    )
    yield models
    for folder in ("instaorder", "inpaint", "sssd"):
        for file in (models / folder).iterdir():
            file.unlink()


def refused(host, graph, input: str, file: str) -> str:
    node, _ = LOADERS[input]
    segmenter = {**LOADER, "detector": "good.pth", "masker": "good.pth", input: file}
    graph.keep(model=graph.add(node, **(segmenter if "Segmenter" in node else {"file": file})))
    with pytest.raises(Failed) as error:
        host.run(graph)
    said = str(error.value)
    name = input if "Segmenter" in node else "file"
    assert f"input '{name}' names {file}" in said and "Remedy" in said
    return said


def test_the_danger_is_real(tmp_path):
    torch.jit.save(torch.jit.script(Writes(str(tmp_path / "written"))), tmp_path / "a.pt")
    assert not (tmp_path / "written").exists()
    torch.jit.load(tmp_path / "a.pt")
    assert (tmp_path / "written").exists()


@pytest.mark.parametrize("input", LOADERS)
def test_torchscript_in_a_file_does_not_run(host, graph, folders, input, tmp_path):
    place = folders / LOADERS[input][1] / "script.pt"
    torch.jit.save(torch.jit.script(Writes(str(tmp_path / "written"))), place)
    assert not (tmp_path / "written").exists()
    assert "script.pt, which is not a weights-only file" in refused(host, graph, input, "script.pt")
    assert not (tmp_path / "written").exists()


def test_an_endless_loop_in_a_file_does_not_run(host, graph, folders):
    net = torch.jit.script(Loops())
    torch.jit.save(net, folders / "inpaint" / "loop.pt")
    refused(host, graph, "inpaint", "loop.pt")


@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_a_torchscript_file_gives_the_tensors_that_torch_finds_in_it(tmp_path, how):
    net = Nested().eval()
    script = (
        torch.jit.script(net) if how == "scripted" else torch.jit.trace(net, torch.rand(1, 3, 8, 8))
    )
    torch.jit.save(script, tmp_path / "net.pt")
    want = torch.jit.load(tmp_path / "net.pt").state_dict()
    got = weight_archive.script_tensors(tmp_path / "net.pt")
    assert weight_archive.is_script(tmp_path / "net.pt") and set(got) == set(want)
    assert all(torch.equal(got[name], want[name]) for name in want)


def stretched(path: Path) -> None:
    torch.save({"a.weight": torch.zeros(1).expand(1 << 40)}, path)


def without_numbers(path: Path) -> None:
    torch.save({"a.weight": torch.zeros(0, 1 << 40)}, path)


def bomb(path: Path) -> None:
    """A zip archive that says one gigabyte of zeros."""
    torch.save({"a.weight": torch.zeros(8)}, path)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in records.items():
            archive.writestr(name, bytes(1 << 24) if name.endswith("data/0") else data)


SIZES = {
    "stretched.pth": stretched,
    "without numbers.pth": without_numbers,
    "bomb.pth": bomb,
    "numbers as names.pth": lambda path: torch.save({1: torch.zeros(2)}, path),
}


@pytest.mark.parametrize("file", SIZES)
@pytest.mark.parametrize("input", LOADERS)
def test_sizes_that_a_file_states_are_not_believed(host, graph, folders, input, file):
    SIZES[file](folders / LOADERS[input][1] / file)
    assert "which is not a weights-only file" in refused(host, graph, input, file)


@pytest.mark.parametrize(
    ("input", "name"),
    [
        ("detector", "transformer.decoder.layers.999999999.norm1.weight"),
        ("detector", "backbone.0.layers.99999999.blocks.0.norm1.weight"),
        ("masker", "mask_decoder.transformer.layers.999999999.norm1.weight"),
        ("masker", "image_encoder.blocks.999999999.norm1.weight"),
    ],
)
def test_a_layer_number_in_a_name_is_not_believed(host, graph, folders, input, name):
    place = folders / LOADERS[input][1]
    state = torch.load(place / "good.pth", weights_only=True)
    torch.save({**state, name: torch.ones(4)}, place / "many.pth")
    assert "many.pth, which is not a" in refused(host, graph, input, "many.pth")


@pytest.fixture
def folder(folders) -> Path:
    """A valid GroundingDINO in Hugging Face's layout, and Python beside it that leaves a trace."""
    place = folders / "grounding-dino" / "folder"
    state = weights(json.loads(DATA.read_text())["shapes"])
    grounding_dino_weights.net_of(state, "x").save_pretrained(place, safe_serialization=True)
    (place / "vocab.txt").write_text("\n".join(WORDS))
    (place / "net.py").write_text(f"open({str(place / 'ran')!r}, 'w')\nclass Config: pass\n")
    return place


CONFIGS = {
    "its own python": {"auto_map": {"AutoConfig": "net.Config", "AutoModel": "net.Config"}},
    "python of the backbone": {
        "backbone_config": {
            "model_type": "swin",
            "auto_map": {"AutoBackbone": "net.Config"},
            "trust_remote_code": True,
        }
    },
    "another kind of backbone": {"backbone_config": {"model_type": "resnet"}},
    "a name on the hub": {"backbone": "someone/backbone", "use_pretrained_backbone": True},
    "timm": {"use_timm_backbone": True, "backbone": "resnet50"},
    "a kernel": {"attn_implementation": "someone/kernel"},
    "a kernel of the text": {"text_config": {"_attn_implementation": "someone/kernel"}},
    "another text": {"text_config": {"model_type": "roberta"}},
    "an activation": {"activation_function": "someone/activation"},
    "a number of layers": {"encoder_layers": 10**6},
    "a size": {"d_model": 2**19},
    "the largest sizes": {"text_config": {"vocab_size": 2**20, "hidden_size": 2**20}},
    "a negative number": {"decoder_layers": -1},
    "a text for a number": {"num_queries": "many"},
    "infinity": {"d_model": float("inf")},
    "no sections": {"backbone_config": None, "text_config": None},
}


@pytest.mark.parametrize("attack", CONFIGS)
def test_a_config_gives_numbers_and_nothing_else(host, graph, folder, no_network, attack):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for key, value in CONFIGS[attack].items():
        config[key] = (
            {**config[key], **value} if isinstance(value, dict) and key in config else value
        )
    path.write_text(json.dumps(config))
    assert "folder, which is not a GroundingDINO model" in refused(
        host, graph, "detector", "folder"
    )
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000, '{"model_type": 1}', "\udcff"])
def test_a_config_of_any_text_is_refused_by_name(host, graph, folder, text):
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "folder, which is not a GroundingDINO model" in refused(
        host, graph, "detector", "folder"
    )


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("vocab.txt", b"\xff\xfe\x00"),
        ("tokenizer.json", b"\xff\xfe\x00"),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b"[1, 2]"),
    ],
)
def test_a_broken_tokenizer_is_refused_by_name(host, graph, folder, file, data):
    (folder / file).write_bytes(data)
    graph.keep(
        model=graph.add("AmodalLoadSegmenter", **LOADER, detector="folder", masker="good.pth")
    )
    with pytest.raises(Failed, match=rf"input 'detector' needs {file}, which holds no vocabulary"):
        host.run(graph)


@pytest.mark.parametrize("form", ["zip", "legacy", "script", "safetensors"])
def test_a_file_with_any_damage_loads_or_is_refused_by_name(real_host, folders, form):
    """300 damaged files of each form: cut short, bytes changed, pieces doubled."""
    from safetensors.torch import save_file

    loaders = sys.modules[real_host.pack["AmodalLoadInpaintModel"].__module__].model_files
    refusal = sys.modules[loaders.BadInput.__module__].BadInput
    name = "damaged.safetensors" if form == "safetensors" else "damaged.pth"
    path = folders / "inpaint" / name
    if form == "script":
        torch.jit.save(torch.jit.script(Nested()), path)
    elif form == "safetensors":
        save_file({"a.weight": torch.rand(9, 9), "b": torch.rand(3)}, path)
    else:
        net = {"a.weight": torch.rand(9, 9), "b": torch.rand(3)}
        torch.save(net, path, _use_new_zipfile_serialization=form == "zip")
    whole, draw, outcomes = path.read_bytes(), random.Random(form), []
    for _ in range(300):
        data = bytearray(whole)
        if draw.random() < 0.3:
            del data[draw.randrange(len(data)) :]
        for _ in range(draw.randint(1, 6)):
            if data:
                data[draw.randrange(len(data))] = draw.randrange(256)
        if draw.random() < 0.2:
            data += data[draw.randrange(max(1, len(data))) :]
        path.write_bytes(data)
        try:
            state = loaders.read("inpaint", name)
        except refusal as error:
            assert name in str(error)
            outcomes.append("refused")
        else:
            assert all(isinstance(value, torch.Tensor) for value in state.values())
            outcomes.append("loaded")
    assert set(outcomes) == {"refused", "loaded"}
