"""Branches, `while`, early returns, `break` and `continue`."""

from __future__ import annotations

import math

from benchmarks.programs.coverage import Example


def newton_square_root(a):
    """Newton's iteration until it stands still."""
    x = a
    while abs(x * x - a) > 1e-13:
        x = 0.5 * (x + a / x)
    return x


def bisection(a):
    """Root of x^3 + a x = 1 by bisection, polished by one Newton step (a bisection's own derivative is zero)."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        if middle**3 + a * middle < 1.0:
            low = middle
        else:
            high = middle
    x = 0.5 * (low + high)
    return x - (x**3 + a * x - 1.0) / (3.0 * x * x + a)


def piecewise_return(x, y):
    """Early returns, a different formula on each side."""
    if x < 0.0:
        return x * y
    if x < 1.0:
        return math.sin(x) * y
    return math.log(x) + y * y


def escape_time(real, imaginary):
    """The smooth iteration count of the Mandelbrot set."""
    x = 0.0
    y = 0.0
    for count in range(60):
        x, y = x * x - y * y + real, 2.0 * x * y + imaginary
        if x * x + y * y > 1e4:
            return count + 1.0 - math.log(0.5 * math.log(x * x + y * y)) / math.log(2.0)
    return 60.0


def skip_negative(values, scale):
    """`continue` and `break` in one loop."""
    total = 0.0
    for value in values:
        if value < 0.0:
            continue
        total += math.sqrt(value) * scale
        if total > 6.0:
            break
    return total * total


def clipped(x, low, high):
    """Ternaries in a chain."""
    y = low if x < low else high if x > high else x
    return y * y + 0.1 * x


def continued_fraction(x):
    """Lentz's method for tan, until converged; the trip count depends on the data."""
    f = 1e-30
    c = f
    d = 0.0
    n = 1
    while True:
        a = x if n == 1 else -x * x
        b = 2.0 * n - 1.0
        d = 1.0 / (b + a * d)
        c = b + a / c
        delta = c * d
        f *= delta
        if abs(delta - 1.0) < 1e-15:
            break
        n += 1
    return f


def collatz_like(x):
    """A `while` whose branch changes from trip to trip."""
    steps = 0
    while x > 1.5 and steps < 50:
        if steps % 3 == 0:
            x = 0.5 * x
        elif x > 4.0:
            x = math.sqrt(x) + 0.3
        else:
            x = 0.8 * x + 0.1 * math.sin(x)
        steps += 1
    return x * steps


def relu_chain(x, weights):
    """max, min and abs of floats."""
    for w in weights:
        x = max(0.1 * x, w * x) + min(x, 1.0)
    return abs(x - 2.0)


def while_else(values, goal):
    """`while` with an `else`, a boolean of two comparisons, a chained comparison."""
    i = 0
    total = 0.0
    while i < len(values) and total < goal:
        if 0.0 < values[i] < 2.0 or i == 1:
            total += values[i] ** 2
        i += 1
    else:
        total *= 1.5
    return total


EXAMPLES = [
    Example(newton_square_root, (2.7,), "while with a data-dependent trip count"),
    Example(bisection, (0.7,), "branch on a computed float in a loop, power"),
    Example(piecewise_return, (0.4, 1.7), "early returns", (0, 1)),
    Example(escape_time, (0.4, 0.5), "early return out of a loop, tuple assignment", (0, 1)),
    Example(skip_negative, ([1.0, -2.0, 4.0, 9.0, 16.0], 1.1), "continue, break, a list of floats", (0, 1)),
    Example(clipped, (0.3, -1.0, 1.0), "ternaries"),
    Example(continued_fraction, (0.8,), "while True with break"),
    Example(collatz_like, (40.0,), "branches that alternate in a while, modulo of an int"),
    Example(relu_chain, (1.3, (0.5, 1.2, -0.7)), "max, min, abs; a tuple of floats", (0, 1)),
    Example(while_else, ([0.5, 3.0, 1.5, 0.2], 50.0), "while-else, chained comparison, and/or"),
]
