"""Finance, interpolation, quadrature and special functions."""

from __future__ import annotations

import bisect
import math

import numpy as np

from benchmarks.programs.coverage import Example


def black_scholes(spot, strike, rate, volatility, years):
    """The price of a call: the normal distribution by erf."""
    root = volatility * math.sqrt(years)
    d1 = (math.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / root
    d2 = d1 - root
    n1 = 0.5 * (1.0 + math.erf(d1 / math.sqrt(2.0)))
    n2 = 0.5 * (1.0 + math.erf(d2 / math.sqrt(2.0)))
    return spot * n1 - strike * math.exp(-rate * years) * n2


def binomial_tree(spot, strike, rate, volatility, num_steps):
    """An American put on a binomial tree that is rolled back in place."""
    dt = 1.0 / num_steps
    up = math.exp(volatility * math.sqrt(dt))
    discount = math.exp(-rate * dt)
    chance = (math.exp(rate * dt) - 1.0 / up) / (up - 1.0 / up)
    values = np.zeros(num_steps + 1)
    for i in range(num_steps + 1):
        values[i] = max(strike - spot * up ** (2 * i - num_steps), 0.0)
    for step in range(num_steps - 1, -1, -1):
        for i in range(step + 1):
            hold = discount * (chance * values[i + 1] + (1.0 - chance) * values[i])
            exercise = strike - spot * up ** (2 * i - step)
            values[i] = hold if hold > exercise else exercise
    return values[0]


def internal_rate(cashflows):
    """The internal rate of return by Newton's method."""
    r = 0.1
    for _ in range(30):
        value = 0.0
        slope = 0.0
        for t, c in enumerate(cashflows):
            value += c / (1.0 + r) ** t
            slope -= t * c / (1.0 + r) ** (t + 1)
        step = value / slope
        r -= step
        if abs(step) < 1e-14:
            break
    return r


def linear_interpolation(knots, values, x):
    """A binary search for the cell, then a line."""
    low = 0
    high = len(knots) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle] > x:
            high = middle
        else:
            low = middle
    share = (x - knots[low]) / (knots[high] - knots[low])
    return (1.0 - share) * values[low] + share * values[high]


def bisect_interpolation(knots, values, x):
    """The same with the standard library's bisect on a list."""
    high = bisect.bisect_right(knots, x)
    share = (x - knots[high - 1]) / (knots[high] - knots[high - 1])
    return (1.0 - share) * values[high - 1] + share * values[high]


def lagrange(knots, values, x):
    """Lagrange's interpolation polynomial."""
    total = 0.0
    for i in range(len(knots)):
        basis = 1.0
        for j in range(len(knots)):
            if j != i:
                basis *= (x - knots[j]) / (knots[i] - knots[j])
        total += values[i] * basis
    return total


def de_casteljau(points, t):
    """A Bezier curve's point by repeated interpolation in place."""
    p = points.copy()
    n = p.shape[0]
    for level in range(1, n):
        for i in range(n - level):
            for d in range(p.shape[1]):
                p[i, d] = (1.0 - t) * p[i, d] + t * p[i + 1, d]
    return p[0, 0] * p[0, 1]


def simpson(a, b, num):
    """Simpson's rule of a function with both limits and a parameter."""
    h = (b - a) / num
    total = math.sin(a) * a + math.sin(b) * b
    for i in range(1, num):
        x = a + i * h
        total += (4.0 if i % 2 else 2.0) * math.sin(x) * x
    return total * h / 3.0


def gauss_legendre(scale):
    """Quadrature nodes from NumPy, constants to the derivative."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    total = 0.0
    for x, w in zip(nodes, weights, strict=True):
        total += w * math.exp(-scale * x * x)
    return total


def bessel_series(x, order):
    """The power series of J_n until the terms vanish."""
    term = (0.5 * x) ** order / math.factorial(order)
    total = term
    k = 1
    while abs(term) > 1e-17 * abs(total):
        term *= -0.25 * x * x / (k * (k + order))
        total += term
        k += 1
    return total


def chebyshev(coefficients, x):
    """Clenshaw's recurrence."""
    later = 0.0
    last = 0.0
    for k in range(len(coefficients) - 1, 0, -1):
        later, last = 2.0 * x * later - last + coefficients[k], later
    return x * later - last + coefficients[0]


def kepler(mean_anomaly, eccentricity):
    """Kepler's equation by a fixed point, then by Newton."""
    e = mean_anomaly
    for _ in range(5):
        e = mean_anomaly + eccentricity * math.sin(e)
    while abs(e - eccentricity * math.sin(e) - mean_anomaly) > 1e-14:
        e -= (e - eccentricity * math.sin(e) - mean_anomaly) / (1.0 - eccentricity * math.cos(e))
    return e


def nelson_siegel(parameters, maturities):
    """A yield curve's mean squared error, a dict-free function of four floats in a tuple."""
    level, slope, curve, decay = parameters
    total = 0.0
    for maturity in maturities:
        ratio = maturity / decay
        loading = -math.expm1(-ratio) / ratio
        rate = level + slope * loading + curve * (loading - math.exp(-ratio))
        total += (rate - 0.03) ** 2
    return 1e4 * total / len(maturities)


EXAMPLES = [
    Example(black_scholes, (100.0, 95.0, 0.03, 0.25, 0.7), "Black-Scholes with erf", (0, 1, 2, 3, 4)),
    Example(binomial_tree, (100.0, 103.0, 0.03, 0.25, 12), "binomial tree in place", (0, 1, 2, 3)),
    Example(internal_rate, ([-10.0, 3.0, 4.0, 5.0, 2.0],), "Newton with a nested sum and a break"),
    Example(linear_interpolation, (np.array([0.0, 1.0, 2.5, 4.0]), np.array([0.3, 1.2, 0.7, 2.0]), 1.7), "binary search", (0, 1, 2)),
    Example(bisect_interpolation, ([0.0, 1.0, 2.5, 4.0], [0.3, 1.2, 0.7, 2.0], 1.7), "bisect of the standard library", (0, 1, 2),
            "a standard-library call that compares"),
    Example(lagrange, (np.array([0.0, 1.0, 2.5]), np.array([0.3, 1.2, 0.7]), 1.7), "interpolation", (0, 1, 2)),
    Example(de_casteljau, (np.array([[0.0, 0.1], [1.0, 2.0], [2.0, 1.0], [3.0, 0.5]]), 0.3), "Bezier curve", (0, 1)),
    Example(simpson, (0.2, 2.1, 20), "quadrature", (0, 1)),
    Example(gauss_legendre, (0.8,), "constants from a NumPy call the derivative does not enter"),
    Example(bessel_series, (1.4, 2), "series until the terms vanish, factorial"),
    Example(chebyshev, (np.array([0.3, -0.5, 0.2, 0.1]), 0.4), "Clenshaw's recurrence", (0, 1)),
    Example(kepler, (1.1, 0.3), "fixed point, then Newton", (0, 1)),
    Example(nelson_siegel, ((0.04, -0.02, 0.01, 1.5), [0.5, 1.0, 2.0, 5.0, 10.0]), "a tuple of parameters, expm1"),
]  # fmt: skip
