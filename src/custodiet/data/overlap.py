"""Shared n-grams between documents, exactly.

Windows are compared as hashes first; every hash that is met twice is compared token by token.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["GramSet", "ngram_overlap", "share_of_shared_windows", "unique_ngram_filter", "window_hashes"]

Tokens = NDArray[np.int64]
DEFAULT_N = 13


def window_hashes(tokens: Tokens, n: int) -> NDArray[np.uint64]:
    """64-bit polynomial hash of every window of `n` tokens, uint64 (len - n + 1,)."""
    size = len(tokens) - n + 1
    if size < 1:
        return np.zeros(0, dtype=np.uint64)
    words = tokens.astype(np.uint64) + np.uint64(1)
    total = np.zeros(size, dtype=np.uint64)
    for offset in range(n):
        total = total * np.uint64(0x9E3779B97F4A7C15) + (words[offset : offset + size] ^ np.uint64(0xD1B54A32D192ED03))
        total ^= total >> np.uint64(29)
    return total


class GramSet:
    """All n-grams of some documents, for exact membership questions.

    Args:
        documents: token arrays, kept by reference for the exact comparison.
        n: tokens per window.
    """

    def __init__(self, documents: Sequence[Tokens], *, n: int = DEFAULT_N) -> None:
        self.n = n
        self._documents = documents
        hashes = [window_hashes(tokens, n) for tokens in documents]
        sizes = [len(part) for part in hashes]
        joined = np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64)
        order = np.argsort(joined, kind="stable")
        self._hashes = joined[order]
        self._owner = np.repeat(np.arange(len(documents)), sizes)[order]
        starts = [np.arange(size) for size in sizes]
        self._start = (np.concatenate(starts) if starts else np.zeros(0, dtype=np.int64))[order]

    def owners(self, tokens: Tokens) -> list[NDArray[np.int64]]:
        """For each window of `tokens` that some document holds, the indices of the documents that hold it."""
        mine = window_hashes(tokens, self.n)
        low, high = (np.searchsorted(self._hashes, mine, side=side) for side in ("left", "right"))
        found: list[NDArray[np.int64]] = []
        for place in np.flatnonzero(high > low):
            window = tokens[place : place + self.n]
            same = [
                self._owner[index]
                for index in range(low[place], high[place])
                if np.array_equal(self._window(index), window)
            ]
            if same:
                found.append(np.unique(same))
        return found

    def shares(self, tokens: Tokens) -> bool:
        """Whether any window of `tokens` is in the set."""
        return bool(self.owners(tokens))

    def mark_shared(self, tokens: Tokens, shared_D: NDArray[np.bool_]) -> None:
        """Set ``shared_D[d]`` for every document d of the set that shares a window with `tokens`."""
        for owners in self.owners(tokens):
            shared_D[owners] = True

    def _window(self, index: int) -> Tokens:
        start = self._start[index]
        return self._documents[self._owner[index]][start : start + self.n]


def ngram_overlap(documents: Sequence[Tokens], reference: Iterable[Tokens], *, n: int = DEFAULT_N) -> NDArray[np.bool_]:
    """Which documents share an n-gram with any reference document.

    Args:
        documents: token arrays; their n-grams are held in memory.
        reference: token arrays, streamed once.
        n: tokens per window.

    Returns:
        bool, one per document.
    """
    grams = GramSet(documents, n=n)
    shared = np.zeros(len(documents), dtype=bool)
    for tokens in reference:
        grams.mark_shared(tokens, shared)
    return shared


def unique_ngram_filter(documents: Sequence[Tokens], *, n: int = DEFAULT_N) -> NDArray[np.bool_]:
    """Which documents share no n-gram with any other document of the list; bool, one per document."""
    hashes = [window_hashes(tokens, n) for tokens in documents]
    owner = np.repeat(np.arange(len(documents)), [len(part) for part in hashes])
    joined = np.concatenate(hashes) if hashes else np.zeros(0, dtype=np.uint64)
    order = np.argsort(joined, kind="stable")
    joined, owner = joined[order], owner[order]
    # equal hashes of different documents are taken as equal windows: a false alarm only loses a candidate
    starts = np.flatnonzero(np.r_[True, joined[1:] != joined[:-1]]) if len(joined) else np.zeros(0, dtype=np.int64)
    lowest, highest = (
        (np.minimum.reduceat(owner, starts), np.maximum.reduceat(owner, starts)) if len(starts) else (starts, starts)
    )
    mixed = np.repeat(lowest != highest, np.diff(np.r_[starts, len(joined)]))
    unique = np.ones(len(documents), dtype=bool)
    unique[owner[mixed]] = False
    return unique


def share_of_shared_windows(tokens: Tokens, reference: Iterable[Tokens], *, n: int = DEFAULT_N) -> tuple[float, int]:
    """Share of the windows of one document that stand in reference documents, and the number of its windows.

    Windows are compared as 64-bit hashes only, so that a share of one in many millions may be a collision.

    Args:
        tokens: the document.
        reference: token arrays; their hashes are held one document at a time.
        n: tokens per window.

    Returns:
        The share in [0, 1], 0 for a document shorter than a window.
    """
    mine = window_hashes(tokens, n)
    shared = np.zeros(len(mine), dtype=bool)
    for other in reference:
        shared |= np.isin(mine, window_hashes(other, n))
    return (float(shared.mean()) if len(mine) else 0.0), len(mine)
