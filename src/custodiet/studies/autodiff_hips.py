"""HIPS autograd's side of the study: the unmodified loops on its boxes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version as installed_version

import autograd  # type: ignore[import-not-found]

from custodiet.studies.autodiff_programs import lorenz, rosenbrock
from custodiet.studies.autodiff_timing import Thunk

__all__ = ["Thunk", "gradient", "lorenz_gradient", "rosenbrock_loop", "version"]


def version() -> str:
    """What is measured."""
    return f"HIPS autograd {installed_version('autograd')}"


def gradient(function: Callable, inputs: tuple, argnums: tuple[int, ...]) -> Thunk:
    """A call of autograd's gradient."""
    derivative = autograd.grad(function, argnum=argnums)
    return lambda: derivative(*inputs)


def lorenz_gradient(inputs: tuple) -> Thunk:
    """The unmodified loop."""
    return gradient(lorenz.lorenz, inputs, lorenz.ARGNUMS)


def rosenbrock_loop(inputs: tuple) -> Thunk:
    """The unmodified indexed loop."""
    return gradient(rosenbrock.rosenbrock, inputs, (0,))
