"""Cross-entropy of a linear head in row chunks, its gradient computed in the forward pass.

Shape suffixes: N positions, M kept positions, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["chunk_rows_for", "linear_cross_entropy", "token_losses"]

CHUNK_BYTES = 64 << 20


def chunk_rows_for(vocab_size: int, *, itemsize: int = 4) -> int:
    """Rows of logits that fit 64 MiB, never fewer than 128: below that the matrix products lose speed."""
    return max(128, CHUNK_BYTES // (vocab_size * itemsize))


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of nats over kept rows; gradients of both inputs are made while the logits of a chunk are there."""

    @staticmethod
    def forward(ctx: Any, hidden_MD: Tensor, weight_VD: Tensor, targets_M: Tensor, chunk: int) -> Tensor:
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        total = torch.zeros((), dtype=torch.promote_types(hidden_MD.dtype, torch.float32), device=hidden_MD.device)
        grad_hidden = torch.empty_like(hidden_MD) if needs_hidden else None
        grad_weight = torch.zeros_like(weight_VD) if needs_weight else None
        work_dtype = hidden_MD.dtype
        weight = weight_VD.to(work_dtype)
        for start in range(0, len(targets_M), chunk):
            rows, targets = hidden_MD[start : start + chunk], targets_M[start : start + chunk].unsqueeze(1)
            logits = (rows @ weight.T).to(total.dtype)
            logits -= logits.amax(dim=1, keepdim=True)
            target_logit = logits.gather(1, targets)
            probs = logits.exp_()
            norm = probs.sum(dim=1, keepdim=True)
            total += (norm.log() - target_logit).sum()
            if grad_hidden is None and grad_weight is None:
                continue
            probs /= norm
            probs.scatter_add_(1, targets, torch.full_like(target_logit, -1.0))
            grad_logits = probs.to(work_dtype)
            if grad_hidden is not None:
                torch.mm(grad_logits, weight, out=grad_hidden[start : start + chunk])
            if grad_weight is not None:
                grad_weight += (grad_logits.T @ rows).to(grad_weight.dtype)
        ctx.save_for_backward(grad_hidden, grad_weight)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # pyright: ignore
        grad_hidden, grad_weight = ctx.saved_tensors
        return (
            None if grad_hidden is None else grad_hidden * scale.to(grad_hidden.dtype),
            None if grad_weight is None else grad_weight * scale.to(grad_weight.dtype),
            None,
            None,
        )


def linear_cross_entropy(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    targets_N: Tensor,
    keep_N: Tensor | None = None,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    chunk_rows: int | None = None,
) -> Tensor:
    """Cross-entropy of ``softmax(hidden @ weight.T)`` in nats over the kept targets.

    Args:
        hidden_ND: hidden states, any float dtype; products run in this dtype, sums in at least float32.
        weight_VD: weight of the head.
        targets_N: int64 ids.
        keep_N: bool, False where the target is not in the loss; its row costs nothing. None keeps all.
        reduction: "mean" over kept targets or "sum".
        chunk_rows: rows of logits held at once; None: as many as fit 64 MiB, at least 128.

    Returns:
        Scalar. With no kept target it is zero and has zero gradients, so that no parameter is left without one.

    Reference:
        The chunked form with gradients in the forward pass is that of Liger-Kernel (arXiv 2410.10989); rows that are
        not in the loss are dropped before the products, as in Wijmans et al. 2024 (arXiv 2411.09009).
    """
    if keep_N is not None:
        rows = keep_N.nonzero().squeeze(1)
        hidden_ND, targets_N = hidden_ND.index_select(0, rows), targets_N.index_select(0, rows)
    chunk = chunk_rows or chunk_rows_for(weight_VD.shape[0])
    total: Any = _LinearCrossEntropy.apply(hidden_ND, weight_VD, targets_N, chunk)
    return total if reduction == "sum" else total / max(1, len(targets_N))


@torch.no_grad()
def token_losses(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, *, chunk_rows: int | None = None) -> Tensor:
    """Nats of every target, float32 (N,), without gradients and without N x V logits at once."""
    chunk = chunk_rows or chunk_rows_for(weight_VD.shape[0])
    weight = weight_VD.to(hidden_ND.dtype)
    parts = [
        F.cross_entropy((rows @ weight.T).float(), targets, reduction="none")
        for rows, targets in zip(hidden_ND.split(chunk), targets_N.split(chunk), strict=True)
    ]
    return torch.cat(parts) if parts else hidden_ND.new_zeros(0, dtype=torch.float32)
