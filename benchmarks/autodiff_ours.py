"""Our side: every use that the benchmarks make of `custodiet.autodiff` stands here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.autodiff_pairs import Side, UnavailableError
from benchmarks.programs import ba, heat

VERSION = "custodiet.autodiff"
WARM_UP_CALLS = 3  # `auto` starts on the tape and compiles when the function is called again


def room() -> Any:
    """The package.

    Raises:
        UnavailableError: this checkout has no such room.
    """
    if importlib.util.find_spec("custodiet.autodiff") is None:
        raise UnavailableError("this checkout has no custodiet.autodiff")
    return importlib.import_module("custodiet.autodiff")


def _warm(call: Callable[[], Any]) -> Callable[[], Any]:
    for _ in range(WARM_UP_CALLS):
        call()
    return call


def gradient(function: Callable, inputs: tuple, argnums: tuple[int, ...], **options: Any) -> Side:
    """`grad(function)(*inputs)`, dispatch included."""

    def prepare() -> Callable[[], Any]:
        derivative = room().grad(function, argnums=argnums, **options)
        return _warm(lambda: derivative(*inputs))

    return Side(prepare, VERSION)


def jacobian(function: Callable, inputs: tuple, argnums: tuple[int, ...] = (0,)) -> Side:
    """`jacobian(function)(*inputs)`."""

    def prepare() -> Callable[[], Any]:
        derivative = room().jacobian(function, argnums=argnums)
        return _warm(lambda: derivative(*inputs))

    return Side(prepare, VERSION)


def ba_values(inputs: tuple) -> Side:
    """Values of bundle adjustment's sparse Jacobian: fifteen columns' colors in one forward sweep, then assembly."""
    cams, points, weights, observations, feats = inputs

    def prepare() -> Callable[[], Any]:
        derivative = room().jacobian(ba.ba_shifted, argnums=0)
        values = np.empty(31 * len(weights))
        shift = np.zeros(ba.NUM_PARAMS)

        def call() -> np.ndarray:
            blocks = derivative(shift, cams, points, weights, observations, feats)
            ba.fill_values(values, blocks, weights)
            return values

        return _warm(call)

    return Side(prepare, VERSION)


def path_of(function: Callable, inputs: tuple) -> tuple[str, str]:
    """Which path ("compile" or "trace") a call takes, and why."""
    found = room().explain(function, *inputs)
    return found.path, str(found.reason or "")


def heat_gradient(
    num_cells: int, num_steps: int, num_snapshots: int, step: Callable = heat.heat_step_array
) -> Callable[[], Any]:
    """Gradient of the heat equation's final energy in the initial temperatures, under a binomial checkpoint schedule."""
    loop, grad = room().checkpointed_loop, room().grad
    u, rate, _ = heat.make_inputs(num_cells, num_steps)

    def numbered(_place, u, rate):
        return step(u, rate)

    def energy(u, rate):
        final = loop(numbered, u, num_steps, rate, snapshots=num_snapshots)
        return 0.5 * np.sum(final * final)

    derivative = grad(energy, mode="trace")
    return lambda: derivative(u, rate)
