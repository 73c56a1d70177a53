"""`nox -s paper -- --amodal`: masks and order on files in the formats of COCO-A, BSDS-A and KINS.

The files are made of sticker scenes, in every key that the published ones have.
"""

import copy
import importlib.util
import json
import sys

import numpy as np
import pytest
from model_files import put_order_model
from PIL import Image

from amodal.core.errors import BadInput
from amodal.stickers import scenes
from research.dataset import amodal_predictions, rle
from research.evaluation import amodal_masks
from research.evaluation.report import amodal_report, paper

pytestmark = pytest.mark.skipif(
    not any(map(importlib.util.find_spec, ("pycocotools", "faster_coco_eval"))),
    reason="needs pycocotools or faster-coco-eval",
)
SIZE = 64


def drawn(seed: int) -> scenes.Scene:
    return scenes.make_scene(seed, size=SIZE, occluder="other", hidden=(0.3, 0.6), behind=1)


def packed(mask: np.ndarray) -> dict:
    """Run lengths as the published files hold them: counts as text."""
    found = rle.library().encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": found["counts"].decode()}


def outline(mask: np.ndarray) -> list[float]:
    """A flat polygon whose filled pixels are the rows of a mask, from first to last column."""
    rows = np.flatnonzero(mask.any(1))
    spans = [(int(y), *np.flatnonzero(mask[y])[[0, -1]].tolist()) for y in rows]
    left = [(x0, y + dy) for y, x0, _ in spans for dy in (0, 1)]
    right = [(x1 + 1, y + dy) for y, _, x1 in spans for dy in (0, 1)]
    return [float(value) for corner in left + right[::-1] for value in corner]


def image(number: int) -> dict:
    return {
        "id": number,
        "file_name": f"COCO_val2014_{number:012d}.png",
        "width": SIZE,
        "height": SIZE,
        "license": 1,
        "coco_url": "",
        "date_captured": "",
    }


def regions_of(scene: scenes.Scene) -> list[dict]:
    """Regions from near to far, as their annotators count them."""
    made = []
    for order, index in enumerate(reversed(range(len(scene.layers))), 1):
        polygon = outline(scene.amodal(index))
        amodal = rle.decode(polygon, SIZE, SIZE)
        nearer = [rle.decode(region["segmentation"], SIZE, SIZE) for region in made]
        hidden = amodal & np.any(nearer, 0) if nearer else np.zeros_like(amodal)
        region = {
            "segmentation": polygon,
            "name": scene.layers[index].word,
            "area": int(amodal.sum()),
            "isStuff": 0,
            "occlude_rate": float(hidden.sum() / amodal.sum()),
            "order": order,
        }
        if hidden.any():
            region |= {"visible_mask": packed(amodal & ~hidden), "invisible_mask": packed(hidden)}
        made.append(region)
    return made


def constraint_of(regions: list[dict]) -> str:
    masks = [rle.decode(region["segmentation"], SIZE, SIZE) for region in regions]
    count = range(len(masks))
    pairs = [(i, j) for i in count for j in count if i < j and (masks[i] & masks[j]).any()]
    return ",".join(f"{i + 1}-{j + 1}" for i, j in pairs)


def region_file(count: int = 3) -> dict:
    annotations = []
    for number in range(count):
        regions = regions_of(drawn(900 + number))
        annotations.append(
            {
                "id": 40 + number,
                "image_id": number,
                "author": "ann1",
                "url": "",
                "regions": regions,
                "depth_constraint": constraint_of(regions),
                "size": len(regions),
            }
        )
    return {"images": [image(n) for n in range(count)], "annotations": annotations}


def kins_file(count: int = 3) -> dict:
    annotations = []
    for number, annotation in enumerate(region_file(count)["annotations"]):
        for region in annotation["regions"]:
            whole = rle.decode(region["segmentation"], SIZE, SIZE)
            visible = region.get("visible_mask") or packed(whole)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 4,
                    "iscrowd": 0,
                    "segmentation": packed(whole),
                    "inmodal_seg": visible,
                    "a_segm": [region["segmentation"]],
                    "i_segm": visible,
                }
            )
    categories = [{"id": 4, "name": "car", "supercategory": "vehicle"}]
    return {
        "images": [image(n) for n in range(count)],
        "annotations": annotations,
        "categories": categories,
    }


FILES = {"coco-a": region_file, "bsds-a": region_file, "kins": kins_file}


@pytest.fixture(scope="module")
def made() -> dict:
    return {kind: make() for kind, make in FILES.items()}


def written(folder, data, kind: str):
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(data))
    return path


@pytest.fixture(params=FILES)
def annotated(request, made, tmp_path):
    """(kind, path, objects)."""
    path = written(tmp_path, made[request.param], request.param)
    return request.param, path, amodal_masks.read(request.param, path)


def put(folder, objects, mask_of) -> None:
    """Predictions as a folder of PNGs."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in objects:
        Image.fromarray(mask_of(one)).save(folder / f"{one.key}.png")


def run(*words) -> str:
    out = words[words.index("--out") + 1]
    paper.main([str(word) for word in words])
    return (out / "amodal.md").read_text()


def cells(text: str, *starts: str) -> list[str]:
    """The cells of the line of a table that begins with these cells."""
    line = next(one for one in text.splitlines() if one.startswith("| " + " | ".join(starts)))
    return [cell.split(" (")[0] for cell in line.strip("| ").split(" | ")][len(starts) :]


def test_the_truth_scores_one_and_the_visible_mask_scores_what_it_covers(annotated, tmp_path):
    kind, path, objects = annotated
    put(tmp_path / "runs" / "a", objects, lambda one: one.modal())
    put(tmp_path / "runs" / "b", objects, lambda one: one.amodal())
    text = run("--amodal", kind, path, tmp_path / "runs", "--out", tmp_path / "out")
    hidden = [one for one in objects if one.hidden() > 0]
    assert 0 < len(hidden) < len(objects)
    covered = np.mean([1 - one.hidden() for one in hidden])
    first = cells(text, "objects with a hidden part", "these masks")
    half = (1 + covered) / 2
    assert first == [str(len(hidden)), f"{half:.3f}", "1.000", "0.500", "1.000"]
    plain = cells(text, "objects with a hidden part", "the visible mask as it is")
    assert plain[1] == f"{covered:.3f}"
    everything = cells(text, "all objects", "these masks")
    assert everything[0] == str(len(objects)) and everything[2] == "1.000"
    lines = (tmp_path / "out" / "objects.csv").read_text().splitlines()
    assert len(lines) == 1 + len(objects) and lines[1].startswith(f"{objects[0].key},COCO_val2014")


def test_the_visible_masks_are_written_for_other_programs(annotated, tmp_path):
    """They are predictions themselves: those of a program that adds nothing."""
    kind, path, objects = annotated
    masks, out = tmp_path / "visible", tmp_path / "out"
    run("--amodal", kind, path, "--inputs", masks, "--out", out)
    names = (out / "objects.csv").read_text().splitlines()[1:]
    assert [line.split(",")[0] for line in names] == [one.key for one in objects]
    text = run("--amodal", kind, path, masks, "--out", out)
    these = cells(text, "all objects", "these masks")
    assert these[1] == cells(text, "all objects", "the visible mask as it is")[1]


def test_published_figures_stand_apart_with_their_source(made, tmp_path):
    for kind, figures in {
        "coco-a": ("| pix2gestalt | 0.8287 | 0.8710 |", "| SDXL inpainting | 0.7652 | - |"),
        "bsds-a": ("| pix2gestalt | 0.8076 | 0.8568 |", "| SDXL inpainting | 0.7419 | - |"),
    }.items():
        text = amodal_report.markdown(amodal_report.Measured(kind, [], 0, {}), "command", "today")
        published = text.split("## Published")[1]
        assert all(line in published for line in figures)
        assert "Not measured here. Source: pix2gestalt" in published
    text = amodal_report.markdown(amodal_report.Measured("kins", [], 0, {}), "command", "today")
    assert "Published" not in text


def test_masks_as_json_and_as_pngs_score_the_same(annotated, tmp_path):
    kind, path, objects = annotated
    shifted = {one.key: np.roll(one.amodal(), 3, 1) for one in objects}
    put(tmp_path / "pngs", objects, lambda one: shifted[one.key])
    entries = [
        {"name": key, "segmentation": packed(mask)}
        for mask_of in (lambda mask: mask, lambda mask: mask & False)
        for key, mask in ((one.key, mask_of(shifted[one.key])) for one in objects)
    ]
    (tmp_path / "results.json").write_text(json.dumps(entries))
    one, two = (
        amodal_masks.scored(objects, amodal_predictions.read(tmp_path / name, objects))
        for name in ("pngs", "results.json")
    )
    assert [r["amodal_iou"] for r in one] == [r["amodal_iou"][:1] for r in two]
    assert [r["occluded_iou"] for r in one] == [r["occluded_iou"][:1] for r in two]
    assert all(r["amodal_iou"][1] == 0 for r in two)


@pytest.mark.parametrize("mode", ["1", "L", "P", "I;16"])
def test_masks_of_every_gray_mode_are_read(made, tmp_path, mode):
    objects = amodal_masks.read("coco-a", written(tmp_path, made["coco-a"], "coco-a"))
    (tmp_path / "masks").mkdir()
    for one in objects:
        mask = one.amodal()
        if mode == "I;16":
            picture = Image.fromarray(mask.astype(np.uint16) * 65535)
        elif mode == "P":
            picture = Image.fromarray(mask.astype(np.uint8) * 7)
            picture.putpalette([0] * 21 + [255] * 3 + [0] * 744)
        else:
            picture = Image.fromarray(mask).convert(mode)
        assert picture.mode == mode
        picture.save(tmp_path / "masks" / f"{one.key}.png")
    found = amodal_predictions.read(tmp_path / "masks", objects)
    assert all(r["amodal_iou"] == [1] for r in amodal_masks.scored(objects, found))


def wrong_size(folder, key):
    Image.new("L", (SIZE, SIZE - 1)).save(folder / f"{key}.png")


def coloured(folder, key):
    Image.new("RGB", (SIZE, SIZE)).save(folder / f"{key}.png")


def no_picture(folder, key):
    (folder / f"{key}.png").write_bytes(b"\x89PNG\r\n\x1a\n")


def missing(folder, key):
    (folder / f"{key}.png").unlink()


def superfluous(folder, key):
    (folder / f"{key}x.png").write_bytes((folder / f"{key}.png").read_bytes())


def led_astray(folder, key):
    (folder.parents[1] / "elsewhere.png").write_bytes((folder / f"{key}.png").read_bytes())
    (folder / f"{key}.png").unlink()
    (folder / f"{key}.png").symlink_to(folder.parents[1] / "elsewhere.png")


FAULTS = (wrong_size, coloured, no_picture, missing, superfluous, led_astray)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("runs", ["", "seed 2"])
def test_wrong_masks_are_errors_by_name_and_nothing_is_written(made, tmp_path, capsys, fault, runs):
    path = written(tmp_path, made["coco-a"], "coco-a")
    objects = amodal_masks.read("coco-a", path)
    for folder in ("seed 1", runs) if runs else ("",):
        put(tmp_path / "masks" / folder, objects, lambda one: one.amodal())
    fault(tmp_path / "masks" / runs, objects[1].key)
    with pytest.raises(SystemExit) as end:
        run("--amodal", "coco-a", path, tmp_path / "masks", "--out", tmp_path / "out")
    said = capsys.readouterr().err
    assert end.value.code == 2 and "'predictions'" in said and objects[1].key in said
    assert not (tmp_path / "out").exists()


def test_wrong_json_masks_are_errors_by_name(made, tmp_path):
    objects = amodal_masks.read("coco-a", written(tmp_path, made["coco-a"], "coco-a"))
    entries = [{"name": one.key, "segmentation": packed(one.amodal())} for one in objects]
    key, path = objects[1].key, tmp_path / "results.json"
    for wrong, said in (
        (entries[:1] + entries[2:], f"lacks {key}"),
        ([*entries, {"name": "x", "segmentation": []}], "too many: x"),
        ([*entries, entries[0]], f"1 masks of {key}"),
        ([entries[0], {"name": key, "segmentation": {"size": [9, 9], "counts": "0"}}, *entries[2:]],
         f"wrong mask of {key}"),
        ([entries[0], {"name": key, "segmentation": {"size": [SIZE, SIZE], "counts": ""}},
          *entries[2:]], f"wrong mask of {key}"),
        ([{"name": True, "segmentation": []}], "number 1"),
        ({"name": key}, "no list"),
    ):  # fmt: skip
        path.write_text(json.dumps(wrong))
        with pytest.raises(BadInput, match=said):
            amodal_predictions.read(path, objects)
    path.write_text("[{")
    with pytest.raises(BadInput, match="cannot be read"):
        amodal_predictions.read(path, objects)
    with pytest.raises(BadInput, match="neither a folder"):
        amodal_predictions.read(tmp_path / "none", objects)


def spoilt(data: dict, change) -> dict:
    data = copy.deepcopy(data)
    change(data)
    return data


def regions(data):
    return data["annotations"][1]["regions"]


SPOILERS = {
    "a polygon of odd length": (lambda d: regions(d)[1]["segmentation"].pop(), "41-2"),
    "a polygon of words": (lambda d: regions(d)[1].update(segmentation=["a"] * 6), "41-2"),
    "no polygon": (lambda d: regions(d)[1].pop("segmentation"), "annotation 2"),
    "an empty polygon": (lambda d: regions(d)[1].update(segmentation=[]), "41-2"),
    "a corner far out": (lambda d: regions(d)[0]["segmentation"].__setitem__(0, 1e9), "41-1"),
    "runs of another size": (
        lambda d: regions(d)[1].update(visible_mask={"size": [3, 3], "counts": [9]}),
        "41-2",
    ),
    "too few runs": (
        lambda d: regions(d)[1].update(visible_mask={"size": [SIZE, SIZE], "counts": [9]}),
        "41-2",
    ),
    "cut runs": (
        lambda d: regions(d)[1].update(visible_mask={"size": [SIZE, SIZE], "counts": "o"}),
        "41-2",
    ),
    "an order twice": (lambda d: regions(d)[1].update(order=1), "41-1"),
    "a constraint of nothing": (lambda d: d["annotations"][1].update(depth_constraint="9-1"), "41"),
    "a constraint in words": (
        lambda d: d["annotations"][1].update(depth_constraint="a-b"),
        "ion 2",
    ),
    "no id": (lambda d: d["annotations"][1].pop("id"), "None-1"),
    "an id that is a path": (lambda d: d["annotations"][1].update(id="../x"), "x-1"),
    "no picture": (lambda d: d["annotations"][1].update(image_id=77), "annotation 2"),
    "a picture without size": (lambda d: d["images"][1].update(width=0), "41-1"),
    "a picture without name": (lambda d: d["images"][1].update(file_name=["a"]), "41-1"),
    "a huge picture": (lambda d: d["images"][1].update(width=10**9), "41-1"),
    "no object": (lambda d: [one.update(regions=[]) for one in d["annotations"]], "no object"),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_malformed_annotations_are_errors_by_name_and_nothing_runs(
    made, tmp_path, capsys, monkeypatch, name
):
    change, said = SPOILERS[name]
    path = written(tmp_path, spoilt(made["coco-a"], change), "coco-a")
    monkeypatch.setattr(amodal_masks, "scored", lambda *_: pytest.fail("it ran"))
    with pytest.raises(SystemExit):
        run("--amodal", "coco-a", path, tmp_path / "none", "--out", tmp_path / "out")
    message = capsys.readouterr().err
    assert "'annotations'" in message and said in message
    assert not (tmp_path / "out").exists()


def test_another_kind_is_refused(made, tmp_path):
    for kind, other in (("coco-a", "kins"), ("kins", "coco-a")):
        with pytest.raises(BadInput, match="are not of"):
            amodal_masks.read(kind, written(tmp_path, made[other], other))
    with pytest.raises(BadInput, match="choose one of coco-a, bsds-a, kins"):
        amodal_masks.read("cocoa", written(tmp_path, made["kins"], "kins"))


def test_without_a_package_for_masks_the_error_names_one(made, tmp_path, monkeypatch, capsys):
    path = written(tmp_path, made["coco-a"], "coco-a")
    for name in ("pycocotools", "faster_coco_eval", "faster_coco_eval.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit):
        run("--amodal", "coco-a", path, "--out", tmp_path / "out")
    assert "pip install pycocotools" in capsys.readouterr().err


def test_wrong_words_are_named(made, tmp_path, capsys):
    path = written(tmp_path, made["coco-a"], "coco-a")
    for words, said in (
        (["coco-a"], "KIND ANNOTATIONS PREDICTIONS"),
        (["coco-a", path, "a", "b"], "KIND ANNOTATIONS PREDICTIONS"),
        (["coco-a", path.with_name("none.json")], "none.json"),
        (["coco-a", path, "--order", "nobody"], "instaorder=FILE"),
    ):
        with pytest.raises(SystemExit):
            run("--amodal", *words, "--models", tmp_path, "--out", tmp_path / "out")
        assert said in capsys.readouterr().err


class Knows:
    """An order model that looks up the truth; `right` of its answers are so."""

    def __init__(self, pairs: set, right: bool = True):
        self.pairs, self.right, self.asked = pairs, right, []

    def order(self, image, masks, pairs):
        import torch

        self.asked += pairs
        table = torch.full((len(masks), len(masks)), float("nan"))
        for i, j in pairs:
            table[i, j] = float(((i, j) in self.pairs) == self.right)
            table[j, i] = float(((j, i) in self.pairs) == self.right)
        return table


def test_order_models_are_scored_on_the_pairs_that_the_annotators_drew(annotated):
    _, _, objects = annotated
    groups = list(amodal_masks.by_group(objects).values())
    for group in groups:
        layers = {
            (i, j)
            for i, front in enumerate(group)
            for j, back in enumerate(group)
            if i < j and (front.amodal() & back.amodal()).any()
        }
        assert amodal_masks.order_truth(group) == layers != set()
        for right in (True, False):
            (found,) = amodal_masks.ordered(group, Knows(layers, right), None)
            unseen = found["unseen"]
            assert found["pairs"] == len(layers) - unseen
            assert found["right"] == (found["pairs"] if right else 0)
            assert found["free"] == (found["none"] if right else 0)


def test_an_object_without_a_visible_pixel_is_not_asked_for(made, tmp_path):
    def hide(data):
        regions(data)[1]["visible_mask"] = packed(np.zeros((SIZE, SIZE), bool))

    path = written(tmp_path, spoilt(made["coco-a"], hide), "coco-a")
    group = amodal_masks.by_group(amodal_masks.read("coco-a", path))[
        "COCO_val2014_000000000001.png", 0
    ]
    model = Knows(amodal_masks.order_truth(group))
    (found,) = amodal_masks.ordered(group, model, None)
    assert found["unseen"] >= 1 and all(1 not in pair for pair in model.asked)


def test_the_command_scores_order_models_of_the_pack(real_host, annotated, tmp_path):
    kind, path, objects = annotated
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        pixels = (drawn(900 + number).image * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(pictures / image(number)["file_name"])
    words = ["--amodal", kind, path, "--order", "border", "stickers", "--pictures", pictures]
    text = run(*words, "--models", tmp_path, "--out", tmp_path / "out")
    assert "## Masks" not in text
    shares = {word: cells(text, word) for word in ("border", "stickers")}
    assert int(shares["stickers"][0]) >= 3 and shares["stickers"][1] == "100%"
    assert (tmp_path / "out" / "objects.csv").exists()
    with pytest.raises(SystemExit):
        run(*words[:3], "--order", "instaorder", "--models", tmp_path, "--out", tmp_path / "out")


@pytest.fixture
def folders_stay(real_host):
    """The host forgets the folders of models that a command has told it of."""
    import folder_paths

    before = {
        name: ([*paths], ends)
        for name, (paths, ends) in folder_paths.folder_names_and_paths.items()
    }
    yield
    folder_paths.folder_names_and_paths.clear()
    folder_paths.folder_names_and_paths.update(before)
    folder_paths.filename_list_cache.clear()


def test_instaorder_is_scored_from_its_file(folders_stay, tmp_path, capsys):
    """With random weights: every pair is asked for in both orders and has an answer."""
    path = written(tmp_path, region_file(1), "coco-a")
    (tmp_path / "instaorder").mkdir()
    put_order_model(tmp_path / "instaorder" / "order.pth.tar")
    words = ["--amodal", "coco-a", path, "--models", tmp_path, "--out", tmp_path / "out"]
    text = run(*words, "--order", "instaorder=order.pth.tar")
    pairs, right, *_ = cells(text, "instaorder")
    assert int(pairs) >= 1 and right.endswith("%")
    with pytest.raises(SystemExit):
        run(*words, "--order", "instaorder=none.pth.tar")
    assert "none.pth.tar" in capsys.readouterr().err


def test_pictures_are_checked_by_name(made, tmp_path):
    objects = amodal_masks.read("coco-a", written(tmp_path, made["coco-a"], "coco-a"))
    with pytest.raises(BadInput, match="lack COCO_val2014_000000000000.png"):
        amodal_masks.ordered(objects, Knows(set()), tmp_path)
    Image.new("RGB", (9, 9)).save(tmp_path / image(0)["file_name"])
    with pytest.raises(BadInput, match="of 9x9"):
        amodal_masks.ordered(objects, Knows(set()), tmp_path)
