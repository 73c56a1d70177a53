"""What a folder, a glob or a manifest holds, and which items count as the same."""

import json
import os

import pytest

from amodal.batch.items import Item, Keys, weights
from amodal.batch.source import matches, source_of, split_glob
from amodal.core.errors import BadInput


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.png",
        "a.JPG",
        "sub/c.webp",
        "a_mask.png",
        "a_mask_2.png",
        "notes.txt",
        ".x.png",
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "in"


def names(source) -> list[str]:
    return [item.name for item in source]


def test_a_folder_gives_its_pictures_in_order_and_no_masks(folder):
    source = source_of(str(folder))
    assert names(source) == ["a.JPG", "b.png", "sub/c.webp"] and source.count() == 3
    assert names(source) == names(source)  # as often as wanted
    assert {item.place for item in source} == {str(folder)}


def test_results_within_the_source_are_no_source(folder):
    (folder / "sub" / "out").mkdir()
    (folder / "sub" / "out" / "completed.png").touch()
    assert names(source_of(str(folder), None, str(folder / "sub" / "out"))) == names(
        source_of(str(folder), None, str(folder / "sub" / "out") + "/")
    )
    assert len(names(source_of(str(folder), None, str(folder / "sub" / "out")))) == 3
    assert len(names(source_of(str(folder)))) == 4


@pytest.mark.parametrize(
    "pattern, found",
    [("*.png", ["b.png"]), ("**/*.webp", ["sub/c.webp"]), ("su*/*", ["sub/c.webp"])],
)
def test_a_glob_gives_what_it_matches(folder, pattern, found):
    assert names(source_of(f"{folder}/{pattern}")) == found


def test_globs_match_folder_by_folder():
    assert matches("a/b.png", "a/*.png") and not matches("a/c/b.png", "a/*.png")
    assert matches("a/c/d/b.png", "a/**/b.png") and matches("a/b.png", "a/**/b.png")
    assert split_glob("s3://bucket/x/*.png?scheme=http") == ("s3://bucket/x?scheme=http", "*.png")


def test_objects_by_name_by_mask_and_by_number(folder):
    words = source_of(str(folder), "red mug, cat")
    assert [(i.name, i.words) for i in words][:3] == [
        ("a.JPG", "red mug"),
        ("a.JPG", "cat"),
        ("b.png", "red mug"),
    ]
    masks = source_of(str(folder), "masks")
    assert [(i.name, i.mask) for i in masks] == [
        ("a.JPG", "a_mask.png"),
        ("a.JPG", "a_mask_2.png"),
    ]
    assert [i.index for i in source_of(str(folder), "all")] == [0, 0, 0]
    assert [i.object for i in masks] == ["a_mask.png", "a_mask_2.png"]


ROW = ("picture", "mask", "point", "words", "prompt", "seed")
ROWS = [
    {"picture": "a.JPG", "mask": "a_mask.png", "seed": 5},
    {"picture": "b.png", "point": "0.5,0.5", "prompt": "a {label}"},
    {"picture": "sub/c.webp", "words": "red mug"},
    {"picture": "b.png"},
]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_manifest_gives_its_rows(folder, kind):
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow", reason="needs the package pyarrow")
        import pyarrow.parquet as pq

        columns = {name: [row.get(name) for row in ROWS] for name in ROW}
        pq.write_table(pa.table(columns), folder / "rows.parquet")
    else:
        (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n\n")
    items = list(source_of(str(folder / f"rows.{kind}"), "cat"))
    place = str(folder)
    assert items == [
        Item(place, "a.JPG", mask="a_mask.png", seed=5),
        Item(place, "b.png", point="0.5,0.5", prompt="a {label}"),
        Item(place, "sub/c.webp", words="red mug"),
        Item(place, "b.png", words="cat"),  # --objects, where a row chooses nothing
    ]


def test_a_manifest_may_name_pictures_anywhere(folder, tmp_path):
    rows = [
        {"picture": str(folder / "sub" / "c.webp"), "words": "x"},
        {"picture": str(folder / "a.JPG"), "mask": str(folder / "a_mask.png")},
        {"picture": f"file://{folder}/b.png"},
        {"picture": "../in/b.png"},
    ]
    (tmp_path / "lists").mkdir()
    manifest = tmp_path / "lists" / "rows.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    items = list(source_of(str(manifest)))
    assert [(i.place, i.name, i.mask) for i in items] == [
        (str(folder / "sub"), "c.webp", None),
        (str(folder), "a.JPG", "a_mask.png"),
        (str(folder), "b.png", None),
        (str(folder), "b.png", None),
    ]


BAD_ROWS = [
    "[]",
    "{",
    '{"picture": 3}',
    '{"picture": "a.JPG", "seed": -1}',
    '{"picture": "a.JPG", "seed": true}',
    '{"picture": "a.JPG", "words": ["cat"]}',
    '{"picture": "sub/c.webp", "mask": "/elsewhere/m.png"}',
]


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_row_that_is_none_is_an_error_with_its_number(folder, row):
    (folder / "rows.jsonl").write_text(f'{{"picture": "a.JPG"}}\n{row}\n')
    with pytest.raises(BadInput, match=r"row 2 of rows\.jsonl.*Remedy"):
        list(source_of(str(folder / "rows.jsonl")))


@pytest.mark.parametrize("address", ["nowhere", "empty", "nowhere/*.png", "rows.jsonl"])
def test_a_source_without_items_is_an_error(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.jsonl").touch()
    with pytest.raises(BadInput, match="'source'.*Remedy"):
        source_of(address)


def test_a_key_changes_with_all_that_decides_a_result_and_nothing_else(folder):
    place = str(folder)
    item = Item(place, "a.JPG", mask="a_mask.png")
    first = Keys("s")(item)
    assert len(first) == 32 and Keys("s")(item) == first
    others = [
        Keys("other settings")(item),
        Keys("s")(Item(place, "b.png", mask="a_mask.png")),
        Keys("s")(Item(place, "a.JPG", mask="a_mask_2.png")),
        Keys("s")(Item(place, "a.JPG", words="cat")),
        Keys("s")(Item(place, "a.JPG", mask="a_mask.png", seed=1)),
        Keys("s")(Item(place, "a.JPG", mask="a_mask.png", prompt="x")),
        Keys("s")(Item(place, "a.JPG", index=0)),
        Keys("s")(Item(place, "a.JPG", index=1)),
    ]
    assert len({first, *others}) == 1 + len(others)
    os.utime(folder / "a.JPG", (1, 1))  # touched, not changed
    assert Keys("s")(item) == first
    for name in ("a.JPG", "a_mask.png"):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(b"changed")
        assert Keys("s")(item) != first
        (folder / name).write_bytes(before)
    folder.rename(folder.parent / "moved")
    assert Keys("s")(Item(str(folder.parent / "moved"), "a.JPG", mask="a_mask.png")) == first


def test_weights_differ_wherever_a_file_does(tmp_path):
    path = tmp_path / "w.safetensors"
    content = bytearray(os.urandom(10 * 2**20))
    path.write_bytes(content)
    first = weights([path])
    assert weights([path]) == first
    seen = {first}
    for part in (0, 5 * 2**20, len(content) - 2**19):  # a changed tensor is longer than a gap
        changed = bytearray(content)
        changed[part : part + 2**19] = bytes(2**19)
        path.write_bytes(changed)
        seen.add(weights([path]))
    path.write_bytes(content + b"x")
    assert len({*seen, weights([path])}) == 5
