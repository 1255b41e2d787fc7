"""An ODE with a known solution by Runge-Kutta 4, after GradBench's `ode` (from cmpad's `an_ode`).

y_0' = x_0 and y_i' = x_i y_{i-1}, all zero at the start; the value is the last component at time 2.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs import Program


def ode(x, num_steps):
    """The last component at time 2, x float (n,)."""
    num = len(x)
    h = 2.0 / num_steps
    y = np.zeros(num)
    point = np.zeros(num)
    slope = np.zeros(num)
    total = np.zeros(num)
    for _ in range(num_steps):
        for i in range(num):
            point[i] = y[i]
            total[i] = 0.0
        for stage in range(4):
            slope[0] = x[0]
            for i in range(1, num):
                slope[i] = x[i] * point[i - 1]
            weight = 1.0 if stage == 0 or stage == 3 else 2.0
            ahead = h if stage == 2 else 0.5 * h
            for i in range(num):
                total[i] += weight * slope[i]
                point[i] = y[i] + ahead * slope[i]
        for i in range(num):
            y[i] += h * total[i] / 6.0
    return y[num - 1]


def ode_array(x, num_steps):
    """The same in NumPy calls."""

    def slope(y):
        z = np.empty(len(x))
        z[0] = x[0]
        z[1:] = x[1:] * y[:-1]
        return z

    h = 2.0 / num_steps
    y = np.zeros(len(x))
    for _ in range(num_steps):
        k1 = slope(y)
        k2 = slope(y + 0.5 * h * k1)
        k3 = slope(y + 0.5 * h * k2)
        k4 = slope(y + h * k3)
        y = y + h * (k1 + 2.0 * k2 + 2.0 * k3 + k4) / 6.0
    return y[-1]


def make_inputs(num: int = 4, num_steps: int = 1000) -> tuple:
    """Coefficients 1, 2, ..., num, as in GradBench."""
    return np.arange(1.0, num + 1.0), num_steps


def reference_gradient(x, num_steps) -> tuple:
    """By hand: with at most four components the method is exact, so the solution's own formula can be differentiated.

    y_{n-1}(t) = x_0 ... x_{n-1} t^n / n!, a polynomial of degree n; Runge-Kutta 4 integrates polynomials up to degree 4 exactly.
    """
    if len(x) > 4:
        raise ValueError("the closed form equals the method only up to 4 components")
    value = math.prod(x) * 2.0 ** len(x) / math.factorial(len(x))
    return (value / x,)


def small_programs() -> list[Program]:
    """Four components, ten steps."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(4, 10), argnums=(0,), reference=reference_gradient)
        for function in (ode, ode_array)
    ]  # fmt: skip
