"""Interpolated n-gram models with exact counts: Witten-Bell and modified Kneser-Ney.

Both are, order by order, p(w | c) = weight(c w) / total(c) + backoff(c) p(w | c'), c' being c without its first token, down
to the uniform distribution over the vocabulary; they differ in what is counted and how much is kept back. Documents do
not see each other, and the start of a document is part of the context: `order` sentinels stand before each.

Shape suffixes: N places of all documents in a row, sentinels included.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.errors import InputError, TooFewSamplesError

__all__ = ["KneserNeyModel", "NGramModel", "WittenBellModel"]

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class _Level:
    """The grams of one order and the contexts one shorter."""

    keys: Ints
    ids: Ints
    """open-addressing table: (context id * base + token) -> gram id"""
    weight: Floats
    """per gram, before the division by the context's total"""
    share: Floats
    """per context: 1 / total and the weight of the order below; 0 and 1 where the context never stood before a token"""


@dataclass(frozen=True, kw_only=True)
class _Counted:
    keys: Ints
    ids: Ints
    here_N: Ints
    owner: Ints
    count: Ints
    first: Ints


class NGramModel(ABC):
    """What the smoothings share; make one with `train` of a subclass."""

    name: ClassVar[str]

    def __init__(self, *, order: int, vocab_size: int, levels: list[_Level]) -> None:
        self.order, self.vocab_size = order, vocab_size
        self._levels = levels

    @classmethod
    def train(cls, documents: Sequence[ArrayLike], *, order: int = 5, vocab_size: int) -> Self:
        """Count n-grams.

        Args:
            documents: token ids in [0, vocab_size), one array per document.
            order: longest n-gram, at least 1.
            vocab_size: number of ids; the model gives each of them a probability.

        Raises:
            TooFewSamplesError: there is no token.
            InputError: order below 1, or an id outside the vocabulary.
        """
        from custodiet.entropy.ngram_kernels import index_grams

        if order < 1:
            raise InputError("order is too small", expected="at least 1", got=order)
        stream, real = _lay_out(documents, order, vocab_size)
        if not real.any():
            raise TooFewSamplesError("an n-gram model of no tokens", expected="at least one token", got=0)
        before = np.zeros(len(stream), dtype=np.int32)
        counted: list[_Counted] = []
        for _ in range(order):
            keys, ids, here, owner, count, first, _num = index_grams(stream, real, before, vocab_size + 1)
            counted.append(_Counted(keys=keys, ids=ids, here_N=here, owner=owner, count=count, first=first))
            before = here
        levels: list[_Level] = []
        for length, one in enumerate(counted):
            above = counted[length + 1] if length + 1 < order else None
            num_contexts = len(counted[length - 1].count) if length else 1
            weight, share = cls._smooth(one, above, num_contexts)
            levels.append(_Level(keys=one.keys, ids=one.ids, weight=weight, share=share))
        return cls(order=order, vocab_size=vocab_size, levels=levels)

    @staticmethod
    @abstractmethod
    def _smooth(one: _Counted, above: _Counted | None, num_contexts: int) -> tuple[Floats, Floats]:
        """Weights of the grams of an order and shares of its contexts."""

    def log2_probs(self, tokens: ArrayLike) -> Floats:
        """log2 p of every token of one document given the tokens before it, float64 (T,)."""
        return self.log2_probs_of([tokens])[0]

    def log2_probs_of(self, documents: Sequence[ArrayLike]) -> list[Floats]:
        """log2 p of every token of several documents, each on its own."""
        from custodiet.entropy.ngram_kernels import find_grams, mix_level

        if not documents:
            return []
        stream, real = _lay_out(documents, self.order, self.vocab_size)
        prob = np.full(len(stream), 1.0 / self.vocab_size)
        before = np.zeros(len(stream), dtype=np.int32)
        for level in self._levels:
            here = find_grams(level.keys, level.ids, stream, before, self.vocab_size + 1)
            mix_level(prob, real, here, before, level.weight, level.share)
            before = here
        logs = np.log2(prob[real])
        sizes = [len(np.asarray(tokens)) for tokens in documents]
        return np.split(logs, np.cumsum(sizes)[:-1])

    def next_probs(self, context: ArrayLike) -> Floats:
        """Distribution of the next token after a document's tokens so far, float64 (vocab_size,).

        Costs `order` lookups per symbol of the vocabulary: for letters and bytes, not for large vocabularies.
        """
        from custodiet.entropy.ngram_kernels import MISSING, find_grams

        history, _ = _lay_out([context], self.order, self.vocab_size)
        base = self.vocab_size + 1
        prob = np.full(self.vocab_size, 1.0 / self.vocab_size)
        candidates = np.arange(self.vocab_size, dtype=np.int64)
        before = np.zeros(len(history), dtype=np.int32)
        for level in self._levels:
            last = int(before[-1])
            if last == MISSING:
                break
            pairs = np.column_stack([np.zeros_like(candidates), candidates]).reshape(-1).astype(np.int32)
            found = find_grams(level.keys, level.ids, pairs, np.full(len(pairs), last, dtype=np.int32), base)[1::2]
            seen = np.where(found == MISSING, 0.0, level.weight[found])
            prob = seen * level.share[last, 0] + level.share[last, 1] * prob
            before = find_grams(level.keys, level.ids, history, before, base)
        return prob


class WittenBellModel(NGramModel):
    """Interpolated Witten-Bell: p(w | c) = (count(c w) + types(c) p(w | c')) / (count(c) + types(c)).

    Reference:
        Witten & Bell 1991; the interpolated form of Chen & Goodman 1998, section 2.5.
    """

    name = "Witten-Bell"

    @staticmethod
    def _smooth(one: _Counted, above: _Counted | None, num_contexts: int) -> tuple[Floats, Floats]:
        from custodiet.entropy.ngram_kernels import gather_contexts

        total, kinds = gather_contexts(one.owner, one.count, num_contexts)
        types = kinds[:, 1:].sum(1)
        inverse = np.where(total > 0, 1.0 / np.maximum(total + types, 1), 0.0)
        backoff = np.where(total > 0, types * inverse, 1.0)
        return one.count.astype(np.float64), np.column_stack([inverse, backoff])


class KneserNeyModel(NGramModel):
    """Interpolated modified Kneser-Ney: three discounts per order; lower orders count distinct left extensions.

    The discounts are D_i = i - (i + 1) Y n_(i+1) / n_i with Y = n_1 / (n_1 + 2 n_2) from the counts of counts of each
    order. Where a text is too small for them (a count of counts is zero, or D_i would be negative or exceed i), that
    order takes D_i = min(i, 3) / 2.

    Reference:
        Chen & Goodman 1998, section 3. Sentinels before a document are ordinary left extensions here; the lowest order is
        interpolated with the uniform distribution.
    """

    name = "modified Kneser-Ney"

    @staticmethod
    def _smooth(one: _Counted, above: _Counted | None, num_contexts: int) -> tuple[Floats, Floats]:
        from custodiet.entropy.ngram_kernels import gather_contexts

        count = one.count
        if above is not None:  # every real gram one longer is one left extension of its suffix
            longer = above.first[above.count > 0]
            count = np.bincount(one.here_N[longer], minlength=len(one.count)).astype(np.int64)
        discounts = _discounts(count)
        total, kinds = gather_contexts(one.owner, count, num_contexts)
        inverse = np.where(total > 0, 1.0 / np.maximum(total, 1), 0.0)
        backoff = np.where(total > 0, (kinds * discounts).sum(1) * inverse, 1.0)
        weight = count - discounts[np.minimum(count, 3)]
        return weight, np.column_stack([inverse, backoff])


def _discounts(count: Ints) -> Floats:
    """Discounts of counts 0, 1, 2, and 3 or more."""
    n1, n2, n3, n4 = (int((count == value).sum()) for value in (1, 2, 3, 4))
    fallback = np.array([0.0, 0.5, 1.0, 1.5])
    if min(n1, n2, n3) == 0:
        return fallback
    y = n1 / (n1 + 2 * n2)
    found = np.array([0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    fits = (found >= 0).all() and (found <= np.array([0, 1, 2, 3])).all()
    return found if fits else fallback


def _lay_out(documents: Sequence[ArrayLike], order: int, vocab_size: int) -> tuple[Ints, NDArray[np.bool_]]:
    """All documents in a row with `order` sentinels (id vocab_size) before each; and which places hold a token."""
    arrays = [np.asarray(tokens) for tokens in documents]
    for ids in arrays:
        if ids.size and (ids.min() < 0 or ids.max() >= vocab_size):
            wrong = int(ids.max()) if ids.max() >= vocab_size else int(ids.min())
            raise InputError("a token is outside the vocabulary", expected=f"[0, {vocab_size})", got=wrong)
    size = sum(len(ids) + order for ids in arrays)
    stream, real = np.full(size, vocab_size, dtype=np.int32), np.zeros(size, dtype=bool)
    start = 0
    for ids in arrays:
        start += order
        stream[start : start + len(ids)] = ids
        real[start : start + len(ids)] = True
        start += len(ids)
    return stream, real
