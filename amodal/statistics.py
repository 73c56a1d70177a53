"""Intervals and paired tests between methods."""

from __future__ import annotations

import numpy as np


def share(hits: list[bool]) -> tuple[float, float, float]:
    """(share, low, high) of successes, with Wilson's 95 % interval."""
    from scipy import stats

    count, total = sum(hits), len(hits)
    interval = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    return count / total, float(interval.low), float(interval.high)


def mean(values: list[float]) -> tuple[float, float, float]:
    """(mean, low, high), with a bootstrapped 95 % interval (percentiles, 2,000 draws)."""
    from scipy import stats

    values = np.asarray(values, float)
    if len(values) < 2 or values.std() == 0:
        return float(values.mean()), float(values.min()), float(values.max())
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    )
    interval = found.confidence_interval
    return float(values.mean()), float(interval.low), float(interval.high)


def gain(first: list[bool], second: list[bool]) -> tuple[float, float, float]:
    """(difference of shares, low, high) of second over first on the same scenes.

    Newcombe's hybrid score interval for paired proportions (1998, method 10), 95 %.
    """
    one, low_1, high_1 = share(second)
    two, low_2, high_2 = share(first)
    phi = correlation(first, second)
    below = (one - low_1, high_2 - two)
    above = (high_1 - one, two - low_2)
    width = [
        float(np.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))) for a, b in (below, above)
    ]
    return one - two, one - two - width[0], one - two + width[1]


def correlation(first: list[bool], second: list[bool]) -> float:
    """Phi of two paired series of successes; 0 where one of them never varies."""
    a, b = np.asarray(first, float), np.asarray(second, float)
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0


def mcnemar(first: list[bool], second: list[bool]) -> float:
    """McNemar's exact test: p that two methods on the same scenes succeed equally often."""
    from scipy import stats

    only_first = sum(a and not b for a, b in zip(first, second))
    only_second = sum(b and not a for a, b in zip(first, second))
    if not only_first + only_second:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def paired(first: list[float], second: list[float]) -> tuple[float, float]:
    """(mean of second - first, p that it is 0) on the same scenes: Wilcoxon's signed ranks."""
    from scipy import stats

    difference = np.asarray(second, float) - np.asarray(first, float)
    if not difference.any():
        return 0.0, 1.0
    return float(difference.mean()), float(stats.wilcoxon(difference).pvalue)
