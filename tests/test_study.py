"""The user study without a server: trials in order, votes on the disk, statistics by hand."""

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from amodal.study import statistics
from amodal.study.folder import Study, StudyError, Trial, is_name, open_study, studies
from amodal.study.votes import Vote, Votes, rater_name

ROOT = Path(__file__).parents[1]
TRIAL = Trial("zebra", ("a", "b"))


def make(root, methods=("a", "b", "c"), items=("chair", "cup", "owl", "zebra"), **settings):
    """A study's folder `root/s` with pictures of 4 x 4."""
    for part in ("original", *methods):
        (root / "s" / part).mkdir(parents=True)
        for item in items:
            Image.new("RGB", (4, 4)).save(root / "s" / part / f"{item}.png")
    if settings:
        (root / "s" / "study.json").write_text(json.dumps(settings))
    return root / "s"


def votes_of(*rows) -> list[Vote]:
    """From 'rater picture chosen' with methods a, b, c."""
    return [Vote(r, i, i, ("a", "b", "c"), c) for r, i, c in map(str.split, rows)]


# -- the folder ------------------------------------------------------------------------------------


def test_a_row_shows_every_method_and_a_pair_each_two(tmp_path):
    folder = make(tmp_path)
    rows = Study(folder).trials()
    assert len(rows) == 4 and all(trial.methods == ("a", "b", "c") for trial in rows)
    (folder / "study.json").write_text('{"show": "pairs"}')
    pairs = Study(folder).trials()
    assert len(pairs) == len({trial.key for trial in pairs}) == 12
    counts = Counter("".join(trial.methods) for trial in pairs)
    assert counts == {"ab": 4, "ac": 4, "bc": 4}


def test_seed_and_rater_alone_decide_the_order(tmp_path):
    folder = make(tmp_path, items=[f"picture {n}" for n in range(30)])
    study, again = Study(folder), Study(folder)

    def seen(study, rater):
        return [(t.item, study.methods_for(rater, t)) for t in study.trials_for(rater)]

    assert seen(study, "ann") == seen(again, "ann")
    assert seen(study, "ann") != seen(study, "ben")
    assert sorted(item for item, _ in seen(study, "ann")) == study.items
    (folder / "study.json").write_text('{"seed": 1}')
    assert seen(Study(folder), "ann") != seen(study, "ann")
    firsts = Counter(methods[0] for r in range(20) for _, methods in seen(study, f"rater {r}"))
    assert all(abs(firsts[method] - 200) < 60 for method in "abc")  # of 600; sd 11.5


def test_pictures_that_are_not_in_every_folder_are_left_out_and_counted(tmp_path):
    folder = make(tmp_path)
    (folder / "b" / "owl.png").unlink()
    (folder / "c" / "only c.png").write_bytes(b"")
    (folder / "a" / "notes.txt").write_text("no picture")
    study = Study(folder)
    assert study.items == ["chair", "cup", "zebra"] and study.left_out == 2


def test_a_suffix_of_its_own_is_the_same_picture(tmp_path):
    folder = make(tmp_path)
    (folder / "original" / "owl.png").rename(folder / "original" / "owl.JPG")
    assert "owl" in Study(folder).items


@pytest.mark.parametrize(
    "settings, said",
    [
        ("{", "not valid JSON"), ('{"shows": "rows"}', "may hold"), ("[]", "may hold"),
        ('{"show": "all"}', "one of rows, pairs"), ('{"seed": "x"}', "whole number"),
    ],
)
def test_settings_that_cannot_be_read_are_named(tmp_path, settings, said):
    folder = make(tmp_path)
    (folder / "study.json").write_text(settings)
    with pytest.raises(StudyError, match=said):
        Study(folder)


def test_a_study_with_nothing_to_compare_says_so(tmp_path):
    with pytest.raises(StudyError, match="has 1 methods"):
        Study(make(tmp_path / "one", methods=("a",)))
    folder = make(tmp_path / "two", methods=("a", "b"), items=("cup",))
    (folder / "b" / "cup.png").rename(folder / "b" / "mug.png")
    with pytest.raises(StudyError, match="in all of its folders"):
        Study(folder)


@pytest.mark.parametrize(
    "name", ["..", ".", "", "a/b", "a\\b", "../s", "/etc", "s.", " s", ".s", "s\0", "CON", "nul.x",
             "a\nb", "x" * 65, "a:b", "~"],
)
def test_no_name_leaves_the_folder(tmp_path, name):
    make(tmp_path)
    assert not is_name(name)
    with pytest.raises(LookupError):
        open_study(tmp_path, name)


def test_a_link_out_of_the_study_is_no_picture(tmp_path):
    folder = make(tmp_path, methods=("a", "b"))
    secret = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(secret)
    for part in ("original", "a", "b"):
        (folder / part / "secret.png").symlink_to(secret)
    (folder / "away").symlink_to(tmp_path, target_is_directory=True)
    study = Study(folder)
    assert studies(tmp_path) == ["s"]
    assert "secret" not in study.items and study.left_out == 0 and study.methods == ("a", "b")


# -- the votes -------------------------------------------------------------------------------------


def test_the_same_vote_counts_once_and_another_is_refused(tmp_path):
    votes = Votes(tmp_path / "s.sqlite")
    votes.cast("ann", TRIAL, ["b", "a"], "a")
    votes.cast("ann", TRIAL, ["b", "a"], "a")
    with pytest.raises(StudyError, match="already"):
        votes.cast("ann", TRIAL, ["b", "a"], "b")
    votes.cast("ben", TRIAL, ["a", "b"], "b")
    kept = [(v.rater, v.item, v.methods, v.chosen) for v in votes.all()]
    assert kept == [("ann", "zebra", ("b", "a"), "a"), ("ben", "zebra", ("a", "b"), "b")]


def test_the_last_vote_is_taken_back_once_and_stays_on_record(tmp_path):
    votes, other = Votes(tmp_path / "s.sqlite"), Trial("cup", ("a", "b"))
    votes.cast("ann", other, ["a", "b"], "b")
    votes.cast("ann", TRIAL, ["a", "b"], "a")
    votes.cast("ben", TRIAL, ["a", "b"], "a")
    last = votes.last("ann")
    for _ in range(2):  # sent twice
        votes.undo("ann", last)
    assert votes.of("ann") == {other.key} and votes.of("ben") == {TRIAL.key}
    votes.undo("ben", votes.last("ann"))  # not hers
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
    store.execute("PRAGMA cache_size = 1")  # what is not committed reaches the disk as well
    for number in range(2000):
        store.execute("INSERT INTO votes (rater, trial, item, methods, chosen, at) "
                      "VALUES ('ann', ?, 'half', '[]', 'a', '')", (f"half {number}",))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_process_killed_in_mid_transaction_loses_no_vote_and_adds_none(tmp_path):
    file = tmp_path / "s.sqlite"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(file)], cwd=ROOT, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    answered = len(killed.stdout.split())
    assert answered == 20
    assert os.path.getsize(f"{file}-wal") > 100_000  # the half transaction is there
    votes = Votes(file)
    assert [vote.item for vote in votes.all()] == [f"picture {n}" for n in range(20)]
    votes.cast("ann", TRIAL, ["a", "b"], "b")
    assert len(Votes(file).all()) == 21
    with sqlite3.connect(file) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_secret_stays_with_the_votes(tmp_path):
    first = Votes(tmp_path / "s.sqlite").secret
    assert Votes(tmp_path / "s.sqlite").secret == first
    assert Votes(tmp_path / "t.sqlite").secret != first and len(first) == 64


def test_a_rater_is_known_however_the_name_is_typed():
    assert rater_name("  Ann   B ") == rater_name("ann b") == "ann b"
    for bad in ("", "   ", "x" * 41, None, 3, "a\x00b", "a\u202eb"):
        with pytest.raises(StudyError):
            rater_name(bad)


# -- the statistics --------------------------------------------------------------------------------


def test_wilson_by_hand():
    """8 of 10: the textbook's .490 to .943; 0 of 10: 0 to .278."""
    assert statistics.wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert statistics.wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert statistics.wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_one_vote_a_picture_is_one_independent_vote_each():
    assert statistics.effective_size([1, 0, 1, 1, 0], [1] * 5) == pytest.approx(5)


def test_votes_that_repeat_each_other_count_as_one_a_picture():
    """Three raters who always agree: 4 pictures, 12 votes. Share .5; spread between pictures
    (4 * 1.5^2) / 144 * 4/3 = .08333, of independent votes .25 / 11; 12 / 3.6667 = 3.27."""
    assert statistics.effective_size([3, 3, 0, 0], [3] * 4) == pytest.approx(12 / (11 / 3))
    assert statistics.effective_size([3, 3, 3, 3], [3] * 4) == 4  # no variance: pictures
    assert statistics.effective_size([1, 2, 2, 1], [3] * 4) == 12  # no design effect under 1


def test_the_preference_table_by_hand():
    rows = statistics.preferences(
        votes_of("ann p1 a", "ann p2 a", "ann p3 b", "ben p1 a", "ben p2 b", "ben p3 b")
    )
    assert [(r.method, r.votes, r.shown) for r in rows] == [("a", 3, 6), ("b", 3, 6), ("c", 0, 6)]
    assert [r.share for r in rows] == [0.5, 0.5, 0.0]
    assert all(r.low <= r.share <= r.high for r in rows)
    assert (rows[2].low, rows[2].high) == pytest.approx(statistics.wilson(0, 3))


def test_a_method_counts_where_it_was_shown():
    votes = [Vote("ann", "1", "p", ("a", "b"), "a"), Vote("ann", "2", "p", ("b", "c"), "b")]
    shown = {row.method: (row.votes, row.shown) for row in statistics.preferences(votes)}
    assert shown == {"a": (1, 1), "b": (1, 2), "c": (0, 1)}


EXAMPLES = {  # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", A and C
    0.095: ["0100000010", "1110010000"],
    0.743: ["123321412...", "1233224125.3", ".3332342251.", "12332441251."],
}


@pytest.mark.parametrize("alpha", EXAMPLES)
def test_alpha_of_krippendorffs_own_examples(alpha):
    votes = [
        Vote(f"rater {r}", str(u), str(u), tuple("012345"), value)
        for r, values in enumerate(EXAMPLES[alpha])
        for u, value in enumerate(values) if value != "."
    ]
    found = statistics.agreement(votes)
    assert found.alpha == pytest.approx(alpha, abs=5e-4)
    assert found.low < found.alpha < found.high
    assert found.raters == len(EXAMPLES[alpha])


def test_agreement_by_hand():
    """Two raters, two pictures, once equal: Do = 1/2; De of 3 a and 1 b = 6/12; alpha 0."""
    found = statistics.agreement(votes_of("ann p1 a", "ben p1 a", "ann p2 a", "ben p2 b"))
    assert found.alpha == pytest.approx(0) and found.same == 0.5 and found.trials == 2


def test_pairs_of_different_methods_do_not_agree_by_design():
    """Coin tosses on (a, b) and on (c, d): pooled, four methods would make them look agreed."""
    votes = [
        Vote(rater, f"{pair}{n}", str(n), tuple(pair), pair[(n >> bit) & 1])
        for pair in ("ab", "cd") for n in range(40) for bit, rater in enumerate(("ann", "ben"))
    ]
    assert statistics.agreement(votes).alpha == pytest.approx(0, abs=0.02)


def test_agreement_where_there_is_nothing_to_compare():
    alone = statistics.agreement(votes_of("ann p1 a", "ben p2 a"))
    assert (alone.trials, alone.alpha, alone.same) == (0, None, None)
    unanimous = statistics.agreement(votes_of("ann p1 a", "ben p1 a", "ann p2 a", "ben p2 a"))
    assert (unanimous.alpha, unanimous.same) == (None, 1.0)
    assert statistics.preferences([]) == []


def test_the_table_as_csv():
    votes = votes_of("=cmd p1 a", "ben p1 a", "=cmd p2 b", "ben p2 c")
    rows = list(csv.DictReader(io.StringIO(statistics.table_csv(votes))))
    assert [row["name"] for row in rows[:3]] == ["a", "b", "c"]
    assert (rows[0]["value"], rows[0]["votes"], rows[0]["shown"]) == ("0.5000", "2", "4")
    assert rows[3]["name"].startswith("Krippendorff") and rows[4]["value"] == "0.5000"
    every = list(csv.DictReader(io.StringIO(statistics.votes_csv(votes))))
    assert len(every) == 4 and every[0]["rater"] == "'=cmd"  # no formula in a spreadsheet
    assert every[1]["shown"] == "a | b | c"
