"""Unmodified plain Python programs whose derivatives are benchmarked, one file per family, each with a float64 reference.

A program is written as a person would write it who has never heard of automatic differentiation: floats, loops, array stores,
NumPy calls. Nothing here imports the library or a peer. Each family has `make_inputs`, seeded, and a reference derivative that is either
written by hand or taken by complex step from a restatement in NumPy.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

FAMILIES = (
    "lorenz",
    "rosenbrock",
    "gmm",
    "ba",
    "hand",
    "lstm",
    "ode",
    "kmeans",
    "lse",
    "llsq",
    "det",
    "heat",
    "hundred_lines",
)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program with a small seeded input and its reference derivative.

    Attributes:
        name: unique among the programs.
        function: the plain Python function.
        inputs: its arguments, positional.
        argnums: the arguments that are differentiated.
        reference: takes the arguments; the derivative in each of `argnums`, a tuple (of gradients, or of Jacobians whose
            last axes are those of the argument when the function returns an array).
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple
    argnums: tuple[int, ...]
    reference: Callable[..., tuple]


def small_programs() -> list[Program]:
    """Every family's programs with inputs small enough for finite differences."""
    return [
        program
        for family in FAMILIES
        for program in importlib.import_module(f"benchmarks.programs.{family}").small_programs()
    ]
