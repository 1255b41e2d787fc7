"""Scalar recurrences and the ways to loop."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs.coverage import Example


def logistic_map(r, x):
    """A scalar recurrence."""
    for _ in range(20):
        x = r * x * (1.0 - x)
    return x


def horner(coefficients, x):
    """A polynomial by Horner's rule, from the highest coefficient."""
    value = 0.0
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def weighted_pairs(xs, ys):
    """`zip` and `enumerate` together."""
    total = 0.0
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        total += (i + 1) * x * math.exp(-y)
    return total


def triangle_sum(a):
    """Nested loops whose inner bound depends on the outer index."""
    total = 0.0
    n = a.shape[0]
    for i in range(n):
        for j in range(i):
            total += a[i, j] * a[j, i] / (1.0 + i + j)
    return total


def backward_recurrence(x):
    """`range` with a negative step: Miller's backward recurrence for Bessel functions."""
    later, now, norm = 0.0, 1e-8, 0.0
    for n in range(24, 0, -1):
        later, now = now, 2.0 * n / x * now - later
        if n % 2 == 1:
            norm += 2.0 * now
    return now / (norm - now)


def every_third(x):
    """`range` with a start and a step."""
    total = 0.0
    for i in range(1, len(x), 3):
        total += x[i] * x[i - 1]
    return total


def polynomial_comprehension(x):
    """A list comprehension with a condition, and `sum`."""
    terms = [x**k / (k + 1.0) for k in range(8) if k % 2 == 0]
    return sum(terms)


def generator_sum(values):
    """A generator expression inside `sum`."""
    return sum(v * v for v in values if v > 0.0)


def rows_of_matrix(a):
    """A loop over the rows of a matrix, then over the row."""
    total = 0.0
    for row in a:
        product = 1.0
        for value in row:
            product *= value
        total += product
    return total


def agm(a, b):
    """The arithmetic-geometric mean: two variables updated together."""
    while abs(a - b) > 1e-14:
        a, b = 0.5 * (a + b), math.sqrt(a * b)
    return a


def triple_nest(a, b, c):
    """A matrix product chain by three loops, traced."""
    n = a.shape[0]
    trace = 0.0
    for i in range(n):
        for j in range(n):
            for k in range(n):
                trace += a[i, j] * b[j, k] * c[k, i]
    return trace


def integer_counters(x):
    """Integers beside floats: floor division, modulo, powers of two."""
    total = 0.0
    bits = 0
    for i in range(1, 20):
        bits = (bits * 3 + i) % 17
        total += (bits // 2) * x ** (i % 4) - (-i // 4)
    return total * 0.01


EXAMPLES = [
    Example(logistic_map, (2.8, 0.3), "scalar recurrence", (0, 1)),
    Example(horner, ((1.0, -2.0, 0.5, 3.0), 1.4), "reversed", (0, 1)),
    Example(weighted_pairs, ([1.0, 2.0, 3.0], [0.1, 0.2, 0.3]), "zip, enumerate", (0, 1)),
    Example(triangle_sum, (np.arange(16.0).reshape(4, 4) / 7.0,), "nested loops"),
    Example(backward_recurrence, (2.5,), "range with a negative step"),
    Example(every_third, (np.linspace(0.1, 2.0, 11),), "range with a start and a step"),
    Example(polynomial_comprehension, (0.9,), "list comprehension with a condition, sum"),
    Example(generator_sum, (np.array([0.3, -1.0, 2.0]),), "generator expression in sum"),
    Example(rows_of_matrix, (np.arange(1.0, 7.0).reshape(2, 3),), "loop over rows of an array"),
    Example(agm, (1.0, 2.3), "simultaneous assignment in a while", (0, 1)),
    Example(
        triple_nest,
        (np.eye(3) + 0.1, np.arange(9.0).reshape(3, 3), np.ones((3, 3)) * 0.5),
        "three nested loops over matrices",
        (0, 1, 2),
    ),
    Example(integer_counters, (1.1,), "integer arithmetic: //, %, ** beside floats"),
]
