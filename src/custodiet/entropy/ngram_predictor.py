"""The adaptive n-gram behind the protocol `NextTokenPredictor`: a coder that needs no model but the text so far."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.entropy.adaptive import AdaptiveNGram
from custodiet.errors import InputError

__all__ = ["AdaptivePredictor"]


class AdaptivePredictor:
    """One sequence at a time; each `begin` starts from what was learned of the other text and of nothing else.

    Args:
        order: longest n-gram.
        vocab_size: number of ids; 256 for bytes.
        primed_with: other texts, learned beforehand; a decoder needs the same ones.
    """

    window_tokens: int | None = None
    max_batch: int | None = 1

    def __init__(self, *, order: int = 8, vocab_size: int = 256, primed_with: Sequence[ArrayLike] = ()) -> None:
        self.vocab_size = vocab_size
        self._primed = AdaptiveNGram(order=order, vocab_size=vocab_size)
        for text in primed_with:
            self._primed.prime(text)
        self._now = deepcopy(self._primed)

    def begin(self, history_BT: NDArray[np.int64]) -> NDArray[np.float64]:
        """Start a text and learn the history; log-probabilities of the next token, (1, V)."""
        if len(history_BT) != 1:
            raise InputError("an adaptive n-gram reads one sequence at a time", expected=1, got=len(history_BT))
        self._now = deepcopy(self._primed)
        self._now.log2_probs(history_BT[0])
        return np.log(self._now.next_probs())[None]

    def step(self, tokens_B: NDArray[np.int64]) -> NDArray[np.float64]:
        """Learn one more token; log-probabilities of the next one, (1, V)."""
        self._now.update(int(tokens_B[0]))
        return np.log(self._now.next_probs())[None]
