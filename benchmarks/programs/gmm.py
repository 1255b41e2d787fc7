"""A Gaussian mixture's log-likelihood: in the package, where the study runs it too."""

from custodiet.studies.autodiff_programs.gmm import (
    ARGNUMS,
    SIZES,
    constant,
    gmm_array,
    gmm_loops,
    make_inputs,
    reference_gradient,
    small_programs,
)

__all__ = [
    "ARGNUMS",
    "SIZES",
    "constant",
    "gmm_array",
    "gmm_loops",
    "make_inputs",
    "reference_gradient",
    "small_programs",
]
