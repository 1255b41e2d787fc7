"""Shannon's measures of distributions and of token streams; the unit is in the name."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.base.units import bits_to_nats
from custodiet.errors import InputError, TooFewSamplesError

__all__ = [
    "block_counts",
    "block_entropy_bits",
    "conditional_block_entropy_bits",
    "conditional_entropy_bits",
    "cross_entropy_bits",
    "cross_entropy_nats",
    "entropy_bits",
    "entropy_nats",
    "joint_counts",
    "js_bits",
    "js_nats",
    "kl_bits",
    "kl_nats",
    "mutual_information_bits",
    "uniform_bits",
]

Floats = NDArray[np.float64]


def _distribution(p: ArrayLike, name: str, *, ndim: int = 1) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    shape = "a vector" if ndim == 1 else "a matrix"
    if values.ndim != ndim or values.size == 0 or not np.isfinite(values).all() or (values < 0).any():
        raise InputError(f"{name} is not a distribution", expected=f"{shape} of numbers >= 0")
    if abs(values.sum() - 1.0) > 1e-9:
        raise InputError(f"{name} does not sum to 1", got=float(values.sum()), hint="Divide it by its sum.")
    return values


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats]:
    left, right = _distribution(p, "p"), _distribution(q, "q")
    if left.shape != right.shape:
        raise InputError("p and q differ in length", expected=left.size, got=right.size)
    return left, right


def entropy_bits(p: ArrayLike) -> float:
    """Entropy of a distribution in bits, -sum p log2 p (Shannon 1948)."""
    values = _distribution(p, "p")
    positive = values[values > 0]
    return float(max(0.0, -(positive * np.log2(positive)).sum()))


def entropy_nats(p: ArrayLike) -> float:
    """Entropy of a distribution in nats."""
    return bits_to_nats(entropy_bits(p))


def cross_entropy_bits(p: ArrayLike, q: ArrayLike) -> float:
    """Cross-entropy -sum p log2 q in bits; infinite where q is zero and p is not."""
    left, right = _pair(p, q)
    used = left > 0
    if (right[used] == 0).any():
        return math.inf
    return float(-(left[used] * np.log2(right[used])).sum())


def cross_entropy_nats(p: ArrayLike, q: ArrayLike) -> float:
    """Cross-entropy in nats."""
    return bits_to_nats(cross_entropy_bits(p, q))


def kl_bits(p: ArrayLike, q: ArrayLike) -> float:
    """Kullback-Leibler divergence of q from p in bits; infinite where q is zero and p is not."""
    left, right = _pair(p, q)
    used = left > 0
    if (right[used] == 0).any():
        return math.inf
    return float(max(0.0, (left[used] * (np.log2(left[used]) - np.log2(right[used]))).sum()))


def kl_nats(p: ArrayLike, q: ArrayLike) -> float:
    """Kullback-Leibler divergence in nats."""
    return bits_to_nats(kl_bits(p, q))


def js_bits(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen-Shannon divergence in bits, in [0, 1] (Lin 1991)."""
    left, right = _pair(p, q)
    middle = (left + right) / 2
    return float(min(1.0, (kl_bits(left, middle) + kl_bits(right, middle)) / 2))


def js_nats(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen-Shannon divergence in nats, in [0, ln 2]."""
    return bits_to_nats(js_bits(p, q))


def mutual_information_bits(joint_XY: ArrayLike) -> float:
    """I(X; Y) in bits of a joint distribution, a matrix (X, Y) that sums to 1."""
    joint = _distribution(joint_XY, "joint_XY", ndim=2)
    return kl_bits(joint.ravel(), np.outer(joint.sum(1), joint.sum(0)).ravel())


def conditional_entropy_bits(joint_XY: ArrayLike) -> float:
    """H(Y | X) in bits of a joint distribution, a matrix (X, Y) that sums to 1."""
    joint = _distribution(joint_XY, "joint_XY", ndim=2)
    return max(0.0, entropy_bits(joint.ravel()) - entropy_bits(joint.sum(1)))


def uniform_bits(num_symbols: int, length: int = 1) -> float:
    """Bits of `length` symbols drawn uniformly from `num_symbols`."""
    return length * math.log2(num_symbols)


def _stream(tokens: ArrayLike) -> NDArray[np.int64]:
    values = np.asarray(tokens)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise InputError(
            "tokens are not a stream", expected="a vector of integers", got=f"{values.dtype} {values.shape}"
        )
    return values.astype(np.int64)


def joint_counts(x: ArrayLike, y: ArrayLike) -> NDArray[np.int64]:
    """How often each pair of symbols stands at the same place of two streams, (distinct x, distinct y).

    Raises:
        InputError: the streams differ in length or are no integer vectors.
        TooFewSamplesError: they are empty.
    """
    left, right = _stream(x), _stream(y)
    if len(left) != len(right):
        raise InputError("x and y differ in length", expected=len(left), got=len(right))
    if not len(left):
        raise TooFewSamplesError("a table of no pairs", expected="at least one pair", got=0)
    rows, row_of = np.unique(left, return_inverse=True)
    columns, column_of = np.unique(right, return_inverse=True)
    flat = np.bincount(row_of * len(columns) + column_of, minlength=len(rows) * len(columns))
    return flat.reshape(len(rows), len(columns))


def block_counts(tokens: ArrayLike, block: int) -> NDArray[np.int64]:
    """How often each distinct run of `block` neighboring tokens occurs, overlapping runs included.

    Raises:
        InputError: `block` is below 1.
        TooFewSamplesError: the stream is shorter than a block.
    """
    values = _stream(tokens)
    if block < 1:
        raise InputError("block is too small", expected="at least 1", got=block)
    if len(values) < block:
        raise TooFewSamplesError("the stream is shorter than a block", expected=f"at least {block}", got=len(values))
    _, ids = np.unique(values, return_inverse=True)
    blocks = ids.astype(np.int64)
    num_symbols = int(ids.max()) + 1
    for _ in range(block - 1):  # ids stay below the number of distinct blocks, so that nothing overflows
        _, blocks = np.unique(blocks[:-1] * num_symbols + ids[len(ids) - len(blocks) + 1 :], return_inverse=True)
    return np.bincount(blocks)


def block_entropy_bits(tokens: ArrayLike, block: int) -> float:
    """Plug-in entropy of runs of `block` tokens, in bits per run; biased down where runs are rare (`estimators`)."""
    counts = block_counts(tokens, block)
    return entropy_bits(counts / counts.sum())


def conditional_block_entropy_bits(tokens: ArrayLike, block: int) -> float:
    """Shannon's F_N: plug-in entropy of a token given the `block` - 1 before it, H(N) - H(N - 1), in bits.

    Reference:
        Shannon 1951, Prediction and entropy of printed English, equation 1.
    """
    return block_entropy_bits(tokens, block) - (block_entropy_bits(tokens, block - 1) if block > 1 else 0.0)
