"""Votes on disk: each counts once, and none is lost."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from amodal.study.folder import StudyError, Trial
from amodal.study.votes import Votes, rater_name

ROOT = Path(__file__).parents[2]
TRIAL = Trial("zebra", ("a", "b"))


def test_a_repeated_vote_counts_once_and_a_different_one_is_refused(tmp_path):
    votes = Votes(tmp_path / "s.sqlite")
    votes.cast("ann", TRIAL, ["b", "a"], "a")
    votes.cast("ann", TRIAL, ["b", "a"], "a")
    with pytest.raises(StudyError, match="already"):
        votes.cast("ann", TRIAL, ["b", "a"], "b")
    votes.cast("ben", TRIAL, ["a", "b"], "b")
    kept = [(v.rater, v.item, v.methods, v.chosen) for v in votes.all()]
    assert kept == [("ann", "zebra", ("b", "a"), "a"), ("ben", "zebra", ("a", "b"), "b")]


def test_undo_takes_back_the_last_vote_once_and_keeps_its_row(tmp_path):
    votes, other = Votes(tmp_path / "s.sqlite"), Trial("cup", ("a", "b"))
    votes.cast("ann", other, ["a", "b"], "b")
    votes.cast("ann", TRIAL, ["a", "b"], "a")
    votes.cast("ben", TRIAL, ["a", "b"], "a")
    last = votes.last("ann")
    for _ in range(2):  # a repeated request
        votes.undo("ann", last)
    assert votes.of("ann") == {other.key} and votes.of("ben") == {TRIAL.key}
    votes.undo("ben", votes.last("ann"))  # another rater's vote
    assert votes.of("ann") == {other.key} and votes.of("ben") == {TRIAL.key}
    votes.cast("ann", TRIAL, ["a", "b"], "b")
    with sqlite3.connect(tmp_path / "s.sqlite") as store:
        rows = store.execute("SELECT chosen, undone IS NULL FROM votes WHERE rater = 'ann'")
        assert rows.fetchall() == [("b", 1), ("a", 0), ("b", 1)]


KILLED = """
import os, signal, sys
from pathlib import Path
from amodal.study.folder import Trial
from amodal.study.votes import Votes, writing
votes = Votes(Path(sys.argv[1]))
for number in range(20):
    votes.cast("ann", Trial(f"picture {number}", ("a", "b")), ["a", "b"], "a")
    print(number, flush=True)
with votes._open() as store, writing(store):
    store.execute("PRAGMA cache_spill = 1")
    store.execute("PRAGMA cache_size = 1")  # uncommitted rows reach the disk as well
    for number in range(2000):
        store.execute("INSERT INTO votes (rater, trial, item, methods, chosen, at) "
                      "VALUES ('ann', ?, 'half', '[]', 'a', '')", (f"half {number}",))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_process_killed_during_a_transaction_loses_and_adds_no_vote(tmp_path):
    file = tmp_path / "s.sqlite"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(file)], cwd=ROOT, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    answered = len(killed.stdout.split())
    assert answered == 20
    assert os.path.getsize(f"{file}-wal") > 100_000  # contains the incomplete transaction
    votes = Votes(file)
    assert [vote.item for vote in votes.all()] == [f"picture {n}" for n in range(20)]
    votes.cast("ann", TRIAL, ["a", "b"], "b")
    assert len(Votes(file).all()) == 21
    with sqlite3.connect(file) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_secret_is_stored_with_the_votes(tmp_path):
    first = Votes(tmp_path / "s.sqlite").secret
    assert Votes(tmp_path / "s.sqlite").secret == first
    assert Votes(tmp_path / "t.sqlite").secret != first and len(first) == 64


def test_spaces_and_case_of_a_raters_name_are_ignored():
    assert rater_name("  Ann   B ") == rater_name("ann b") == "ann b"
    for bad in ("", "   ", "x" * 41, None, 3, "a\x00b", "a\u202eb"):
        with pytest.raises(StudyError):
            rater_name(bad)


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_votes_are_not_kept_through_a_link(tmp_path, linked):
    (tmp_path / "outside").mkdir()
    file = tmp_path / "votes" / "s.sqlite"
    if linked == "folder":
        file.parent.symlink_to(tmp_path / "outside")
    else:
        file.parent.mkdir()
        file.symlink_to(tmp_path / "outside" / "s.sqlite")
    with pytest.raises(StudyError, match="is a link"):
        Votes(file)
    assert not list((tmp_path / "outside").iterdir())
