"""Runs of words as sparse counts, collected one problem at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
from scipy import sparse

from custodiet.logic.shortcuts.features import View
from custodiet.logic.shortcuts.tokens import Token

__all__ = ["NgramTable", "abstract", "ngrams", "words"]

MIN_PROBLEMS = 3
MAX_COLUMNS = 1 << 16


class NgramTable:
    """Counts of n-grams by problem; a column is an n-gram that at least `MIN_PROBLEMS` problems have."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}
        self._indices = array("i")
        self._ends = array("q", [0])

    def add(self, grams: Iterable[str]) -> None:
        """The n-grams of the next problem, each as often as it occurs."""
        columns = self._columns
        self._indices.extend([columns.setdefault(one, len(columns)) for one in grams])
        self._ends.append(len(self._indices))

    def matrix(self) -> sparse.csr_matrix:
        """float32 (problems, columns): log2(1 + count), each column scaled to at most 1; the most frequent columns."""
        indices = np.frombuffer(self._indices, dtype=np.int32)
        ends = np.frombuffer(self._ends, dtype=np.int64)
        shape = (len(ends) - 1, max(1, len(self._columns)))
        counts = sparse.csr_matrix((np.ones(len(indices), dtype=np.float32), indices, ends), shape=shape)
        counts.sum_duplicates()
        num_problems = np.bincount(counts.indices, minlength=shape[1])
        kept = np.flatnonzero(num_problems >= MIN_PROBLEMS)
        if len(kept) > MAX_COLUMNS:
            kept = np.sort(kept[np.argsort(-num_problems[kept], kind="stable")[:MAX_COLUMNS]])
        if not len(kept):
            return sparse.csr_matrix((shape[0], 1), dtype=np.float32)
        chosen = sparse.csr_matrix(counts[:, kept])
        chosen.data = np.log2(1 + chosen.data).astype(np.float32)
        largest = np.asarray(chosen.max(axis=0).todense()).ravel()
        chosen.data /= largest[chosen.indices]
        return chosen


def words(tokens: Sequence[Token]) -> list[str]:
    """The tokens as they are."""
    return [one.text for one in tokens]


def ngrams(tokens: Sequence[str], longest: int, mark: str = "") -> list[str]:
    """All runs of 1 to `longest` tokens, each with a mark before it that says where it stands."""
    found = [mark + one for one in tokens]
    for length in range(2, longest + 1):
        found += [mark + " ".join(tokens[at : at + length]) for at in range(len(tokens) - length + 1)]
    return found


def abstract(view: View, *, premises: bool = True, hypothesis: bool = True, longest: int = 3) -> list[str]:
    """N-grams in which every symbol is replaced by the order of its first occurrence, premises first.

    Those of the hypothesis are marked; none reaches over the end of a sentence.
    """
    numbers: dict[str, int] = {}

    def names(tokens: Sequence[Token]) -> list[str]:
        return [
            f"#{numbers.setdefault(one.text, len(numbers))}" if one.category == "symbol" else one.text for one in tokens
        ]

    found: list[str] = []
    if premises:
        for sentence in view.premises:
            found += ngrams(["^", *names(sentence.tokens), "$"], longest)
    if hypothesis and view.hypothesis is not None:
        found += ngrams(["^", *names(view.hypothesis.tokens), "$"], longest, "H ")
    return found
