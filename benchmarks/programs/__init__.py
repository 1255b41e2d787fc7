"""Unmodified plain Python programs whose derivatives are benchmarked, one file per family, each with a float64 reference.

A program is written as a person would write it who has never heard of automatic differentiation: floats, loops, array stores,
NumPy calls. The programs know neither the library nor a peer. Each family has `make_inputs`, seeded, and a reference derivative that
is either written by hand or taken by complex step from a restatement in NumPy. Those that the study `autodiff` runs too live in
`custodiet.studies.autodiff_programs`, since it also runs from a wheel.
"""

from __future__ import annotations

import importlib

from custodiet.studies.autodiff_programs import Program

__all__ = ["FAMILIES", "Program", "small_programs"]

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


def small_programs() -> list[Program]:
    """Every family's programs with inputs small enough for finite differences."""
    return [
        program
        for family in FAMILIES
        for program in importlib.import_module(f"benchmarks.programs.{family}").small_programs()
    ]
