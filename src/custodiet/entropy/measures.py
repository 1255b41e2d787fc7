"""Shannon's measures of distributions, in bits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.errors import InputError

__all__ = ["cross_entropy_bits", "entropy_bits", "kl_bits", "uniform_bits"]


def _distribution(p: ArrayLike, name: str) -> NDArray[np.float64]:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all() or (values < 0).any():
        raise InputError(f"{name} is not a distribution", expected="a vector of numbers >= 0")
    if abs(values.sum() - 1.0) > 1e-9:
        raise InputError(f"{name} does not sum to 1", got=float(values.sum()), hint="Divide it by its sum.")
    return values


def entropy_bits(p: ArrayLike) -> float:
    """Entropy of a distribution in bits, -sum p log2 p (Shannon 1948)."""
    values = _distribution(p, "p")
    positive = values[values > 0]
    return float(max(0.0, -(positive * np.log2(positive)).sum()))


def cross_entropy_bits(p: ArrayLike, q: ArrayLike) -> float:
    """Cross-entropy -sum p log2 q in bits; infinite where q is zero and p is not."""
    left, right = _distribution(p, "p"), _distribution(q, "q")
    if left.shape != right.shape:
        raise InputError("p and q differ in length", expected=left.size, got=right.size)
    used = left > 0
    if (right[used] == 0).any():
        return math.inf
    return float(-(left[used] * np.log2(right[used])).sum())


def kl_bits(p: ArrayLike, q: ArrayLike) -> float:
    """Kullback-Leibler divergence of q from p in bits."""
    return max(0.0, cross_entropy_bits(p, q) - entropy_bits(p))


def uniform_bits(num_symbols: int, length: int = 1) -> float:
    """Bits of `length` symbols drawn uniformly from `num_symbols`."""
    return length * math.log2(num_symbols)
