"""Entropy from counts, with its bias corrected and its interval."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import digamma
from scipy.stats import norm

from custodiet.base.rng import numpy_rng
from custodiet.base.stats import Estimate
from custodiet.base.units import bits_to_nats, nats_to_bits
from custodiet.errors import InputError, TooFewSamplesError

__all__ = ["EntropyEstimator", "estimate_entropy_bits", "estimate_entropy_nats"]

EntropyEstimator = Literal["plug-in", "miller-madow", "grassberger", "chao-shen"]
Counts = NDArray[np.int64]


def estimate_entropy_bits(
    counts: ArrayLike,
    *,
    method: EntropyEstimator = "grassberger",
    confidence: float = 0.95,
    num_resamples: int = 200,
    seed: int = 0,
) -> Estimate:
    """Entropy in bits of the distribution that the counts were drawn from.

    Args:
        counts: how often each symbol was seen, integers >= 0; symbols that were never seen may be left out.
        method: "plug-in" is the entropy of the shares and lies too low; "miller-madow" adds (seen symbols - 1) / 2N;
            "grassberger" corrects each count; "chao-shen" also weighs the symbols that were not seen, for few samples.
        confidence: two-sided coverage of the interval, in (0, 1).
        num_resamples: bootstrap resamples for the standard error; fewer than 2 gives no interval.
        seed: seed of the resampling.

    Returns:
        Estimate whose interval is the value and normal quantiles times the bootstrap's standard error: a percentile interval
        would carry the bias of resampling, which drops rare symbols, a second time. `num` is the number of samples.

    Raises:
        InputError: counts are no counts, or the method is unknown.
        TooFewSamplesError: there is no sample.

    Reference:
        Miller 1955; Grassberger 2003, arXiv physics/0307138, equation 28; Chao & Shen 2003, whose coverage takes N - 1
        singletons where every symbol was seen once.
    """
    values = np.asarray(counts)
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values < 0).any():
        raise InputError("counts are not counts", expected="a vector of integers >= 0")
    if method not in get_args(EntropyEstimator):
        raise InputError("method is unknown", expected=", ".join(get_args(EntropyEstimator)), got=repr(method))
    seen: Counts = values[values > 0].astype(np.int64)
    num = int(seen.sum())
    if num == 0:
        raise TooFewSamplesError("an entropy of no samples", expected="at least 1", got=0)
    value = nats_to_bits(_nats(seen, method))
    if num_resamples < 2 or num < 2:
        why = "one sample has no interval" if num < 2 else "no interval was asked for"
        return Estimate(value, None, None, num, why)
    rng = numpy_rng(seed, "entropy", method)
    draws = rng.multinomial(num, seen / num, size=num_resamples)
    spread = float(np.std([_nats(draw[draw > 0], method) for draw in draws], ddof=1))
    half = float(norm.ppf(0.5 + confidence / 2)) * nats_to_bits(spread)
    return Estimate(value, max(0.0, value - half), value + half, num)


def estimate_entropy_nats(counts: ArrayLike, *, method: EntropyEstimator = "grassberger", confidence: float = 0.95,
                          num_resamples: int = 200, seed: int = 0) -> Estimate:  # fmt: skip
    """`estimate_entropy_bits` in nats."""
    found = estimate_entropy_bits(counts, method=method, confidence=confidence, num_resamples=num_resamples, seed=seed)
    value, low, high = (None if x is None else bits_to_nats(x) for x in (found.value, found.low, found.high))
    return Estimate(value, low, high, found.num, found.why)


def _nats(seen: Counts, method: str) -> float:
    num = int(seen.sum())
    share = seen / num
    if method == "grassberger":
        half = np.where(seen % 2 == 0, 0.5, -0.5) * (digamma((seen + 1) / 2) - digamma(seen / 2))
        return max(0.0, math.log(num) - float((seen * (digamma(seen) + half)).sum()) / num)
    if method == "chao-shen":
        singletons = int((seen == 1).sum())
        covered = 1 - min(singletons, num - 1) / num if num > 1 else 1.0
        adjusted = covered * share
        chance = -np.expm1(num * np.log1p(-np.minimum(adjusted, 1 - 1e-16)))  # of having been seen at all
        return float(max(0.0, -(adjusted * np.log(adjusted) / chance).sum()))
    plug_in = max(0.0, float(-(share * np.log(share)).sum()))
    return plug_in + (len(seen) - 1) / (2 * num) if method == "miller-madow" else plug_in
