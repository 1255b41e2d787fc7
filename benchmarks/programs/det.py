"""The determinant by expansion in minors, after GradBench's `det` (from cmpad's `det_by_minor`): recursion over a set of columns."""

from __future__ import annotations

import numpy as np

from benchmarks.programs import Program


def minors(a, row, used):
    """Determinant of the rows of `a` (n, n) from `row` on and of the columns whose bit in `used` is not set."""
    num = a.shape[0]
    if row == num:
        return 1.0
    total = 0.0
    sign = 1.0
    for column in range(num):
        if (used >> column) & 1 == 0:
            total += sign * a[row, column] * minors(a, row + 1, used | (1 << column))
            sign = -sign
    return total


def det(a):
    """The determinant of a (n, n)."""
    return minors(a, 0, 0)


def make_inputs(num: int = 7, seed: int = 0) -> tuple:
    """A standard normal matrix."""
    return (np.random.default_rng(seed).standard_normal((num, num)),)


def reference_gradient(a) -> tuple:
    """The matrix of cofactors."""
    return (np.linalg.det(a) * np.linalg.inv(a).T,)


def small_programs() -> list[Program]:
    """Four by four."""
    return [Program(name="det", function=det, inputs=make_inputs(4), argnums=(0,), reference=reference_gradient)]
