"""`--results NAME=FOLDER`: results of other programs on sticker scenes and on a data set."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from amodal.core.errors import BadInput
from amodal.measures import dataset_item
from amodal.stickers.closeness import iou
from research.evaluation import join_results, outside, outside_scenes, pasted, runner
from research.evaluation.report import claims, paper

PLAN = ["--per-cell", "1", "--seed", "3", "--workers", "0"]


def bytes_of(values: np.ndarray) -> np.ndarray:
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)


def put(folder, results: dict, corners: dict | None = None) -> None:
    """results: {name: RGBA [h, w, 4] in 0..1}."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rgba in results.items():
        Image.fromarray(bytes_of(rgba), "RGBA").save(folder / f"{name}.png")
    if corners is not None:
        (folder / "offsets.json").write_text(json.dumps(corners))


def options(*words):
    return paper.parser().parse_args([*PLAN, *map(str, words)])


@pytest.fixture(scope="module")
def scenes() -> dict:
    """{name: scene} of the plan."""
    return {
        outside_scenes.name_of(task): outside_scenes.scene_of(task)
        for task in paper.scenes(options())
    }


@pytest.fixture(scope="module")
def two(scenes) -> dict:
    """Of them the ones that `found_of` scores, which takes a second for each."""
    return {name: scenes[name] for name in map(outside_scenes.name_of, scored())}


def scored() -> list:
    return [one for one in paper.scenes(options()) if one.cell in ("companion-hard", "other-easy")]


def true_object(scene) -> np.ndarray:
    return np.dstack([scene.truth, scene.amodal()])


def visible_object(scene) -> np.ndarray:
    return np.dstack([scene.image, scene.modal()])


def cut_out(rgba: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """An object's box of its picture, and its corner."""
    rows, columns = np.nonzero(rgba[..., 3])
    top, left = int(rows.min()), int(columns.min())
    return rgba[top : rows.max() + 1, left : columns.max() + 1], [left, top]


def found_of(folder, tmp_path, *more) -> list[dict]:
    chosen = options("--results", f"other={folder}", *more, "--out", tmp_path / "out")
    chosen.out.mkdir(parents=True, exist_ok=True)
    return outside_scenes.records_of(chosen.results, scored(), chosen)


def test_the_truth_succeeds_and_the_visible_part_does_not(two, tmp_path):
    put(tmp_path / "best", {name: true_object(scene) for name, scene in two.items()})
    put(tmp_path / "worst", {name: visible_object(scene) for name, scene in two.items()})
    found = found_of(tmp_path / "best", tmp_path, f"none={tmp_path / 'worst'}")
    assert [r["method"] for r in found] == ["other"] * len(two) + ["none"] * len(two)
    best, worst = found[: len(two)], found[len(two) :]
    assert all(r["success"] and r["amodal_iou"] == r["occluded_iou"] == 1 for r in best)
    assert all(r["colour"] < 0.01 and r["perceptual"] < 0.01 for r in best)
    assert not any(r["success"] for r in worst) and all(r["colour"] == 1 for r in worst)
    for record, scene in zip(worst, two.values()):
        assert record["amodal_iou"] == pytest.approx(1 - scene.hidden(), abs=0.02)


def test_our_own_record_of_a_scene_equals_that_of_the_same_cut_out(real_host, two, tmp_path):
    """The same measures: what the pack made, saved and read as another program's."""
    task = next(one for one in scored() if "easy" in one.cell)
    ours = runner.Task(task.cell, task.number, "removal", task.seed, None, 50)
    scene = outside_scenes.scene_of(task)
    values = runner.host().run(runner.prompt_of(ours, scene)).values
    x, y = (-shift for shift in values["canvas"].offset)
    put(tmp_path / "all", {name: visible_object(scene) for name, scene in two.items()})
    name = outside_scenes.name_of(task)
    put(tmp_path / "all", {name: values["object"][0].numpy()}, {name: [x, y]})
    record = next(r for r in found_of(tmp_path / "all", tmp_path) if r["cell"] == task.cell)
    measured = runner.run(ours)
    for figure in ("amodal_iou", "occluded_iou"):
        assert record[figure] == measured[figure], figure
    for figure in ("colour", "perceptual"):
        assert record[figure] == pytest.approx(measured[figure], abs=0.01), figure
    assert measured["fill"] == "smooth"


def test_a_spurious_object_in_a_result_is_seen(two, tmp_path):
    """The occluder painted over the truth's hidden part, inside the true outline."""
    results = {}
    for name, scene in two.items():
        results[name] = np.dstack([scene.image, scene.amodal()])
    put(tmp_path / "all", results)
    found = found_of(tmp_path / "all", tmp_path)
    assert all(r["amodal_iou"] == 1 for r in found)
    assert sum(r["spurious"] >= 0.1 and not r["success"] for r in found) == len(found)


def test_a_cut_out_with_its_corner_equals_the_whole_canvas(two, tmp_path):
    wholes = {name: true_object(scene) for name, scene in two.items()}
    put(tmp_path / "wholes", wholes)
    parts = {name: cut_out(rgba) for name, rgba in wholes.items()}
    put(
        tmp_path / "parts",
        {name: part for name, (part, _) in parts.items()},
        {name: corner for name, (_, corner) in parts.items()},
    )
    wide = {name: np.pad(rgba, ((5, 0), (9, 2), (0, 0))) for name, rgba in wholes.items()}
    put(tmp_path / "wide", wide, dict.fromkeys(wide, [-9, -5]))
    made = [
        found_of(tmp_path / name, tmp_path / "of" / name) for name in ("wholes", "parts", "wide")
    ]
    figures = ("amodal_iou", "occluded_iou", "colour", "perceptual", "spurious", "success")
    plain = [[{name: r[name] for name in figures} for r in records] for records in made]
    assert plain[0] == plain[1] == plain[2]


def test_pixels_beyond_the_picture_count_as_wrong():
    truth = np.random.default_rng(1).random((40, 40, 3), np.float32)
    mask = np.zeros((40, 40), np.float32)
    mask[4:20, 4:20] = 1
    item = pasted.Item(truth, truth, mask, mask)
    rgba = np.zeros((50, 44, 4), np.float32)
    rgba[10:, 4:, :3], rgba[10:, 4:, 3] = truth, mask
    completed, known = outside.on_item(item, rgba, (-4, -10))
    assert completed.shape[:2] == known.amodal.shape == (50, 44)
    assert pasted.compared(known, completed, "cat", (), None)["amodal_iou"] == 1
    rgba[:10, :, 3] = 1
    completed, known = outside.on_item(item, rgba, (-4, -10))
    found = pasted.compared(known, completed, "cat", (), None)
    assert found["amodal_iou"] == pytest.approx(256 / (256 + 440), abs=1e-3)


def missing(folder, name):
    (folder / f"{name}.png").unlink()


def superfluous(folder, name):
    shutil.copy(folder / f"{name}.png", folder / f"{name}-2.png")


def of_another_size(folder, name):
    Image.new("RGBA", (64, 64), "red").save(folder / f"{name}.png")


def without_alpha(folder, name):
    Image.new("RGB", (128, 128), "red").save(folder / f"{name}.png")


def empty(folder, name):
    Image.new("RGBA", (128, 128)).save(folder / f"{name}.png")


def cut_short(folder, name):
    path = folder / f"{name}.png"
    path.write_bytes(path.read_bytes()[:400])


def no_picture(folder, name):
    (folder / f"{name}.png").write_text("a page of the server: not found")


def far_away(folder, name):
    (folder / "offsets.json").write_text(json.dumps({name: [128, 0]}))


def no_corner(folder, name):
    (folder / "offsets.json").write_text(json.dumps({name: [1.5, 0]}))


def unknown_corner(folder, name):
    (folder / "offsets.json").write_text(json.dumps({f"{name}x": [0, 0]}))


FAULTS = (
    *(missing, superfluous, of_another_size, without_alpha, empty, cut_short, no_picture),
    *(far_away, no_corner, unknown_corner),
)


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_results_are_errors_by_name_before_anything_runs(
    scenes, tmp_path, capsys, monkeypatch, fault
):
    put(tmp_path / "all", {name: true_object(scene) for name, scene in scenes.items()})
    name = list(scenes)[1]
    fault(tmp_path / "all", name)
    monkeypatch.setattr(runner, "run_all", lambda *_: pytest.fail("it ran"))
    with pytest.raises(SystemExit) as end:
        paper.main(
            [*PLAN, "--results", f"other={tmp_path / 'all'}", "--out", str(tmp_path / "out")]
        )
    said = capsys.readouterr().err
    assert end.value.code == 2 and "'results'" in said and name in said
    assert not (tmp_path / "out" / "outside.jsonl").exists()


@pytest.mark.parametrize("word", ["other", "=folder", "removal={}", "a/b={}", "--x={}", "o={}/no"])
def test_wrong_words_are_refused(tmp_path, word):
    with pytest.raises(BadInput, match="'results'"):
        outside.read([word.format(tmp_path)], {})


def test_a_name_is_used_once(scenes, tmp_path):
    put(tmp_path / "all", {"a": np.ones((8, 8, 4))})
    words = [f"other={tmp_path / 'all'}"] * 2
    with pytest.raises(BadInput, match="twice"):
        outside.read(words, {"a": (8, 8)})
    (tmp_path / "all" / ".DS_Store").write_bytes(b"")
    assert [one.name for one in outside.read(words[:1], {"a": (8, 8)})] == ["other"]


@pytest.mark.parametrize("kind", ["no JSON", "a list", "a folder", "a link out", "a link to none"])
def test_corners_that_cannot_be_read_are_refused(tmp_path, kind):
    folder = tmp_path / "all"
    put(folder, {"a": np.ones((8, 8, 4))})
    path = folder / "offsets.json"
    (tmp_path / "there.json").write_text('{"a": [0, 0]}')
    if kind == "a folder":
        path.mkdir()
    elif kind.startswith("a link"):
        path.symlink_to(tmp_path / ("there.json" if kind == "a link out" else "none"))
    else:
        path.write_text("{" if kind == "no JSON" else "[1]")
    with pytest.raises(BadInput, match="offsets.json"):
        outside.read([f"other={folder}"], {"a": (8, 8)})


def test_results_stand_in_the_tables_beside_our_methods(two, tmp_path):
    put(tmp_path / "all", {name: true_object(scene) for name, scene in two.items()})
    found = found_of(tmp_path / "all", tmp_path)
    ours = [{**r, "method": "mixed", "success": False} for r in found]
    ours = [{k: v for k, v in r.items() if k != "outside"} for r in ours]
    first, second = paper.table_1(ours + found), paper.table_2(ours + found)
    assert "| other (outside results) | 20-50 % | 1 |" in first
    assert "| with mixed context | 20-50 % | 1 |" in first
    assert "| other (outside results) | - | 100%" in second
    assert claims.outside(ours) == []


def test_finished_records_are_kept_and_a_changed_cut_out_is_scored_again(two, tmp_path):
    put(tmp_path / "all", {name: true_object(scene) for name, scene in two.items()})
    first = found_of(tmp_path / "all", tmp_path)
    lines = (tmp_path / "out" / "outside.jsonl").read_bytes()
    assert found_of(tmp_path / "all", tmp_path) == first
    assert (tmp_path / "out" / "outside.jsonl").read_bytes() == lines
    name, scene = next(iter(two.items()))
    put(tmp_path / "all", {name: visible_object(scene)})
    again = found_of(tmp_path / "all", tmp_path)
    assert again[1:] == first[1:] and again[0]["amodal_iou"] < first[0]["amodal_iou"]


@pytest.fixture
def inputs(tmp_path):
    """The scenes, as another program gets them."""
    paper.main([*PLAN, "--inputs", str(tmp_path / "inputs")])
    return tmp_path / "inputs"


def test_the_scenes_for_other_programs_are_a_data_set(scenes, inputs, capsys):
    lines = dataset_item.manifest(inputs)
    assert [line["item"] for line in lines] == list(scenes)
    for line in lines:
        item, scene = dataset_item.read(inputs, line), scenes[line["item"]]
        assert np.array_equal(bytes_of(item.image[0].numpy()), bytes_of(scene.image))
        assert np.array_equal(item.amodal_mask[0].numpy() > 0, scene.amodal())
        assert line["category"] == scene.word
        assert not (item.occluder_mask * item.modal_mask).any()
    with pytest.raises(SystemExit):
        paper.main([*PLAN, "--inputs", str(inputs)])
    assert "empty folder" in capsys.readouterr().err


def test_a_data_set_of_ones_own_needs_no_model(inputs, scenes, tmp_path):
    put(tmp_path / "best", {name: true_object(scene) for name, scene in scenes.items()})
    put(tmp_path / "worst", {name: visible_object(scene) for name, scene in scenes.items()})
    words = ["--truth", str(inputs), "--metrics", str(tmp_path), "--out", str(tmp_path / "out")]
    results = ["--results", f"best={tmp_path / 'best'}", f"worst={tmp_path / 'worst'}"]
    paper.main([*words, *results])
    text = (tmp_path / "out" / "paper.md").read_text()
    line = next(one for one in text.splitlines() if one.startswith("| best (outside results) | 5"))
    assert line.count("1.000 (1.000 to 1.000)") == 2 and line.endswith("100% (34% to 100%) |")
    assert "| theirs | 50-80 % | 0.290 | 0.184 | 0.110 |" in text
    assert str(tmp_path) not in text and "best=FOLDER" in text
    assert len(list((tmp_path / "out" / "pictures").glob("*.webp"))) == 2 * len(scenes)
    for path in (inputs / "amodal").iterdir():
        shutil.copy(inputs / "modal" / path.name, path)
    paper.main([*words, *results])
    text = (tmp_path / "out" / "paper.md").read_text()
    line = next(one for one in text.splitlines() if one.startswith("| worst (outside results) | 5"))
    assert line.endswith("100% (34% to 100%) |")  # another truth, other records


def test_a_wrong_data_set_is_refused_by_name(inputs, scenes, tmp_path, capsys):
    put(tmp_path / "best", {name: true_object(scene) for name, scene in scenes.items()})
    words = ["--truth", str(inputs), "--results", f"best={tmp_path / 'best'}"]
    manifest = inputs / "manifest.jsonl"
    lines = manifest.read_text().splitlines()
    name = list(scenes)[1]
    for change, said in (
        (lambda: manifest.write_text("\n".join([*lines, lines[1]])), f"{name} twice"),
        (lambda: manifest.write_text(lines[1].replace('"hard"', '"mild"')), "level mild"),
        (lambda: manifest.write_text(""), "no item"),
        (lambda: (manifest.write_text("\n".join(lines)), missing(inputs / "truth", name)), name),
    ):
        change()
        with pytest.raises(SystemExit):
            paper.main([*words, "--out", str(tmp_path / "out")])
        assert said in capsys.readouterr().err
    for few in (["--truth", str(inputs)], ["--coco", "a.json"]):
        with pytest.raises(SystemExit):
            paper.main([*few, "--out", str(tmp_path / "out")])
        assert "needs" in capsys.readouterr().err


def test_the_example_of_the_documentation_makes_results(inputs, scenes, tmp_path):
    page = (runner.ROOT / "research" / "README.md").read_text(encoding="utf-8")
    code = page.split("### Results of other programs")[1].split("```python\n")[1].split("```")[0]
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    (result,) = outside.read([f"hull={tmp_path / 'hull'}"], dict.fromkeys(scenes, (128, 128)))
    for name, scene in scenes.items():
        mask = result.cut_out(name)[0][..., 3] > 0.5
        assert (mask | ~scene.modal()).all() and mask.sum() > scene.modal().sum()


@pytest.mark.parametrize("shape", ["masks", "white", "black"])
def test_whole_objects_on_a_plain_ground_become_results(two, inputs, tmp_path, shape):
    """As pix2gestalt's: 256 x 256 pixels whatever the picture's size, with masks or without."""
    for name, scene in two.items():
        whole, mask = scene.truth, scene.amodal()
        ground = 0.0 if shape == "black" else 1.0
        drawn = bytes_of(np.where(mask[..., None], np.clip(whole, 0.1, 0.9), ground))
        for folder, pixels in (("drawn", drawn), ("masks", bytes_of(mask))):
            (tmp_path / folder).mkdir(exist_ok=True)
            large = Image.fromarray(pixels).resize((256, 256), Image.Resampling.NEAREST)
            large.save(tmp_path / folder / f"{name}.png")
    how = ["--masks", str(tmp_path / "masks")] if shape == "masks" else ["--ground", shape]
    like = ["--like", str(inputs / "picture")]
    join_results.main([str(tmp_path / "drawn"), str(tmp_path / "joined"), *how, *like])
    (result,) = outside.read([f"p2g={tmp_path / 'joined'}"], dict.fromkeys(two, (128, 128)))
    for name, scene in two.items():
        rgba, corner = result.cut_out(name)
        assert corner == (0, 0) and iou(rgba[..., 3] > 0.5, scene.amodal()) > 0.97
        inside = (rgba[..., 3] == 1) & scene.amodal()
        assert np.abs(rgba[..., :3] - np.clip(scene.truth, 0.1, 0.9))[inside].mean() < 0.03


def test_results_that_cannot_be_joined_are_named(two, inputs, tmp_path, capsys):
    put(tmp_path / "drawn", {name: true_object(scene) for name, scene in two.items()})
    name = next(iter(two))
    words = [str(tmp_path / "drawn"), str(tmp_path / "joined"), "--ground", "white"]
    like = ["--like", str(inputs / "picture")]
    shutil.copy(tmp_path / "drawn" / f"{name}.png", tmp_path / "drawn" / "other.png")
    for change, said in (
        (lambda: None, "no picture of other"),
        (lambda: no_picture(tmp_path / "drawn", name), name),
        (lambda: shutil.rmtree(tmp_path / "drawn"), "holds no picture"),
    ):
        change()
        with pytest.raises(SystemExit):
            join_results.main([*words, *like])
        assert said in capsys.readouterr().err
        (tmp_path / "drawn" / "other.png").unlink(missing_ok=True)
