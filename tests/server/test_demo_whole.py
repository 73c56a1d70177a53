"""The complete demo, as the README's first command runs it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from amodal.app.host import ROOT
from amodal.stickers.catalog import CATALOG, WORDS
from research.evaluation import judge
from tools.demo.rows import Frame
from tools.demo.stories import STORIES

NAMES = {"input.png", "truth.png", "completed.png", "amodal_mask.png", "result.json"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """(the process that has ended, its folder), run as where no terminal shows its lines."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done, folder


def results(folder) -> dict[str, tuple[dict, dict]]:
    """{scene: (result of plain inpainting, result of mixed context)}."""
    places = {story.folder: folder / story.folder for story in STORIES}
    return {
        name: tuple(json.loads((at / "result.json").read_text()) for at in (place / "plain", place))
        for name, place in places.items()
    }


def iou(result: dict) -> float:
    return result["against_truth"]["amodal_iou"]


@pytest.mark.slow
def test_six_scenes_are_completed_and_measured_against_the_truth(demo):
    _, folder = demo
    for story in STORIES:
        assert {path.name for path in (folder / story.folder).iterdir()} >= NAMES
    mixed = {name: result for name, (_, result) in results(folder).items()}
    assert all(set(result["statuses"]) == {"completed"} for result in mixed.values())
    assert len(mixed["seeds"]["statuses"]) == 4
    assert min(map(iou, mixed.values())) > 0.85
    assert sum(map(iou, mixed.values())) / len(mixed) > 0.9


def painted(story, folder, picture: str) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a result on the scene's sheet [2S, 2S, 3], and where it has pixels."""
    scene = story.scene()
    result = json.loads((folder / "result.json").read_text())
    at = result["offset"][0] if result["offset"] else (0, 0)
    frame = Frame(-scene.size // 2, -scene.size // 2, 2 * scene.size)
    view = np.asarray(frame.view(Image.open(folder / picture).convert("RGBA"), *at), np.float32)
    return view[..., :3] / 255, view[..., 3] == 255


@pytest.mark.slow
@pytest.mark.parametrize("story", [s for s in STORIES if "companion" in s.line])
def test_plain_inpainting_paints_the_companion_that_the_line_names(demo, story):
    """By a network that was trained for the evaluation only."""
    scene = story.scene()
    companion = CATALOG[scene.word].co_occurring
    assert companion in story.line
    canvas, known = painted(story, demo[1] / story.folder / "plain", "pass_1.png")
    found = judge.classes(np.where(known[..., None], canvas, scene.truth_sheet))
    hidden = scene.amodal_sheet().sum() * scene.hidden()
    assert (found == 1 + WORDS.index(companion)).sum() > 0.5 * hidden
    plain, mixed = results(demo[1])[story.folder]
    assert iou(mixed) - iou(plain) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.folder)
def test_mixed_context_paints_nothing_but_the_object(demo, story):
    folder = demo[1] / story.folder
    passes = sorted(path.name for path in folder.glob("pass_*.png"))
    canvas, known = painted(story, folder, passes[-1] if passes else "overlays.png")
    assert judge.spurious(story.scene(), canvas, known) < judge.SPURIOUS


@pytest.mark.slow
def test_where_the_companion_stood_mixed_context_comes_far_closer(demo):
    plain, mixed = results(demo[1])["companion"]
    assert iou(mixed) - iou(plain) > 0.2
    assert plain["against_truth"]["occluded_iou"] < 0.3 < mixed["against_truth"]["occluded_iou"]


@pytest.mark.slow
def test_two_layers_take_two_passes_and_both_are_kept(demo):
    _, mixed = results(demo[1])["layers"]
    assert mixed["passes"] == 2
    assert {"pass_1.png", "pass_2.png"} <= {path.name for path in (demo[1] / "layers").iterdir()}


@pytest.mark.slow
def test_the_canvas_grows_beyond_the_borders_that_cut_the_object(demo):
    found = results(demo[1])
    grown = {}
    for name, sides in (("border", 1), ("corner", 2)):
        picture, canvas = (Image.open(demo[1] / name / f) for f in ("input.png", "completed.png"))
        grown[name] = [canvas.width > picture.width, canvas.height > picture.height]
        assert sum(grown[name]) == sides
        leftwards = found[name][1]["offset"][0][0] < 0
        assert leftwards == (name == "border"), "the other grows to the right"


@pytest.mark.slow
def test_the_sheet_has_six_rows_and_eight_columns(demo):
    done, folder = demo
    width, height = Image.open(folder / "contact_sheet.png").size
    assert width > 8 * 200 and height > 6 * 200
    assert str(folder / "contact_sheet.png") in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_where_no_terminal_shows_it_the_demo_writes_a_line_for_each_scene(demo):
    done, _ = demo
    lines = (done.stdout + done.stderr).splitlines()
    assert "\r" not in done.stdout + done.stderr
    assert len(STORIES) <= len(lines) <= 2 * len(STORIES)
