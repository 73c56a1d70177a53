"""Every loader refuses wrong files by name, and never runs code inside a file."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import pytest
import torch
from model_files import LOADER, WORDS, Dangerous, small_sam
from reference_groundingdino import DATA, weights

from amodal.models.pretrained import article
from tools.host.inprocess import Failed, Graph

GROUNDED = {"detector": "groundingdino_swint_ogc.pth", "masker": "sam_vit_b_01ec64.pth"}
LOADERS = {  # input -> (node, its title, folder, its model)
    "detector": (
        "AmodalLoadSegmenter",
        "Load Grounded Segmenter",
        "grounding-dino",
        "GroundingDINO model",
    ),
    "masker": ("AmodalLoadSegmenter", "Load Grounded Segmenter", "sams", "SAM model"),
    "order": ("AmodalLoadOrderModel", "Load Order Model", "instaorder", "InstaOrderNet_od"),
    "inpaint": ("AmodalLoadInpaintModel", "Load Inpaint Model", "inpaint", "inpainting model"),
    "masks": ("AmodalLoadMaskModel", "Load Mask Model", "sssd", "PCNet-M of SSSD"),
    "content": ("AmodalLoadContentModel", "Load Content Model", "sssd", "PCNet-C of SSSD"),
}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> dict[str, Path]:
    """A valid file for each loader, and a spandrel model that does not inpaint."""
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
    from spandrel.architectures.LaMa import LaMa

    from amodal.models import instaorder, sssd, sssd_content

    place = tmp_path_factory.mktemp("kinds")
    states = {
        "detector": {"model": weights(json.loads(DATA.read_text())["shapes"])},
        "masker": small_sam().state_dict(),
        "order": {"state_dict": instaorder.OrderNet().state_dict()},
        "inpaint": LaMa(in_nc=4, out_nc=3).state_dict(),
        "masks": {"state_dict": sssd.MaskNet(8).state_dict()},
        "content": {"state_dict": sssd_content.ContentNet(4, 7).state_dict()},
        "upscaler": SRVGGNetCompact(num_feat=8, num_conv=2).state_dict(),
    }
    for name, state in states.items():
        torch.save(state, place / f"{name}.pth")
    return {name: place / f"{name}.pth" for name in states}


@pytest.fixture
def folders(real_host, kinds, models):
    """ComfyUI's models folder, with a valid second file for the segmenter."""
    for input, file in GROUNDED.items():
        place = models / LOADERS[input][2]
        place.mkdir(parents=True, exist_ok=True)
        (place / file).symlink_to(kinds[input])
    for name in ("bert-base-uncased", "instaorder", "inpaint", "sssd"):
        (models / name).mkdir(parents=True, exist_ok=True)
    (models / "bert-base-uncased" / "vocab.txt").write_text("\n".join(WORDS))
    yield models
    for name in ("instaorder", "inpaint", "sssd"):
        for file in (models / name).iterdir():
            file.unlink()


def refused(host, graph, loader: str, file: str) -> str:
    """The loader's error for a file, which names the node and the input."""
    node, title, _, _ = LOADERS[loader]
    inputs = {**LOADER, **GROUNDED, loader: file} if loader in GROUNDED else {"file": file}
    graph.keep(model=graph.add(node, **inputs))
    with pytest.raises(Failed) as error:
        host.run(graph)
    said = str(error.value)
    input = loader if loader in GROUNDED else "file"
    for words in (title, f"input '{input}' names {file}", "Remedy"):
        assert words in said
    after = Graph()
    after.keep(mask=after.add("SolidMask", value=1.0, width=8, height=8))
    assert host.run(after).values["mask"].shape == (1, 8, 8)  # ComfyUI still runs
    return said


PAIRS = [(one, kind) for one in LOADERS for kind in [*LOADERS, "upscaler"] if kind != one]


@pytest.mark.parametrize(("loader", "kind"), PAIRS)
def test_a_file_of_every_other_kind_is_refused_by_name(host, graph, folders, kinds, loader, kind):
    (folders / LOADERS[loader][2] / "other.pth").symlink_to(kinds[kind])
    what = LOADERS[loader][3]
    assert f"other.pth, which is not {article(what)} {what}" in refused(
        host, graph, loader, "other.pth"
    )


def zipped_code(path: Path) -> None:
    torch.save({"state_dict": Dangerous()}, path)


def short(path: Path) -> None:
    """An incomplete download."""
    torch.save({"a.weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1500])


def short_safetensors(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a.weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1500])


NO_WEIGHTS = {
    "code.pth": lambda path: path.write_bytes(pickle.dumps({"state_dict": Dangerous()})),
    "zipped code.pth": zipped_code,
    "whole net.pth": lambda path: torch.save(torch.nn.Linear(2, 2), path),
    "short.pth": short,
    "empty.pth": lambda path: path.write_bytes(b""),
    "page.pth": lambda path: path.write_text("<!DOCTYPE html><html>Not found</html>"),
    "numbers.pth": lambda path: torch.save({"epoch": 3, "step": 4}, path),
    "tensor.pth": lambda path: torch.save(torch.zeros(2, 2), path),
    "number.pth": lambda path: torch.save(3, path),
    "list.pth": lambda path: torch.save([torch.zeros(2), torch.zeros(2)], path),
    "short.safetensors": short_safetensors,
    "empty.safetensors": lambda path: path.write_bytes(b""),
    "page.safetensors": lambda path: path.write_text("<!DOCTYPE html><html>Not found</html>"),
}


@pytest.mark.parametrize("file", NO_WEIGHTS)
@pytest.mark.parametrize("loader", LOADERS)
def test_a_file_without_weights_is_refused_by_name_and_its_code_does_not_run(
    host, graph, folders, loader, file, capfd
):
    NO_WEIGHTS[file](folders / LOADERS[loader][2] / file)
    assert f"{file}, which is not a weights-only file" in refused(host, graph, loader, file)
    assert "code of a weights file ran" not in capfd.readouterr().out


def test_the_danger_is_real(tmp_path, capfd):
    """The refused file runs its code when it is unpickled."""
    NO_WEIGHTS["zipped code.pth"](tmp_path / "code.pth")
    torch.load(tmp_path / "code.pth", weights_only=False)
    assert "code of a weights file ran" in capfd.readouterr().out


@pytest.mark.parametrize("broken", [name for name in NO_WEIGHTS if name.endswith(".safetensors")])
def test_a_folder_with_a_broken_file_is_refused_by_name(host, graph, folders, broken):
    from transformers import GroundingDinoConfig

    place = folders / "grounding-dino" / "folder"
    place.mkdir()
    (place / "vocab.txt").write_text("\n".join(WORDS))
    (place / "config.json").write_text(json.dumps(GroundingDinoConfig().to_dict(), default=str))
    NO_WEIGHTS[broken](place / "model.safetensors")
    assert "folder, which is not a weights-only file" in refused(host, graph, "detector", "folder")


@pytest.mark.parametrize("kind", ["sam", "grounding-dino with pickled weights"])
def test_a_folder_of_another_kind_is_refused_by_name(host, graph, folders, kinds, kind):
    """config.json names the model, and only safetensors weights are read."""
    place = folders / "grounding-dino" / "folder"
    place.mkdir()
    (place / "vocab.txt").write_text("\n".join(WORDS))
    (place / "config.json").write_text(json.dumps({"model_type": kind.split(" ")[0]}))
    if kind == "sam":
        (place / "model.safetensors").write_bytes(b"")
        said = refused(host, graph, "detector", "folder")
        assert "folder, which is not a GroundingDINO model (its config.json says sam)" in said
    else:
        (place / "pytorch_model.bin").write_bytes(pickle.dumps(Dangerous()))
        assert "folder, which is not in models/grounding-dino" in refused(
            host, graph, "detector", "folder"
        )


def test_comfyui_loads_and_unloads_every_network(host, graph, folders, kinds, monkeypatch):
    """An unloaded network is loaded again, with the same outputs."""
    import comfy.model_management as management

    for kind in ("order", "inpaint"):
        (folders / LOADERS[kind][2] / "good.pth").symlink_to(kinds[kind])
    values = host.run(
        graph.keep(
            segmenter=graph.add("AmodalLoadSegmenter", **LOADER, **GROUNDED),
            order=graph.add("AmodalLoadOrderModel", file="good.pth"),
            inpaint=graph.add("AmodalLoadInpaintModel", file="good.pth"),
        )
    ).values
    segmenter, order, inpaint = (values[name] for name in ("segmenter", "order", "inpaint"))
    monkeypatch.setattr(sys.modules[type(segmenter.detector).__module__], "SHORT", 64)
    remove = sys.modules[host.pack["AmodalLoadInpaintModel"].__module__].remove
    image = torch.rand(40, 50, 3)
    masks = torch.zeros(2, 40, 50)
    masks[0, :20], masks[1, 20:] = 1, 1

    def asked() -> list[torch.Tensor]:
        return [
            segmenter.detector.find(image, ["cat"]).scores,
            segmenter.masker.masks(image, boxes=torch.tensor([[5.0, 5, 30, 30]]))[1],
            order.order(image, masks, [(0, 1)]).nan_to_num(),
            remove(inpaint, image[None], masks[:1]),
        ]

    def held() -> set[int]:
        models = [one.model.model for one in management.current_loaded_models]
        return {id(getattr(model, "net", None)) for model in models}

    first = asked()
    nets = {
        id(net) for net in (segmenter.detector.net, segmenter.masker.net, order.net, inpaint.model)
    }
    assert nets <= held()
    management.unload_all_models()
    assert not nets & held()
    again = asked()
    assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(first, again))
    assert nets <= held()


def put(folders: Path, kinds, loader: str, *places: str) -> None:
    """The valid file of a loader at these places in its folder."""
    for place in places:
        path = folders / LOADERS[loader][2] / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(kinds[loader])


@pytest.fixture
def tidy(folders):
    """Folders within the models folder, which go again."""
    yield folders
    for _, _, folder, _ in LOADERS.values():
        for name in ("sub", "other"):
            shutil.rmtree(folders / folder / name, ignore_errors=True)


def loaded_by(graph, loader: str, file: str):
    node = LOADERS[loader][0]
    segmenter = {**LOADER, **GROUNDED, loader: file}
    return graph.add(node, **(segmenter if "Segmenter" in node else {"file": file}))


@pytest.mark.parametrize("file", ["sub/deep/mine.pth", "sub\\deep\\mine.pth", "mine.pth"])
@pytest.mark.parametrize("loader", LOADERS)
def test_a_file_in_a_folder_is_found_however_a_workflow_spells_it(
    host, graph, tidy, kinds, loader, file
):
    put(tidy, kinds, loader, "sub/deep/mine.pth")
    graph.keep(model=loaded_by(graph, loader, file))
    assert host.run(graph).values["model"] is not None


@pytest.mark.parametrize("loader", LOADERS)
def test_a_bare_name_in_two_folders_is_refused_with_both(host, graph, tidy, kinds, loader):
    put(tidy, kinds, loader, "sub/mine.pth", "other/mine.pth")
    graph.keep(model=loaded_by(graph, loader, "mine.pth"))
    with pytest.raises(Failed, match=r"choose one of other.mine\.pth, sub.mine\.pth"):
        host.run(graph)


@pytest.mark.parametrize("file", ["../mine.pth", "sub/../../mine.pth", "..\\mine.pth", "/mine.pth"])
@pytest.mark.parametrize("loader", LOADERS)
def test_no_name_leads_out_of_the_folder(host, graph, tidy, kinds, loader, file):
    put(tidy, kinds, loader, "../mine.pth")
    graph.keep(model=loaded_by(graph, loader, file))
    try:
        with pytest.raises(Failed, match="which is not in models/"):
            host.run(graph)
    finally:
        (tidy / "mine.pth").unlink()
