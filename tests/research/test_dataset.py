"""Pseudo-occluded objects (section 4.1): what is whole, what is hidden, the same to the byte."""

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amodal.core.errors import BadInput
from amodal.stickers.catalog import CATALOG
from research.dataset import __main__, amodal_truth, builder, occlusion, rle, wholes

ROOT = Path(__file__).resolve().parents[2]
needs_coco = pytest.mark.skipif(
    not any(map(importlib.util.find_spec, ("pycocotools", "faster_coco_eval"))),
    reason="needs pycocotools or faster-coco-eval",
)


def square(x, y, width, height) -> list[float]:
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def annotation(number, picture, category, box, **other) -> dict:
    """A rectangle as COCO writes it."""
    return {
        "id": number,
        "image_id": picture,
        "category_id": category,
        "bbox": list(box),
        "area": box[2] * box[3],
        "iscrowd": 0,
        "segmentation": [square(*box)],
        **other,
    }


CATEGORIES = ("cup", "plate", "fork")


@pytest.fixture
def coco(tmp_path):
    """(annotations, pictures): six pictures with one whole object each and one that has two, of
    which one goes over the border."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(3)
    pictures, found = [], []
    for i in range(7):
        pixels = rng.integers(0, 255, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        pictures.append({"id": i, "file_name": f"{i}.png", "width": 120, "height": 90})
    for i in range(6):
        found.append(annotation(i, i, i % 3, (30 + i, 20, 40, 40 + i)))
    found.append(annotation(6, 6, 0, (10, 10, 40, 40)))
    found.append(annotation(7, 6, 1, (80, 30, 40, 40)))  # to the right border
    path = tmp_path / "instances.json"
    path.write_text(
        json.dumps(
            {
                "images": pictures,
                "annotations": found,
                "categories": [{"id": i, "name": name} for i, name in enumerate(CATEGORIES)],
            }
        )
    )
    return path, folder


PICTURE = {"width": 100, "height": 100}


@pytest.mark.parametrize(
    "box, other, whole",
    [
        ((20, 20, 40, 40), {}, True),
        ((20, 20, 40, 40), {"iscrowd": 1}, False),
        ((0, 20, 40, 40), {}, False),
        ((20, 1, 40, 40), {}, False),
        ((60, 20, 40, 40), {}, False),
        ((20, 59, 40, 40), {}, False),
        ((20, 20, 10, 10), {}, False),  # 1 %
        ((3, 3, 90, 90), {}, False),  # 81 %
        (
            (20, 20, 40, 40),
            {"segmentation": [square(20, 20, 40, 10), square(20, 50, 40, 10)]},
            False,
        ),
    ],
)
def test_whole_is_what_has_one_outline_off_the_border(box, other, whole):
    one = annotation(1, 1, 1, box, **other)
    assert wholes.is_whole(one, [one], PICTURE) is whole


def test_nothing_else_reaches_into_a_whole_objects_box():
    one = annotation(1, 1, 1, (20, 20, 40, 40))
    touching = annotation(2, 1, 1, (60, 20, 20, 20))
    within = annotation(3, 1, 1, (59, 20, 20, 20))
    assert wholes.is_whole(one, [one, touching], PICTURE)
    assert not wholes.is_whole(one, [one, within], PICTURE)


def test_the_co_occurring_category_is_the_one_most_often_seen_with_it():
    pictures = [["cup", "plate"], ["cup", "plate", "plate"], ["cup", "fork"], ["fork", "plate"]]
    found = wholes.most_seen_with(pictures)
    assert found == {"cup": "plate", "plate": "cup", "fork": "cup"}


def whole(width=40, height=40, size=(100, 120), colour=200) -> wholes.Whole:
    picture = np.full((*size, 3), 90, np.uint8)
    alpha = np.zeros(size, np.uint8)
    alpha[30 : 30 + height, 40 : 40 + width] = 255
    picture[alpha > 0] = colour
    return wholes.Whole(picture, np.dstack([picture, alpha]))


@pytest.mark.parametrize("level", list(occlusion.LEVELS))
def test_so_much_is_hidden_as_the_level_says_all_over_its_range(level):
    low, high = occlusion.LEVELS[level]
    shares = []
    for seed in range(60):
        query, front = whole(), whole(50, 30, colour=20)
        found = occlusion.occlude(query, front, level, np.random.default_rng(seed))
        assert low <= found.hidden <= high
        assert not (found.modal & found.occluder).any()
        assert found.hidden == pytest.approx(1 - found.modal.sum() / found.amodal.sum())
        assert (found.picture[found.occluder] == 20).all()
        assert (found.picture[~found.occluder] == query.picture[~found.occluder]).all()
        shares.append(found.hidden)
    thirds = np.histogram(shares, 3, (low, high))[0]
    assert thirds.min() >= 8


def test_objects_of_another_size_do_not_match():
    rng = np.random.default_rng(0)
    assert occlusion.occlude(whole(8, 8), whole(60, 60), "easy", rng) is None
    assert occlusion.occlude(whole(60, 60), whole(8, 8), "easy", rng) is None


def test_a_soft_edge_mixes_and_its_hidden_colour_does_not_bleed():
    art = np.zeros((4, 4, 4), np.uint8)
    art[..., :3] = (255, 0, 0)
    art[1:3, 1:3] = (0, 0, 255, 255)
    small = occlusion.scaled(art, 2)
    assert small[..., 0][small[..., 3] > 8].max() == 0
    half = np.array([[[200, 100, 0, 128]]], np.uint8)
    assert occlusion.over(np.zeros((1, 1, 3), np.uint8), half).tolist() == [[[100, 50, 0]]]


def digest(folder) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def make(out, *words, workers="1"):
    return __main__.main(
        [
            "stickers",
            "--easy",
            "5",
            "--hard",
            "4",
            "--out",
            str(out),
            "--workers",
            workers,
            *words,
        ]
    )


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """A finished set, not to be changed."""
    out = tmp_path_factory.mktemp("made") / "set"
    assert make(out) == 0
    return out


def test_the_same_command_gives_the_same_bytes_also_after_a_stop(tmp_path):
    for name, workers in (("one", "1"), ("two", "2"), ("stopped", "1")):
        assert make(tmp_path / name, workers=workers) == 0
    whole = digest(tmp_path / "one")
    assert digest(tmp_path / "two") == whole and len(whole) == 2 + 9 * 5
    manifest = tmp_path / "stopped" / "manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(lines[:3]) + lines[3][:20])
    for path in (tmp_path / "stopped" / "picture").iterdir():
        path.unlink()
    assert make(tmp_path / "stopped") == 0
    again = digest(tmp_path / "stopped")
    written = {name for name in again if name.startswith("picture")}
    assert len(written) == 6  # the three items of the kept lines were not made again
    assert again == {name: whole[name] for name in again}


DAMAGED = {
    "doubled": lambda lines: [line for line in lines for _ in range(2)],
    "appended twice": lambda lines: [*lines, *lines],
    "of two builders, nearly all twice": lambda lines: [lines[0], *lines[1:] * 2],
    "without one": lambda lines: [*lines[:4], *lines[5:]],
    "in another order": lambda lines: lines[::-1],
    "no JSON": lambda lines: [*lines[:2], b"\xff{\n", b"[" * 9999 + b"\n", *lines[2:]],
    "other JSON": lambda lines: [b"3\n", b"[]\n", b'{"item": "easy-00000"}\n', *lines],
    "an item of no plan": lambda lines: [lines[0].replace(b"easy-00000", b"easy-99999"), *lines],
    "cut short": lambda lines: [*lines[:3], lines[3][:20]],
    "empty": lambda lines: [],
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_manifest_is_repaired(made_once, tmp_path, damage):
    out = tmp_path / "set"
    shutil.copytree(made_once, out)
    lines = (out / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (out / "manifest.jsonl").write_bytes(b"".join(DAMAGED[damage](lines)))
    assert make(out) == 0
    assert digest(out) == digest(made_once)


BUILDER = """
import sys
from pathlib import Path
from research.dataset import builder, wholes
plan = builder.Plan(2000, 2000, least_categories=2)
builder.build(wholes.Stickers(200), plan, Path(sys.argv[1]), quiet=True)
"""


@pytest.fixture
def other_builder(tmp_path):
    """A builder in another process, at work in the folder `set`."""
    out = tmp_path / "set"
    process = subprocess.Popen([sys.executable, "-c", BUILDER, str(out)], cwd=ROOT)
    give_up = time.monotonic() + 60
    while not (out / "manifest.jsonl").exists() or not (out / "manifest.jsonl").stat().st_size:
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.05)
    yield out, process
    process.kill()
    process.wait()


def test_a_second_builder_is_refused_and_a_killed_one_does_not_block(other_builder):
    out, process = other_builder
    plan = builder.Plan(2000, 2000, least_categories=2)
    for other in (plan, replace(plan, seed=1)):  # of the same set and of another one
        with pytest.raises(BadInput, match="'out'.*in use.*Remedy: wait"):
            builder.build(wholes.Stickers(200), other, out, quiet=True)
    assert process.poll() is None  # the first one goes on
    process.kill()
    process.wait()
    with builder.alone_in(out) as manifest:
        kept = builder.kept(manifest, plan)
    items = [line["item"] for line in builder.read(out)]
    assert len(items) == len(set(items)) == len(kept) >= 1


def test_no_file_of_a_lock_stays(made_once):
    names = {path.name for path in made_once.iterdir()}
    assert names == {"dataset.json", "manifest.jsonl", *builder.FOLDERS}


def test_items_are_what_the_manifest_says(tmp_path):
    assert make(tmp_path, "--pairs", "co-occurring", "--seed", "5") == 0
    lines = builder.read(tmp_path)
    assert [line["level"] for line in lines].count("hard") == 4
    assert len({line["category"] for line in lines}) >= 5
    for line in lines:
        pixels = {name: np.asarray(Image.open(path)) for name, path in line["files"].items()}
        modal, amodal = pixels["modal"] > 127, pixels["amodal"] > 127
        low, high = occlusion.LEVELS[line["level"]]
        assert low <= line["hidden"] <= high
        assert line["hidden"] == pytest.approx(1 - modal.sum() / amodal.sum(), abs=1e-6)
        assert not (modal & ~amodal).any()
        assert line["occluder"]["category"] == CATALOG[line["category"]].co_occurring
        same = (pixels["picture"] == pixels["truth"]).all(-1)
        assert same[pixels["occluder"] == 0].mean() > 0.9  # but for the occluder's soft edge
        assert not amodal[[0, -1]].any() and not amodal[:, [0, -1]].any()


def test_another_set_in_the_folder_is_refused(tmp_path, capsys):
    assert make(tmp_path) == 0
    assert make(tmp_path, "--seed", "1") == 2
    assert "choose an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--easy", "--hard", "--seed", "--workers"])
@pytest.mark.parametrize("value", ["-1", "1.5", "\u00b2", "\u0663", "9" * 5000, "x", ""])
def test_a_number_that_is_none_is_named(tmp_path, capsys, option, value):
    with pytest.raises(SystemExit):
        make(tmp_path, f"{option}={value}")
    assert option in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_annotations_cannot_name_a_picture_outside_their_folder(coco, tmp_path):
    path, folder = coco
    Image.new("RGB", (120, 90)).save(tmp_path / "outside.png")
    for name in ("../outside.png", str(tmp_path / "outside.png"), "a\0b", "x" * 5000):
        data = json.loads(path.read_text())
        data["images"][0]["file_name"] = name
        path.write_text(json.dumps(data))
        source = wholes.Coco(path, folder)
        with pytest.raises(BadInput, match="'pictures'.*Remedy"):
            source.load(source.objects[0])


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"3",
        b'{"images": 3}',
        b'{"images": [3]}',
        b'{"images": [], "annotations": [], "categories": [[]]}',
        b'{"images": [{"id": NaN}]}',
        *(
            b'{"images": [{"id": 0, "file_name": "0.png", "width": %b, "height": 90}],'
            b'"categories": [{"id": 0, "name": "cup"}], "annotations": [{"id": 0, "image_id": 0,'
            b'"category_id": 0, "bbox": %b, "area": 9, "segmentation": [[1, 2]]}]}' % pair
            for pair in ((b"0", b"[1, 2, 3, 4]"), (b'"x"', b"[1, 2, 3, 4]"), (b"9", b"[1]"))
        ),
    ],
    ids=lambda content: ascii(content)[:60],
)
def test_annotations_of_any_bytes_are_refused_by_name(tmp_path, content):
    path = tmp_path / "any.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="'annotations'.*Remedy"):
        wholes.Coco(path, tmp_path)
    with pytest.raises(BadInput, match="'annotations'.*Remedy"):
        amodal_truth.read(path)


def test_too_few_categories_are_refused(tmp_path, capsys):
    assert make(tmp_path, "--least-categories", "99") == 2
    assert "56 categories" in capsys.readouterr().err


@needs_coco
def test_a_set_from_coco_annotations(coco, tmp_path):
    source = wholes.Coco(*coco)
    assert [entry.id for entry in source.objects] == [0, 1, 2, 3, 4, 5, 6]
    assert source.co_occurring == {"cup": "plate", "plate": "cup"}
    words = [
        "coco",
        "--annotations",
        str(coco[0]),
        "--pictures",
        str(coco[1]),
        "--easy",
        "3",
        "--hard",
        "3",
        "--least-categories",
        "3",
        "--workers",
        "1",
    ]
    assert __main__.main([*words, "--out", str(tmp_path / "a")]) == 0
    assert __main__.main([*words, "--out", str(tmp_path / "b")]) == 0
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    lines = builder.read(tmp_path / "a")
    assert {line["category"] for line in lines} == set(CATEGORIES)
    truth = np.asarray(Image.open(lines[0]["files"]["truth"]))
    assert (truth == np.asarray(Image.open(coco[1] / lines[0]["query"]["picture"]))).all()


def test_bad_annotations_say_what_to_do(coco, tmp_path, capsys):
    path = tmp_path / "bad.json"
    words = [
        "coco",
        "--annotations",
        str(path),
        "--pictures",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    for text, problem in ((None, "cannot be read"), ("{", "not JSON"), ("{}", "lack 'images'")):
        if text is not None:
            path.write_text(text)
        assert __main__.main(words) == 2
        assert problem in capsys.readouterr().err


def test_without_a_package_for_masks_the_error_names_one(monkeypatch):
    for name in ("pycocotools", "faster_coco_eval", "faster_coco_eval.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match="pip install pycocotools"):
        rle.decode([square(0, 0, 4, 4)], 10, 10)


COUNTS = {"size": [4, 5], "counts": [4, 2, 2, 2, 10]}  # column by column: rows 0, 1 of columns 1, 2


@needs_coco
def test_polygons_and_run_lengths_become_masks():
    mask = np.zeros((4, 5), bool)
    mask[:2, 1:3] = True
    assert np.array_equal(rle.decode(COUNTS, 4, 5), mask)
    packed = rle.library().encode(np.asfortranarray(mask.astype(np.uint8)))
    assert np.array_equal(rle.decode(packed, 4, 5), mask)
    text = {**packed, "counts": packed["counts"].decode()}
    assert np.array_equal(rle.decode(text, 4, 5), mask)
    for polygon in (square(1, 0, 2, 2), [square(1, 0, 2, 2)]):
        assert np.array_equal(rle.decode(polygon, 4, 5), mask)
    assert not rle.decode([], 4, 5).any()
    with pytest.raises(BadInput, match="belong together"):
        rle.decode(COUNTS, 5, 5)
    with pytest.raises(BadInput, match="polygons or run lengths"):
        rle.decode({"size": [4, 5]}, 4, 5)


IMAGES = [{"id": 7, "file_name": "a.jpg", "width": 20, "height": 10}]


def written(tmp_path, annotations, **other):
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"images": IMAGES, "annotations": annotations, **other}))
    return amodal_truth.read(path)


@needs_coco
def test_coco_a_and_bsds_a_are_read(tmp_path):
    behind = np.zeros((10, 20), np.uint8)
    behind[2:6, 10:14] = 1
    visible = rle.library().encode(np.asfortranarray(behind))
    visible["counts"] = visible["counts"].decode()
    regions = [
        {
            "name": "cup",
            "order": 1,
            "isStuff": 0,
            "segmentation": square(2, 2, 8, 4),
            "occlude_rate": 0.0,
        },
        {
            "name": "plate",
            "order": 2,
            "isStuff": 0,
            "segmentation": square(6, 2, 8, 4),
            "visible_mask": visible,
            "occlude_rate": 0.5,
        },
        {"name": "table", "order": 3, "isStuff": 1, "segmentation": square(0, 0, 20, 10)},
    ]
    one = {"image_id": 7, "regions": regions, "depth_constraint": "1-2,1-3,2-3"}
    found = written(tmp_path, [one, {**one, "depth_constraint": "", "regions": regions[:1]}])
    assert [(o.name, o.order, o.stuff, o.annotator) for o in found] == [
        ("cup", 1, False, 0),
        ("plate", 2, False, 0),
        ("table", 3, True, 0),
        ("cup", 1, False, 1),
    ]
    assert [o.behind for o in found] == [[], [1], [1, 2], []]
    assert found[0].hidden() == 0 and found[1].hidden() == pytest.approx(0.5)
    assert found[1].amodal().sum() == 32 and found[1].modal().sum() == 16


@needs_coco
@pytest.mark.parametrize("keys", [("a_segm", "i_segm"), ("segmentation", "inmodal_seg")])
def test_kins_is_read_in_both_releases(tmp_path, keys):
    one = {
        "image_id": 7,
        "category_id": 4,
        keys[0]: [square(2, 2, 8, 4)],
        keys[1]: [square(2, 2, 2, 4)],
    }
    (found,) = written(tmp_path, [one], categories=[{"id": 4, "name": "car"}])
    assert (found.name, found.picture, found.size) == ("car", "a.jpg", (10, 20))
    assert found.hidden() == pytest.approx(0.75)


def test_other_annotations_are_refused(tmp_path):
    with pytest.raises(BadInput, match="COCO-A, BSDS-A or KINS"):
        written(tmp_path, [{"image_id": 7}], categories=[])
