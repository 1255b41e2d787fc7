"""The peers of the derivative benchmarks, each as a side that says when it is not installed.

Torch and Numba are dependencies; JAX and HIPS autograd come with ``make bench-deps``; the hand-written NumPy and C are ours
(re-implementations, labeled so), and C needs a compiler. Nothing here is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.autodiff_pairs import Side, UnavailableError
from benchmarks.programs import gmm

MODULES = {"torch": "torch", "jax": "jax", "hips": "autograd"}
HAND_NUMPY = f"hand-written NumPy (ours), numpy {np.__version__}"


def missing() -> dict[str, str]:
    """Peers that cannot be measured here, and why."""
    found = {
        package: f"{package} is not installed: make bench-deps"
        for package in MODULES.values()
        if importlib.util.find_spec(package) is None
    }
    from benchmarks import autodiff_c

    try:
        autodiff_c.version()
    except autodiff_c.NoCompilerError as reason:
        found["hand-written C"] = str(reason)
    return found


def framework(name: str, function: str, inputs: tuple, **options: Any) -> Side:
    """A side of `autodiff_torch`, `autodiff_jax` or `autodiff_hips`: its function of that name, on these inputs."""
    package = MODULES[name]
    if importlib.util.find_spec(package) is None:
        return Side(_never, package, missing=f"{package} is not installed: make bench-deps")
    module = importlib.import_module(f"benchmarks.autodiff_{name}")
    return Side(lambda: getattr(module, function)(inputs, **options), module.version())


def _never() -> Callable[[], Any]:
    raise UnavailableError("not installed")


def hips_chain(function: Callable, inputs: tuple) -> Side:
    """HIPS autograd on a program of NumPy calls."""
    if importlib.util.find_spec("autograd") is None:
        return Side(_never, "HIPS autograd", missing="autograd is not installed: make bench-deps")
    from benchmarks import autodiff_hips

    return Side(lambda: autodiff_hips.array_chain(function, inputs), autodiff_hips.version())


def hand_numpy_gmm(inputs: tuple) -> Side:
    """The mixture's gradient written by hand in NumPy."""
    return Side(lambda: lambda: gmm.reference_gradient(*inputs), HAND_NUMPY)


def numba_objective(function: Callable, inputs: tuple) -> Side:
    """The objective, not its gradient, compiled by Numba without fastmath."""

    def prepare() -> Callable[[], Any]:
        import numba

        compiled = numba.njit(fastmath=False)(function)
        compiled(*inputs)
        return lambda: compiled(*inputs)

    return Side(prepare, f"numba {version('numba')} njit, the objective")


def python_objective(function: Callable, inputs: tuple) -> Side:
    """The objective, not its gradient, in CPython."""
    return Side(lambda: lambda: function(*inputs), "CPython, the objective")


def hand_c(name: str, inputs: tuple) -> Side:
    """A Jacobian by hand-written C: "ba", "hand_simple" or "hand_complicated"."""
    from benchmarks import autodiff_c

    try:
        label = autodiff_c.version()
    except autodiff_c.NoCompilerError as reason:
        return Side(_never, "hand-written C (ours)", missing=str(reason))

    def prepare() -> Callable[[], Any]:
        autodiff_c.check()
        if name == "ba":
            function: Any = autodiff_c.BaJacobian(len(inputs[2]))
        else:
            function = autodiff_c.HandJacobian(len(inputs[-1]), complicated=name == "hand_complicated")
        return lambda: function(*inputs)

    return Side(prepare, label)
