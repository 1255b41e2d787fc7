"""The two sides of every comparison of study `autodiff`: ours, and peers that say when they are not installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from custodiet.autodiff.api import grad
from custodiet.studies.autodiff_programs import gmm
from custodiet.studies.autodiff_timing import Side, Thunk, UnavailableError

__all__ = ["MODULES", "framework", "gradient", "hand_numpy_gmm", "never", "numba_objective", "python_objective"]

MODULES = {"torch": "torch", "jax": "jax", "hips": "autograd"}
WARM_UP_CALLS = 3
"""`auto` starts on the tape and compiles when the function is called again"""


def gradient(
    function: Callable[..., Any], inputs: tuple[Any, ...], argnums: tuple[int, ...], mode: str = "auto"
) -> Side:
    """`grad(function)(*inputs)`, dispatch included."""

    def prepare() -> Thunk:
        derivative = grad(function, argnums=argnums, mode=mode)
        for _ in range(WARM_UP_CALLS):
            derivative(*inputs)
        return lambda: derivative(*inputs)

    return Side(prepare, "custodiet.autodiff")


def framework(
    name: str, function: str, inputs: tuple[Any, ...], *, where: str = "custodiet.studies.autodiff", **options: Any
) -> Side:
    """A function of the module ``WHERE_NAME``, on these inputs; a side that is missing where its package is not installed."""
    package = MODULES[name]
    if importlib.util.find_spec(package) is None:
        return Side(never, package, missing=f"{package} is not installed: pip install {package}")
    module = importlib.import_module(f"{where}_{name}")
    return Side(lambda: getattr(module, function)(inputs, **options), module.version())


def never() -> Thunk:
    """Prepare a peer that is not here."""
    raise UnavailableError("not installed")


def hand_numpy_gmm(inputs: tuple[Any, ...]) -> Side:
    """The mixture's gradient written by hand in NumPy (ours)."""
    return Side(lambda: lambda: gmm.reference_gradient(*inputs), f"hand-written NumPy (ours), numpy {np.__version__}")


def numba_objective(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Side:
    """The objective, not its gradient, compiled by Numba without fastmath."""

    def prepare() -> Thunk:
        import numba

        compiled: Any = numba.njit(fastmath=False)(function)
        compiled(*inputs)
        return lambda: compiled(*inputs)

    return Side(prepare, f"numba {version('numba')} njit, the objective")


def python_objective(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Side:
    """The objective, not its gradient, in CPython."""
    return Side(lambda: lambda: function(*inputs), "CPython, the objective")
