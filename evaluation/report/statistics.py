"""How sure a run's figures are: calls of one scenario hang together, so scenarios are drawn, not calls.

Everything is seeded and vectorised; figures of one run share the same draws. Sources: Efron and Tibshirani, An Introduction to
the Bootstrap (1993), percentile intervals; Holm, A simple sequentially rejective multiple test procedure (1979); Phipson and
Smyth, Permutation p-values should never be zero (2010); pass^k: Yao et al., tau-bench, arXiv 2406.12045, section 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from graph.intervals import Share

ROUNDS = 10_000
SEED = 0
EXACT = 13
"""Up to so many scenarios that differ, every assignment of signs is tried (8,192)."""
FEW = 10
"""Scenarios below which a percentile bootstrap is clearly too narrow.

Source: Cameron, Gelbach and Miller, Bootstrap-Based Improvements for Inference with Clustered Errors, Review of Economics and
Statistics 90 (2008).
"""
RANK_ROUNDS = 2_000
POWER = 0.80
ALPHA = 0.05
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; the ends are None where fewer than two scenarios stand behind it."""

    value: float
    low: float | None
    high: float | None
    n: int
    """Calls (or pairs of calls)."""
    clusters: int
    """Scenarios."""
    sd: float | None
    """Standard deviation over calls, n − 1 in the denominator; None of a single one."""


def mean(values: Sequence[float], clusters: Sequence[str], *, share: bool = False) -> Estimate | None:
    """Return the mean of calls' values with a bootstrap interval, scenarios drawn with all their calls.

    Args:
        values: One a call.
        clusters: The scenario of each.
        share: Whether the values are shares. Where all are 0, or all 1, drawing them again shows no doubt at all; the interval
            is then Wilson's, of so many scenarios.

    Returns:
        None without any value.
    """
    if not values:
        return None
    sums, counts = _by_cluster(values, clusters)
    value = float(sums.sum() / counts.sum())
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    low, high = _ends(sums, counts, value, share)
    return Estimate(value, low, high, len(values), len(sums), sd)


def _ends(sums: Floats, counts: Floats, value: float, share: bool) -> tuple[float | None, float | None]:
    if len(sums) < 2:
        return None, None
    if share and value in (0.0, 1.0):
        return Share(int(value) * len(sums), len(sums)).interval
    if bool((sums == value * counts).all()):
        return value, value
    drawn = _draws(len(sums))
    low, high = np.quantile((drawn @ sums) / (drawn @ counts), [0.025, 0.975])
    return float(low), float(high)


def gap(
    first: Sequence[float], first_clusters: Sequence[str], second: Sequence[float], second_clusters: Sequence[str]
) -> tuple[float, float | None, float | None] | None:
    """Return the difference of two groups' means, first less second, with a bootstrap 95 % interval.

    Args:
        first: Values of the first group's calls.
        first_clusters: The scenario of each; may stand in both groups, and is drawn with all its calls.
        second: Values of the second group's calls.
        second_clusters: The scenario of each.

    Returns:
        The difference and the ends of its interval (None with fewer than three scenarios); None when a group is empty.
    """
    if not first or not second:
        return None
    everything, size = [*first_clusters, *second_clusters], len(first)
    inside = [1.0] * size + [0.0] * len(second)
    sums = [_by_cluster(side, everything)[0] for side in ([*first, *[0.0] * len(second)], [0.0] * size + [*second])]
    counts = [_by_cluster(side, everything)[0] for side in (inside, [1.0 - one for one in inside])]
    value = float(sums[0].sum() / counts[0].sum() - sums[1].sum() / counts[1].sum())
    if len(sums[0]) < 3:
        return value, None, None
    drawn = _draws(len(sums[0]))
    held = [drawn @ side for side in counts]
    usable = (held[0] > 0) & (held[1] > 0)
    means = [(drawn @ side)[usable] / of[usable] for side, of in zip(sums, held, strict=True)]
    low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
    return value, float(low), float(high)


def sign_flip_p(differences: Sequence[float], clusters: Sequence[str]) -> float:
    """Return the two-sided p-value of a mean difference of zero: each scenario's differences keep or change sign together.

    Args:
        differences: One a pair of calls.
        clusters: The scenario of each.

    Returns:
        Exact up to `EXACT` scenarios with a difference, else from `ROUNDS` draws, the observed one counted among them.
    """
    sums, _ = _by_cluster(differences, clusters)
    sums = sums[np.abs(sums) > 1e-12]
    if not len(sums):
        return 1.0
    exact = len(sums) <= EXACT
    signs = _all_signs(len(sums)) if exact else _drawn_signs(len(sums))
    as_far = int(np.count_nonzero(np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9))
    return as_far / len(signs) if exact else (as_far + 1) / (len(signs) + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, by Holm's step-down method; in the order given."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def detectable(differences: Sequence[float], clusters: Sequence[str]) -> float | None:
    """Return the smallest true difference that such a run finds with 80 % power at the two-sided 5 % level.

    From the spread of the scenarios' mean differences, by the normal approximation: (z₀.₉₇₅ + z₀.₈) · sd / √scenarios.

    Args:
        differences: One a pair of calls.
        clusters: The scenario of each.

    Returns:
        In the metric's unit; None with fewer than three scenarios, or when no scenario differs from another.
    """
    sums, counts = _by_cluster(differences, clusters)
    if len(sums) < 3:
        return None
    spread = float(np.std(sums / counts, ddof=1))
    quantiles = float(stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(POWER))
    return quantiles * spread / sqrt(len(sums)) if spread > 1e-12 else None


def pass_k(successes: int, trials: int, k: int) -> float:
    """Return the unbiased estimate of the chance that k independent trials of one task all succeed: C(c,k) / C(n,k).

    Args:
        successes: c, how many trials succeeded.
        trials: n.
        k: 1 to n.
    """
    return comb(successes, k) / comb(trials, k)


def rank_correlation(
    first: Sequence[float], second: Sequence[float], *, of_scenarios: bool = True
) -> tuple[float, float | None, float | None] | None:
    """Return Spearman's rank correlation of paired values, with a bootstrap 95 % interval.

    Args:
        first: One value a scenario.
        second: The same scenarios' values.
        of_scenarios: Whether each pair is a scenario's. Calls of one scenario hang together, so single calls get no interval.

    Returns:
        The correlation and the ends of its interval (None with fewer than eight pairs, of calls, and where two rankings are so
        alike that drawing them again shows no doubt at all); None with fewer than three pairs, or when all values of one side
        are equal.
    """
    if len(first) < 3 or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    value = float(stats.spearmanr(first, second).statistic)
    if len(first) < 8 or not of_scenarios:
        return value, None, None
    places = np.random.default_rng(SEED).integers(0, len(first), (RANK_ROUNDS, len(first)))
    ranks = [stats.rankdata(np.asarray(side, dtype=float)[places], axis=1) for side in (first, second)]
    centred = [side - side.mean(axis=1, keepdims=True) for side in ranks]
    norm = np.sqrt((centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1))
    usable = norm > 0
    drawn = (centred[0] * centred[1]).sum(axis=1)[usable] / norm[usable]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return (value, float(low), float(high)) if high - low > 1e-9 else (value, None, None)


def _by_cluster(values: Sequence[float], clusters: Sequence[str]) -> tuple[Floats, Floats]:
    """Return each scenario's sum and count."""
    names = {name: place for place, name in enumerate(dict.fromkeys(clusters))}
    places = np.array([names[name] for name in clusters], dtype=np.intp)
    sums = np.bincount(places, weights=np.asarray(values, dtype=float), minlength=len(names))
    return sums.astype(np.float64), np.bincount(places, minlength=len(names)).astype(np.float64)


@lru_cache(maxsize=32)
def _draws(clusters: int) -> Floats:
    """Return how often each scenario is drawn in each round."""
    return np.random.default_rng(SEED).multinomial(clusters, [1 / clusters] * clusters, size=ROUNDS).astype(np.float64)


@lru_cache(maxsize=EXACT)
def _all_signs(clusters: int) -> Floats:
    bits = (np.arange(2**clusters)[:, None] >> np.arange(clusters)) & 1
    return (bits * 2 - 1).astype(np.float64)


@lru_cache(maxsize=32)
def _drawn_signs(clusters: int) -> Floats:
    return (np.random.default_rng(SEED).integers(0, 2, (ROUNDS, clusters)) * 2 - 1).astype(np.float64)
