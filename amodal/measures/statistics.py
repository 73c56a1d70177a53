"""Confidence intervals, and paired tests between methods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Interval = tuple[float, float, float]  # value, lower and upper end of its 95 % interval


def share(hits: list[bool]) -> Interval:
    """(share of successes in 0..1, low, high), with Wilson's 95 % interval."""
    from scipy import stats

    count, total = sum(hits), len(hits)
    interval = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    return count / total, float(interval.low), float(interval.high)


def mean(values: Sequence[float]) -> Interval:
    """(mean, low, high), with a bootstrapped 95 % interval (percentiles, 2,000 resamples).

    Without variation, or with fewer than two values, the interval is from minimum to maximum.
    """
    from scipy import stats

    array = np.asarray(values, float)
    if len(array) < 2 or array.std() == 0:
        return float(array.mean()), float(array.min()), float(array.max())
    result = stats.bootstrap(
        (array,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0)
    )
    interval = result.confidence_interval
    return float(array.mean()), float(interval.low), float(interval.high)


def gain(first: list[bool], second: list[bool]) -> Interval:
    """(difference of shares, low, high) of `second` over `first` on the same scenes.

    Newcombe's hybrid score interval for paired proportions (1998, method 10), 95 %.
    """
    new, new_low, new_high = share(second)
    old, old_low, old_high = share(first)
    phi = corrected_phi(first, second)
    below = (new - new_low, old_high - old)
    above = (new_high - new, old - old_low)
    width = [float(np.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))) for a, b in (below, above)]
    return new - old, new - old - width[0], new - old + width[1]


def corrected_phi(first: list[bool], second: list[bool]) -> float:
    """Phi coefficient of two paired series of successes, -1..1; 0 if one of them is constant.

    A positive coefficient has Newcombe's continuity correction.
    """
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    margins = a.sum() * (~a).sum() * b.sum() * (~b).sum()
    agreement: float = both * neither - only_a * only_b
    if agreement > 0:
        agreement = max(0.0, agreement - len(a) / 2)
    return agreement / float(np.sqrt(margins)) if margins else 0.0


def ratio(hits: Sequence[float], of: Sequence[int]) -> Interval:
    """(share, low, high) of all hits in their total, with a 95 % interval.

    `hits` and `of` are counts for each scene. Scenes are resampled as a whole (bootstrap,
    percentiles, 2,000 resamples), because objects of one scene are not independent.
    """
    pairs = np.array([hits, of], float)
    samples = np.random.default_rng(0).integers(0, pairs.shape[1], (2000, pairs.shape[1]))
    sampled_hits, sampled_of = pairs[:, samples].sum(-1)
    low, high = np.quantile(sampled_hits / np.maximum(sampled_of, 1), (0.025, 0.975))
    return float(pairs[0].sum() / pairs[1].sum()), float(low), float(high)


def mcnemar(first: list[bool], second: list[bool]) -> float:
    """McNemar's exact test: p value for equal success of two methods on the same scenes."""
    from scipy import stats

    only_first = sum(a and not b for a, b in zip(first, second))
    only_second = sum(b and not a for a, b in zip(first, second))
    if not only_first + only_second:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second).pvalue)


def paired(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """(mean of second - first, p value for no difference) on the same scenes.

    Wilcoxon's signed-rank test.
    """
    from scipy import stats

    difference = np.asarray(second, float) - np.asarray(first, float)
    if not difference.any():
        return 0.0, 1.0
    return float(difference.mean()), float(stats.wilcoxon(difference).pvalue)
