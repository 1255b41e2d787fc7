"""The Rosenbrock function as an indexed loop, and vectorized."""

from __future__ import annotations

import numpy as np

from custodiet.studies.autodiff_programs import Program


def rosenbrock(x):
    """Rosenbrock's valley in ``len(x)`` dimensions, x float (n,)."""
    total = 0.0
    for i in range(len(x) - 1):
        a = x[i + 1] - x[i] * x[i]
        b = 1.0 - x[i]
        total += 100.0 * a * a + b * b
    return total


def rosenbrock_array(x):
    """The same in NumPy calls."""
    a = x[1:] - x[:-1] * x[:-1]
    b = 1.0 - x[:-1]
    return np.sum(100.0 * a * a + b * b)


def make_inputs(num: int = 1000, seed: int = 0) -> tuple:
    """A standard normal point, float64 (num,)."""
    return (np.random.default_rng(seed).standard_normal(num),)


def reference_gradient(x) -> tuple:
    """Written by hand."""
    a = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] = -400.0 * a * x[:-1] - 2.0 * (1.0 - x[:-1])
    gradient[1:] += 200.0 * a
    return (gradient,)


def small_programs() -> list[Program]:
    """Ten dimensions."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(10), argnums=(0,), reference=reference_gradient)
        for function in (rosenbrock, rosenbrock_array)
    ]  # fmt: skip
