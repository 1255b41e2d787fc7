"""Many small GPTs at once: every weight has a leading axis M, so that a step is a handful of batched products.

The layout is GPT-2's with a learned begin-of-sequence vector: the model reads BOS and the first T - 1 tokens and predicts
all T, so that its loss is a true code length of the whole sequence.

Shape suffixes: M models, B sequences, T positions, D width, H heads, K width of a head, V vocabulary, R rows (B * T),
I inputs of a product, P parameters of one model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from custodiet.base.rng import derive_seed
from custodiet.errors import UsageError

__all__ = ["EnsembleConfig", "GPTEnsemble"]

CHUNK_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class EnsembleConfig:
    """Shape of every model of an ensemble."""

    vocab_size: int
    sequence_length: int
    width: int
    num_layers: int = 1
    num_heads: int = 4
    num_models: int = 1

    def __post_init__(self) -> None:
        if self.width % self.num_heads:
            raise UsageError("width is not a multiple of num_heads", expected=self.num_heads, got=self.width)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every parameter of one model, in the order in which they lie in the buffer."""
        d, layers = self.width, self.num_layers
        shapes: dict[str, tuple[int, ...]] = {
            "tokens": (self.vocab_size, d),
            "bos": (1, d),
            "positions": (self.sequence_length, d),
        }
        for layer in range(layers):
            shapes |= {
                f"{layer}.norm1": (2, d),
                f"{layer}.qkv": (d, 3 * d),
                f"{layer}.qkv_bias": (3 * d,),
                f"{layer}.out": (d, d),
                f"{layer}.out_bias": (d,),
                f"{layer}.norm2": (2, d),
                f"{layer}.up": (d, 4 * d),
                f"{layer}.up_bias": (4 * d,),
                f"{layer}.down": (4 * d, d),
                f"{layer}.down_bias": (d,),
            }
        return shapes | {"norm": (2, d)}

    @property
    def num_params(self) -> int:
        """Trainable parameters of one model: V d + S d + L (12 d^2 + 13 d) + 2 d, as in GPT-2 with a tied head, and d for BOS."""
        return sum(math.prod(shape) for shape in self.shapes.values())


class _Head(torch.autograd.Function):
    """Nats of every row and, while the logits of a chunk are in cache, the gradients of their sum.

    Exponentials are not normalized in place: the rows on the thin side of each product are, which saves a pass over the
    chunk. Logits are shifted by their row's maximum only where that is needed (on a GPU always: no branch on data).
    """

    @staticmethod
    def forward(ctx: Any, hidden_MRD: Tensor, weight_MVD: Tensor, targets_MR: Tensor, dtype: torch.dtype) -> Tensor:
        num_models, num_rows, width = hidden_MRD.shape
        nats = hidden_MRD.new_empty(num_models, num_rows)
        grad_hidden = torch.empty_like(hidden_MRD)
        grad_weight_MDV = hidden_MRD.new_zeros(num_models, width, weight_MVD.shape[1])
        index = targets_MR.unsqueeze(2).expand(-1, -1, width)
        target_weight_MRD = weight_MVD.gather(1, index)
        weight = weight_MVD.to(dtype)
        transposed = weight.transpose(1, 2).contiguous()
        step = CHUNK_ROWS if hidden_MRD.device.type == "cpu" else num_rows
        for start in range(0, num_rows, step):
            here = slice(start, start + step)
            rows = hidden_MRD[:, here]
            low = rows.to(dtype)
            exps = torch.bmm(low, transposed)
            shift: Tensor | None = None
            if hidden_MRD.device.type == "cpu":
                norm = exps.exp_().sum(2, dtype=torch.float32)
                if not bool(torch.isfinite(norm).all()) or bool((norm < 1e-30).any()):
                    exps = torch.bmm(low, transposed)
                    shift = exps.amax(2, keepdim=True)
                    norm = exps.sub_(shift).exp_().sum(2, dtype=torch.float32)
            else:
                shift = exps.amax(2, keepdim=True)
                norm = exps.sub_(shift).exp_().sum(2, dtype=torch.float32)
            nats[:, here] = norm.log() - (rows * target_weight_MRD[:, here]).sum(2)
            if shift is not None:
                nats[:, here] += shift.squeeze(2).float()
            inverse = norm.reciprocal().unsqueeze(2)
            grad_hidden[:, here] = torch.bmm(exps, weight).float() * inverse - target_weight_MRD[:, here]
            grad_weight_MDV += torch.bmm((rows * inverse).to(dtype).transpose(1, 2), exps)
        grad_weight = grad_weight_MDV.transpose(1, 2).contiguous()
        grad_weight.scatter_add_(1, index, -hidden_MRD)
        ctx.save_for_backward(grad_hidden, grad_weight)
        return nats

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale_MR: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # pyright: ignore
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = scale_MR[0, 0]  # `GPTEnsemble.mean_nats` is the only caller: all rows weigh the same
        return grad_hidden * scale, grad_weight * scale, None, None


class GPTEnsemble:
    """M GPTs whose parameters lie in one float32 buffer `flat` (M, P); `weights` are views into it.

    Args:
        config: shape of the models.
        seed: seed of the initialization: normal with deviation 0.02, residual projections scaled as in GPT-2.
        device: where the buffers lie.
        head_dtype: dtype of the products and exponentials of the head while training; evaluation is float32.
        body_dtype: dtype of the products, the attention weights and GELU of the body while training. Weights, embeddings,
            the residual stream, layer norms and the sums of the softmax stay float32, as under autocast.

    Reference:
        Radford et al. 2019 for the layout; Morris et al. 2025 (arXiv 2505.24832) for the sizes. Without dropout, and
        with a learned BOS vector of D parameters, which the paper does not count.
    """

    def __init__(
        self,
        config: EnsembleConfig,
        *,
        seed: int,
        device: str | torch.device = "cpu",
        head_dtype: torch.dtype = torch.float32,
        body_dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config, self.head_dtype, self.body_dtype = config, head_dtype, body_dtype
        generator = torch.Generator().manual_seed(derive_seed(seed, "ensemble"))
        self.flat = torch.zeros(config.num_models, config.num_params, device=device)
        self.weights: dict[str, Tensor] = {}
        self.places: dict[str, slice] = {}
        start = 0
        for name, shape in config.shapes.items():
            place = slice(start, start + math.prod(shape))
            view = self.flat[:, place].view(config.num_models, *shape)
            kind = name.rpartition(".")[2]
            if kind.startswith("norm"):
                view[:, 0] = 1.0
            elif not kind.endswith("bias"):
                deviation = 0.02 / math.sqrt(2 * config.num_layers) if kind in ("out", "down") else 0.02
                view.copy_(torch.randn(view.shape, generator=generator) * deviation)
            self.weights[name], self.places[name] = view.requires_grad_(), place
            start = place.stop
        length = config.sequence_length
        self._future = torch.full((length, length), -torch.inf, device=device).triu(1)

    def _hidden(self, tokens_MBT: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        config, w = self.config, self.weights
        models, batch, length = tokens_MBT.shape
        width, heads = config.width, config.num_heads
        offsets = torch.arange(models, device=tokens_MBT.device).view(models, 1, 1) * config.vocab_size
        read = F.embedding(tokens_MBT[:, :, :-1] + offsets, w["tokens"].reshape(-1, width))
        bos = w["bos"].unsqueeze(1).expand(-1, batch, -1, -1)
        x = (torch.cat([bos, read], 2) + w["positions"].unsqueeze(1)).view(models, batch * length, width)
        future = self._future.to(dtype)

        def affine(name: str, rows_MRI: Tensor) -> Tensor:
            return torch.baddbmm(w[f"{name}_bias"].unsqueeze(1).to(dtype), rows_MRI.to(dtype), w[name].to(dtype))

        for layer in range(config.num_layers):
            qkv = affine(f"{layer}.qkv", _norm(x, w[f"{layer}.norm1"]))
            split = qkv.view(models * batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            q, k, v = (part.reshape(-1, length, width // heads) for part in split)
            scores = torch.baddbmm(future, q, k.transpose(1, 2), alpha=(width // heads) ** -0.5)
            mixed = torch.bmm(torch.softmax(scores, -1, dtype=torch.float32).to(dtype), v)
            mixed = mixed.view(models * batch, heads, length, -1).transpose(1, 2).reshape(models, batch * length, width)
            x = x + affine(f"{layer}.out", mixed)
            up = affine(f"{layer}.up", _norm(x, w[f"{layer}.norm2"]))
            x = x + affine(f"{layer}.down", F.gelu(up, approximate="tanh"))
        return _norm(x, w["norm"])

    def mean_nats(self, tokens_MBT: Tensor) -> Tensor:
        """Mean nats per token of each model, (M,), differentiable in `weights`.

        Args:
            tokens_MBT: int64 ids; T is the sequence length of the models.
        """
        models, batch, length = tokens_MBT.shape
        hidden = self._hidden(tokens_MBT, self.body_dtype)
        nats: Any = _Head.apply(hidden, self.weights["tokens"], tokens_MBT.reshape(models, -1), self.head_dtype)
        return nats.mean(1)

    def gradients(self, tokens_MBT: Tensor) -> tuple[Tensor, Tensor]:
        """Mean nats per token of each model (M,), and the gradient of each model's own mean (M, P)."""
        nats = self.mean_nats(tokens_MBT)
        parts = torch.autograd.grad(nats.sum(), list(self.weights.values()))
        return nats.detach(), torch.cat([part.flatten(1) for part in parts], 1)

    @torch.no_grad()
    def sequence_bits(self, tokens_MNT: Tensor, *, batch: int = 64) -> Tensor:
        """Code length of every sequence in bits, float64 (M, N), from float32 logits and a plain log-softmax."""
        parts: list[Tensor] = []
        for tokens in tokens_MNT.split(batch, dim=1):
            models, count, length = tokens.shape
            hidden = self._hidden(tokens)
            logits = torch.bmm(hidden, self.weights["tokens"].transpose(1, 2))
            nats = F.cross_entropy(logits.flatten(0, 1), tokens.reshape(-1), reduction="none")
            parts.append(nats.view(models, count, length).double().sum(2) / math.log(2.0))
        return torch.cat(parts, 1)


def _norm(x: Tensor, weight_M2D: Tensor) -> Tensor:
    if x.shape[0] == 1:
        return F.layer_norm(x, x.shape[-1:], weight_M2D[0, 0], weight_M2D[0, 1])
    return F.layer_norm(x, x.shape[-1:]) * weight_M2D[:, :1] + weight_M2D[:, 1:]
