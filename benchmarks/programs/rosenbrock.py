"""The Rosenbrock function: in the package, where the study runs it too."""

from custodiet.studies.autodiff_programs.rosenbrock import (
    make_inputs,
    reference_gradient,
    rosenbrock,
    rosenbrock_array,
    small_programs,
)

__all__ = ["make_inputs", "reference_gradient", "rosenbrock", "rosenbrock_array", "small_programs"]
