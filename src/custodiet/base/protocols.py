"""The only faces of a model that an audit sees, so that a model from anywhere can be audited.

Shape suffixes: B sequences, T positions, V vocabulary.
Tensors cross this border as NumPy arrays: `base` does not import torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ChoiceScorer",
    "ChoiceScores",
    "Generator",
    "GreedyVerifier",
    "NextTokenPredictor",
    "PositionScorer",
    "Stepper",
    "TargetScorer",
    "TargetScores",
    "TextGenerator",
    "TokenCodec",
]


@dataclass(frozen=True, kw_only=True)
class TargetScores:
    """What one teacher-forced pass says about every target.

    Column t is about the target ``tokens_BT[:, t + 1]`` given ``tokens_BT[:, : t + 1]``, so there are T - 1 columns.
    """

    logprob_BT: NDArray[np.float32]
    """log-probability of the target, in nats"""
    argmax_BT: NDArray[np.int64]
    """id of the most probable token (the greedy choice; the lowest id among exact ties)"""
    tied_BT: NDArray[np.bool_]
    """True where another id has exactly the greedy logit, so that greedy decoders may differ"""
    mean_BT: NDArray[np.float32]
    """mean over the model's own distribution of the log-probability: sum_v p(v) log p(v), in nats"""
    variance_BT: NDArray[np.float32]
    """variance over the model's own distribution of the log-probability, in nats squared"""


@runtime_checkable
class TargetScorer(Protocol):
    """Scores targets under teacher forcing, never holding B x T x V numbers at once."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def context_length(self) -> int:
        """Largest T that `score_targets` accepts."""
        ...

    def score_targets(
        self, tokens_BT: NDArray[np.int64], *, lengths_B: NDArray[np.int64] | None = None, chunk: int = 256
    ) -> TargetScores:
        """Score every target.

        Args:
            tokens_BT: int64 token ids, right-padded with any valid id; column 0 is context only (the BOS, if there is one).
            lengths_B: number of real tokens per row; columns at or past ``lengths_B - 1`` of the result are meaningless.
            chunk: rows of logits held at once.
        """
        ...


@runtime_checkable
class GreedyVerifier(Protocol):
    """Says how far greedy decoding of a prefix would reproduce a known suffix, without decoding."""

    @property
    def context_length(self) -> int: ...

    def count_greedy_matches(self, tokens_BT: NDArray[np.int64], *, prefix_tokens: int) -> NDArray[np.int64]:
        """Number of suffix tokens that the model's greedy continuation of the prefix gets right before its first error.

        Args:
            tokens_BT: int64 token ids, rows of equal length: the prefix (with the BOS, if there is one), then the suffix.
            prefix_tokens: length of the prefix, at least 1.

        Returns:
            int64 of shape (B,), ``T - prefix_tokens`` where the whole suffix is reproduced. The lowest id wins exact ties.
        """
        ...


@runtime_checkable
class Stepper(Protocol):
    """Cached decoding, one position at a time."""

    def start(self, batch: int) -> None: ...

    def step(self, tokens_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Feed one token per sequence; returns the next token's logits, float32 of shape (B, V)."""
        ...


@runtime_checkable
class NextTokenPredictor(Protocol):
    """Predicts the next token of several sequences in lockstep; what drives the arithmetic coder.

    The same calls in the same order must give the same bits: a decoder repeats what the encoder did.
    """

    @property
    def vocab_size(self) -> int: ...

    @property
    def window_tokens(self) -> int | None:
        """Tokens that one window holds, those handed to `begin` and the last one predicted included; None: no limit."""
        ...

    @property
    def max_batch(self) -> int | None:
        """Most sequences at once; None: no limit."""
        ...

    def begin(self, history_BT: NDArray[np.int64]) -> NDArray[np.floating]:
        """Forget everything, read int64 (B, T) tokens, T possibly 0, and return the next token's logits, (B, V)."""
        ...

    def step(self, tokens_B: NDArray[np.int64]) -> NDArray[np.floating]:
        """Read one more token per sequence; logits of the next one, (B, V)."""
        ...


@runtime_checkable
class Generator(Protocol):
    """Greedy, free-running, cached generation."""

    def generate(self, prefix_BT: NDArray[np.int64], num_tokens: int) -> NDArray[np.int64]:
        """Continue every prefix (equal lengths, first column the BOS if there is one) by `num_tokens` greedy tokens.

        Returns:
            int64 of shape (B, num_tokens): the new tokens only.
        """
        ...


@runtime_checkable
class TokenCodec(Protocol):
    """Text to ids and back."""

    @property
    def vocab_size(self) -> int: ...

    @property
    def bos_id(self) -> int | None:
        """Id that the model was trained to see before a document, or None."""
        ...

    def encode(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Ids without any special token added."""
        ...

    def decode(self, ids: Sequence[int] | NDArray[np.int64]) -> str: ...


@runtime_checkable
class PositionScorer(Protocol):
    """Scores chosen targets at chosen places, in one pass of the body and no more rows of the head than targets."""

    @property
    def context_length(self) -> int: ...

    def score_positions(
        self,
        tokens_BT: NDArray[np.int64],
        rows_Q: NDArray[np.int64],
        positions_Q: NDArray[np.int64],
        targets_Q: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Log-probability, in nats, of ``targets_Q[q]`` after ``tokens_BT[rows_Q[q], : positions_Q[q] + 1]``.

        Args:
            tokens_BT: int64 token ids, right-padded with any valid id.
            rows_Q: int64, a row of `tokens_BT` for each target.
            positions_Q: int64, the place of the last token read before each target.
            targets_Q: int64 token ids.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ChoiceScores:
    """What a model thinks of each choice after one prompt."""

    logprob_C: NDArray[np.float64]
    """log-probability of each whole choice, in nats"""
    num_tokens_C: NDArray[np.int64]
    """tokens that it is the sum of"""


@runtime_checkable
class ChoiceScorer(Protocol):
    """Optional: log-probabilities of whole answers."""

    def score_choices(self, prompts: Sequence[str], choices: Sequence[Sequence[str]]) -> list[ChoiceScores | None]:
        """Score the texts ``choices[i]``, each as what follows ``prompts[i]`` directly.

        Returns:
            Scores for each prompt; None where prompt and choice are longer than the model's context.
        """
        ...


@runtime_checkable
class TextGenerator(Protocol):
    """Optional: text in, text out; an HTTP endpoint can be one."""

    def generate_text(self, prompts: Sequence[str]) -> list[str | None]:
        """What the model writes after each prompt; None where there is no room for it in the model's context."""
        ...
