"""log-sum-exp from its primitive elements, after GradBench's `lse`."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs import Program


def lse(x):
    """Log of the sum of exponentials of x (n,), by loops, shifted by the largest."""
    largest = x[0]
    for value in x:
        largest = max(largest, value)
    total = 0.0
    for value in x:
        total += math.exp(value - largest)
    return largest + math.log(total)


def lse_array(x):
    """The same in NumPy calls."""
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def make_inputs(num: int = 1000, seed: int = 0) -> tuple:
    """A standard normal vector."""
    return (np.random.default_rng(seed).standard_normal(num),)


def reference_gradient(x) -> tuple:
    """The softmax."""
    shares = np.exp(x - x.max())
    return (shares / shares.sum(),)


def small_programs() -> list[Program]:
    """Ten values."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(10), argnums=(0,), reference=reference_gradient)
        for function in (lse, lse_array)
    ]  # fmt: skip
