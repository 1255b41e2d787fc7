"""Compiled loops of the adaptive n-gram: one growing tree of grams with one hash table, walked token by token.

Row 0 is the empty gram; the gram (c, w) is a child of its context c. Probabilities are formed with the same operations
in the same order whether one token is asked for or all, and without fast-math, so that a decoder sees the coder's floats.

Shape suffixes: G rows for grams, S slots of the table, K context lengths (0 to order - 1), T tokens, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["COLUMNS", "MISSING", "learn_tokens", "mix_next"]

MISSING = -1
COUNT, TOTAL, TYPES, FIRST, NEXT, OWNER, SYMBOL = range(7)
COLUMNS = 8
"""int32 per gram: its count; as a context the total and the number of its children, and the first of them; the next child
of its own context, that context, its last token; one unused, so that a row is half a cache line"""
Array = NDArray[Any]


@njit(cache=True, inline="always")
def _hash(owner: Any, symbol: Any, mask: Any) -> Any:
    mixed = (np.uint64(owner) * np.uint64(0xD6E8FEB86659FD93) + np.uint64(symbol)) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(mask))


@njit(cache=True, inline="always")
def _discount(kinds_K2: Any, length: Any) -> Any:
    """n1 / (n1 + 2 n2) of the grams of one length, with half a gram of each kind seen beforehand."""
    return (kinds_K2[length, 0] + 1.0) / (kinds_K2[length, 0] + 2.0 * kinds_K2[length, 1] + 2.0)


@njit(cache=True)
def _grow(rows_G8: Array, table_S: Array, used: int, max_grams: int) -> tuple[Array, Array]:
    size = min(2 * len(rows_G8), max_grams)
    rows = np.empty((size, COLUMNS), np.int32)
    rows[:used] = rows_G8[:used]
    slots = len(table_S)
    while slots < 2 * size:
        slots *= 2
    table = np.full(slots, MISSING, np.int32)
    for gram in range(1, used):
        place = _hash(rows[gram, OWNER], rows[gram, SYMBOL], slots - 1)
        while table[place] != MISSING:
            place = (place + 1) & (slots - 1)
        table[place] = gram
    return rows, table


@njit(cache=True)
def learn_tokens(
    tokens_T: Array,
    prob_T: Array,
    rows_G8: Array,
    table_S: Array,
    context_K: Array,
    kinds_K2: Array,
    used: int,
    max_grams: int,
    vocab_size: int,
) -> tuple[Array, Array, int]:
    """Probability of every token from those before it, into `prob_T`; each is learned once it is scored.

    Args:
        tokens_T: int64 (T,) ids in [0, vocab_size).
        prob_T: float64 (T,), written.
        rows_G8: int32 (G, 8) grams.
        table_S: int32 (S,) gram at each slot or -1; S is a power of two, at least 2 G.
        context_K: int32 (K,) the gram that is the context of each length or -1, changed in place.
        kinds_K2: int64 (K, 2) number of grams after contexts of each length with count 1 and with count 2, changed in place.
        used: number of rows in use.
        max_grams: number of rows that are never exceeded; then no new gram is learned.
        vocab_size: number of ids.

    Returns:
        Rows and table, which may have grown, and the number of rows in use.
    """
    order = len(context_K)
    gram_K = np.empty(order, np.int64)
    for t in range(len(tokens_T)):
        if used + order > len(rows_G8) and len(rows_G8) < max_grams:
            rows_G8, table_S = _grow(rows_G8, table_S, used, max_grams)
        mask = len(table_S) - 1
        token = tokens_T[t]
        prob = 1.0 / vocab_size
        for length in range(order):
            gram_K[length] = MISSING
            context = context_K[length]
            if context == MISSING or rows_G8[context, TOTAL] == 0:
                continue
            place = _hash(context, token, mask)
            gram = table_S[place]
            while gram != MISSING and (rows_G8[gram, OWNER] != context or rows_G8[gram, SYMBOL] != token):
                place = (place + 1) & mask
                gram = table_S[place]
            gram_K[length] = gram
            discount = _discount(kinds_K2, length)
            prob = (discount * rows_G8[context, TYPES]) * prob
            if gram != MISSING:
                prob = (rows_G8[gram, COUNT] - discount) + prob
            prob = prob / rows_G8[context, TOTAL]
        prob_T[t] = prob
        used = _count(token, gram_K, rows_G8, table_S, context_K, kinds_K2, used)
        for length in range(order - 1, 0, -1):
            context_K[length] = gram_K[length - 1] if context_K[length - 1] != MISSING else MISSING
    return rows_G8, table_S, used


@njit(cache=True, inline="always")
def _count(
    token: Any, gram_K: Any, rows_G8: Any, table_S: Any, context_K: Any, kinds_K2: Any, used: Any
) -> Any:  # fmt: skip
    """Count the token after its contexts, longest first, down to the first where it was known (update exclusion)."""
    mask = len(table_S) - 1
    for length in range(len(context_K) - 1, -1, -1):
        context = context_K[length]
        if context == MISSING:
            continue
        gram = gram_K[length]
        novel = gram == MISSING
        if novel:
            if used == len(rows_G8):
                continue
            place = _hash(context, token, mask)
            while table_S[place] != MISSING:
                place = (place + 1) & mask
            gram = used
            used += 1
            table_S[place] = gram
            gram_K[length] = gram
            rows_G8[gram, COUNT] = 0
            rows_G8[gram, TOTAL] = 0
            rows_G8[gram, TYPES] = 0
            rows_G8[gram, FIRST] = MISSING
            rows_G8[gram, NEXT] = rows_G8[context, FIRST]
            rows_G8[gram, OWNER] = context
            rows_G8[gram, SYMBOL] = token
            rows_G8[context, FIRST] = gram
            rows_G8[context, TYPES] += 1
        before = rows_G8[gram, COUNT]
        if before == 1 or before == 2:
            kinds_K2[length, before - 1] -= 1
        if before < 2:
            kinds_K2[length, before] += 1
        rows_G8[gram, COUNT] = before + 1
        rows_G8[context, TOTAL] += 1
        if not novel:
            break
    return used


@njit(cache=True)
def mix_next(rows_G8: Array, context_K: Array, kinds_K2: Array, prob_V: Array) -> None:
    """Distribution of the next token after the contexts, into `prob_V` (float64, (V,))."""
    prob_V[:] = 1.0 / len(prob_V)
    for length in range(len(context_K)):
        context = context_K[length]
        if context == MISSING or rows_G8[context, TOTAL] == 0:
            continue
        discount = _discount(kinds_K2, length)
        backoff = discount * rows_G8[context, TYPES]
        for token in range(len(prob_V)):
            prob_V[token] = backoff * prob_V[token]
        gram = rows_G8[context, FIRST]
        while gram != MISSING:
            token = rows_G8[gram, SYMBOL]
            prob_V[token] = (rows_G8[gram, COUNT] - discount) + prob_V[token]
            gram = rows_G8[gram, NEXT]
        total = rows_G8[context, TOTAL]
        for token in range(len(prob_V)):
            prob_V[token] = prob_V[token] / total
