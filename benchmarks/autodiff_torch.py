"""PyTorch's side: eager reverse mode on the programs themselves or on their usual array form, and `torch.func` for Jacobians."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.programs import gmm
from custodiet.studies.autodiff_torch import (
    Thunk,
    gradient,
    lorenz_gradient,
    rosenbrock_array,
    rosenbrock_loop,
    version,
    with_namespace,
)

__all__ = [
    "GMM_FORMS", "ba_blocks", "gmm_gradient", "gradient", "lorenz_gradient", "lstm_gradient", "rosenbrock_array", "rosenbrock_loop",
    "version", "with_namespace",
]  # fmt: skip


def gmm_centered(alphas, means, icf, x, gamma, m):
    """The mixture as ADBench's torch module states it: centered points (n, k, d), one einsum, no loop."""
    num_points, dim = x.shape
    log_diagonal = icf[:, :dim]
    factors = _factors(icf, dim)
    centered = x[:, None, :] - means
    z = torch.einsum("kij,nkj->nki", factors, centered)
    terms = alphas + log_diagonal.sum(1) - 0.5 * (z * z).sum(2)
    return _likelihood(terms, 1, alphas, icf, num_points, dim, gamma, m)


def gmm_products(alphas, means, icf, x, gamma, m):
    """The better form, which nobody publishes: one batched matrix product, no (n, k, d) temporary of centered points."""
    num_points, dim = x.shape
    factors = _factors(icf, dim)
    z = torch.baddbmm(-(factors @ means[:, :, None]).mT, x.expand(len(alphas), -1, -1), factors.mT)
    terms = (alphas + icf[:, :dim].sum(1))[:, None] - 0.5 * (z * z).sum(2)
    return _likelihood(terms, 0, alphas, icf, num_points, dim, gamma, m)


def gmm_loop(alphas, means, icf, x, gamma, m):
    """The hand-written gradient's own form: one matrix product per component, so that the temporaries stay in cache."""
    num_points, dim = x.shape
    factors = _factors(icf, dim)
    shifts = (factors @ means[:, :, None])[:, :, 0]
    squares = []
    for k in range(len(alphas)):
        z = torch.addmm(-shifts[k], x, factors[k].T)
        squares.append((z * z).sum(1))
    terms = (alphas + icf[:, :dim].sum(1))[:, None] - 0.5 * torch.stack(squares)
    return _likelihood(terms, 0, alphas, icf, num_points, dim, gamma, m)


def _factors(icf, dim):
    """Lower triangular factors (k, d, d)."""
    columns, rows = np.triu_indices(dim, 1)
    factors = torch.diag_embed(icf[:, :dim].exp())
    return factors.index_put((torch.arange(len(icf))[:, None], torch.tensor(rows), torch.tensor(columns)), icf[:, dim:])


def _likelihood(terms, axis, alphas, icf, num_points, dim, gamma, m):
    """Log-likelihood from the components' terms, with the prior."""
    total = torch.logsumexp(terms, axis).sum() - num_points * torch.logsumexp(alphas, 0)
    penalty = 0.5 * gamma**2 * ((2.0 * icf[:, :dim]).exp().sum() + (icf[:, dim:] ** 2).sum()) - m * icf[:, :dim].sum()
    return total - penalty + gmm.constant(num_points, dim, len(alphas), gamma, m)


GMM_FORMS = {"centered einsum": gmm_centered, "batched product": gmm_products, "product per component": gmm_loop}


def gmm_gradient(inputs: tuple, form: str = "centered einsum") -> Thunk:
    """Gradient of one of `GMM_FORMS`."""
    return gradient(GMM_FORMS[form], inputs, gmm.ARGNUMS)


def lstm_loss(main, extra, state, sequence):
    """The LSTM with the four gates of a layer as one vector, as ADBench's torch module has it."""
    num_layers = main.shape[0] // 2
    num_chars, dim = sequence.shape
    hidden = [state[2 * layer] for layer in range(num_layers)]
    cell = [state[2 * layer + 1] for layer in range(num_layers)]
    predictions = []
    for t in range(num_chars - 1):
        x = sequence[t] * extra[0]
        for layer in range(num_layers):
            gates = torch.addcmul(main[2 * layer + 1], torch.cat((x, hidden[layer], x, hidden[layer])), main[2 * layer])
            forget, ingate, outgate = torch.sigmoid(gates[: 3 * dim]).chunk(3)
            cell[layer] = torch.addcmul(ingate * torch.tanh(gates[3 * dim :]), cell[layer], forget)
            x = hidden[layer] = outgate * torch.tanh(cell[layer])
        predictions.append(x)
    prediction = torch.addcmul(extra[2], torch.stack(predictions), extra[1])
    log_mass = torch.log(2.0 + prediction.exp().sum(1, keepdim=True))
    return -(sequence[1:] * (prediction - log_mass)).sum() / (dim * (num_chars - 1))


def lstm_gradient(inputs: tuple) -> Thunk:
    """Gradient in both parameter matrices."""
    return gradient(lstm_loss, inputs, (0, 1))


def ba_blocks(inputs: tuple) -> Thunk:
    """Blocks (p, 2, 15) of the Jacobian of bundle adjustment by `torch.func.vmap(jacfwd)`."""
    torch.set_num_threads(1)
    cams, points, weights, observations, feats = map(torch.tensor, inputs)
    params = torch.cat([cams[observations[:, 0]], points[observations[:, 1]], weights[:, None]], dim=1)

    def residual(p, feat):
        theta = torch.sqrt((p[:3] * p[:3]).sum())
        axis = p[:3] / theta
        x = p[11:14] - p[3:6]
        cross = torch.linalg.cross(axis, x)
        turned = x * torch.cos(theta) + cross * torch.sin(theta) + axis * (axis @ x) * (1.0 - torch.cos(theta))
        q = turned[:2] / turned[2]
        square = (q * q).sum()
        return p[14] * (q * (1.0 + p[9] * square + p[10] * square * square) * p[6] + p[7:9] - feat)

    blocks = torch.func.vmap(torch.func.jacfwd(residual))
    return lambda: blocks(params, feats)
