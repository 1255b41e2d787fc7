"""Compiled loops of the n-gram models: one hash table per order, filled and searched one order at a time.

Within an order every position is independent of its neighbours, so that the processor overlaps the cache misses of many
lookups; a walk position by position would wait for each of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["MISSING", "find_grams", "gather_contexts", "index_grams", "mix_level"]

MISSING = -1
Array = NDArray[Any]


@njit(cache=True, inline="always")
def _slot(key: Any, mask: Any) -> Any:
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(mask))


@njit(cache=True)
def _grow(keys: Array, ids: Array) -> tuple[Array, Array]:
    size = 2 * len(keys)
    new_keys, new_ids = np.full(size, -1, np.int64), np.empty(size, np.int32)
    for old in range(len(keys)):
        if keys[old] != -1:
            place = _slot(keys[old], size - 1)
            while new_keys[place] != -1:
                place = (place + 1) & (size - 1)
            new_keys[place], new_ids[place] = keys[old], ids[old]
    return new_keys, new_ids


@njit(cache=True)
def index_grams(
    stream: Array, real: Array, before: Array, base: int
) -> tuple[Array, Array, Array, Array, Array, Array, int]:
    """Give every distinct gram of one order an id.

    Args:
        stream: int32 (N,) token ids, sentinels among them.
        real: bool (N,), False at sentinels.
        before: int32 (N,) id of the gram one shorter that ends at each place; all zero for order 1.
        base: number of ids including the sentinel.

    Returns:
        Table keys and table ids; id at each place (N,); owner (id of the context) and count of each gram, the position of
        its first real occurrence (or -1), and their number. Grams that end in a sentinel are contexts only: count zero.
    """
    num = len(stream)
    keys, ids = np.full(1024, -1, np.int64), np.empty(1024, np.int32)
    here = np.empty(num, np.int32)
    owner, count, first = np.empty(num, np.int32), np.zeros(num, np.int64), np.full(num, -1, np.int64)
    used = 0
    for i in range(num):
        if 2 * used >= len(keys):
            keys, ids = _grow(keys, ids)
        context = before[i - 1] if i else 0
        key = np.int64(context) * base + stream[i]
        mask = len(keys) - 1
        place = _slot(key, mask)
        while keys[place] != -1 and keys[place] != key:
            place = (place + 1) & mask
        if keys[place] == -1:
            keys[place], ids[place], owner[used] = key, used, context
            used += 1
        gram = ids[place]
        here[i] = gram
        if real[i]:
            count[gram] += 1
            if first[gram] == -1:
                first[gram] = i
    return keys, ids, here, owner[:used].copy(), count[:used].copy(), first[:used].copy(), used


@njit(cache=True)
def find_grams(keys: Array, ids: Array, stream: Array, before: Array, base: int) -> Array:
    """Id of the gram that ends at each place, or -1; `before` holds those one shorter, or -1."""
    found = np.empty(len(stream), np.int32)
    mask = len(keys) - 1
    for i in range(len(stream)):
        context = before[i - 1] if i else 0
        if context == -1:
            found[i] = -1
            continue
        key = np.int64(context) * base + stream[i]
        place = _slot(key, mask)
        while keys[place] != -1 and keys[place] != key:
            place = (place + 1) & mask
        found[i] = ids[place] if keys[place] == key else -1
    return found


@njit(cache=True)
def gather_contexts(owner: Array, count: Array, num_contexts: int) -> tuple[Array, Array]:
    """Per context: the sum of its grams' counts, and how many have count 0, 1, 2, and 3 or more (num_contexts, 4)."""
    total, kinds = np.zeros(num_contexts, np.int64), np.zeros((num_contexts, 4), np.int64)
    for gram in range(len(owner)):
        total[owner[gram]] += count[gram]
        kinds[owner[gram], min(count[gram], 3)] += 1
    return total, kinds


@njit(cache=True)
def mix_level(prob: Array, real: Array, here: Array, before: Array, weight: Array, share: Array) -> None:
    """Prob <- weight(gram) * inverse(context) + backoff(context) * prob, in place, where the context is known.

    Args:
        prob: float64 (N,), the probability under the order below.
        real: bool (N,), False at sentinels.
        here: int32 (N,) gram at each place or -1.
        before: int32 (N,) context at each place before it or -1.
        weight: float64, per gram.
        share: float64 (contexts, 2), inverse total and backoff weight.
    """
    for i in range(len(prob)):
        if not real[i]:
            continue
        context = before[i - 1] if i else 0
        if context == -1:
            continue
        seen = weight[here[i]] * share[context, 0] if here[i] != -1 else 0.0
        prob[i] = seen + share[context, 1] * prob[i]
