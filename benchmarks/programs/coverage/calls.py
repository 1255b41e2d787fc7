"""Calls: nested functions, closures, lambdas, recursion, mutual recursion, functions as arguments."""

from __future__ import annotations

import functools
import math

import numpy as np

from benchmarks.programs.coverage import Example

GRAVITY = 9.81


def square(x):
    """A helper."""
    return x * x


def helper_calls(x):
    """Calls of the module's own functions."""
    return square(math.sin(x)) + square(square(x))


def global_constant(height):
    """A module constant is read."""
    return math.sqrt(2.0 * GRAVITY * height)


def local_closure(a, x):
    """A nested function reads and a second one calls it."""

    def inner(t):
        return a * math.sin(t)

    def outer(t):
        return inner(t) + inner(2.0 * t)

    return outer(x) * outer(a)


def lambda_inside(x):
    """A lambda with a captured float."""
    power = lambda t, k: t**k + x  # noqa: E731
    return power(x, 2) * power(x, 3)


def fibonacci_like(n, a, b):
    """Double recursion whose leaves are the inputs."""
    if n == 0:
        return a
    if n == 1:
        return b
    return fibonacci_like(n - 1, a, b) + 0.5 * fibonacci_like(n - 2, a, b) ** 2


def tree_value(values, i):
    """Recursion over an implicit binary tree in an array."""
    if 2 * i + 2 >= len(values):
        return values[i]
    return math.tanh(tree_value(values, 2 * i + 1)) + values[i] * tree_value(values, 2 * i + 2)


def is_even_weight(n, x):
    """Mutual recursion, one half."""
    if n == 0:
        return x
    return 1.1 * is_odd_weight(n - 1, x * x)


def is_odd_weight(n, x):
    """Mutual recursion, the other half."""
    if n == 0:
        return -x
    return 0.9 * is_even_weight(n - 1, math.sin(x))


def mutual(x):
    """Mutual recursion to depth seven."""
    return is_even_weight(7, x)


def power_by_squaring(x, n):
    """Recursion on an integer."""
    if n == 0:
        return 1.0
    half = power_by_squaring(x, n // 2)
    return half * half * x if n % 2 else half * half


def minor_determinant(a):
    """Expansion by minors that builds each minor: recursion with local arrays."""
    n = a.shape[0]
    if n == 1:
        return a[0, 0]
    total = 0.0
    sign = 1.0
    for column in range(n):
        minor = np.empty((n - 1, n - 1))
        for i in range(1, n):
            for j in range(n - 1):
                minor[i - 1, j] = a[i, j if j < column else j + 1]
        total += sign * a[0, column] * minor_determinant(minor)
        sign = -sign
    return total


def keywords(x, *, scale=2.0, shift=0.5):
    """Keyword arguments with defaults."""
    return scale * x * x + shift


def calls_with_keywords(x):
    """A call that names its arguments."""
    return keywords(x, shift=x) + keywords(x, scale=x)


def higher_order(x):
    """Functions as values in a tuple."""
    total = 0.0
    for function in (math.sin, math.exp, square):
        total += function(x)
    return total


def adaptive_simpson(a, b):
    """Recursive quadrature of exp(-a t^2) on [0, b], deeper where it is needed."""

    def f(t):
        return math.exp(-a * t * t)

    def recurse(low, high, f_low, f_middle, f_high, depth):
        middle = 0.5 * (low + high)
        f_left = f(0.5 * (low + middle))
        f_right = f(0.5 * (middle + high))
        whole = (high - low) / 6.0 * (f_low + 4.0 * f_middle + f_high)
        left = (middle - low) / 6.0 * (f_low + 4.0 * f_left + f_middle)
        right = (high - middle) / 6.0 * (f_middle + 4.0 * f_right + f_high)
        if depth == 0 or abs(left + right - whole) < 1e-9:
            return left + right
        return recurse(low, middle, f_low, f_left, f_middle, depth - 1) + recurse(
            middle, high, f_middle, f_right, f_high, depth - 1
        )

    return recurse(0.0, b, f(0.0), f(0.5 * b), f(b), 8)


def reduce_product(values):
    """`functools.reduce` over a lambda."""
    return functools.reduce(lambda a, b: a * b + a, values, 1.0)


EXAMPLES = [
    Example(helper_calls, (0.7,), "calls of the user's own functions"),
    Example(global_constant, (3.0,), "a global read"),
    Example(local_closure, (0.8, 1.1), "closures", (0, 1)),
    Example(lambda_inside, (1.2,), "lambda"),
    Example(fibonacci_like, (7, 0.3, 0.2), "double recursion", (1, 2)),
    Example(tree_value, (np.linspace(0.1, 0.9, 11), 0), "recursion over a tree in an array"),
    Example(mutual, (0.6,), "mutual recursion"),
    Example(power_by_squaring, (1.1, 13), "recursion on an integer"),
    Example(
        minor_determinant,
        (np.array([[2.0, 1.0, 0.5], [0.3, 1.5, 0.2], [1.0, 0.4, 3.0]]),),
        "recursion with local arrays",
    ),
    Example(calls_with_keywords, (1.3,), "keyword arguments and defaults"),
    Example(higher_order, (0.4,), "functions as values"),
    Example(adaptive_simpson, (1.3, 1.5), "a recursive nested function", (0, 1)),
    Example(reduce_product, ((0.5, 1.2, 0.8),), "functools.reduce", (0,), "a standard-library higher-order function"),
]
