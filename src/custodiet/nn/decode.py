"""Cached decoding: our GPT and `transformers` models behind the protocols `Stepper` and `Generator`.

Shape suffixes: B rows, T positions, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from custodiet.errors import InputError
from custodiet.nn.gpt import GPT, StaticCache

__all__ = ["GPTStepper", "TransformersGenerator"]


class GPTStepper:
    """Decodes with our GPT and a key/value cache; both a `Stepper` and a `Generator`."""

    def __init__(self, model: GPT) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        self._cache: StaticCache | None = None
        self._batch = 0

    def start(self, batch: int) -> None:
        """Forget everything; the next step is position 0 of `batch` rows."""
        if self._cache is None or batch != self._batch:
            self._cache = StaticCache(self.model.config, batch, like=self.model.head_VD.detach())
        self._cache.num_positions, self._batch = 0, batch

    def step(self, tokens_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Feed one token per row; logits of the next one, float32 (B, V)."""
        return self.feed(np.asarray(tokens_B, dtype=np.int64)[:, None])

    @torch.inference_mode()
    def feed(self, tokens_BT: NDArray[np.int64]) -> NDArray[np.float32]:
        """Feed several tokens per row at once; logits of the next one, float32 (B, V)."""
        if self._cache is None or len(tokens_BT) != self._batch:
            raise InputError("the batch changed between steps", expected=self._batch, got=len(tokens_BT))
        moved = torch.from_numpy(np.ascontiguousarray(tokens_BT)).to(self.device)
        hidden = self.model.forward_static(moved, self._cache)
        return self.model.logits(hidden[:, -1]).float().cpu().numpy()

    def generate(self, prefix_BT: NDArray[np.int64], num_tokens: int) -> NDArray[np.int64]:
        """Greedy continuation, int64 (B, num_tokens); the lowest id wins exact ties."""
        if prefix_BT.shape[1] + num_tokens - 1 > self.model.config.context_length:
            raise InputError(
                "prefix and continuation are longer than the context",
                expected=self.model.config.context_length,
                got=prefix_BT.shape[1] + num_tokens,
            )
        self.start(len(prefix_BT))
        out = np.empty((len(prefix_BT), num_tokens), dtype=np.int64)
        logits = self.feed(prefix_BT)
        for place in range(num_tokens):
            out[:, place] = logits.argmax(axis=1)
            if place + 1 < num_tokens:
                logits = self.step(out[:, place])
        return out


class TransformersGenerator:
    """Greedy cached generation with `transformers`."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = next(model.parameters()).device

    @torch.inference_mode()
    def generate(self, prefix_BT: NDArray[np.int64], num_tokens: int) -> NDArray[np.int64]:
        """Greedy continuation, int64 (B, num_tokens); never stops early."""
        tokens = torch.from_numpy(np.ascontiguousarray(prefix_BT)).to(self.device)
        past: Any = None
        out = np.empty((len(prefix_BT), num_tokens), dtype=np.int64)
        for place in range(num_tokens):
            result = self.model(input_ids=tokens, past_key_values=past, use_cache=True, logits_to_keep=1)
            past = result.past_key_values
            tokens = result.logits[:, -1].float().argmax(dim=-1, keepdim=True)
            out[:, place] = tokens[:, 0].cpu().numpy()
        return out
