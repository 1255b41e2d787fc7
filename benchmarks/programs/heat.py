"""The heat equation on a rod with cold ends: explicit Euler steps, in an element loop and as array code."""

from __future__ import annotations

import numpy as np

from benchmarks.programs import Program


def heat_step(u, rate):
    """One step on the cells u (n,); `rate` is diffusivity times step over the square of the spacing, at most 1/2."""
    num = len(u)
    new = np.zeros(num)
    for i in range(1, num - 1):
        new[i] = u[i] + rate * (u[i + 1] - 2.0 * u[i] + u[i - 1])
    return new


def heat_step_array(u, rate):
    """The same in NumPy calls."""
    new = np.zeros(len(u))
    new[1:-1] = u[1:-1] + rate * (u[2:] - 2.0 * u[1:-1] + u[:-2])
    return new


def heat(u, rate, num_steps):
    """Half the squared norm of the temperatures after `num_steps` steps, by an element loop."""
    for _ in range(num_steps):
        u = heat_step(u, rate)
    total = 0.0
    for value in u:
        total += 0.5 * value * value
    return total


def heat_array(u, rate, num_steps):
    """The same with array code in the step."""
    for _ in range(num_steps):
        u = heat_step_array(u, rate)
    return 0.5 * np.sum(u * u)


def make_inputs(num_cells: int = 1000, num_steps: int = 1000, rate: float = 0.25, seed: int = 0) -> tuple:
    """Uniform temperatures with cold ends."""
    u = np.random.default_rng(seed).uniform(size=num_cells)
    u[0] = u[-1] = 0.0
    return u, rate, num_steps


def reference_gradient(u, rate, num_steps) -> tuple:
    """By hand, in u: the step is linear and symmetric in the inner cells, so its adjoint is the step itself.

    An end cell is read by its neighbor in the first step and then overwritten with zero: its adjoint is `rate` times the
    neighbor's, one step before.
    """
    adjoint = u
    for _ in range(num_steps):
        adjoint = heat_step_array(adjoint, rate)
    for _ in range(num_steps - 1):
        adjoint = heat_step_array(adjoint, rate)
    gradient = heat_step_array(adjoint, rate)
    gradient[0], gradient[-1] = rate * adjoint[1], rate * adjoint[-2]
    return (gradient,)


def small_programs() -> list[Program]:
    """Nine cells, six steps."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(9, 6), argnums=(0,), reference=reference_gradient)
        for function in (heat, heat_array)
    ]  # fmt: skip
