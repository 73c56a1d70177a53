"""Preference and agreement, compared with values calculated by hand."""

import csv
import io

import pytest

from amodal.study import statistics
from amodal.study.votes import Vote


def votes_of(*rows) -> list[Vote]:
    """From 'rater picture chosen' with methods a, b, c."""
    return [Vote(r, i, i, ("a", "b", "c"), c) for r, i, c in map(str.split, rows)]


def test_wilson_interval():
    """8 of 10: .490 to .943, as in textbooks. 0 of 10: 0 to .278."""
    assert statistics.wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert statistics.wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert statistics.wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_one_vote_per_picture_counts_as_independent():
    assert statistics.effective_size([1, 0, 1, 1, 0], [1] * 5) == pytest.approx(5)


def test_identical_votes_count_once_per_picture():
    """Three raters who always agree: 4 pictures, 12 votes, share .5.

    Variance between pictures: (4 * 1.5^2) / 144 * 4/3 = .08333. Variance of independent votes:
    .25 / 11. Effective size: 12 / 3.6667 = 3.27.
    """
    assert statistics.effective_size([3, 3, 0, 0], [3] * 4) == pytest.approx(12 / (11 / 3))
    assert (
        statistics.effective_size([3, 3, 3, 3], [3] * 4) == 4
    )  # no variance: one vote per picture
    assert statistics.effective_size([1, 2, 2, 1], [3] * 4) == 12  # the design effect is at least 1


def test_preference_table():
    rows = statistics.preferences(
        votes_of("ann p1 a", "ann p2 a", "ann p3 b", "ben p1 a", "ben p2 b", "ben p3 b")
    )
    assert [(r.method, r.votes, r.shown) for r in rows] == [("a", 3, 6), ("b", 3, 6), ("c", 0, 6)]
    assert [r.share for r in rows] == [0.5, 0.5, 0.0]
    assert all(r.low <= r.share <= r.high for r in rows)
    assert (rows[2].low, rows[2].high) == pytest.approx(statistics.wilson(0, 3))


def test_a_methods_share_is_of_the_trials_that_showed_it():
    votes = [Vote("ann", "1", "p", ("a", "b"), "a"), Vote("ann", "2", "p", ("b", "c"), "b")]
    shown = {row.method: (row.votes, row.shown) for row in statistics.preferences(votes)}
    assert shown == {"a": (1, 1), "b": (1, 2), "c": (0, 1)}


EXAMPLES = {  # Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", A and C
    0.095: ["0100000010", "1110010000"],
    0.743: ["123321412...", "1233224125.3", ".3332342251.", "12332441251."],
}


@pytest.mark.parametrize("alpha", EXAMPLES)
def test_alpha_of_krippendorffs_examples(alpha):
    votes = [
        Vote(f"rater {r}", str(u), str(u), tuple("012345"), value)
        for r, values in enumerate(EXAMPLES[alpha])
        for u, value in enumerate(values)
        if value != "."
    ]
    agreement = statistics.agreement(votes)
    assert agreement.alpha == pytest.approx(alpha, abs=5e-4)
    assert agreement.low < agreement.alpha < agreement.high
    assert agreement.raters == len(EXAMPLES[alpha])


def test_agreement_of_two_raters():
    """Two raters, two pictures, equal once: Do = 1/2, De of 3 a and 1 b = 6/12, alpha = 0."""
    agreement = statistics.agreement(votes_of("ann p1 a", "ben p1 a", "ann p2 a", "ben p2 b"))
    assert agreement.alpha == pytest.approx(0) and agreement.same == 0.5
    assert agreement.trials == 2


def test_different_pairs_of_methods_do_not_raise_alpha():
    """Random votes on (a, b) and on (c, d). Pooling the four methods would raise alpha."""
    votes = [
        Vote(rater, f"{pair}{n}", str(n), tuple(pair), pair[(n >> bit) & 1])
        for pair in ("ab", "cd")
        for n in range(40)
        for bit, rater in enumerate(("ann", "ben"))
    ]
    assert statistics.agreement(votes).alpha == pytest.approx(0, abs=0.02)


def test_agreement_is_undefined_without_pairs_or_variance():
    alone = statistics.agreement(votes_of("ann p1 a", "ben p2 a"))
    assert (alone.trials, alone.alpha, alone.same) == (0, None, None)
    unanimous = statistics.agreement(votes_of("ann p1 a", "ben p1 a", "ann p2 a", "ben p2 a"))
    assert (unanimous.alpha, unanimous.same) == (None, 1.0)
    assert statistics.preferences([]) == []


def test_csv_files():
    votes = votes_of("=cmd p1 a", "ben p1 a", "=cmd p2 b", "ben p2 c")
    rows = list(csv.DictReader(io.StringIO(statistics.table_csv(votes))))
    assert [row["name"] for row in rows[:3]] == ["a", "b", "c"]
    assert (rows[0]["value"], rows[0]["votes"], rows[0]["shown"]) == ("0.5", "2", "4")
    assert rows[3]["name"].startswith("Krippendorff") and rows[4]["value"] == "0.5"
    every = list(csv.DictReader(io.StringIO(statistics.votes_csv(votes))))
    assert len(every) == 4 and every[0]["rater"] == "'=cmd"  # not a formula in a spreadsheet
    assert every[1]["shown"] == "a | b | c"
