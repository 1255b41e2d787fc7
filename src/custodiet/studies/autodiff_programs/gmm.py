"""Log-likelihood of a Gaussian mixture with a Wishart prior: ADBench's problem with GradBench's corrections.

Srajer, Kukelova and Fitzgibbon 2018, arXiv 1807.10129, section 4.1. A component's inverse covariance factor is lower
triangular: the logarithms of its diagonal come first in a row of `icf`, then its strictly lower part, column by column. The
prior enters with the signs that GradBench gives it (minus the penalty, plus the normalizer).
"""

from __future__ import annotations

import math

import numpy as np

from custodiet.studies.autodiff_programs import Program

SIZES = {40: (3, 4, 50), 1650: (10, 25, 1000), 28050: (32, 50, 1000)}


def gmm_loops(alphas, means, icf, x, gamma, m):
    """Log-likelihood by scalar loops: alphas (k,), means (k, d), icf (k, d (d + 1) / 2), x (n, d), gamma and m of the prior."""
    num_points, dim = x.shape
    num_components = len(alphas)
    factor = np.zeros((num_components, dim, dim))
    sum_logs = np.zeros(num_components)
    penalty = 0.0
    for k in range(num_components):
        at = dim
        for i in range(dim):
            sum_logs[k] += icf[k, i]
            factor[k, i, i] = math.exp(icf[k, i])
            penalty += 0.5 * gamma * gamma * factor[k, i, i] * factor[k, i, i]
            for j in range(i + 1, dim):
                factor[k, j, i] = icf[k, at]
                penalty += 0.5 * gamma * gamma * icf[k, at] * icf[k, at]
                at += 1
        penalty -= m * sum_logs[k]

    total = 0.0
    terms = np.zeros(num_components)
    centered = np.zeros(dim)
    for p in range(num_points):
        for k in range(num_components):
            for i in range(dim):
                centered[i] = x[p, i] - means[k, i]
            square = 0.0
            for j in range(dim):
                row = 0.0
                for i in range(j + 1):
                    row += factor[k, j, i] * centered[i]
                square += row * row
            terms[k] = alphas[k] + sum_logs[k] - 0.5 * square
        largest = terms[0]
        for k in range(1, num_components):
            if terms[k] > largest:
                largest = terms[k]
        mass = 0.0
        for k in range(num_components):
            mass += math.exp(terms[k] - largest)
        total += largest + math.log(mass)

    largest = alphas[0]
    for k in range(1, num_components):
        if alphas[k] > largest:
            largest = alphas[k]
    mass = 0.0
    for k in range(num_components):
        mass += math.exp(alphas[k] - largest)
    total -= num_points * (largest + math.log(mass))
    return total - penalty + constant(num_points, dim, num_components, gamma, m)


def gmm_array(alphas, means, icf, x, gamma, m):
    """The same in NumPy calls: one matrix product per component, no (n, k, d) temporary."""
    num_points, dim = x.shape
    num_components = len(alphas)
    columns, rows = np.triu_indices(dim, 1)
    diagonals = np.exp(icf[:, :dim])
    sum_logs = np.sum(icf[:, :dim], axis=1)
    terms = np.empty((num_components, num_points))
    for k in range(num_components):
        factor = np.diag(diagonals[k])
        factor[rows, columns] = icf[k, dim:]
        z = x @ factor.T - factor @ means[k]
        terms[k] = alphas[k] + sum_logs[k] - 0.5 * np.sum(z * z, axis=1)
    largest = np.max(terms, axis=0)
    total = np.sum(largest + np.log(np.sum(np.exp(terms - largest), axis=0)))
    most = np.max(alphas)
    total = total - num_points * (most + np.log(np.sum(np.exp(alphas - most))))
    frobenius = np.sum(diagonals**2) + np.sum(icf[:, dim:] ** 2)
    penalty = 0.5 * gamma * gamma * frobenius - m * np.sum(sum_logs)
    return total - penalty + constant(num_points, dim, num_components, gamma, m)


def constant(num_points, dim, num_components, gamma, m):
    """The terms that depend on no parameter."""
    freedom = dim + m + 1
    log_gammas = 0.25 * dim * (dim - 1) * math.log(math.pi)
    for j in range(dim):
        log_gammas += math.lgamma(0.5 * freedom - 0.5 * j)
    normalizer = freedom * dim * (math.log(gamma) - 0.5 * math.log(2.0)) - log_gammas
    return num_components * normalizer - 0.5 * num_points * dim * math.log(2.0 * math.pi)


ARGNUMS = (0, 1, 2)


def make_inputs(dim: int = 3, num_components: int = 4, num_points: int = 50, seed: int = 0) -> tuple:
    """Seeded synthetic data: points uniform in [0, 1], parameters standard normal, means uniform, gamma 1, m 0."""
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal(num_components),
        rng.uniform(0.0, 1.0, (num_components, dim)),
        rng.standard_normal((num_components, dim * (dim + 1) // 2)),
        rng.uniform(0.0, 1.0, (num_points, dim)),
        1.0,
        0,
    )


def reference_gradient(alphas, means, icf, x, gamma, m) -> tuple:
    """Written by hand in NumPy: two matrix products per component, responsibilities in between.

    With z = L (x - mu) and responsibilities r, the gradient of the mixture's part is sum(r) in alpha and in each log-diagonal's
    sum, L^T (sum of r z) in mu and -(r z)^T (x - mu) in L. A column of ones beside x puts -L mu into the first product and the sum of
    r z into the second.
    """
    num_points, dim = x.shape
    num_components = len(alphas)
    columns, rows = np.triu_indices(dim, 1)
    diagonal = np.arange(dim)
    exponentials = np.exp(icf[:, :dim])
    factors = np.zeros((num_components, dim, dim + 1))
    factors[:, diagonal, diagonal] = exponentials
    factors[:, rows, columns] = icf[:, dim:]
    np.einsum("kij,kj->ki", factors[:, :, :dim], -means, out=factors[:, :, dim])
    x_one = np.empty((num_points, dim + 1))
    x_one[:, :dim] = x
    x_one[:, dim] = 1.0
    z = np.empty((num_components, num_points, dim))
    shares = np.empty((num_components, num_points))
    for k in range(num_components):
        np.matmul(x_one, factors[k].T, out=z[k])
        np.einsum("nd,nd->n", z[k], z[k], out=shares[k])
    shares *= -0.5
    shares += (alphas + icf[:, :dim].sum(axis=1))[:, None]
    shares -= shares.max(axis=0)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=0)
    mass = shares.sum(axis=1)
    outer = np.empty((num_components, dim, dim + 1))
    for k in range(num_components):
        z[k] *= shares[k][:, None]
        np.matmul(z[k].T, x_one, out=outer[k])
    pulled = outer[:, :, dim]
    grad_means = np.einsum("ki,kij->kj", pulled, factors[:, :, :dim])
    outer[:, :, :dim] -= pulled[:, :, None] * means[:, None, :]
    grad_icf = np.empty_like(icf)
    grad_icf[:, :dim] = mass[:, None] + m - outer[:, diagonal, diagonal] * exponentials - (gamma * exponentials) ** 2
    grad_icf[:, dim:] = -outer[:, rows, columns] - gamma**2 * icf[:, dim:]
    weights = np.exp(alphas - alphas.max())
    return mass - num_points * weights / weights.sum(), grad_means, grad_icf


def small_programs() -> list[Program]:
    """Forty parameters and twelve points, with a prior that is not the trivial one."""
    inputs = (*make_inputs(3, 4, 12)[:4], 0.8, 2)
    return [
        Program(name=function.__name__, function=function, inputs=inputs, argnums=ARGNUMS, reference=reference_gradient)
        for function in (gmm_loops, gmm_array)
    ]
