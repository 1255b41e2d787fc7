"""The GPT: GPT-2's layout, with packed rows whose documents do not see each other.

Shape suffixes: B rows, T positions, D width, V vocabulary, H heads, K width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from custodiet.base.rng import derive_seed
from custodiet.errors import InputError

__all__ = ["GPT", "Block", "Cache", "GPTConfig", "StaticCache", "has_native_bfloat16", "resolve_dtype"]

Cache = list[tuple[Tensor, Tensor]]
"""per layer the keys and values so far, each (B, H, T, K)"""


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Sizes of a GPT."""

    vocab_size: int
    context_length: int
    width: int
    num_layers: int
    num_heads: int
    attention: Literal["explicit", "sdpa"] = "explicit"
    """explicit: matmul, softmax, matmul, the faster one on CPU in bfloat16; sdpa: torch's fused attention"""

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context_length", "width", "num_layers", "num_heads"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is not a size", expected="at least 1", got=getattr(self, name))
        if self.width % self.num_heads:
            raise InputError(
                "width does not divide into heads",
                expected=f"a multiple of num_heads={self.num_heads}",
                got=self.width,
            )

    @property
    def num_params(self) -> int:
        """V·d + S·d + L(12d² + 13d) + 2d: every trainable parameter, the tied head counted once."""
        d = self.width
        return (self.vocab_size + self.context_length) * d + self.num_layers * (12 * d * d + 13 * d) + 2 * d


class Block(nn.Module):
    """Pre-norm attention and MLP of one layer."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        d = config.width
        self.num_heads = config.num_heads
        self.attention = config.attention
        self.norm_attention = nn.LayerNorm(d, eps=1e-5)
        self.query_key_value = nn.Linear(d, 3 * d)
        self.attention_output = nn.Linear(d, d)
        self.norm_mlp = nn.LayerNorm(d, eps=1e-5)
        self.mlp_input = nn.Linear(d, 4 * d)
        self.mlp_output = nn.Linear(4 * d, d)

    def forward(
        self,
        x_BTD: Tensor,
        blocked_BTT: Tensor | None,
        extend: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One layer.

        Args:
            x_BTD: residual stream.
            blocked_BTT: bool, broadcastable to (B, 1, T, T_all), True where attention is forbidden; None: nothing is.
            extend: takes the new keys and values, (B, H, T, K) each, and returns those of all positions so far; None: there
                are no others.

        Returns:
            The residual stream and all keys and values.
        """
        B, T, D = x_BTD.shape
        qkv = self.query_key_value(self.norm_attention(x_BTD)).view(B, T, 3, self.num_heads, D // self.num_heads)
        q_BHTK, k_BHTK, v_BHTK = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if extend is not None:
            k_BHTK, v_BHTK = extend(k_BHTK, v_BHTK)
        if self.attention == "explicit":
            scores = (q_BHTK * (1.0 / math.sqrt(D // self.num_heads))) @ k_BHTK.transpose(-1, -2)
            if blocked_BTT is not None:
                scores = scores.masked_fill(blocked_BTT, -torch.inf)
            mixed_BHTK = torch.softmax(scores, dim=-1) @ v_BHTK
        else:
            allowed = None if blocked_BTT is None else ~blocked_BTT
            mixed_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK, attn_mask=allowed)
        x_BTD = x_BTD + self.attention_output(mixed_BHTK.transpose(1, 2).reshape(B, T, D))
        hidden = F.gelu(self.mlp_input(self.norm_mlp(x_BTD)), approximate="tanh")
        return x_BTD + self.mlp_output(hidden), (k_BHTK, v_BHTK)


class StaticCache:
    """Keys and values of a whole context, allocated once: a step writes its own and copies nothing.

    Args:
        config: sizes of the model.
        batch: rows.
        like: a tensor whose device and dtype the buffers take.
    """

    def __init__(self, config: GPTConfig, batch: int, *, like: Tensor) -> None:
        shape = (config.num_layers, 2, batch, config.num_heads, config.context_length, config.width // config.num_heads)
        self.pairs = like.new_zeros(shape)
        self.num_positions = 0

    def extend(self, layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
        """Write behind the positions so far; views of all of them."""
        end = self.num_positions + k_BHTK.shape[2]
        for buffer, new in zip(self.pairs[layer], (k_BHTK, v_BHTK), strict=True):
            buffer[:, :, self.num_positions : end] = new
        return self.pairs[layer, 0, :, :, :end], self.pairs[layer, 1, :, :, :end]


class GPT(nn.Module):
    """GPT-2's layout: learned positions, pre-norm, biases, tanh GELU, head tied to the token embedding.

    Args:
        config: sizes.
        seed: seed of the initialization (normal 0.02; projections into the residual stream 0.02 / sqrt(2L), as GPT-2).

    Reference:
        Radford et al. 2019. No dropout.
    """

    def __init__(self, config: GPTConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.position_embedding = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm_final = nn.LayerNorm(config.width, eps=1e-5)
        self._initialize(torch.Generator().manual_seed(derive_seed(seed, "gpt")))
        causal = torch.ones(config.context_length, config.context_length, dtype=torch.bool).triu(1)
        self.register_buffer("future_TT", causal, persistent=False)

    @torch.no_grad()
    def _initialize(self, generator: torch.Generator) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif "norm" in name:
                parameter.fill_(1.0)
            else:
                residual = name.endswith(("attention_output.weight", "mlp_output.weight"))
                spread = 0.02 / math.sqrt(2 * self.config.num_layers) if residual else 0.02
                parameter.normal_(0.0, spread, generator=generator)

    @property
    def head_VD(self) -> Tensor:
        """Weight of the head: the token embedding."""
        return self.token_embedding.weight

    def forward_hidden(
        self, tokens_BT: Tensor, *, segment_BT: Tensor | None = None, position_BT: Tensor | None = None
    ) -> Tensor:
        """Hidden states after the final norm.

        Args:
            tokens_BT: int64 token ids, T at most the context length.
            segment_BT: int, the document of each position within its row; attention stays inside a document. None: each
                row is one document.
            position_BT: int64, the position within the document; None: 0, 1, 2, ...

        Returns:
            Tensor (B, T, D).
        """
        hidden, _ = self._run(tokens_BT, segment_BT, position_BT)
        return hidden

    def forward_cached(self, tokens_BT: Tensor, past: Cache | None) -> tuple[Tensor, Cache]:
        """Hidden states of new positions given the keys and values of earlier ones, and the longer cache."""
        if past is None:
            return self._run(tokens_BT, None, None)

        def extend(layer: int, k_BHTK: Tensor, v_BHTK: Tensor) -> tuple[Tensor, Tensor]:
            return torch.cat([past[layer][0], k_BHTK], dim=2), torch.cat([past[layer][1], v_BHTK], dim=2)

        return self._run(tokens_BT, None, None, start=past[0][0].shape[2], extend=extend)

    def forward_static(self, tokens_BT: Tensor, cache: StaticCache) -> Tensor:
        """Hidden states of new positions behind those of `cache`, which grows by them."""
        hidden, _ = self._run(tokens_BT, None, None, start=cache.num_positions, extend=cache.extend)
        cache.num_positions += tokens_BT.shape[1]
        return hidden

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        """Logits of hidden states, (..., V)."""
        return F.linear(hidden_BTD, self.head_VD)

    def forward(
        self, tokens_BT: Tensor, *, segment_BT: Tensor | None = None, position_BT: Tensor | None = None
    ) -> Tensor:
        """Logits (B, T, V); training and audits use `forward_hidden` and never hold all of them."""
        return self.logits(self.forward_hidden(tokens_BT, segment_BT=segment_BT, position_BT=position_BT))

    def _run(
        self,
        tokens_BT: Tensor,
        segment_BT: Tensor | None,
        position_BT: Tensor | None,
        *,
        start: int = 0,
        extend: Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[Tensor, Cache]:
        T = tokens_BT.shape[1]
        if start + T > self.config.context_length:
            raise InputError("rows are longer than the context", expected=self.config.context_length, got=start + T)
        if position_BT is None:
            position_BT = torch.arange(start, start + T, device=tokens_BT.device).unsqueeze(0)
        x_BTD = self.token_embedding(tokens_BT) + self.position_embedding(position_BT)
        blocked: Tensor | None = None
        future_TT: Tensor = self.get_buffer("future_TT")
        if T > 1:
            blocked = future_TT[start : start + T, : start + T]
            if segment_BT is not None:
                other = segment_BT.unsqueeze(2) != segment_BT.unsqueeze(1)
                blocked = (blocked | other).unsqueeze(1)
        cache: Cache = []
        for index, block in enumerate(self.blocks):
            x_BTD, pair = block(x_BTD, blocked, None if extend is None else partial(extend, index))
            cache.append(pair)
        return self.norm_final(x_BTD), cache


def has_native_bfloat16(device: str = "cpu") -> bool:
    """Whether bfloat16 products run in hardware, so that autocast is a gain."""
    if device.startswith("cuda"):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    checks = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(bool(check()) for check in checks if check is not None)


def resolve_dtype(name: str, device: str = "cpu") -> torch.dtype:
    """The dtype that "auto", "float32", "bfloat16" or "float16" means on a device.

    "auto" is bfloat16 where the hardware multiplies it natively and float32 elsewhere.
    """
    if name == "auto":
        return torch.bfloat16 if has_native_bfloat16(device) else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if name not in known:
        raise InputError("dtype is unknown", expected="auto, " + ", ".join(known), got=name)
    return known[name]
