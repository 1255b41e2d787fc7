"""A function of a hundred lines: in the package, where the study runs it too."""

from custodiet.studies.autodiff_programs.hundred_lines import (
    ARGNUMS,
    make_inputs,
    reactor,
    reference_gradient,
    small_programs,
)

__all__ = ["ARGNUMS", "make_inputs", "reactor", "reference_gradient", "small_programs"]
