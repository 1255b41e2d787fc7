"""JAX's side: the programs rewritten for it (`scan` for the loops), jitted, float64, one thread.

A loop must be restated with `jax.lax.scan` or it is unrolled into the compiler; these are those restatements, and each is checked against
its program's reference before it is timed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # type: ignore[import-not-found]
import jax.numpy as jnp  # type: ignore[import-not-found]
import numpy as np

from custodiet.studies.autodiff_programs import gmm, lorenz
from custodiet.studies.autodiff_timing import Thunk

__all__ = ["Thunk", "compiled", "gmm_gradient", "lorenz_gradient", "rosenbrock_array", "version"]

jax.config.update("jax_enable_x64", True)


def version() -> str:
    """What is measured."""
    return f"jax {jax.__version__} jit"


def compiled(function: Callable, inputs: tuple, argnums: tuple[int, ...]) -> Thunk:
    """A call of the jitted gradient; it is compiled here, and waits for the result."""
    gradient = jax.jit(jax.grad(function, argnums=argnums))
    arguments = [jnp.asarray(value) for value in inputs]
    jax.block_until_ready(gradient(*arguments))
    return lambda: jax.block_until_ready(gradient(*arguments))


def lorenz_gradient(inputs: tuple, *, checkpointed: bool) -> Thunk:
    """Runge-Kutta 4 as a scan over scalars, with the body under `jax.checkpoint` or not."""
    *floats, num_steps = inputs

    def step(carry, sigma, rho, beta, dt):
        def slope(x, y, z):
            return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

        def move(point, share, k):
            return tuple(p + share * d for p, d in zip(point, k, strict=True))

        k1 = slope(*carry)
        k2 = slope(*move(carry, 0.5 * dt, k1))
        k3 = slope(*move(carry, 0.5 * dt, k2))
        k4 = slope(*move(carry, dt, k3))
        total = tuple(a + 2.0 * b + 2.0 * c + e for a, b, c, e in zip(k1, k2, k3, k4, strict=True))
        return move(carry, dt / 6.0, total)

    def final(x, y, z, sigma, rho, beta, dt):
        def body(carry, _):
            return step(carry, sigma, rho, beta, dt), None

        carry, _ = jax.lax.scan(jax.checkpoint(body) if checkpointed else body, (x, y, z), None, length=num_steps)
        return sum(carry)

    return compiled(final, tuple(floats), lorenz.ARGNUMS)


def rosenbrock_array(inputs: tuple) -> Thunk:
    """Vectorized."""

    def valley(x):
        a = x[1:] - x[:-1] * x[:-1]
        b = 1.0 - x[:-1]
        return jnp.sum(100.0 * a * a + b * b)

    return compiled(valley, inputs, (0,))


def gmm_gradient(inputs: tuple) -> Thunk:
    """The mixture in array form: the faster of the centered einsum and the batched product, at these inputs."""
    *arrays, gamma, m = inputs
    num_points, dim = inputs[3].shape
    num_components = len(inputs[0])
    columns, rows = np.triu_indices(dim, 1)

    def likelihood(alphas, means, icf, x, *, centered):
        factors = jnp.zeros((num_components, dim, dim)).at[:, rows, columns].set(icf[:, dim:])
        factors = factors.at[:, np.arange(dim), np.arange(dim)].set(jnp.exp(icf[:, :dim]))
        if centered:
            z = jnp.einsum("kij,nkj->kni", factors, x[:, None, :] - means)
        else:
            z = jnp.einsum("kij,nj->kni", factors, x) - jnp.einsum("kij,kj->ki", factors, means)[:, None]
        terms = (alphas + icf[:, :dim].sum(1))[:, None] - 0.5 * (z * z).sum(2)
        total = jax.nn.logsumexp(terms, axis=0).sum() - num_points * jax.nn.logsumexp(alphas)
        frobenius = jnp.exp(2.0 * icf[:, :dim]).sum() + (icf[:, dim:] ** 2).sum()
        penalty = 0.5 * gamma**2 * frobenius - m * icf[:, :dim].sum()
        return total - penalty + gmm.constant(num_points, dim, num_components, gamma, m)

    forms = [
        compiled(lambda *args, centered=centered: likelihood(*args, centered=centered), tuple(arrays), gmm.ARGNUMS)
        for centered in (True, False)
    ]
    return min(forms, key=_seconds)


def _seconds(thunk: Thunk) -> float:
    """Best of three, for choosing between forms."""
    found = []
    for _ in range(3):
        begin = time.perf_counter()
        thunk()
        found.append(time.perf_counter() - begin)
    return min(found)
