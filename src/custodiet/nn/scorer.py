"""Models behind the protocols `TargetScorer` (one pass of the body, the head in row chunks), `PositionScorer` and
`GreedyVerifier`.

Shape suffixes: B rows, T positions, N positions of all rows, D width, V vocabulary.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from custodiet.base.protocols import TargetScores
from custodiet.errors import InputError
from custodiet.nn.gpt import GPT, Cache

__all__ = ["GPTScorer", "TransformersScorer"]


PROBE_TOKENS = 4
"""suffix tokens that are checked before the rest is paid for: text that is not memorized rarely gets that far"""


class _Head(Protocol):
    def __call__(self, hidden: Tensor, /) -> Tensor: ...


class _ChunkedScorer:
    """Everything but the body: chunks of logits, float32 log-softmax, moments over the vocabulary, greedy matches."""

    vocab_size: int
    context_length: int
    device: torch.device

    @torch.inference_mode()
    def score_targets(
        self, tokens_BT: NDArray[np.int64], *, lengths_B: NDArray[np.int64] | None = None, chunk: int = 256
    ) -> TargetScores:
        """See `custodiet.base.protocols.TargetScorer`."""
        moved = self._checked(tokens_BT)
        B, T = moved.shape
        lengths = None if lengths_B is None else torch.from_numpy(np.asarray(lengths_B)).to(self.device)
        source, head = self._body(moved, lengths)
        targets = moved[:, 1:].reshape(-1)
        parts = [
            _measure(head(source[start : start + chunk]).float(), targets[start : start + chunk])
            for start in range(0, len(targets), chunk)
        ]
        logprob, argmax, tied, mean, variance = (
            torch.cat(column).view(B, T - 1).cpu().numpy() for column in zip(*parts, strict=True)
        )
        return TargetScores(logprob_BT=logprob, argmax_BT=argmax, tied_BT=tied, mean_BT=mean, variance_BT=variance)

    @torch.inference_mode()
    def score_positions(
        self,
        tokens_BT: NDArray[np.int64],
        rows_Q: NDArray[np.int64],
        positions_Q: NDArray[np.int64],
        targets_Q: NDArray[np.int64],
        *,
        chunk: int = 256,
    ) -> NDArray[np.float32]:
        """See `custodiet.base.protocols.PositionScorer`; `chunk` is the number of rows of logits held at once."""
        tokens_BT = np.asarray(tokens_BT, dtype=np.int64)
        num_read = tokens_BT.shape[1]
        moved = self._checked(np.concatenate([tokens_BT, tokens_BT[:, -1:]], axis=1), longest=self.context_length + 1)
        source, head = self._body(moved, None)  # reads all columns but the last one, which is a copy
        places = torch.from_numpy(np.asarray(rows_Q) * num_read + np.asarray(positions_Q)).to(self.device)
        targets = torch.from_numpy(np.asarray(targets_Q, dtype=np.int64)).to(self.device)
        parts = [
            torch.log_softmax(head(source[places[start : start + chunk]]).float(), dim=1)
            .gather(1, targets[start : start + chunk].unsqueeze(1))
            .squeeze(1)
            for start in range(0, len(targets), chunk)
        ]
        return torch.cat(parts).cpu().numpy()

    @torch.inference_mode()
    def count_greedy_matches(
        self, tokens_BT: NDArray[np.int64], *, prefix_tokens: int, chunk: int = 1024
    ) -> NDArray[np.int64]:
        """See `custodiet.base.protocols.GreedyVerifier`; `chunk` is the number of rows of logits held at once.

        Greedy decoding agrees with the suffix up to its first error exactly as teacher forcing does, so no token is
        decoded. The first `PROBE_TOKENS` targets are checked first; only rows that pass go on, from their cache.
        """
        tokens = self._checked(tokens_BT)
        B, T = tokens.shape
        if not 1 <= prefix_tokens < T:
            raise InputError("prefix_tokens leaves no suffix", expected=f"1 to {T - 1}", got=prefix_tokens)
        matches = torch.zeros(B, dtype=torch.int64, device=self.device)
        left = torch.arange(B, device=self.device)
        cache: Any = None
        start, first = 0, prefix_tokens - 1  # positions [start, end) are fed; those from `first` on predict the suffix
        for end in sorted({min(first + PROBE_TOKENS, T - 1), T - 1}):
            hidden, head, cache = self._extend(tokens[left, start:end], cache, last=end == T - 1)
            hidden = hidden[:, first - start :]
            rows = hidden.reshape(-1, hidden.shape[-1])
            argmax = torch.cat([head(rows[at : at + chunk]).argmax(dim=-1) for at in range(0, len(rows), chunk)])
            right = argmax.view(len(left), -1) == tokens[left, first + 1 : end + 1]
            run = right.cumprod(dim=1).sum(dim=1)
            matches[left] += run
            through = run == right.shape[1]
            if end == T - 1 or not through.any():
                break
            if not through.all():
                left, cache = left[through], self._select(cache, through)
            start = first = end
        return matches.cpu().numpy()

    def _checked(self, tokens_BT: NDArray[np.int64], *, longest: int | None = None) -> Tensor:
        tokens_BT = np.ascontiguousarray(tokens_BT, dtype=np.int64)
        T = tokens_BT.shape[1]
        longest = self.context_length if longest is None else longest
        if longest < T:
            raise InputError("rows are longer than the model's context", expected=longest, got=T)
        if T < 2:
            raise InputError("rows without a target", expected="at least 2 tokens", got=T)
        if tokens_BT.size and (tokens_BT.min() < 0 or tokens_BT.max() >= self.vocab_size):
            raise InputError(
                "a token is outside the model's vocabulary",
                expected=f"[0, {self.vocab_size})",
                got=int(tokens_BT.max()),
                hint="Is this the tokenizer that the model was trained with?",
            )
        return torch.from_numpy(tokens_BT).to(self.device)

    def _body(self, tokens_BT: Tensor, lengths_B: Tensor | None) -> tuple[Tensor, _Head]:
        """Rows to feed the head with, (B * (T - 1), ...), and the head."""
        raise TypeError("_ChunkedScorer is abstract: use GPTScorer or TransformersScorer")

    def _extend(self, tokens_BT: Tensor, cache: Any, *, last: bool) -> tuple[Tensor, _Head, Any]:
        """Rows to feed the head with for new positions after those in `cache`, (B, T, ...), the head, the longer cache."""
        raise TypeError("_ChunkedScorer is abstract: use GPTScorer or TransformersScorer")

    def _select(self, cache: Any, rows_B: Tensor) -> Any:
        """The cache of the rows where `rows_B` is true."""
        raise TypeError("_ChunkedScorer is abstract: use GPTScorer or TransformersScorer")


def _measure(logits_NV: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    best, argmax = logits_NV.max(dim=1)
    tied = (logits_NV == best.unsqueeze(1)).sum(dim=1) > 1
    logprob = torch.log_softmax(logits_NV, dim=1)
    prob = logprob.exp()
    safe = torch.where(prob > 0, logprob, 0.0)
    mean = (prob * safe).sum(dim=1)
    variance = (prob * (safe - mean.unsqueeze(1)).square()).sum(dim=1)
    return logprob.gather(1, targets_N.unsqueeze(1)).squeeze(1), argmax, tied, mean, variance


class GPTScorer(_ChunkedScorer):
    """Scores targets with our own GPT.

    Args:
        model: the GPT, in evaluation or training mode (it has no dropout).
        dtype: of the products; log-probabilities are always float32.
    """

    def __init__(self, model: GPT, *, dtype: torch.dtype = torch.float32) -> None:
        self.model = model
        self.vocab_size = model.config.vocab_size
        self.context_length = model.config.context_length
        self.device = next(model.parameters()).device
        self.dtype = dtype

    def _body(self, tokens_BT: Tensor, lengths_B: Tensor | None) -> tuple[Tensor, _Head]:
        with _autocast(self.device, self.dtype):
            hidden = self.model.forward_hidden(tokens_BT[:, :-1])
        weight = self.model.head_VD
        return hidden.float().reshape(-1, hidden.shape[-1]), lambda rows: rows @ weight.T

    def _extend(self, tokens_BT: Tensor, cache: Any, *, last: bool) -> tuple[Tensor, _Head, Any]:
        with _autocast(self.device, self.dtype):
            hidden, cache = self.model.forward_cached(tokens_BT, cache)
        weight = self.model.head_VD
        return hidden.float(), lambda rows: rows @ weight.T, cache

    def _select(self, cache: Any, rows_B: Tensor) -> Cache:
        return [(keys[rows_B], values[rows_B]) for keys, values in cache]


class TransformersScorer(_ChunkedScorer):
    """Scores targets with a causal language model of `transformers`.

    The body runs once and the head in chunks where that gives the model's own logits (measured at construction on a few
    tokens: soft-capping or scaling after the head show there); elsewhere the model's logits are taken row by row.

    Args:
        model: a causal language model in evaluation mode, on its device and in its dtype.
        context_length: largest number of tokens per row.
    """

    def __init__(self, model: Any, *, context_length: int) -> None:
        self.model = model
        self.vocab_size = int(model.config.get_text_config().vocab_size)
        self.context_length = context_length
        self.device = next(model.parameters()).device
        self.splits_head = self._head_is_separate()

    @torch.inference_mode()
    def _head_is_separate(self) -> bool:
        head = self.model.get_output_embeddings()
        body = getattr(self.model, self.model.base_model_prefix, None)
        if head is None or body is None or body is self.model:
            return False
        tokens = torch.arange(min(8, self.vocab_size), device=self.device).unsqueeze(0) % self.vocab_size
        whole = self.model(input_ids=tokens, use_cache=False).logits.float()
        with contextlib.suppress(AttributeError, TypeError):
            parts = head(body(input_ids=tokens, use_cache=False).last_hidden_state).float()
            # large logits are what soft-capping changes, so the comparison is on the logits scaled up as well
            return parts.shape == whole.shape and torch.equal(parts, whole) and not self._caps_logits()
        return False

    def _caps_logits(self) -> bool:
        config = self.model.config.get_text_config()
        return getattr(config, "final_logit_softcapping", None) is not None

    def _body(self, tokens_BT: Tensor, lengths_B: Tensor | None) -> tuple[Tensor, _Head]:
        inputs = tokens_BT[:, :-1]
        mask = torch.ones_like(inputs)
        if self.splits_head:
            body = getattr(self.model, self.model.base_model_prefix)
            hidden = body(input_ids=inputs, attention_mask=mask, use_cache=False).last_hidden_state
            return hidden.reshape(-1, hidden.shape[-1]), self.model.get_output_embeddings()
        rows = [
            self.model(input_ids=row.unsqueeze(0), use_cache=False).logits[0, :, : self.vocab_size] for row in inputs
        ]
        return torch.cat(rows), lambda logits: logits

    def _extend(self, tokens_BT: Tensor, cache: Any, *, last: bool) -> tuple[Tensor, _Head, Any]:
        more = {"input_ids": tokens_BT, "past_key_values": cache, "use_cache": cache is not None or not last}
        if self.splits_head:
            found = getattr(self.model, self.model.base_model_prefix)(**more)
            return found.last_hidden_state, self.model.get_output_embeddings(), found.past_key_values
        found = self.model(**more)
        return found.logits[..., : self.vocab_size], lambda logits: logits, found.past_key_values

    def _select(self, cache: Any, rows_B: Tensor) -> Any:
        cache.batch_select_indices(rows_B.nonzero().squeeze(1))
        return cache


def _autocast(device: torch.device, dtype: torch.dtype) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)
