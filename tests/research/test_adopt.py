"""Trained weights are taken over only if fixed scenes say that they are better."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from research.evaluation import adopt
from research.training import parts

ORDER = "stickers_order.safetensors"


def records(iou: list[float]) -> list[dict]:
    return [{"cell": "border", "amodal_iou": one, "success": one >= 0.85} for one in iou]


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        ([0.9, 0.9, 0.6], True),
        ([0.9, 0.86, 0.7], True),
        ([0.9, 0.9, 0.5], False),  # the same
        ([0.95, 0.84, 0.8], False),  # a higher mean, but one success less
        ([0.9, 0.86, 0.5], False),
    ],
)
def test_better_means_a_higher_mean_and_no_success_less(after, wanted):
    before = records([0.9, 0.9, 0.5])
    assert adopt.better(before, records(after)) == wanted
    assert "change of IoU" in adopt.table(before, records(after))


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Copies of the shipped weights, and an empty folder of trained ones."""
    shipped, state = tmp_path / "shipped", tmp_path / "state"
    shutil.copytree(adopt.SHIPPED, shipped)
    (state / "weights").mkdir(parents=True)
    monkeypatch.setattr(adopt, "SHIPPED", shipped)
    monkeypatch.setattr(adopt, "STATE", state)
    return shipped, state / "weights"


def measured_as(monkeypatch, change: float):
    """In the place of the scenes: the trained weights change each IoU by so much."""
    seen = []

    def measured(weights, folder, each):
        seen.append({path.name: path.read_bytes() for path in weights.glob("*.safetensors")})
        return records([0.7 + change * (len(seen) - 1)] * 5)

    monkeypatch.setattr(adopt, "measured", measured)
    return seen


@pytest.mark.parametrize("change", [0.01, -0.01])
def test_what_is_better_replaces_the_shipped_file_and_else_nothing_changes(
    folders, monkeypatch, tmp_path, change
):
    shipped, trained = folders
    before = (shipped / ORDER).read_bytes()
    (trained / ORDER).write_bytes(b"trained")
    seen = measured_as(monkeypatch, change)
    assert adopt.main([], tmp_path / "out", 1) == (change > 0)
    assert seen[0][ORDER] == before and seen[1][ORDER] == b"trained"
    assert len(seen[1]) == 5  # the others are the shipped ones
    assert (shipped / ORDER).read_bytes() == (b"trained" if change > 0 else before)


def test_a_name_that_was_not_trained_is_refused(folders, tmp_path):
    with pytest.raises(SystemExit, match="stickers_unet was trained; there is: nothing"):
        adopt.main(["stickers_unet"], tmp_path, 1)


@pytest.mark.parametrize("size", [0, 1, 10, 11, 25])
def test_parts_are_small_and_join_to_the_same_file(tmp_path, size):
    source = tmp_path / "model.safetensors"
    for length in (40, size):  # an earlier, longer file leaves nothing behind
        source.write_bytes(bytes(range(length)))
        written = parts.split(source, tmp_path, most=10)
    assert sorted(tmp_path.glob("*-of-*")) == sorted(written)
    assert all(part.stat().st_size <= 10 for part in written)
    (joined,) = parts.join(tmp_path, tmp_path / "joined")
    assert joined.name == source.name and joined.read_bytes() == source.read_bytes()


def test_a_missing_part_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no parts"):
        parts.join(tmp_path, tmp_path)
    source = tmp_path / "a.bin"
    source.write_bytes(bytes(25))
    parts.split(source, tmp_path, most=10)[1].unlink()
    with pytest.raises(FileNotFoundError, match="a.bin.2-of-3 is missing"):
        parts.join(tmp_path, tmp_path / "joined")


@pytest.mark.slow
def test_other_weights_give_other_completions(tmp_path):
    """The scenes really run with the weights of the folder."""
    shutil.copytree(adopt.SHIPPED, tmp_path / "weights")
    unet = tmp_path / "weights" / "stickers_unet.safetensors"
    state = {name: torch.zeros_like(value) for name, value in load_file(unet).items()}
    from safetensors import safe_open

    with safe_open(unet, "pt") as file:
        about = file.metadata()
    save_file(state, unet, about)
    (tmp_path / "out").mkdir()
    with_shipped, without = (
        adopt.measured(folder, tmp_path / "out", 1) for folder in (adopt.SHIPPED, unet.parent)
    )
    assert len(with_shipped) == len(without) == 5
    assert not adopt.better(with_shipped, without) and adopt.better(without, with_shipped)
