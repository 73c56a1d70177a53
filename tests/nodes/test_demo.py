"""The demo's measures and contact sheet, on constructed completions."""

import numpy as np
import pytest
from PIL import Image

from amodal.app import headless
from amodal.stickers.closeness import seen_on_sheet
from amodal.stickers.scenes import make_scene
from tools.demo import __main__ as demo
from tools.demo import contact_sheet


@pytest.fixture(scope="module")
def scene():
    return make_scene(7, query="bus", occluder=None, cut="right", hidden=(0.25, 0.4))


def completion(scene, sheet: np.ndarray, x: int, y: int, folder) -> headless.Completion:
    """A workflow result: the sheet [2S, 2S, 4], cropped at (x, y) in the picture."""
    edge = scene.size // 2
    place = folder / "completed.png"
    demo.to_picture(sheet[edge + y : edge + y + 150, edge + x : edge + x + 180]).save(place)
    result = {"offset": [[x, y]], "status": "completed", "report": []}
    return headless.Completion(result, {"completed.png": place}, [], [])


@pytest.mark.parametrize("x, y", [(0, 0), (-10, -16)])
def test_the_truth_has_a_perfect_score_on_any_canvas(scene, tmp_path, x, y):
    sheet = scene.layers[scene.query].rgba.copy()
    sheet[..., :3] = scene.truth_sheet
    close = demo.compare(scene, completion(scene, sheet, x, y, tmp_path))
    assert close.amodal_iou > 0.995 and close.occluded_iou > 0.99 and close.colour < 0.003


def test_the_visible_part_alone_scores_zero_on_the_hidden_part(scene, tmp_path):
    sheet = np.dstack([scene.truth_sheet, seen_on_sheet(scene)])
    close = demo.compare(scene, completion(scene, sheet, 0, 0, tmp_path))
    assert close.occluded_iou == 0 and close.colour == 1
    assert close.amodal_iou == pytest.approx(1 - scene.hidden(), abs=0.01)


def test_colours_are_compared_only_in_the_hidden_part(scene, tmp_path):
    sheet = np.dstack([scene.truth_sheet, scene.amodal_sheet()])
    hidden = scene.amodal_sheet() & ~seen_on_sheet(scene)
    sheet[hidden, :3] = 1 - sheet[hidden, :3]
    wrong = demo.compare(scene, completion(scene, sheet, 0, 0, tmp_path))
    expected = np.abs(1 - 2 * scene.truth_sheet[hidden]).mean()
    assert wrong.colour == pytest.approx(expected, abs=0.01) and wrong.occluded_iou > 0.99


def test_every_story_matches_its_title():
    for story in demo.STORIES:
        scene = story.scene()
        low, high = story.arguments["hidden"]
        assert low <= scene.hidden() <= high
        assert (scene.amodal_sheet().sum() > scene.amodal().sum()) == (story.folder == "cut")


def test_the_contact_sheet_has_a_row_for_each_scene_and_shows_its_pictures():
    red = Image.new("RGB", (30, 20), "red")
    clear = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    rows = [
        contact_sheet.Row("one", "line", [("a", red)]),
        contact_sheet.Row("two", "line", [("a", red), ("a caption far too long " * 9, clear)]),
    ]
    one, two = (contact_sheet.sheet("title", "line", rows[:n]) for n in (1, 2))
    assert two.height > one.height and two.width > one.width
    pixels = np.asarray(two)
    assert (pixels == (255, 0, 0)).all(-1).sum() > 2 * 0.6 * contact_sheet.TILE**2
