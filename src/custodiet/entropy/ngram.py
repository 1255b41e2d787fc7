"""Interpolated n-gram models with exact counts.

Shape suffixes: T tokens of all documents in a row, each document with `order - 1` sentinels before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custodiet.errors import InputError, TooFewSamplesError

__all__ = ["WittenBellModel"]

Ints = NDArray[np.int64]
MISSING = -1


@dataclass(frozen=True)
class _Level:
    """Contexts of one length: a context's id is its place in `keys` of the level below, extended by one token."""

    keys: Ints
    """sorted (context id * base + token), one per distinct (context, token)"""
    counts: Ints
    """occurrences of each key"""
    context_counts: Ints
    """per context id: occurrences of the context before a token"""
    context_types: Ints
    """per context id: distinct tokens seen after it"""


class WittenBellModel:
    """Interpolated Witten-Bell n-gram model; documents do not see each other.

    p(w | c) = (count(c w) + types(c) p(w | c')) / (count(c) + types(c)), c' being c without its first token, down to the
    uniform distribution over the vocabulary. The start of a document is part of the context.

    Reference:
        Witten & Bell 1991; the interpolated form of Chen & Goodman 1998, section 2.5.
    """

    def __init__(self, *, order: int, vocab_size: int, levels: list[_Level], grams: list[Ints]) -> None:
        self.order = order
        self.vocab_size = vocab_size
        self._levels = levels
        self._grams = grams

    @classmethod
    def train(cls, documents: Sequence[NDArray[np.int64]], *, order: int = 5, vocab_size: int) -> WittenBellModel:
        """Count n-grams.

        Args:
            documents: int64 token ids in [0, vocab_size), one array per document.
            order: longest n-gram, at least 1.
            vocab_size: number of ids; the model gives each of them a probability.

        Raises:
            TooFewSamplesError: there is no token.
            InputError: order below 1, or an id outside the vocabulary.
        """
        if order < 1:
            raise InputError("order is too small", expected="at least 1", got=order)
        stream, real = _lay_out(documents, order, vocab_size)
        if not real.any():
            raise TooFewSamplesError("an n-gram model of no tokens", expected="at least one token", got=0)
        base = vocab_size + 1
        targets = np.flatnonzero(real)
        levels: list[_Level] = []
        grams: list[Ints] = []
        context = np.zeros(len(stream), dtype=np.int64)  # id of the context that ends at each place
        num_contexts = 1
        for length in range(order):
            before = context[targets - 1] if length else np.zeros(len(targets), dtype=np.int64)
            keys, counts = np.unique(before * base + stream[targets], return_counts=True)
            owner = keys // base
            levels.append(
                _Level(
                    keys=keys,
                    counts=counts,
                    context_counts=np.bincount(owner, counts, minlength=num_contexts).astype(np.int64),
                    context_types=np.bincount(owner, minlength=num_contexts),
                )
            )
            if length + 1 < order:
                shifted = np.zeros_like(context)
                shifted[1:] = context[:-1]
                extended = (shifted if length else np.zeros_like(context)) * base + stream
                gram, context = np.unique(extended, return_inverse=True)
                grams.append(gram)
                num_contexts = len(gram)
        return cls(order=order, vocab_size=vocab_size, levels=levels, grams=grams)

    def log2_probs(self, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
        """log2 p of every token of one document given the tokens before it, float64 (T,)."""
        return self.log2_probs_of([tokens])[0]

    def log2_probs_of(self, documents: Sequence[NDArray[np.int64]]) -> list[NDArray[np.float64]]:
        """log2 p of every token of several documents, each on its own."""
        stream, real = _lay_out(documents, self.order, self.vocab_size)
        base = self.vocab_size + 1
        targets = np.flatnonzero(real)
        prob = np.full(len(targets), 1.0 / self.vocab_size)
        context = np.zeros(len(stream), dtype=np.int64)
        for length, level in enumerate(self._levels):
            before = context[targets - 1] if length else np.zeros(len(targets), dtype=np.int64)
            known = before != MISSING
            place = _find(level.keys, before * base + stream[targets])
            count = np.where(known & (place != MISSING), level.counts[place], 0)
            total = np.where(known, level.context_counts[before], 0)
            types = np.where(known, level.context_types[before], 0)
            usable = total > 0
            prob[usable] = (count[usable] + types[usable] * prob[usable]) / (total[usable] + types[usable])
            if length + 1 < self.order:
                shifted = np.full_like(context, MISSING)
                shifted[1:] = context[:-1]
                below = shifted if length else np.zeros_like(context)
                found = _find(self._grams[length], below * base + stream)
                context = np.where(below == MISSING, MISSING, found)
        logs = np.log2(prob)
        sizes = [len(tokens) for tokens in documents]
        return np.split(logs, np.cumsum(sizes)[:-1]) if sizes else []


def _lay_out(documents: Sequence[NDArray[np.int64]], order: int, vocab_size: int) -> tuple[Ints, NDArray[np.bool_]]:
    """All documents in a row with sentinels (id vocab_size) before each; and which places hold a token."""
    pad = np.full(order, vocab_size, dtype=np.int64)
    parts: list[Ints] = []
    marks: list[NDArray[np.bool_]] = []
    for tokens in documents:
        ids = np.asarray(tokens, dtype=np.int64)
        if ids.size and (ids.min() < 0 or ids.max() >= vocab_size):
            raise InputError("a token is outside the vocabulary", expected=f"[0, {vocab_size})", got=int(ids.max()))
        parts += [pad, ids]
        marks += [np.zeros(order, dtype=bool), np.ones(len(ids), dtype=bool)]
    if not parts:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    return np.concatenate(parts), np.concatenate(marks)


def _find(keys: Ints, wanted: Ints) -> Ints:
    """Place of each wanted key in the sorted keys, or -1."""
    place = np.searchsorted(keys, wanted)
    place[place == len(keys)] = 0
    return np.where(keys[place] == wanted, place, MISSING)
