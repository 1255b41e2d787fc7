"""Programs of NumPy calls: matrix algebra, reductions, broadcasting, indexing."""

from __future__ import annotations

import numpy as np

from benchmarks.programs.coverage import Example


def softmax_loss(w, x, labels):
    """Multinomial logistic regression with log-sum-exp and gathered labels."""
    logits = x @ w
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_mass = np.log(np.sum(np.exp(shifted), axis=1))
    return np.mean(log_mass - shifted[np.arange(len(labels)), labels])


def attention(q, k, v):
    """One head of scaled dot-product attention with a causal mask."""
    weights = q @ k.T / np.sqrt(q.shape[1])
    weights = np.where(np.tril(np.ones(weights.shape)) > 0.0, weights, -1e9)
    weights = np.exp(weights - np.max(weights, axis=1, keepdims=True))
    weights = weights / np.sum(weights, axis=1, keepdims=True)
    return np.sum((weights @ v) ** 2)


def layer_norm(x, gain, bias):
    """Mean, variance and broadcasting."""
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=-1, keepdims=True)
    return np.sum(np.tanh((x - mean) / np.sqrt(variance + 1e-5) * gain + bias) ** 3)


def quadratic_form(a, b):
    """A linear solve and an inner product."""
    matrix = a @ a.T + np.eye(len(b))
    return b @ np.linalg.solve(matrix, b)


def log_determinant(a):
    """Slogdet of a positive definite matrix."""
    sign, value = np.linalg.slogdet(a @ a.T + 0.5 * np.eye(a.shape[0]))
    return sign * value


def determinant_and_inverse(a):
    """det, inv and trace."""
    return np.linalg.det(a) + np.trace(np.linalg.inv(a))


def gaussian_process(log_length, log_noise, x, y):
    """Negative log marginal likelihood of a Gaussian process, by Cholesky."""
    squares = (x[:, None] - x[None, :]) ** 2
    kernel = np.exp(-0.5 * squares / np.exp(2.0 * log_length)) + np.exp(log_noise) * np.eye(len(x))
    factor = np.linalg.cholesky(kernel)
    z = np.linalg.solve(factor, y)
    return 0.5 * np.dot(z, z) + np.sum(np.log(np.diag(factor))) + 0.5 * len(x) * np.log(2.0 * np.pi)


def sorted_gaps(x):
    """sort, diff and cumsum."""
    gaps = np.diff(np.sort(x))
    return np.sum(np.cumsum(gaps) ** 2)


def gather_scatter(x, index):
    """Take by an index array with repeats, then a weighted sum."""
    picked = x[index]
    return np.sum(picked * picked * np.arange(1.0, len(index) + 1.0))


def reshape_concatenate(a, b):
    """reshape, transpose, concatenate, stack."""
    joined = np.concatenate([a.reshape(-1), b.T.reshape(-1)])
    stacked = np.stack([joined, joined[::-1]])
    return np.sum(stacked[0] * stacked[1]) + np.sum(stacked[:, ::2])


def clip_and_where(x):
    """where, maximum, minimum, clip and abs."""
    y = np.where(x > 0.0, np.sqrt(np.abs(x) + 1.0), x**2)
    return np.sum(np.clip(y, 0.2, 2.0) * np.maximum(x, 0.1) - np.minimum(x, 0.5))


def outer_and_einsum(a, b):
    """Outer and einsum."""
    return np.sum(np.outer(a, b) ** 2) + np.einsum("i,i->", a, b)


def convolution(signal, kernel):
    """A one-dimensional convolution by shifted products."""
    n = len(signal) - len(kernel) + 1
    out = np.zeros(n)
    for j in range(len(kernel)):
        out = out + signal[j : j + n] * kernel[len(kernel) - 1 - j]
    return np.sum(np.tanh(out))


def product_and_norm(x):
    """prod, linalg.norm and expm1."""
    return np.prod(x) * np.linalg.norm(x) + np.sum(np.expm1(x) * np.log1p(x))


def matrix_power_loop(a, x):
    """Power iteration: a Rayleigh quotient."""
    for _ in range(8):
        x = a @ x
        x = x / np.sqrt(np.sum(x * x))
    return x @ a @ x


RNG = np.random.default_rng(3)
SQUARE = RNG.standard_normal((3, 3)) + 2.0 * np.eye(3)
EXAMPLES = [
    Example(
        softmax_loss,
        (RNG.standard_normal((3, 4)), RNG.standard_normal((5, 3)), np.array([0, 3, 1, 1, 2])),
        "softmax loss",
        (0, 1),
    ),
    Example(attention, tuple(RNG.standard_normal((3, 4, 3))), "attention with a mask", (0, 1, 2)),
    Example(
        layer_norm, (RNG.standard_normal((2, 4)), np.ones(4), np.zeros(4)), "broadcasting, axis reductions", (0, 1, 2)
    ),
    Example(quadratic_form, (SQUARE, np.array([1.0, 2.0, -1.0])), "linear solve", (0, 1)),
    Example(log_determinant, (SQUARE,), "slogdet"),
    Example(determinant_and_inverse, (SQUARE,), "det, inv"),
    Example(
        gaussian_process,
        (-0.3, -1.5, np.linspace(0.0, 2.0, 6), np.sin(np.linspace(0.0, 4.0, 6))),
        "Gaussian process by cholesky",
        (0, 1, 2, 3),
    ),
    Example(sorted_gaps, (np.array([0.3, 1.9, 0.8, 1.1]),), "sort, diff, cumsum"),
    Example(gather_scatter, (np.array([0.3, 1.9, 0.8]), np.array([2, 0, 2, 1])), "integer-array indexing with repeats"),
    Example(
        reshape_concatenate,
        (RNG.standard_normal((2, 3)), RNG.standard_normal((3, 2))),
        "reshape, transpose, stack",
        (0, 1),
    ),
    Example(clip_and_where, (np.array([-0.9, 0.4, 1.7, -0.2]),), "where, clip, maximum"),
    Example(outer_and_einsum, (np.array([0.3, 1.1]), np.array([0.7, -0.4])), "outer, einsum", (0, 1)),
    Example(convolution, (RNG.standard_normal(8), np.array([0.2, 0.5, -0.3])), "convolution by slices", (0, 1)),
    Example(product_and_norm, (np.array([0.5, 1.5, 0.8]),), "prod, norm, expm1"),
    Example(matrix_power_loop, (SQUARE @ SQUARE.T, np.ones(3)), "matrix products in a loop", (0, 1)),
]
