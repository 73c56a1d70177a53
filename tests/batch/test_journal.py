"""The journal is complete at any moment, the manifest holds the same, and one reader reads both."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from amodal.batch import journal, lines, manifest
from amodal.batch.places import place_of
from amodal.core.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]


def record(number: int) -> dict:
    return {
        "key": f"{number:032x}",
        "source": f"a/{number}.png",
        "object": "cat",
        "status": "completed",
        "passes": 2,
        "scores": [0.5, 0.25],
        "seconds": 1.5,
        "worker": "w",
        "files": ["x/y.png"],
        "reduced": ["2 seeds"],
    }


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT", 10)


def written(place, numbers) -> list[int]:
    book = journal.Journal(place)
    full = [n for number in numbers for n in book.add([record(number)])]
    book.close()
    return full


def test_records_come_back_in_order_over_all_segments(tmp_path, short):
    place = place_of(tmp_path)
    assert written(place, range(17)) == [0]
    book = journal.Journal(place)
    assert book.add([record(n) for n in range(17, 45)]) == [1, 2, 3]
    assert journal.segments(place) == [0, 1, 2, 3, 4]
    assert list(manifest.records(place)) == [record(n) for n in range(45)]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_what_a_killed_driver_left_of_a_line_is_removed(tmp_path, cut):
    place = place_of(tmp_path)
    written(place, range(3))
    path = tmp_path / "journal" / "00000.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    left = [record(n) for n in range(3 if cut == 1 else 2)]  # a line without its end is whole
    assert list(manifest.records(place)) == left
    written(place, [7])
    assert list(manifest.records(place)) == [*left, record(7)]
    assert path.read_bytes() == b"".join(map(lines.as_line, [*left, record(7)]))


def test_a_full_segment_that_was_not_followed_by_another(tmp_path, short):
    place = place_of(tmp_path)
    written(place, range(10))  # as if the driver had been killed right then
    (tmp_path / "journal" / "00001.jsonl").unlink(missing_ok=True)
    assert written(place, range(10, 12)) == [0]
    assert list(manifest.records(place)) == [record(n) for n in range(12)]


def test_the_manifest_is_one_table_with_a_row_for_each_item(tmp_path, short):
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the package pyarrow")
    place = place_of(tmp_path)
    for number in [*written(place, range(25)), 2]:
        manifest.compact(place, number)
    table = pq.read_table(tmp_path / "manifest.parquet")
    assert table.num_rows == 25 and set(manifest.COLUMNS) == set(table.column_names)
    assert table["key"].to_pylist() == [record(n)["key"] for n in range(25)]
    assert table["scores"].to_pylist()[3] == [0.5, 0.25]
    # the reader takes full segments from the parts
    (tmp_path / "journal" / "00000.jsonl").write_bytes(b"")
    assert list(manifest.records(place)) == [record(n) for n in range(25)]


def test_records_can_be_taken_out(tmp_path, short):
    place = place_of(tmp_path)
    written(place, range(25))
    assert journal.forget(place, lambda r: int(r["key"], 16) in (3, 4, 24)) == [0, 2]
    left = [n for n in range(25) if n not in (3, 4, 24)]
    assert list(manifest.records(place)) == [record(n) for n in left]


def test_a_second_driver_is_refused(tmp_path):
    place = place_of(tmp_path)
    with (
        journal.alone_with(place),
        pytest.raises(BadInput, match=r"in use.*Remedy: wait"),
        journal.alone_with(place),
    ):
        pass
    with journal.alone_with(place):
        pass


FULL = """
import resource, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from amodal.batch import lines
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
file = lines.Appender(Path(sys.argv[1]))
try:
    for number in range(100):
        file.add([{{"key": str(number), "text": "x" * 50}}])
except OSError as error:
    print(number, error.errno)
"""


def test_a_line_that_finds_no_room_leaves_no_trace(tmp_path):
    """The system refuses to let the file grow, as a full disk does."""
    path = tmp_path / "records.jsonl"
    words = [sys.executable, "-c", FULL.format(root=str(ROOT)), path]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert len(said) == 2, "the file could grow"
    content = path.read_bytes()
    assert content.endswith(b"\n") and len(content) <= 1000
    assert [r["key"] for r in lines.read(path)] == [str(n) for n in range(int(said[0]))]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_file_is_under_its_name_only_when_it_is_whole(tmp_path, monkeypatch):
    place = place_of(tmp_path)
    place.write("a/b.bin", b"old")

    def no_room(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space"):
        place.write("a/b.bin", b"new and longer")
    assert place.read("a/b.bin") == b"old" and list(place.names()) == ["a/b.bin"]


def test_names_do_not_lead_out_of_a_place(tmp_path):
    place = place_of(tmp_path / "in")
    for name in ("../x", "/etc/x", "a/../../x", ""):
        with pytest.raises(BadInput, match="leads out"):
            place.write(name, b"")


def test_damaged_lines_are_passed_over(tmp_path):
    place = place_of(tmp_path)
    written(place, range(2))
    path = tmp_path / "journal" / "00000.jsonl"
    odd = b'[1]\n{"no": "key"}\n\xff\n' + b"[" * 9999 + b"\n" + json.dumps(record(5)).encode()
    path.write_bytes(path.read_bytes() + odd)
    assert list(manifest.records(place)) == [record(0), record(1), record(5)]
