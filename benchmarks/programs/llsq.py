"""A linear least-squares objective, after GradBench's `llsq` (from cmpad's `llsq_obj`)."""

from __future__ import annotations

import numpy as np

from benchmarks.programs import Program


def llsq(x, num):
    """Half the squared distance between the polynomial with coefficients x (m,) and the sign at `num` points of [-1, 1]."""
    total = 0.0
    for i in range(num):
        t = -1.0 + i * 2.0 / (num - 1)
        sign = 1.0 if t > 0.0 else -1.0 if t < 0.0 else 0.0
        residual = sign
        power = 1.0
        for coefficient in x:
            residual -= coefficient * power
            power *= t
        total += 0.5 * residual * residual
    return total


def llsq_array(x, num):
    """The same in NumPy calls."""
    t = -1.0 + np.arange(num) * 2.0 / (num - 1)
    powers = t[:, None] ** np.arange(len(x))
    residual = np.sign(t) - powers @ x
    return 0.5 * np.dot(residual, residual)


def make_inputs(num_coefficients: int = 8, num: int = 1000, seed: int = 0) -> tuple:
    """Standard normal coefficients."""
    return np.random.default_rng(seed).standard_normal(num_coefficients), num


def reference_gradient(x, num) -> tuple:
    """The normal equations' residual."""
    t = -1.0 + np.arange(num) * 2.0 / (num - 1)
    powers = np.vander(t, len(x), increasing=True)
    return (powers.T @ (powers @ x - np.sign(t)),)


def small_programs() -> list[Program]:
    """Four coefficients, twenty points."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(4, 20), argnums=(0,), reference=reference_gradient)
        for function in (llsq, llsq_array)
    ]  # fmt: skip
