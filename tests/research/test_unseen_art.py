"""Unseen art: found where it is unpacked, drawn into scenes, and measured against their truth."""

import numpy as np
import pytest
import torch
from PIL import Image

from amodal.stickers.catalog import WORDS, picture
from research.evaluation import unseen_art
from research.evaluation.unseen_art import ART


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """A folder like that of the stamps' package, with pictures of the pack's own."""
    folder = tmp_path / "usr/share/tuxpaint/stamps/animals"
    folder.mkdir(parents=True)
    for word in ("cat", "dog", "owl", "pig"):
        Image.fromarray(picture(word)).save(folder / f"{word}.png")
    Image.new("RGB", (40, 40), "red").save(folder / "without_alpha.png")
    Image.fromarray(picture("cat")).save(folder / "cat_mirror.png")
    monkeypatch.setenv(unseen_art.FOLDER, str(tmp_path))
    unseen_art.stamp_files.cache_clear()
    unseen_art.stamp.cache_clear()
    yield tmp_path
    unseen_art.stamp_files.cache_clear()
    unseen_art.stamp.cache_clear()


def test_what_is_not_installed_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv(unseen_art.FOLDER, str(tmp_path))
    assert ART["art-seen"].missing() == ""
    assert "apt-get install fonts-noto-color-emoji" in ART["art-noto"].missing()
    assert "apt-get install tuxpaint-stamps-default" in ART["art-tuxpaint"].missing()


def test_stamps_are_the_cut_outs(unpacked):
    art = ART["art-tuxpaint"]
    assert art.missing() == ""
    assert art.names() == tuple(f"animals/{word}.png" for word in ("cat", "dog", "owl", "pig"))
    assert set(art.scene(0).words) <= set(art.names())


def test_only_cut_outs_in_one_piece_are_used():
    assert all(
        unseen_art.is_one_thing(unseen_art.sticker(word)) for word in ("cat", "dog", "apple")
    )
    empty, full = Image.new("RGBA", (50, 50)), Image.new("RGBA", (50, 50), "red")
    scattered = Image.new("RGBA", (50, 50))
    scattered.paste("red", (0, 0, 20, 50))
    scattered.paste("red", (30, 0, 50, 50))
    assert not any(unseen_art.is_one_thing(art) for art in (empty, full, scattered))


@pytest.fixture(scope="module")
def scene():
    return ART["art-seen"].scene(0)


def test_scenes_show_three_objects_over_each_other_and_can_be_drawn_again(scene):
    assert len(scene.layers) == 3 and set(scene.words) <= set(WORDS)
    assert 0.1 <= scene.hidden() <= 0.8
    assert np.array_equal(ART["art-seen"].scene(0).image, scene.image)
    assert not np.array_equal(ART["art-seen"].scene(0, seed=1).image, scene.image)


class Knowing:
    """A segmenter and order model that know the scene, or tell the opposite."""

    def __init__(self, scene, right=True):
        self.scene, self.right = scene, right

    def detect(self, image, words=None, threshold=0.5):
        from amodal.core.detections import from_masks

        masks = np.stack([self.scene.modal(i) for i in range(3)]).astype(np.float32)
        return from_masks(torch.from_numpy(masks if self.right else 0 * masks), [])

    def order(self, image, masks, pairs):
        table = torch.full((3, 3), float("nan"))
        for i, j in pairs:
            far, near = min(i, j), max(i, j)
            over = unseen_art.hides(self.scene, near, far)
            table[near, far] = float(over == self.right)
            table[far, near] = float(not self.right)
        return table


def test_perfect_models_score_perfectly_and_wrong_ones_score_nothing(scene):
    figures, pictures = unseen_art.analysed(scene, *[Knowing(scene)] * 2)
    assert figures["objects"] == [1, 1, 1]
    assert figures["right"] == figures["pairs"] >= 2
    assert figures["front"] == figures["over"] >= 1
    assert len(unseen_art.tiles(pictures)) == 4
    wrong, _ = unseen_art.analysed(scene, *[Knowing(scene, right=False)] * 2)
    assert wrong["objects"] == [0, 0, 0]
    assert wrong["right"] == wrong["front"] == 0 and wrong["pairs"] == figures["pairs"]


def test_removal_is_measured_where_the_object_and_its_occluders_were():
    """On one colour the truth is known to the bit; the error is that of the hole alone."""
    drawn = (ART["art-seen"].scene(number) for number in range(20))
    flat = next(s for s in drawn if all(unseen_art.hides(s, i, 0) for i in (1, 2)))
    flat.background_sheet = np.full_like(flat.background_sheet, 0.7)
    masks = torch.from_numpy(np.stack([flat.modal(i) for i in range(3)])).float()
    _, error = unseen_art.emptied(flat, torch.from_numpy(flat.image.copy()).float(), masks)
    assert error < 0.02
    flat.background_sheet = flat.background_sheet * 0
    _, wrong = unseen_art.emptied(flat, torch.full((128, 128, 3), 0.5), masks)
    assert wrong == pytest.approx(0.5, abs=0.05)
