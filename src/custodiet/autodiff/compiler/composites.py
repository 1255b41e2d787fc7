"""Library functions as plain Python programs: the compiler reads these in place of the originals, and so differentiates them.

Plain loops, for small matrices; what they cost grows as the originals do, without BLAS's constant.
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


def sort(values):
    """``numpy.sort`` of a vector: merge sort, stable."""
    n = len(values)
    here = np.copy(values)
    there = np.zeros(n)
    width = 1
    while width < n:
        start = 0
        while start < n:
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            i = start
            j = middle
            for k in range(start, end):
                if i < middle and (j >= end or here[i] <= here[j]):
                    there[k] = here[i]
                    i += 1
                else:
                    there[k] = here[j]
                    j += 1
            start += 2 * width
        here, there = there, here
        width *= 2
    return here


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


def expit(x):
    """``scipy.special.expit`` of a number."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    small = math.exp(x)
    return small / (1.0 + small)


COMPOSITES: dict[Any, Callable[..., Any]] = {
    np.linalg.cholesky: cholesky,
    np.linalg.solve: solve,
    np.linalg.inv: inv,
    np.linalg.det: det,
    np.linalg.slogdet: slogdet,
    np.sort: sort,
    bisect.bisect_right: bisect_right,
    bisect.bisect: bisect_right,
    bisect.bisect_left: bisect_left,
    math.factorial: factorial,
    functools.reduce: reduce,
    special.expit: expit,
}
"""Library function -> the program that stands for it."""
