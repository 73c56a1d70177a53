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
    phi = corrected_phi(first, second)
    below = (one - low_1, high_2 - two)
    above = (high_1 - one, two - low_2)
    width = [float(np.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))) for a, b in (below, above)]
    return one - two, one - two - width[0], one - two + width[1]


def corrected_phi(first: list[bool], second: list[bool]) -> float:
    """Phi of two paired series of successes, with Newcombe's continuity correction where it is
    positive; 0 where one of them never varies."""
    a, b = np.asarray(first, bool), np.asarray(second, bool)
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    margins = a.sum() * (~a).sum() * b.sum() * (~b).sum()
    alike = both * neither - only_a * only_b
    if alike > 0:
        alike = max(0.0, alike - len(a) / 2)
    return alike / float(np.sqrt(margins)) if margins else 0.0


def ratio(hits: list[float], of: list[int]) -> tuple[float, float, float]:
    """(share, low, high) of all hits in all there are, so many in each scene; 95 %, bootstrapped
    over scenes (percentiles, 2,000 draws), for what is in one scene is alike."""
    pairs = np.array([hits, of], float)
    some = np.random.default_rng(0).integers(0, pairs.shape[1], (2000, pairs.shape[1]))
    got, out_of = pairs[:, some].sum(-1)
    low, high = np.quantile((got / np.maximum(out_of, 1)), (0.025, 0.975))
    return float(pairs[0].sum() / pairs[1].sum()), float(low), float(high)


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
