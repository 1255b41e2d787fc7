"""Library functions as plain Python programs: the compiler reads these in place of the originals, and so differentiates them.

Plain loops, for small matrices; what they cost grows as the originals do, without BLAS's constant. Where one of them fails,
as at an assertion, CPython runs the original, which raises what it raises or knows better.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

__all__ = ["COMPOSITES"]


def cholesky(a):
    """Lower triangular L with L L^T = a."""
    n = a.shape[0]
    factor = np.zeros((n, n))
    for j in range(n):
        for i in range(j, n):
            total = a[i, j]
            for k in range(j):
                total -= factor[i, k] * factor[j, k]
            if i == j:
                factor[i, j] = math.sqrt(total)
            else:
                factor[i, j] = total / factor[j, j]
    return factor


def eliminated(a, b):
    """Row echelon form of (a | b) by Gauss with partial pivoting, in place; the sign of the permutation."""
    n = a.shape[0]
    m = b.shape[1]
    sign = 1.0
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[pivot, k]):
                pivot = i
        if pivot != k:
            sign = -sign
            for j in range(n):
                a[k, j], a[pivot, j] = a[pivot, j], a[k, j]
            for j in range(m):
                b[k, j], b[pivot, j] = b[pivot, j], b[k, j]
        for i in range(k + 1, n):
            share = a[i, k] / a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= share * a[k, j]
            for j in range(m):
                b[i, j] -= share * b[k, j]
    return sign


def solve_matrix(a, b):
    """X with a X = b, by elimination and back substitution."""
    n = a.shape[0]
    m = b.shape[1]
    u = np.copy(a)
    y = np.copy(b)
    eliminated(u, y)
    x = np.zeros((n, m))
    for column in range(m):
        for i in range(n - 1, -1, -1):
            total = y[i, column]
            for j in range(i + 1, n):
                total -= u[i, j] * x[j, column]
            x[i, column] = total / u[i, i]
    return x


def solve(a, b):
    """``numpy.linalg.solve`` for a vector or a matrix on the right."""
    if b.ndim == 1:
        column = np.zeros((b.shape[0], 1))
        for i in range(b.shape[0]):
            column[i, 0] = b[i]
        found = solve_matrix(a, column)
        x = np.zeros(b.shape[0])
        for i in range(b.shape[0]):
            x[i] = found[i, 0]
        return x
    return solve_matrix(a, b)


def inv(a):
    """``numpy.linalg.inv``."""
    return solve_matrix(a, np.eye(a.shape[0]))


def det(a):
    """``numpy.linalg.det``."""
    n = a.shape[0]
    u = np.copy(a)
    nothing = np.zeros((n, 0))
    found = eliminated(u, nothing)
    for i in range(n):
        found *= u[i, i]
    return found


def slogdet(a):
    """``numpy.linalg.slogdet``: sign and logarithm."""
    n = a.shape[0]
    u = np.copy(a)
    nothing = np.zeros((n, 0))
    sign = eliminated(u, nothing)
    total = 0.0
    for i in range(n):
        if u[i, i] < 0.0:
            sign = -sign
        total += math.log(abs(u[i, i]))
    return sign, total


def stable_order(values):
    """``numpy.argsort`` of a vector with ``kind="stable"``: merge sort; NaN last."""
    n = len(values)
    here = np.arange(n)
    there = np.arange(n)
    width = 1
    while width < n:
        start = 0
        while start < n:
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            i = start
            j = middle
            for k in range(start, end):
                left = i < middle
                if left and j < end:
                    x = values[here[i]]
                    y = values[here[j]]
                    left = not (y < x or (x != x and y == y))
                if left:
                    there[k] = here[i]
                    i += 1
                else:
                    there[k] = here[j]
                    j += 1
            start += 2 * width
        here, there = there, here
        width *= 2
    return here


def strict_order(values):
    """``numpy.argsort`` of a vector, whose order of equals is nobody's: where there are any CPython is asked."""
    order = stable_order(values)
    for k in range(1, len(values)):
        assert values[order[k - 1]] < values[order[k]]
    return order


def sort(values):
    """``numpy.sort`` of a vector, stable."""
    order = stable_order(values)
    found = np.zeros(len(values))
    for k in range(len(values)):
        found[k] = values[order[k]]
    return found


def bisect_right(values, x):
    """``bisect.bisect_right``."""
    low = 0
    high = len(values)
    while low < high:
        middle = (low + high) // 2
        if x < values[middle]:
            high = middle
        else:
            low = middle + 1
    return low


def bisect_left(values, x):
    """``bisect.bisect_left``."""
    low = 0
    high = len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


def factorial(n):
    """``math.factorial``."""
    if n < 0:
        raise ValueError("factorial() not defined for negative values")
    found = 1
    for k in range(2, n + 1):
        found *= k
    return found


def reduce(function, values, start):
    """``functools.reduce`` with a start."""
    found = start
    for one in values:
        found = function(found, one)
    return found


def largest(values):
    """Python's ``max`` of a sequence: the first of equals."""
    found = values[0]
    for i in range(1, len(values)):
        if values[i] > found:
            found = values[i]
    return found


def smallest(values):
    """Python's ``min`` of a sequence: the first of equals."""
    found = values[0]
    for i in range(1, len(values)):
        if values[i] < found:
            found = values[i]
    return found


def argmax(values):
    """``numpy.argmax`` of a vector: the first of equals, and the first NaN."""
    found = 0
    for i in range(len(values)):
        if values[i] > values[found] or (values[i] != values[i] and values[found] == values[found]):
            found = i
    assert len(values) > 0
    return found


def argmin(values):
    """``numpy.argmin`` of a vector: the first of equals, and the first NaN."""
    found = 0
    for i in range(len(values)):
        if values[i] < values[found] or (values[i] != values[i] and values[found] == values[found]):
            found = i
    assert len(values) > 0
    return found


def middle(values):
    """``numpy.median`` of a vector: the mean of the middle elements in order."""
    order = stable_order(values)
    n = len(values)
    for i in range(n):
        assert values[i] == values[i]
    half = n // 2
    if n % 2 == 1:
        return values[order[half]]
    return 0.5 * (values[order[half - 1]] + values[order[half]])


def interp(x, xp, fp):
    """``numpy.interp`` of a number; the slope at a knot is that of the segment on its right."""
    n = len(xp)
    if x < xp[0]:
        return fp[0]
    if x > xp[n - 1]:
        return fp[n - 1]
    low = min(bisect_right(xp, x) - 1, n - 2)
    assert math.isfinite(fp[low + 1] - fp[low])  # NumPy has three formulas for what is infinite
    return fp[low] + (fp[low + 1] - fp[low]) / (xp[low + 1] - xp[low]) * (x - xp[low])


def polyval(p, x):
    """``numpy.polyval`` of a number, by Horner's rule."""
    found = 0.0
    for i in range(len(p)):
        found = found * x + p[i]
    return found


def trapezoid(y, x=None, dx=1.0):
    """``numpy.trapezoid`` of a vector."""
    total = 0.0
    for i in range(1, len(y)):
        step = dx if x is None else x[i] - x[i - 1]
        total += 0.5 * step * (y[i] + y[i - 1])
    return total


def convolve(a, v):
    """``numpy.convolve`` of vectors, in full."""
    found = np.zeros(len(a) + len(v) - 1)
    for i in range(len(a)):
        for j in range(len(v)):
            found[i + j] += a[i] * v[j]
    assert len(a) > 0 and len(v) > 0
    return found


def cross(a, b):
    """``numpy.cross`` of two vectors of three."""
    assert len(a) == 3 and len(b) == 3
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def product(values):
    """``math.prod``."""
    found = 1
    for one in values:
        found = found * one
    return found


def degrees(x):
    """``math.degrees``."""
    return x * (180.0 / math.pi)


def radians(x):
    """``math.radians``."""
    return x * (math.pi / 180.0)


def sinc(x):
    """``numpy.sinc``; its slope at 0 is 0."""
    if x == 0.0:
        return 1.0
    return math.sin(math.pi * x) / (math.pi * x)


def heaviside(x, at_zero):
    """``numpy.heaviside``."""
    if x > 0.0:
        return 1.0
    if x < 0.0:
        return 0.0
    if x == 0.0:
        return at_zero
    return x


def huber(delta, x):
    """``scipy.special.huber``."""
    if delta < 0.0:
        return math.inf
    if abs(x) <= delta:
        return 0.5 * x * x
    return delta * (abs(x) - 0.5 * delta)


def positive(x):
    """``numpy.positive``."""
    return x


COMPOSITES: dict[Any, Callable[..., Any]] = {
    np.linalg.cholesky: cholesky,
    np.linalg.solve: solve,
    np.linalg.inv: inv,
    np.linalg.det: det,
    np.linalg.slogdet: slogdet,
    bisect.bisect_right: bisect_right,
    bisect.bisect: bisect_right,
    bisect.bisect_left: bisect_left,
    math.factorial: factorial,
    np.trapezoid: trapezoid,
    np.convolve: convolve,
    np.cross: cross,
    functools.reduce: reduce,
}
"""Library function -> the program that stands for it."""

SCALAR_PROGRAMS: dict[Any, Callable[..., Any]] = {
    math.degrees: degrees,
    math.radians: radians,
    np.degrees: degrees,
    np.rad2deg: degrees,
    np.radians: radians,
    np.deg2rad: radians,
    np.sinc: sinc,
    np.heaviside: heaviside,
    np.positive: positive,
    special.huber: huber,
}
"""Likewise for functions of numbers that NumPy or SciPy applies to every element."""
