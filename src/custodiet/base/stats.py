"""Intervals and tests: thin over SciPy, each with its reference.

Every estimate is a value, a two-sided interval and the number of samples; where an interval cannot be had, `why` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from custodiet.errors import TooFewSamplesError

__all__ = [
    "Estimate",
    "benjamini_hochberg",
    "bootstrap",
    "clustered_bootstrap",
    "difference_of_means",
    "estimate_auc",
    "estimate_mean",
    "estimate_proportion",
    "estimate_tpr_at_fpr",
    "holm",
    "paired_difference",
    "paired_test",
]


@dataclass(frozen=True)
class Estimate:
    """A value with its two-sided interval."""

    value: float | None
    low: float | None
    high: float | None
    num: int
    why: str | None = None
    """why there is no value or no interval"""


def estimate_proportion(
    hits: int, num: int, *, confidence: float = 0.95, method: Literal["clopper-pearson", "wilson"] = "clopper-pearson"
) -> Estimate:
    """Share of hits with an exact (Clopper-Pearson 1934) or a Wilson (1927) interval.

    Args:
        hits: number of successes, 0 to `num`.
        num: number of trials.
        confidence: two-sided coverage, in (0, 1).
        method: "clopper-pearson" never covers less than `confidence`, "wilson" covers it on average.

    Raises:
        TooFewSamplesError: there is no trial.
    """
    if num < 1:
        raise TooFewSamplesError("a proportion of no trials", expected="num >= 1", got=num)
    if not 0 <= hits <= num:
        raise ValueError(f"hits must lie in [0, {num}], got {hits}")
    kind = "exact" if method == "clopper-pearson" else "wilson"
    interval = stats.binomtest(int(hits), int(num)).proportion_ci(confidence, method=kind)
    return Estimate(hits / num, float(interval.low), float(interval.high), int(num))


def estimate_mean(
    values: ArrayLike, *, confidence: float = 0.95, bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Estimate:
    """Mean with Student's t interval.

    Args:
        values: samples, any shape.
        confidence: two-sided coverage, in (0, 1).
        bounds: what a value can be at least and at most; the interval is cut there, which loses no coverage.

    Raises:
        TooFewSamplesError: there is no sample.
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    if x.size == 0:
        raise TooFewSamplesError("a mean of no samples", expected="at least 1", got=0)
    mean = float(x.mean())
    if x.size < 2:
        return Estimate(mean, None, None, 1, "one sample has no interval")
    half = float(stats.t.ppf(0.5 + confidence / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size))
    return Estimate(mean, max(mean - half, bounds[0]), min(mean + half, bounds[1]), int(x.size))


def bootstrap(
    values: ArrayLike,
    statistic: Callable[[NDArray[Any]], float],
    *,
    seed: int,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Percentile bootstrap over the first axis (Efron 1979).

    Args:
        values: samples along axis 0; rows of a 2-D array stay together (a paired bootstrap).
        statistic: function of such an array.
        seed: seed of the resampling.
        num_resamples: number of resamples.
        confidence: two-sided coverage.

    Raises:
        TooFewSamplesError: there is no sample.
    """
    x = np.asarray(values)
    if len(x) == 0:
        raise TooFewSamplesError("a bootstrap of no samples", expected="at least 1", got=0)
    value = float(statistic(x))
    if len(x) < 2:
        return Estimate(value, None, None, len(x), "one sample has no interval")
    rng = np.random.default_rng(seed)
    draws = np.array([statistic(x[rng.integers(0, len(x), len(x))]) for _ in range(num_resamples)], dtype=np.float64)
    return _percentile(value, draws, len(x), confidence)


def clustered_bootstrap(
    values: ArrayLike,
    clusters: ArrayLike,
    statistic: Callable[[NDArray[Any]], float],
    *,
    seed: int,
    num_resamples: int = 2000,
    confidence: float = 0.95,
) -> Estimate:
    """Percentile bootstrap that draws whole clusters (Field & Welsh 2007), for samples that hang together.

    Args:
        values: samples along axis 0.
        clusters: label of the cluster of each sample.
        statistic: function of an array like `values`.
        seed: seed of the resampling.
        num_resamples: number of resamples.
        confidence: two-sided coverage.

    Returns:
        Estimate whose `num` is the number of clusters.
    """
    x, labels = np.asarray(values), np.asarray(clusters)
    if len(x) != len(labels):
        raise ValueError(f"one cluster label per sample: {len(x)} samples, {len(labels)} labels")
    if len(x) == 0:
        raise TooFewSamplesError("a bootstrap of no samples", expected="at least 1", got=0)
    names, inverse = np.unique(labels, return_inverse=True)
    members = [np.flatnonzero(inverse == index) for index in range(len(names))]
    value = float(statistic(x))
    if len(names) < 2:
        return Estimate(value, None, None, len(names), "one cluster has no interval")
    rng = np.random.default_rng(seed)
    draws = np.empty(num_resamples)
    for draw in range(num_resamples):
        chosen = rng.integers(0, len(names), len(names))
        draws[draw] = statistic(x[np.concatenate([members[index] for index in chosen])])
    return _percentile(value, draws, len(names), confidence)


def _percentile(value: float, draws: NDArray[np.float64], num: int, confidence: float) -> Estimate:
    finite = draws[np.isfinite(draws)]
    if len(finite) < len(draws) / 2 or not math.isfinite(value):
        return Estimate(value if math.isfinite(value) else None, None, None, num, "the statistic is not defined here")
    tail = (1 - confidence) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), num)


def difference_of_means(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Mean of `a` minus mean of `b` with Welch's (1947) interval; `num` counts both sides.

    Raises:
        TooFewSamplesError: a side has no sample.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.size == 0 or y.size == 0:
        raise TooFewSamplesError("a difference with an empty side", expected="samples on both", got=(x.size, y.size))
    value = float(x.mean() - y.mean())
    if x.size < 2 or y.size < 2:
        return Estimate(value, None, None, x.size + y.size, "one sample on a side has no interval")
    vx, vy = x.var(ddof=1) / x.size, y.var(ddof=1) / y.size
    if vx + vy == 0:
        return Estimate(value, value, value, x.size + y.size)
    freedom = (vx + vy) ** 2 / (vx**2 / (x.size - 1) + vy**2 / (y.size - 1))
    half = float(stats.t.ppf(0.5 + confidence / 2, freedom) * math.sqrt(vx + vy))
    return Estimate(value, value - half, value + half, x.size + y.size)


def paired_difference(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Mean of ``a - b`` over pairs with Student's t interval."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape:
        raise ValueError(f"pairs need equal shapes, got {x.shape} and {y.shape}")
    return estimate_mean(x - y, confidence=confidence)


def paired_test(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p-value of the Wilcoxon (1945) signed-rank test that pairs do not differ; 1.0 when none does."""
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    if not np.any(difference):
        return 1.0
    result: Any = stats.wilcoxon(difference)
    return float(result.pvalue)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's (1979) adjusted p-values: family-wise error, any dependence."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Benjamini and Hochberg's (1995) adjusted p-values: false discovery rate, independent or positively dependent."""
    p = np.asarray(p_values, dtype=np.float64)
    return np.asarray(stats.false_discovery_control(p, method="bh")) if p.size else p


def estimate_auc(positive: ArrayLike, negative: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Area under the ROC curve with DeLong's interval.

    Args:
        positive: scores of members, higher meaning more like a member.
        negative: scores of controls.
        confidence: two-sided coverage.

    Returns:
        Estimate; ties count half. At an area of exactly 0 or 1, where DeLong's variance is zero, the open end is the
        Clopper-Pearson bound of as many trials as the smaller side has, which is conservative.

    Raises:
        TooFewSamplesError: a side has no sample.

    Reference:
        DeLong, DeLong & Clarke-Pearson 1988; the O(n log n) midrank form is Sun & Xu 2014.
    """
    x, y = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    if x.size == 0 or y.size == 0:
        raise TooFewSamplesError("an AUC with an empty side", expected="scores on both", got=(x.size, y.size))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("scores of an AUC must be finite")
    m, n = x.size, y.size
    joint = stats.rankdata(np.concatenate([x, y]))
    above = (joint[:m] - stats.rankdata(x)) / n
    below = 1.0 - (joint[m:] - stats.rankdata(y)) / m
    auc = float(above.mean())
    if m < 2 or n < 2:
        return Estimate(auc, None, None, m + n, "one score on a side has no interval")
    variance = float(above.var(ddof=1) / m + below.var(ddof=1) / n)
    if variance == 0.0:
        if auc in (0.0, 1.0):
            end = estimate_proportion(round(auc * min(m, n)), min(m, n), confidence=confidence)
            return Estimate(auc, end.low, end.high, m + n)
        return Estimate(auc, 0.0, 1.0, m + n, "the scores do not vary, so the interval is the whole range")
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * math.sqrt(variance)
    return Estimate(auc, max(0.0, auc - half), min(1.0, auc + half), m + n)


def estimate_tpr_at_fpr(
    positive: ArrayLike, negative: ArrayLike, *, fpr: float = 0.01, confidence: float = 0.95
) -> Estimate:
    """True positive rate at a threshold that at most a share `fpr` of the controls pass.

    Args:
        positive: scores of members, higher meaning more like a member.
        negative: scores of controls.
        fpr: allowed false positive rate, in (0, 1).
        confidence: two-sided coverage of the Clopper-Pearson interval on members (the threshold taken as given).

    Returns:
        Estimate whose `num` is the number of members; without a value when there are fewer than ``1 / fpr`` controls.
    """
    x, y = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    needed = math.ceil(1 / fpr - 1e-9)
    if y.size < needed:
        return Estimate(
            None, None, None, x.size, f"{y.size} controls cannot resolve {fpr:.1%} FPR; {needed} are needed"
        )
    if x.size == 0:
        return Estimate(None, None, None, 0, "there is no member")
    allowed = math.floor(fpr * y.size + 1e-9)
    threshold = np.sort(y)[::-1][allowed]
    return estimate_proportion(int((x > threshold).sum()), x.size, confidence=confidence)
