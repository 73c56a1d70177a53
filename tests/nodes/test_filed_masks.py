"""Large batches of masks lie in a file, and are numbers like any others."""

import errno
import gc
import tempfile

import pytest
import torch

from amodal.core import filed_masks

MASKS = torch.rand(7, 50, 41, generator=torch.Generator().manual_seed(2)) > 0.6
MASKS[3] = False
MASKS[4, :, :-1] = False


@pytest.fixture
def any_is_large(monkeypatch):
    monkeypatch.setattr(filed_masks, "LARGE", 100)


def test_a_small_batch_is_held_in_memory(tmp_path):
    given = filed_masks.as_numbers(MASKS, tmp_path / "no such folder")
    assert given.dtype == torch.float32 and torch.equal(given, MASKS.float())
    assert not (tmp_path / "no such folder").exists()


def test_a_large_batch_has_the_same_numbers(any_is_large, tmp_path):
    given = filed_masks.as_numbers(MASKS, tmp_path / "new")
    assert given.dtype == torch.float32 and torch.equal(given, MASKS.float())
    assert torch.equal(1 - given, (~MASKS).float())


def test_who_writes_into_a_large_batch_changes_a_copy(any_is_large, tmp_path):
    given = filed_masks.as_numbers(MASKS, tmp_path)
    given[0, :5] *= 0.5
    given += 1
    assert torch.equal(given[1], MASKS[1].float() + 1)
    assert MASKS.dtype == torch.bool


def test_nothing_is_left_of_a_large_batch(any_is_large, tmp_path):
    given = filed_masks.as_numbers(MASKS, tmp_path)
    kept = given.clone()
    del given
    gc.collect()
    assert torch.equal(kept, MASKS.float()) and not list(tmp_path.iterdir())


class FullDisk:
    """A stand-in for a file on a disk without room."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_masks_in_memory(any_is_large, tmp_path, monkeypatch):
    make = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **at: FullDisk(make(**at)))
    given = filed_masks.as_numbers(MASKS, tmp_path)
    assert given.dtype == torch.float16 and torch.equal(given.float(), MASKS.float())


def test_a_large_batch_takes_no_memory_until_it_is_read(tmp_path):
    """Twenty masks of a small object on 12 megapixels: 960 MB as numbers."""
    from tools.bench import memory

    masks = torch.zeros(24, 3000, 4000, dtype=torch.bool)
    masks[:, 1000:1300, 1000:1300] = True
    before = memory.resident()[0]
    given = filed_masks.as_numbers(masks, tmp_path)
    assert memory.resident()[0] - before < 0.1  # GB
    assert given[-1].sum() == 300 * 300
