"""JAX's side: what the study has, and the LSTM."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from custodiet.studies.autodiff_jax import Thunk, compiled, gmm_gradient, lorenz_gradient, rosenbrock_array, version

__all__ = ["compiled", "gmm_gradient", "lorenz_gradient", "lstm_gradient", "rosenbrock_array", "version"]


def lstm_gradient(inputs: tuple) -> Thunk:
    """The LSTM as a checkpointed scan over characters, all four gates at once."""
    num_layers = inputs[0].shape[0] // 2

    def loss(main, extra, state, sequence):
        dim = sequence.shape[1]

        def step(carry, pair):
            now, ahead = pair
            hidden, cell = list(carry[0]), list(carry[1])
            x = now * extra[0]
            for layer in range(num_layers):
                joined = jnp.concatenate([x, hidden[layer], x, hidden[layer]])
                gates = joined * main[2 * layer] + main[2 * layer + 1]
                forget, ingate, outgate = jnp.split(jax.nn.sigmoid(gates[: 3 * dim]), 3)
                cell[layer] = cell[layer] * forget + ingate * jnp.tanh(gates[3 * dim :])
                x = hidden[layer] = outgate * jnp.tanh(cell[layer])
            prediction = x * extra[1] + extra[2]
            log_mass = jnp.log(2.0 + jnp.exp(prediction).sum())
            return (tuple(hidden), tuple(cell)), (ahead * (prediction - log_mass)).sum()

        start = (tuple(state[0::2]), tuple(state[1::2]))
        _, totals = jax.lax.scan(jax.checkpoint(step), start, (sequence[:-1], sequence[1:]))
        return -totals.sum() / (dim * (len(sequence) - 1))

    return compiled(loss, inputs, (0, 1))
