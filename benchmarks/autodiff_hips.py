"""HIPS autograd's side: the unmodified loops on its boxes, and array programs with its NumPy."""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
from autograd.scipy.special import logsumexp

from benchmarks.autodiff_torch import with_namespace
from benchmarks.programs import gmm
from custodiet.studies.autodiff_hips import Thunk, gradient, lorenz_gradient, rosenbrock_loop, version

__all__ = ["array_chain", "gmm_gradient", "gradient", "lorenz_gradient", "rosenbrock_loop", "version"]


def array_chain(function: Callable, inputs: tuple) -> Thunk:
    """A program of elementwise calls with autograd's NumPy for NumPy."""
    return gradient(with_namespace(function, anp), inputs, (0,))


def gmm_gradient(inputs: tuple) -> Thunk:
    """The mixture with one matrix product per component; factors are gathered, since a box takes no stores."""
    *_arrays, gamma, m = inputs
    num_points, dim = inputs[3].shape
    num_components = len(inputs[0])
    where = anp.full((dim, dim), dim * (dim + 1) // 2)
    where[anp.triu_indices(dim, 1)[::-1]] = anp.arange(dim, dim * (dim + 1) // 2)
    where[anp.arange(dim), anp.arange(dim)] = anp.arange(dim)

    def likelihood(alphas, means, icf, x, gamma, m):
        terms = []
        for k in range(num_components):
            entries = anp.concatenate([anp.exp(icf[k, :dim]), icf[k, dim:], anp.zeros(1)])
            factor = entries[where]
            z = anp.dot(x, factor.T) - anp.dot(factor, means[k])
            terms.append(alphas[k] + anp.sum(icf[k, :dim]) - 0.5 * anp.sum(z * z, axis=1))
        total = anp.sum(logsumexp(anp.array(terms), axis=0)) - num_points * logsumexp(alphas)
        frobenius = anp.sum(anp.exp(2.0 * icf[:, :dim])) + anp.sum(icf[:, dim:] ** 2)
        penalty = 0.5 * gamma**2 * frobenius - m * anp.sum(icf[:, :dim])
        return total - penalty + gmm.constant(num_points, dim, num_components, gamma, m)

    return gradient(likelihood, inputs, gmm.ARGNUMS)
