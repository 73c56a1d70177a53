"""What votes say: each method's share with its interval, and how far raters agree."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from .votes import Vote

Z = 1.959964  # two-sided 95 %
DRAWS = 2000


@dataclass(frozen=True)
class Preference:
    """How often a method was chosen where it was shown; `low`, `high`: 95 % interval of `share`."""

    method: str
    votes: int
    shown: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha for nominal data over the trials that two raters or more voted in.

    alpha, low, high (95 %) are None where nothing varies; `same`: the share of pairs of votes on
    the same trial that are equal.
    """

    trials: int
    raters: int
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    same: float | None = None


def preferences(votes: list[Vote]) -> list[Preference]:
    """A row for each method that was shown, the most preferred first."""
    methods = sorted({method for vote in votes for method in vote.methods})
    rows = [preference(method, [v for v in votes if method in v.methods]) for method in methods]
    return sorted(rows, key=lambda row: -row.share)


def preference(method: str, votes: list[Vote]) -> Preference:
    """Wilson's interval at the effective number of votes; `votes`: those that saw the method."""
    shown = Counter(vote.item for vote in votes)
    won = Counter(vote.item for vote in votes if vote.chosen == method)
    count, total = won.total(), len(votes)
    size = effective_size([won[item] for item in shown], list(shown.values()))
    return Preference(method, count, total, count / total, *wilson(count / total, size))


def effective_size(won: list[int], shown: list[int]) -> float:
    """How many independent votes a method's votes are worth: those on one picture are alike.

    won, shown: a number for each picture. Votes over Kish's design effect, which is the variance
    of the share between pictures over that of as many independent votes, and at least 1. Where
    every vote is equal the variance says nothing, and a picture counts as one vote.
    """
    won, shown = np.asarray(won, float), np.asarray(shown, float)
    pictures, votes = len(shown), shown.sum()
    share = won.sum() / votes
    if pictures < 2 or share in (0, 1):
        return float(pictures)
    spread = ((won - share * shown) ** 2).sum() / votes**2 * pictures / (pictures - 1)
    alone = share * (1 - share) / (votes - 1)
    return float(votes / max(1.0, spread / alone))


def wilson(share: float, size: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share of `size` votes."""
    scale = 1 + Z * Z / size
    centre = (share + Z * Z / (2 * size)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / size + Z * Z / (4 * size * size))
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def agreement(votes: list[Vote]) -> Agreement:
    """Trials that show different methods can agree by chance in different degrees: disagreement
    expected by chance is summed over the sets of methods. With one set it is plain alpha. The
    interval is bootstrapped over trials."""
    trials: dict[tuple, dict[str, Counter]] = defaultdict(lambda: defaultdict(Counter))
    for vote in votes:
        trials[tuple(sorted(vote.methods))][vote.trial][vote.chosen] += 1
    groups = [
        np.array([[chosen[m] for m in methods] for chosen in found.values() if chosen.total() > 1])
        for methods, found in trials.items()
    ]
    groups = [counts for counts in groups if len(counts)]
    raters = len({vote.rater for vote in votes})
    if not groups:
        return Agreement(0, raters)
    trials_in = sum(map(len, groups))
    same = sum(pairs(c).sum() for c in groups) / sum(
        pairs(c.sum(1, keepdims=True)).sum() for c in groups
    )
    found = alpha([np.ones((1, len(counts))) for counts in groups], groups)[0]
    if np.isnan(found):
        return Agreement(trials_in, raters, same=float(same))
    random = np.random.default_rng(0)
    drawn = [random.multinomial(len(c), np.full(len(c), 1 / len(c)), DRAWS) for c in groups]
    low, high = np.nanpercentile(alpha(drawn, groups), (2.5, 97.5))
    return Agreement(trials_in, raters, float(found), float(low), float(high), float(same))


def pairs(counts: np.ndarray) -> np.ndarray:
    """[n, c] counts -> [n]: ordered pairs of equal votes in each row."""
    return (counts * (counts - 1)).sum(1)


def alpha(weights: list[np.ndarray], groups: list[np.ndarray]) -> np.ndarray:
    """Alpha of each draw. For each set of methods: weights [draws, trials], how often a trial is
    in a draw; counts [trials, methods], the votes. NaN where nothing varies."""
    observed = expected = 0.0
    for weight, counts in zip(weights, groups):
        each = counts.sum(1)
        observed = observed + weight @ ((each * (each - 1) - pairs(counts)) / (each - 1))
        chosen = weight @ counts
        total = chosen.sum(1)
        expected = expected + (total**2 - (chosen**2).sum(1)) / (total - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def table_csv(votes: list[Vote]) -> str:
    """The preference table, a line for each method, and the agreement below."""
    agreed = agreement(votes)
    rows = [
        ("preference", one.method, one.share, one.low, one.high, one.votes, one.shown)
        for one in preferences(votes)
    ]
    rows.append(
        (
            "agreement",
            "Krippendorff's alpha (nominal)",
            agreed.alpha,
            agreed.low,
            agreed.high,
            "",
            agreed.trials,
        )
    )
    rows.append(("agreement", "equal pairs of votes", agreed.same, "", "", "", agreed.trials))
    return as_csv(("measure", "name", "value", "low_95", "high_95", "votes", "shown"), rows)


def votes_csv(votes: list[Vote]) -> str:
    """Every vote that counts; methods from left to right as they were shown."""
    rows = [(one.at, one.rater, one.item, one.chosen, " | ".join(one.methods)) for one in votes]
    return as_csv(("at", "rater", "picture", "chosen", "shown"), rows)


def as_csv(head: tuple, rows: list[tuple]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *(map(cell, row) for row in rows)])
    return text.getvalue()


def cell(value) -> str:
    """A spreadsheet must not take a rater's name for a formula."""
    if isinstance(value, float):
        return f"{value:.4f}"
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
