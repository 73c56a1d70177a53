"""The weights files of the sticker models: total size, and clear errors for bad files."""

import pytest
import torch
from stickers_at_hand import module_of

from amodal.stickers import weight_files
from tools.host.inprocess import Failed


def test_all_weights_together_are_small():
    files = list(weight_files.FOLDER.glob("*.safetensors"))
    assert {f.stem for f in files} == {
        f"stickers_{name}" for name in ("unet", "vae", "text", "segmenter", "order")
    }
    assert sum(f.stat().st_size for f in files) < 40e6


LOADERS = {
    "stickers_unet": ("AmodalStickerCheckpoint", "Sticker Checkpoint"),
    "stickers_text": ("AmodalStickerCheckpoint", "Sticker Checkpoint"),
    "stickers_vae": ("AmodalStickerCheckpoint", "Sticker Checkpoint"),
    "stickers_segmenter": ("AmodalStickerSegmenter", "Sticker Segmenter"),
    "stickers_order": ("AmodalStickerOrder", "Sticker Order Model"),
}


def spoil(path, how: str):
    """Make a weights file missing, broken, cut short, or another model's."""
    from safetensors.torch import save_file

    if how == "missing":
        path.unlink()
    elif how == "broken":
        path.write_bytes(b"these are no weights")
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        save_file({"weight": torch.zeros(3)}, path)


@pytest.fixture
def elsewhere(real_host, tmp_path, monkeypatch):
    """A copy of the weights, which ComfyUI reads and a test may damage."""
    for file in weight_files.FOLDER.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    of_the_host = module_of("AmodalStickerCheckpoint").sticker_models.weight_files
    monkeypatch.setattr(of_the_host, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("how", ["missing", "broken", "cut short", "empty", "another model's"])
@pytest.mark.parametrize("name", LOADERS)
def test_a_bad_weights_file_is_named_and_the_host_goes_on(host, graph, elsewhere, name, how):
    path = elsewhere / f"{name}.safetensors"
    good = path.read_bytes()
    spoil(path, how)
    node, title = LOADERS[name]
    graph.keep(model=graph.add(node)[0])
    with pytest.raises(Failed, match=f"{title}.*{path.name}.*Remedy"):
        host.run(graph)
    path.write_bytes(good)
    assert host.run(graph).values["model"] is not None


def test_weights_trained_on_other_words_are_refused(host, graph, elsewhere):
    from safetensors.torch import load_file, save_file

    path = elsewhere / "stickers_text.safetensors"
    state = {key: value.clone() for key, value in load_file(path).items()}
    save_file(state, path, {"config": '{"words": ["unicorn"]}'})
    graph.keep(model=graph.add("AmodalStickerCheckpoint")[0])
    with pytest.raises(Failed, match="stickers_text.*other words"):
        host.run(graph)
