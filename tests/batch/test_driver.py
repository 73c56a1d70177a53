"""A batch of stand-ins: what is done is done once, written down, and never half."""

import functools
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import batch_workers
import pytest

from amodal.batch import crews, finished, journal, manifest, worst
from amodal.batch.driver import Batch
from amodal.batch.faults import DiskFull
from amodal.batch.items import Item, Keys
from amodal.batch.places import place_of
from amodal.batch.report import Progress, Tally, duration
from amodal.batch.source import Source
from tools.bench import batch as bench
from tools.bench import batch_kills, stand_ins

ROOT = Path(__file__).resolve().parents[2]
RECENT = 1000


def batch_of(out, names, make=None, settings="s", **options) -> Batch:
    """A batch of items with these names, or of these items."""
    items = [name if isinstance(name, Item) else Item("nowhere", name) for name in names]
    make = make or batch_workers.recording()
    crew = functools.partial(crews.Threads, 2, make)
    place = place_of(out)
    return Batch(place, Source(lambda: iter(items)), Keys(settings), crew, quiet=True, **options)


def rows(out) -> list[dict]:
    return list(manifest.records(place_of(out)))


def worked_on(log) -> list[str]:
    return sorted(log.read_text().splitlines()) if log.exists() else []


def test_a_second_run_does_what_is_new_and_nothing_twice(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out"
    make = batch_workers.recording(str(log))
    batch_of(out, ["a", "b", "a"], make).run()  # a row of a manifest may be there twice
    assert worked_on(log) == ["a ", "b "]
    second = batch_of(out, ["a", "b", "c"], make)
    second.run()
    assert worked_on(log) == ["a ", "b ", "c "]
    assert second.done_here == 1 and second.tally.total == 3
    assert sorted(row["source"] for row in rows(out)) == [f"nowhere/{name}" for name in "abc"]
    batch_of(out, ["a"], make, settings="others").run()  # other settings are other items
    assert worked_on(log) == ["a ", "a ", "b ", "c "] and len(rows(out)) == 4


def test_what_was_set_aside_is_tried_again_only_if_asked(tmp_path):
    log, out = tmp_path / "log", tmp_path / "out"
    make = batch_workers.recording(str(log))
    batch_of(out, ["bad", "good"], make).run()
    failed = next(row for row in rows(out) if row["status"] == "failed")
    assert failed["reason"] == "bad input" and "is no picture" in failed["error"]
    batch_of(out, ["bad", "good"], make).run()
    assert worked_on(log) == ["bad ", "good "]
    batch_of(out, ["bad", "good"], make, again=True).run()
    assert worked_on(log) == ["bad ", "bad ", "good "] and len(rows(out)) == 2


def test_every_object_of_a_picture_has_a_row_also_after_an_interruption(tmp_path):
    """The first one tells how many there are."""
    log, out = tmp_path / "log", tmp_path / "out"
    items = [Item("nowhere", name, index=0) for name in ("a", "b")]
    make = batch_workers.recording(str(log), of=3)
    batch = batch_of(out, items, make)
    batch.run()
    every = [f"{name} {n}" for name in "ab" for n in range(3)]
    assert worked_on(log) == every and batch.tally.total == 6
    path = out / "journal" / "00000.jsonl"
    kept = [line for line in path.read_bytes().splitlines(True) if b"object 2" not in line]
    path.write_bytes(b"".join(kept))
    log.unlink()
    batch_of(out, items, make).run()
    assert worked_on(log) == ["a 1", "b 1"] and len(rows(out)) == 6


def test_a_result_that_was_not_written_down_is_found(tmp_path):
    """As after kill -9 of a driver between the worker's last file and the journal."""
    out, log = tmp_path / "out", tmp_path / "log"
    log.mkdir()
    make = stand_ins.making(str(out), 0.0, log=str(log))
    batch_of(out, ["a", "b"], make).run()
    before = rows(out)
    for path in (out / "journal").glob("*.jsonl"):
        path.write_bytes(b"")
    batch_of(out, ["a", "b"], make).run()
    ends = [line for path in log.glob("*.log") for line in path.read_text().splitlines()]
    assert sorted(ends) == sorted(row["key"] for row in before)
    assert {row["key"] for row in rows(out)} == set(ends)
    assert all(stand_ins.is_whole((out / n).read_bytes()) for row in before for n in row["files"])


def test_a_full_disk_stops_the_batch_and_the_same_command_goes_on(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write, room = journal.Journal._write, [2]

    def limited(self, records):
        if room[0] < len(records):
            raise OSError(28, "No space left on device")
        room[0] -= len(records)
        write(self, records)

    monkeypatch.setattr(journal.Journal, "_write", limited)
    batch = batch_of(out, "abcdefgh")
    with pytest.raises(DiskFull, match="No space"):
        batch.run()
    assert batch.tally.total == len(rows(out)) <= 2
    room[0] = 100
    batch_of(out, "abcdefgh").run()
    assert sorted(row["source"][-1] for row in rows(out)) == list("abcdefgh")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB, and a function that makes it larger."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a file system")
    grow = ["mount", "-o", "remount,size=20m", place]
    yield place, lambda: subprocess.run(grow, check=True)
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_full_and_gets_room(small_disk, tmp_path):
    """Real files of 20 kB on a real file system; 100 items need twice its room."""
    disk, grow = small_disk
    out, log = disk / "out", tmp_path / "log"
    log.mkdir()
    make, items = stand_ins.making(str(out), 0.0, log=str(log)), list(stand_ins.numbered(100))
    with pytest.raises(DiskFull, match="No space"):
        batch_of(out, items, make).run()
    before = rows(out)
    assert 5 < len(before) < 60
    assert all(stand_ins.is_whole((out / n).read_bytes()) for row in before for n in row["files"])
    grow()
    batch_of(out, items, make).run()
    after = rows(out)
    assert after[: len(before)] == before and len(after) == len({r["key"] for r in after}) == 100
    assert all(stand_ins.is_whole((out / n).read_bytes()) for row in after for n in row["files"])
    assert not list(out.rglob("*.part"))


def test_two_drivers_on_one_folder(tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    log.mkdir()
    words = [sys.executable, "-m", "tools.bench.batch_kills", str(out), str(log), "6", "0.5", ""]
    drivers = [
        subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [driver.communicate(timeout=100)[1] for driver in drivers]
    codes = [driver.returncode for driver in drivers]
    assert sorted(codes) == [0, 1], said
    assert "in use" in said[codes.index(1)] and len(rows(out)) == 6


def test_the_manifest_follows_the_journal_in_parts(tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the package pyarrow")
    monkeypatch.setattr(journal, "SEGMENT", 7)
    batch_of(tmp_path, [f"{n:03d}" for n in range(30)]).run()
    assert pq.read_table(tmp_path / "manifest.parquet").num_rows == 30
    assert len(list((tmp_path / "manifest.parquet").iterdir())) == 5
    (tmp_path / "manifest.parquet" / "00001.parquet").unlink()  # killed before it was written
    batch_of(tmp_path, ["new"]).run()
    table = pq.read_table(tmp_path / "manifest.parquet")
    assert table.num_rows == 31 and set(table["status"].to_pylist()) == {"completed"}


def test_many_keys_take_little_memory(monkeypatch):
    monkeypatch.setattr(finished, "RECENT", RECENT)
    keys = finished.Finished()
    tracemalloc.start()
    for number in range(5 * RECENT):
        keys.add(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}", number % 7)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(keys) == 5 * RECENT and taken < 5 * RECENT * 15
    for number in (0, 1, RECENT, 5 * RECENT - 1):
        assert keys.get(f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}") == number % 7
    assert f"{5:016x}" not in keys
    keys.add(f"{0:016x}", 9)
    assert keys.get(f"{0:016x}") == 9 and len(keys) == 5 * RECENT


def test_the_driver_costs_little_and_its_memory_stays_flat(capsys):
    """A short form of `python -m tools.bench.batch driver`, which runs 100,000 items."""
    options = bench.parser().parse_args(["driver", "--items", "1500", "--workers", "10"])
    measured = bench.measure_driver(options)
    assert "1500 rows in the journal" in capsys.readouterr().out
    assert measured[-1][2] - measured[2][2] < 10  # megabytes


def test_the_summary_counts_by_outcome_and_reason():
    tally = Tally()
    for status, reason in [
        ("completed", ""),
        ("completed", ""),
        ("unchanged", ""),
        ("failed", "bad input"),
        ("failed", "out of memory"),
        ("failed", "bad input"),
    ]:
        tally.add({"status": status, "reason": reason})
    assert tally.lines() == [
        "completed: 2",
        "not completed: 1 (unchanged: 1)",
        "failed: 3 (bad input: 2, out of memory: 1)",
    ]
    assert [duration(s) for s in (5, 125, 7325, 200_000)] == ["0:05", "2:05", "2:02:05", "2 d 7 h"]


def test_progress_shows_rate_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr("amodal.batch.report.EVERY", 0)
    progress, tally = Progress(10), Tally()
    tally.add({"status": "failed", "reason": "error"})
    progress(tally, 1)
    said = capsys.readouterr().err
    assert "1 of 10" in said and "a second" in said and "left" in said and "1 failed" in said


def test_the_sheet_shows_the_worst_first(tmp_path):
    kept = worst.Worst(most=3)
    records = [
        {"status": "completed", "passes": 1, "source": "fine"},
        {"status": "failed", "error": "x", "source": "failed"},
        {"status": "completed", "passes": 5, "source": "slow"},
        {"status": "unchanged", "source": "unchanged"},
        {"status": "completed", "scores": [0.2], "source": "low"},
    ]
    for record in records:
        kept.add(record)
    assert [r["source"] for r in kept.records()] == ["failed", "unchanged", "low"]
    assert worst.write(place_of(tmp_path), kept.records())
    assert (tmp_path / "worst.jpg").stat().st_size > 1000
    assert not worst.write(place_of(tmp_path), [])


@pytest.mark.parametrize("count", [7, 14])
def test_a_journal_may_end_with_a_full_segment(tmp_path, monkeypatch, count):
    monkeypatch.setattr(journal, "SEGMENT", 7)
    names = [f"{n:03d}" for n in range(count)]
    batch_of(tmp_path, names).run()
    batch_of(tmp_path, names).run()
    batch_of(tmp_path, [*names, "new"]).run()
    assert sorted(row["source"][-3:] for row in rows(tmp_path)) == [*names, "new"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--processes"], []], ids=["processes", "ray"])
def test_kills_lose_nothing_and_double_nothing(words):
    """A short form of `python -m tools.bench.batch kills`, which kills twenty times."""
    if not words:
        pytest.importorskip("ray", reason="needs the package ray")
    command = [sys.executable, "-m", "tools.bench.batch", "kills", "--items", "50", *words]
    done = subprocess.run(
        [*command, "--moments", "4"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "50 rows, 0 lost, 0 doubled, 0 torn files" in done.stdout


def test_the_check_of_the_books_finds_wrong_ones(tmp_path):
    """The kills' own check is no rubber stamp."""
    options = bench.parser().parse_args(["kills", "--items", "3"])
    trial = batch_kills.Trial(tmp_path, options)
    make = stand_ins.making(str(trial.dest), 0.0)
    crew = functools.partial(crews.Threads, 1, make)
    Batch(place_of(trial.dest), stand_ins.numbered(3), Keys("kills"), crew, quiet=True).run()
    assert trial._checked().is_sound
    path = trial.dest / "journal" / "00000.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[0], lines[1]]) + "\n")
    found = trial._checked()
    assert (found.lost, found.doubled, found.is_sound) == (1, 1, False)
    name = json.loads(lines[0])["files"][0]
    (trial.dest / name).write_bytes(b"half")
    assert trial._checked().torn == 2  # both lines name it
