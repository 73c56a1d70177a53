"""Statistics of the votes: each method's share with its interval, and the raters' agreement."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from ..core.text import csv_text
from .votes import Vote

Z = 1.959964  # two-sided 95 %
DRAWS = 2000  # of the bootstrap


@dataclass(frozen=True)
class Preference:
    """How often a method was chosen when it was shown.

    share = votes / shown; low, high: its 95 % interval.
    """

    method: str
    votes: int
    shown: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha for nominal data, over the trials with votes of two or more raters.

    alpha and its 95 % interval (low, high) are None if all votes are equal. `same` is the fraction
    of equal pairs among the pairs of votes on the same trial; None if there are no pairs.
    """

    trials: int
    raters: int
    alpha: float | None = None
    low: float | None = None
    high: float | None = None
    same: float | None = None


def preferences(votes: list[Vote]) -> list[Preference]:
    """One row for each method that was shown, the most preferred first."""
    methods = sorted({method for vote in votes for method in vote.methods})
    rows = [preference(method, [v for v in votes if method in v.methods]) for method in methods]
    return sorted(rows, key=lambda row: -row.share)


def preference(method: str, votes: list[Vote]) -> Preference:
    """The row of one method, with Wilson's interval at the effective number of votes.

    votes: all votes of trials that showed the method.
    """
    shown = Counter(vote.item for vote in votes)
    won = Counter(vote.item for vote in votes if vote.chosen == method)
    count, total = won.total(), len(votes)
    size = effective_size([won[item] for item in shown], list(shown.values()))
    return Preference(method, count, total, count / total, *wilson(count / total, size))


def effective_size(won: list[int], shown: list[int]) -> float:
    """The number of independent votes with the same variance; votes on one picture are correlated.

    won, shown: for each picture, how often the method was chosen and how often it was shown.
    Returns votes / max(1, Kish's design effect). The design effect is the variance of the share
    between pictures, divided by the variance for the same number of independent votes. If all
    votes are equal, the variance is 0; each picture then counts as one vote.
    """
    won_by_picture, shown_by_picture = np.asarray(won, float), np.asarray(shown, float)
    pictures, votes = len(shown), shown_by_picture.sum()
    share = won_by_picture.sum() / votes
    if pictures < 2 or share in (0, 1):
        return float(pictures)
    residuals = won_by_picture - share * shown_by_picture
    variance = (residuals**2).sum() / votes**2 * pictures / (pictures - 1)
    independent_variance = share * (1 - share) / (votes - 1)
    return float(votes / max(1.0, variance / independent_variance))


def wilson(share: float, size: float) -> tuple[float, float]:
    """Wilson's 95 % score interval (low, high) of a share among `size` votes."""
    scale = 1 + Z * Z / size
    centre = (share + Z * Z / (2 * size)) / scale
    half = Z / scale * math.sqrt(share * (1 - share) / size + Z * Z / (4 * size * size))
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def agreement(votes: list[Vote]) -> Agreement:
    """Krippendorff's alpha of all votes, with an interval bootstrapped over trials.

    Trials that show different methods agree by chance to different degrees. Therefore the
    disagreement expected by chance is summed over the sets of methods. With one set, the result is
    the usual alpha.
    """
    trials: dict[tuple, dict[str, Counter]] = defaultdict(lambda: defaultdict(Counter))
    for vote in votes:
        trials[tuple(sorted(vote.methods))][vote.trial][vote.chosen] += 1
    groups = [
        np.array(
            [[chosen[m] for m in methods] for chosen in by_trial.values() if chosen.total() > 1]
        )
        for methods, by_trial in trials.items()
    ]
    groups = [counts for counts in groups if len(counts)]
    raters = len({vote.rater for vote in votes})
    if not groups:
        return Agreement(0, raters)
    trials_in = sum(map(len, groups))
    same = sum(pairs(c).sum() for c in groups) / sum(
        pairs(c.sum(1, keepdims=True)).sum() for c in groups
    )
    point_estimate = alpha([np.ones((1, len(counts))) for counts in groups], groups)[0]
    if np.isnan(point_estimate):
        return Agreement(trials_in, raters, same=float(same))
    random = np.random.default_rng(0)
    drawn = [random.multinomial(len(c), np.full(len(c), 1 / len(c)), DRAWS) for c in groups]
    low, high = np.nanpercentile(alpha(drawn, groups), (2.5, 97.5))
    return Agreement(trials_in, raters, float(point_estimate), float(low), float(high), float(same))


def pairs(counts: np.ndarray) -> np.ndarray:
    """Counts [n, methods] -> [n]: the number of ordered pairs of equal votes in each row."""
    return (counts * (counts - 1)).sum(1)


def alpha(weights: list[np.ndarray], groups: list[np.ndarray]) -> np.ndarray:
    """Krippendorff's alpha of each draw: [draws], NaN where all votes are equal.

    Both lists have one entry for each set of methods. weights [draws, trials]: how often a trial
    is in a draw. groups [trials, methods]: the numbers of votes.
    """
    observed = expected = np.zeros(len(weights[0]))
    for weight, counts in zip(weights, groups):
        each = counts.sum(1)
        observed = observed + weight @ ((each * (each - 1) - pairs(counts)) / (each - 1))
        chosen = weight @ counts
        total = chosen.sum(1)
        expected = expected + (total**2 - (chosen**2).sum(1)) / (total - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def table_csv(votes: list[Vote]) -> str:
    """The preference table as CSV: one line for each method, then two lines for the agreement."""
    agreed = agreement(votes)
    rows: list[tuple] = [
        ("preference", row.method, row.share, row.low, row.high, row.votes, row.shown)
        for row in preferences(votes)
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
    rounded = [[round(v, 4) if isinstance(v, float) else v for v in row] for row in rows]
    return csv_text([("measure", "name", "value", "low_95", "high_95", "votes", "shown"), *rounded])


def votes_csv(votes: list[Vote]) -> str:
    """The votes as CSV, one line each; methods in the order shown, from left to right."""
    rows = [
        (vote.at, vote.rater, vote.item, vote.chosen, " | ".join(vote.methods)) for vote in votes
    ]
    return csv_text([("at", "rater", "picture", "chosen", "shown"), *rows])
