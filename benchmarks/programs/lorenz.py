"""Runge-Kutta 4 on the Lorenz system: in the package, where the study runs it too."""

from custodiet.studies.autodiff_programs.lorenz import (
    ARGNUMS,
    STEP,
    lorenz,
    lorenz_calls,
    make_inputs,
    reference_gradient,
    small_programs,
)

__all__ = ["ARGNUMS", "STEP", "lorenz", "lorenz_calls", "make_inputs", "reference_gradient", "small_programs"]
