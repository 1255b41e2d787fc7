"""Stores into arrays: overwrites, running sums in place, slices and views, sorting networks."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs.coverage import Example


def prefix_sum_in_place(x):
    """A copy is turned into its running sums."""
    y = x.copy()
    for i in range(1, len(y)):
        y[i] += y[i - 1]
    return y[-1] * y[len(y) // 2]


def overwritten_element(x):
    """An element is read nonlinearly, overwritten, and read again."""
    y = np.array([x[0], x[1], 0.0])
    for i in range(5):
        y[2] = math.sin(y[0]) * y[1]
        y[0] = y[2] + 0.1 * i
        y[1] = y[1] * y[1] - y[0]
    return y[0] + y[1] + y[2]


def slice_store(x):
    """A slice is assigned from another slice."""
    y = np.zeros(len(x))
    y[1:] = x[:-1] * x[1:]
    y[0] = x[0] ** 3
    return np.sum(y * x)


def view_of_row(a):
    """Writing through a view changes the matrix."""
    b = a.copy()
    row = b[1]
    for j in range(len(row)):
        row[j] = row[j] * b[0, j]
    return np.sum(b * b)


def strided_view(x):
    """Even and odd elements as strided views."""
    even = x[::2]
    odd = x[1::2]
    total = 0.0
    for i in range(len(odd)):
        total += even[i] * odd[i] ** 2
    return total


def sorting_network(x):
    """Bubble sort by compare-and-swap, then a weighted sum of the sorted values."""
    y = x.copy()
    n = len(y)
    for i in range(n):
        for j in range(n - 1 - i):
            if y[j] > y[j + 1]:
                y[j], y[j + 1] = y[j + 1], y[j]
    total = 0.0
    for i in range(n):
        total += (i + 1) * y[i]
    return total


def thomas(lower, main, upper, right):
    """The tridiagonal solver that overwrites its coefficients."""
    n = len(main)
    c = np.zeros(n)
    d = np.zeros(n)
    c[0] = upper[0] / main[0]
    d[0] = right[0] / main[0]
    for i in range(1, n):
        pivot = main[i] - lower[i] * c[i - 1]
        c[i] = upper[i] / pivot
        d[i] = (right[i] - lower[i] * d[i - 1]) / pivot
    for i in range(n - 2, -1, -1):
        d[i] -= c[i] * d[i + 1]
    return np.dot(d, d)


def gaussian_elimination(a, b):
    """Elimination in place with partial pivoting."""
    a = a.copy()
    b = b.copy()
    n = len(b)
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[pivot, k]):
                pivot = i
        if pivot != k:
            for j in range(n):
                a[k, j], a[pivot, j] = a[pivot, j], a[k, j]
            b[k], b[pivot] = b[pivot], b[k]
        for i in range(k + 1, n):
            factor = a[i, k] / a[k, k]
            for j in range(k, n):
                a[i, j] -= factor * a[k, j]
            b[i] -= factor * b[k]
    x = np.zeros(n)
    for i in range(n - 1, -1, -1):
        value = b[i]
        for j in range(i + 1, n):
            value -= a[i, j] * x[j]
        x[i] = value / a[i, i]
    return np.sum(x * x)


def histogram_soft(x, centers):
    """Accumulation into cells that a computed index chooses."""
    mass = np.zeros(len(centers))
    for value in x:
        cell = int(value * len(centers)) % len(centers)
        mass[cell] += math.exp(-((value - centers[cell]) ** 2))
        mass[(cell + 1) % len(centers)] += 0.1 * value
    return np.sum(mass**2)


def edit_cost(costs):
    """Dynamic programming over a table: the soft minimum of three neighbors."""
    n, m = costs.shape
    table = np.zeros((n + 1, m + 1))
    for i in range(1, n + 1):
        table[i, 0] = table[i - 1, 0] + 1.0
    for j in range(1, m + 1):
        table[0, j] = table[0, j - 1] + 1.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            a = math.exp(-table[i - 1, j] - 1.0)
            b = math.exp(-table[i, j - 1] - 1.0)
            c = math.exp(-table[i - 1, j - 1] - costs[i - 1, j - 1])
            table[i, j] = -math.log(a + b + c)
    return table[n, m]


def negative_index(x):
    """Negative indices read and written."""
    y = np.zeros(3)
    y[-1] = x[-1] * x[0]
    y[-2] = x[-2] ** 2
    y[0] = y[-1] * y[-2]
    return y[0] + y[-1]


EXAMPLES = [
    Example(prefix_sum_in_place, (np.array([0.5, 1.5, -0.3, 2.0]),), "prefix sums in place"),
    Example(
        overwritten_element,
        (np.array([0.4, 0.9]),),
        "an element overwritten after a nonlinear read; np.array of a list",
    ),
    Example(slice_store, (np.array([0.5, 1.5, -0.3, 2.0]),), "slice assignment"),
    Example(view_of_row, (np.arange(1.0, 7.0).reshape(2, 3) / 3.0,), "a view that is written through"),
    Example(strided_view, (np.linspace(0.2, 1.3, 7),), "strided views"),
    Example(sorting_network, (np.array([0.9, 0.1, 0.5, 0.7, 0.3]),), "compare-and-swap of elements"),
    Example(
        thomas,
        (np.array([0.0, 1.0, 0.5]), np.array([4.0, 5.0, 3.0]), np.array([1.0, 0.7, 0.0]), np.array([1.0, 2.0, 3.0])),
        "tridiagonal solver",
        (0, 1, 2, 3),
    ),
    Example(
        gaussian_elimination,
        (np.array([[0.1, 2.0, 1.0], [3.0, 0.5, 0.2], [1.0, 1.0, 4.0]]), np.array([1.0, 2.0, 3.0])),
        "row swaps and elimination in place",
        (0, 1),
    ),
    Example(
        histogram_soft,
        (np.array([0.13, 0.52, 0.77, 0.31]), np.array([0.1, 0.4, 0.8])),
        "a store at an index computed from the data",
    ),
    Example(edit_cost, (np.array([[0.2, 0.9, 0.4], [0.8, 0.1, 0.6]]),), "dynamic programming over a table"),
    Example(negative_index, (np.array([0.5, 1.5, -0.3]),), "negative indices"),
]
