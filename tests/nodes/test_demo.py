"""The demo's scenes, measures, progress and contact sheet, on constructed completions."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from amodal.app import headless, workflow
from amodal.app.run import Event, RunError
from amodal.stickers.catalog import CATALOG
from amodal.stickers.closeness import seen_on_sheet
from amodal.stickers.scenes import make_scene
from tools.demo import __main__ as demo
from tools.demo import contact_sheet, prompts, rows
from tools.demo.progress import Progress
from tools.demo.stories import STORIES

OUTPUTS = ("SaveImage", "PreviewImage", "PreviewAny")
BY_FOLDER = {story.folder: story for story in STORIES}


@pytest.fixture(scope="module")
def scene():
    return make_scene(7, query="bus", occluder=None, cut="right", hidden=(0.25, 0.4))


def completion(scene, sheet: np.ndarray, x: int, y: int, folder) -> headless.Completion:
    """A workflow result: the sheet [2S, 2S, 4], cropped at (x, y) in the picture."""
    edge = scene.size // 2
    canvas = rows.to_picture(sheet[edge + y : edge + y + 150, edge + x : edge + x + 180])
    places = {}
    for name in ("completed.png", "overlay.png", rows.ON_GRAY):
        places[name] = folder / name
        canvas.save(places[name])
    passes = [folder / f"pass_{number}.png" for number in (1, 2)]
    for path in (*passes, folder / "hides_1.png"):
        canvas.convert("RGB").save(path)
    result = {"offset": [[x, y]], "status": "completed", "report": []}
    return headless.Completion(result, places, passes, [folder / "hides_1.png"])


def true_sheet(scene) -> np.ndarray:
    """The true object on the sheet [2S, 2S, 4]."""
    sheet = scene.layers[scene.query].rgba.copy()
    sheet[..., :3] = scene.truth_sheet
    return sheet


@pytest.mark.parametrize("x, y", [(0, 0), (-10, -16)])
def test_the_truth_has_a_perfect_score_on_any_canvas(scene, tmp_path, x, y):
    close = rows.compare(scene, completion(scene, true_sheet(scene), x, y, tmp_path))
    assert close.amodal_iou > 0.995 and close.occluded_iou > 0.99 and close.colour < 0.003


def test_the_visible_part_alone_scores_zero_on_the_hidden_part(scene, tmp_path):
    sheet = np.dstack([scene.truth_sheet, seen_on_sheet(scene)])
    close = rows.compare(scene, completion(scene, sheet, 0, 0, tmp_path))
    assert close.occluded_iou == 0 and close.colour == 1
    assert close.amodal_iou == pytest.approx(1 - scene.hidden(), abs=0.01)


def test_colours_are_compared_only_in_the_hidden_part(scene, tmp_path):
    sheet = np.dstack([scene.truth_sheet, scene.amodal_sheet()])
    hidden = scene.amodal_sheet() & ~seen_on_sheet(scene)
    sheet[hidden, :3] = 1 - sheet[hidden, :3]
    wrong = rows.compare(scene, completion(scene, sheet, 0, 0, tmp_path))
    expected = np.abs(1 - 2 * scene.truth_sheet[hidden]).mean()
    assert wrong.colour == pytest.approx(expected, abs=0.01) and wrong.occluded_iou > 0.99


def sides_that_cut(scene) -> int:
    """The number of borders that the object reaches over."""
    edge, sheet = scene.size // 2, scene.amodal_sheet()
    beyond = (sheet[:, :edge], sheet[:edge], sheet[:, -edge:], sheet[-edge:])
    return sum(bool(part.any()) for part in beyond)


def test_every_scene_shows_what_its_title_says():
    scenes = {name: story.scene() for name, story in BY_FOLDER.items()}
    assert list(scenes) == ["front", "companion", "border", "corner", "layers", "seeds"]
    cut = {name: sides_that_cut(scene) for name, scene in scenes.items()}
    assert cut == dict.fromkeys(scenes, 0) | {"border": 1, "corner": 2}
    for name, scene in scenes.items():
        assert 0.2 <= scene.hidden() <= 0.75, name
    front, pair = scenes["front"].words[1], scenes["companion"].words
    assert pair[1] == CATALOG[pair[0]].co_occurring and CATALOG[pair[0]].p >= 0.75
    assert front != CATALOG[scenes["front"].word].co_occurring


def test_the_second_layer_hides_only_what_the_first_pass_paints():
    """The second layer is seen nowhere beside the object, so that it takes a second pass."""
    scene = BY_FOLDER["layers"].scene()
    seen, second, first = (scene.modal(index) for index in (0, 1, 2))
    near = np.pad(seen, 8)
    near = np.any([np.roll(near, s, a) for a in (0, 1) for s in range(-8, 9)], 0)[8:-8, 8:-8]
    assert not (near & second).any() and (near & first).any()
    assert (scene.amodal(0) & second).sum() > 0.04 * scene.amodal(0).sum()


def test_plain_inpainting_is_one_pass_of_the_shipped_workflow():
    prompt = prompts.plain("picture.png", "rabbit", 3)
    shown = {node["_meta"]["title"]: node for node in prompt.values() if "_meta" in node}
    outputs = [n for n in prompt.values() if n["class_type"] in OUTPUTS]
    reached = behind(prompt, outputs)
    assert {"Pass", "What hides it", "Completed object", "Overlay", "Offset"} <= shown.keys()
    assert "AmodalCompletion" not in reached and "AmodalLoopEnd" not in reached
    assert "SamplerCustomAdvanced" in reached


def test_the_estimate_on_gray_at_step_k_is_saved():
    prompt = prompts.mixed("picture.png", "rabbit", 3)
    shown = prompt[headless.saved(prompt)[rows.ON_GRAY]]
    decoded = prompt[shown["inputs"]["images"][0]]
    sampled, output = decoded["inputs"]["samples"]
    assert prompt[sampled]["class_type"] == "AmodalSampleToStep" and output == 1


def test_the_best_of_four_seeds_is_judged_by_one_counterfactual_each():
    prompt = prompts.best("picture.png", "rabbit", 3, 4)
    inputs = {node["class_type"]: node["inputs"] for node in prompt.values()}
    assert inputs["AmodalCompletion"]["count"] == 4
    assert inputs["AmodalCounterfactualBackgrounds"]["count"] == 1
    names = headless.saved(prompt)
    assert {"seeds.png", "overlays.png", "tests.png", "completed.png"} <= names.keys()
    report = prompt[workflow.need(prompt, "Report")]
    assert prompt[report["inputs"]["source"][0]]["class_type"] == "AmodalPickBest"


def behind(prompt: dict, nodes: list[dict]) -> set[str]:
    """The classes of the nodes that these need, and their own."""
    classes: set[str] = set()
    while nodes:
        node = nodes.pop()
        classes.add(node["class_type"])
        links = [v for v in node["inputs"].values() if isinstance(v, list)]
        nodes += [prompt[link[0]] for link in links]
    return classes


def test_every_tile_of_a_row_shows_the_same_square(scene, tmp_path):
    done = completion(scene, true_sheet(scene), -10, -16, tmp_path)
    tiles = rows.row(BY_FOLDER["border"], scene, done, done).tiles
    assert len(tiles) == sum(span for _, span in rows.HEADS)
    views = [np.asarray(picture.convert("RGBA"), int) for _, picture in tiles]
    picture, plain, _, _, painted, alone, overlay, truth = views
    assert len({view.shape for view in (picture, plain, painted, alone, overlay, truth)}) == 1
    inside = alone[..., 3] == 255
    assert np.abs(alone - truth)[inside].max() <= 1
    assert np.abs(picture - truth)[inside & (picture[..., 3] == 255)].max() <= 1
    assert (inside & (picture[..., 3] == 0)).any(), "the object reaches over the border"
    assert "100%" in tiles[1][0] and "100%" in tiles[5][0]


def test_one_pass_is_shown_on_gray_and_then_in_the_picture(scene, tmp_path):
    done = completion(scene, true_sheet(scene), 0, 0, tmp_path)
    done.passes.pop()
    Image.new("RGB", (128, 128), "gray").save(done.files[rows.ON_GRAY])
    tiles = rows.row(BY_FOLDER["border"], scene, done, done).tiles
    captions = [caption for caption, _ in tiles[2:5]]
    assert captions == ["gray: outside", "first on gray", "then in the picture"]
    assert tuple(np.asarray(tiles[3][1])[90, 90]) == (128, 128, 128)


def test_both_passes_are_shown_where_there_are_two(tmp_path):
    scene = make_scene(7, query="bus", occluder="cup", hidden=(0.25, 0.4))
    done = completion(scene, true_sheet(scene), 0, 0, tmp_path)
    Image.new("RGB", Image.open(done.passes[1]).size, "red").save(done.passes[0])
    tiles = rows.row(BY_FOLDER["layers"], scene, done, done).tiles
    captions = [caption for caption, _ in tiles[2:5]]
    assert captions == ["red hides green", "after pass 1", "after pass 2"]
    first, second = (np.asarray(picture)[90, 90] for _, picture in tiles[3:5])
    assert tuple(first) == (255, 0, 0, 255) and tuple(second) != tuple(first)


def test_all_seeds_are_shown_with_a_frame_around_the_chosen_one(scene, tmp_path):
    done = completion(scene, true_sheet(scene), 0, 0, tmp_path)
    del done.files["overlay.png"]  # the workflow for the best of several seeds has none
    for name in (rows.SEEDS, rows.TESTS, rows.OVERLAYS):
        for number, colour in enumerate(("red", "green", "blue", "white"), start=1):
            part = f"{name}.png" if number == 1 else f"{name}_{number}.png"
            done.files[part] = tmp_path / part
            Image.new("RGB", (60, 60), colour).save(done.files[part])
    done.result["report"] = ["2"]
    tiles = rows.row(BY_FOLDER["seeds"], scene, done, done).tiles
    mosaic = np.asarray(tiles[3][1])
    half = contact_sheet.TILE // 2
    corners = [mosaic[1 + y, 1 + x] for y in (0, half) for x in (0, half)]
    middles = [mosaic[half // 2 + y, half // 2 + x] for y in (0, half) for x in (0, half)]
    assert [tuple(m) for m in middles] == [(255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255)]
    framed = [i for i, (c, m) in enumerate(zip(corners, middles)) if tuple(c) != tuple(m)]
    assert framed == [2]
    assert tuple(np.asarray(tiles[6][1])[30, 30]) == (0, 0, 255, 255)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


def told(stream) -> str:
    """What the progress of two scenes of two runs of 50 steps each writes."""
    progress = Progress(2, stream)
    for title in ("one", "two"):
        progress.scene(title)
        for what in ("plain", "mixed"):
            progress.run(what)
            for step in range(50):
                progress(Event("progress", {"value": step + 1, "max": 50, "node": "9"}, 0.0))
        progress.done("completed")
    progress.close()
    return stream.getvalue()


def test_elsewhere_than_in_a_terminal_there_is_one_line_for_each_scene():
    lines = told(io.StringIO()).splitlines()
    assert len(lines) == 2 and "\r" not in "".join(lines)
    assert "one" in lines[0] and "two" in lines[1] and "completed" in lines[1]


def test_a_terminal_shows_one_line_that_changes_and_is_gone_at_the_end(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text = told(Terminal())
    assert "\n" not in text
    parts = text.split("\r")
    assert len(parts) > 200 and max(map(len, parts)) < 40
    assert parts[-1] == "" and parts[-2].strip() == ""


def test_the_contact_sheet_has_a_row_for_each_scene_and_shows_its_pictures():
    red = Image.new("RGB", (30, 20), "red")
    clear = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    lines = [
        contact_sheet.Row("one", "line", [("a", red)]),
        contact_sheet.Row("two", "line", [("a", red), ("a caption far too long " * 9, clear)]),
    ]
    heads = [("first", 1)]
    one, two = (contact_sheet.sheet("title", "line", heads, lines[:n]) for n in (1, 2))
    assert two.height > one.height and two.width > one.width
    pixels = np.asarray(two)
    assert (pixels == (255, 0, 0)).all(-1).sum() > 2 * 0.6 * contact_sheet.TILE**2


def test_the_head_of_several_columns_stands_above_their_middle():
    lines = [contact_sheet.Row("one", "", [("", None)] * 3)]
    sheets = [
        np.asarray(contact_sheet.sheet("", "", heads, lines))
        for heads in ([("", 1), ("", 2)], [("", 1), ("mixed", 2)])
    ]
    _, columns = np.nonzero((sheets[0] != sheets[1]).any(-1))
    middle = contact_sheet.MARGIN + 2 * contact_sheet.TILE + 1.5 * contact_sheet.GAP
    assert (columns.min() + columns.max()) / 2 == pytest.approx(middle, abs=3)


def stopped(*_) -> headless.Completion:
    raise RunError("out of memory", "Sampler (3)")


def nothing_seen(*_) -> headless.Completion:
    return headless.Completion({"status": "nothing detected", "statuses": []}, {}, [], [])


@pytest.mark.parametrize("run, why", [(stopped, "memory"), (nothing_seen, "nothing detected")])
def test_a_scene_that_fails_leaves_a_row_with_the_reason(tmp_path, monkeypatch, run, why):
    class FakeClient:
        def upload(self, picture):
            return picture.name

    monkeypatch.setattr(headless, "complete", run)
    progress = Progress(1, io.StringIO())
    outcome = demo.run_story(FakeClient(), STORIES[0], tmp_path / "front", progress)
    assert not outcome.ok and why in outcome.row.line
    assert len(outcome.row.tiles) == sum(span for _, span in rows.HEADS)
    assert demo.means([outcome]) == "none was completed"
    demo.contact_sheet.sheet("", "", rows.HEADS, [outcome.row])


def test_the_measures_are_added_to_the_result(scene, tmp_path):
    done = completion(scene, true_sheet(scene), 0, 0, tmp_path)
    demo.note_truth(scene, done, tmp_path)
    noted = json.loads((tmp_path / "result.json").read_text())
    assert noted["against_truth"]["amodal_iou"] > 0.99 and noted["status"] == "completed"
