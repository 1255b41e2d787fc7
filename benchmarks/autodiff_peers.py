"""The peers of the derivative benchmarks, each as a side that says when it is not installed.

Torch and Numba are dependencies; JAX and HIPS autograd come with ``make bench-deps``; the hand-written NumPy and C are ours
(re-implementations, labeled so), and C needs a compiler. Nothing here is imported before it is asked for.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from benchmarks.autodiff_pairs import Side
from custodiet.studies import autodiff_peers as peers
from custodiet.studies.autodiff_peers import MODULES, hand_numpy_gmm, never, numba_objective, python_objective

__all__ = [
    "MODULES", "framework", "hand_c", "hand_numpy_gmm", "hips_chain", "missing", "numba_objective", "python_objective",
]  # fmt: skip


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
        return Side(never, package, missing=f"{package} is not installed: make bench-deps")
    return peers.framework(name, function, inputs, where="benchmarks.autodiff", **options)


def hips_chain(function: Callable, inputs: tuple) -> Side:
    """HIPS autograd on a program of NumPy calls."""
    if importlib.util.find_spec("autograd") is None:
        return Side(never, "HIPS autograd", missing="autograd is not installed: make bench-deps")
    from benchmarks import autodiff_hips

    return Side(lambda: autodiff_hips.array_chain(function, inputs), autodiff_hips.version())


def hand_c(name: str, inputs: tuple) -> Side:
    """A Jacobian by hand-written C: "ba", "hand_simple" or "hand_complicated"."""
    from benchmarks import autodiff_c

    try:
        label = autodiff_c.version()
    except autodiff_c.NoCompilerError as reason:
        return Side(never, "hand-written C (ours)", missing=str(reason))

    def prepare() -> Callable[[], Any]:
        autodiff_c.check()
        if name == "ba":
            function: Any = autodiff_c.BaJacobian(len(inputs[2]))
        else:
            function = autodiff_c.HandJacobian(len(inputs[-1]), complicated=name == "hand_complicated")
        return lambda: function(*inputs)

    return Side(prepare, label)
