"""ADBench's LSTM: diagonal weights, `l` layers, `c` characters of `d` features; mean negative log-likelihood of the next one.

As in ADBench, `main` holds per layer one row of weights and one of biases, each with forget, in, out and change gates side by
side; `extra` holds input weights, output weights and output biases; the normalizer is log(2 + sum of exp), a quirk that is kept.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs import Program

STEP = 1e-20


def lstm_loops(main, extra, state, sequence):
    """Loss by element loops: main (2 l, 4 d), extra (3, d), state (2 l, d: hidden and cell per layer), sequence (c, d)."""
    num_layers = main.shape[0] // 2
    num_chars, dim = sequence.shape
    state = state.copy()
    output = np.zeros(dim)
    total = 0.0
    for t in range(num_chars - 1):
        for i in range(dim):
            output[i] = sequence[t, i] * extra[0, i]
        for layer in range(num_layers):
            w = 2 * layer
            b = w + 1
            for i in range(dim):
                hidden = state[w, i]
                forget = 1.0 / (1.0 + math.exp(-(output[i] * main[w, i] + main[b, i])))
                ingate = 1.0 / (1.0 + math.exp(-(hidden * main[w, dim + i] + main[b, dim + i])))
                outgate = 1.0 / (1.0 + math.exp(-(output[i] * main[w, 2 * dim + i] + main[b, 2 * dim + i])))
                change = math.tanh(hidden * main[w, 3 * dim + i] + main[b, 3 * dim + i])
                state[b, i] = state[b, i] * forget + ingate * change
                state[w, i] = outgate * math.tanh(state[b, i])
                output[i] = state[w, i]
        mass = 2.0
        for i in range(dim):
            output[i] = output[i] * extra[1, i] + extra[2, i]
            mass += math.exp(output[i])
        log_mass = math.log(mass)
        for i in range(dim):
            total += sequence[t + 1, i] * (output[i] - log_mass)
    return -total / (dim * (num_chars - 1))


def lstm_array(main, extra, state, sequence):
    """The same in NumPy calls on vectors of `d`."""
    num_layers = main.shape[0] // 2
    num_chars, dim = sequence.shape
    hidden = [state[2 * layer] for layer in range(num_layers)]
    cell = [state[2 * layer + 1] for layer in range(num_layers)]
    total = 0.0
    for t in range(num_chars - 1):
        x = sequence[t] * extra[0]
        for layer in range(num_layers):
            weight, bias = main[2 * layer], main[2 * layer + 1]
            forget = 1.0 / (1.0 + np.exp(-(x * weight[:dim] + bias[:dim])))
            ingate = 1.0 / (1.0 + np.exp(-(hidden[layer] * weight[dim : 2 * dim] + bias[dim : 2 * dim])))
            outgate = 1.0 / (1.0 + np.exp(-(x * weight[2 * dim : 3 * dim] + bias[2 * dim : 3 * dim])))
            change = np.tanh(hidden[layer] * weight[3 * dim :] + bias[3 * dim :])
            cell[layer] = cell[layer] * forget + ingate * change
            hidden[layer] = outgate * np.tanh(cell[layer])
            x = hidden[layer]
        prediction = x * extra[1] + extra[2]
        log_mass = np.log(2.0 + np.sum(np.exp(prediction)))
        total = total + np.sum(sequence[t + 1] * (prediction - log_mass))
    return -total / (dim * (num_chars - 1))


ARGNUMS = (0, 1)


def make_inputs(num_layers: int = 2, num_chars: int = 1024, dim: int = 14, seed: int = 0) -> tuple:
    """Seeded: parameters and state in (0, 1), the sequence binary, as in ADBench's generator."""
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(size=(2 * num_layers, 4 * dim)),
        rng.uniform(size=(3, dim)),
        rng.uniform(size=(2 * num_layers, dim)),
        rng.integers(0, 2, (num_chars, dim)).astype(np.float64),
    )


def _loss_of_many(main, extra, state, sequence):
    """Losses of stacked parameters: main (p, 2 l, 4 d), extra (p, 3, d); the restatement for the complex step."""
    num_layers = main.shape[1] // 2
    num_chars, dim = sequence.shape
    hidden = [np.broadcast_to(state[2 * layer], (len(main), dim)) for layer in range(num_layers)]
    cell = [np.broadcast_to(state[2 * layer + 1], (len(main), dim)) for layer in range(num_layers)]
    total = 0.0
    for t in range(num_chars - 1):
        x = sequence[t] * extra[:, 0]
        for layer in range(num_layers):
            weight = main[:, 2 * layer].reshape(-1, 4, dim)
            bias = main[:, 2 * layer + 1].reshape(-1, 4, dim)
            gates = np.stack([x, hidden[layer], x], axis=1) * weight[:, :3] + bias[:, :3]
            forget, ingate, outgate = np.moveaxis(1.0 / (1.0 + np.exp(-gates)), 1, 0)
            cell[layer] = cell[layer] * forget + ingate * np.tanh(hidden[layer] * weight[:, 3] + bias[:, 3])
            x = hidden[layer] = outgate * np.tanh(cell[layer])
        prediction = x * extra[:, 1] + extra[:, 2]
        log_mass = np.log(2.0 + np.exp(prediction).sum(axis=1, keepdims=True))
        total = total + ((prediction - log_mass) * sequence[t + 1]).sum(axis=1)
    return -total / (dim * (num_chars - 1))


def reference_gradient(main, extra, state, sequence) -> tuple:
    """Gradient in `main` and `extra` by complex step, all parameters at once."""
    num = main.size + extra.size
    steps = np.eye(num) * (1j * STEP)
    mains = main + steps[:, : main.size].reshape(num, *main.shape)
    extras = extra + steps[:, main.size :].reshape(num, *extra.shape)
    gradient = _loss_of_many(mains, extras, state, sequence).imag / STEP
    return gradient[: main.size].reshape(main.shape), gradient[main.size :].reshape(extra.shape)


def small_programs() -> list[Program]:
    """Two layers, six characters of three features."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(2, 6, 3), argnums=ARGNUMS, reference=reference_gradient)
        for function in (lstm_loops, lstm_array)
    ]  # fmt: skip
