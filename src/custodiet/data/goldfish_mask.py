"""The goldfish mask in NumPy: which targets stay in the loss.

The mask is a function of the text alone: the same document has the same mask alone, inside a pack and at every repeat.

Hash (all arithmetic modulo 2^64, ``M`` the finalizer of splitmix64): with ``K = M(seed + G)`` and
``n = min(h, t)`` predecessors of the target at position t of its document,

    sum = M((x[t-1] + 1) * G + M(K + 1)) + ... + M((x[t-n] + 1) * G + M(K + n)),
    plus M((K ^ S) + n) where n < h (the start of the document is part of a short window),
    digest = M(sum ^ K); the target is dropped when digest >> 11 < floor(2^53 / k).

Unlike the reference code of Hans et al. 2024 (arXiv 2406.10209), whose key is the product of the ids in the window
modulo 1,000,003, the key here depends on the order of the tokens, does not collapse at wide windows, does not include
the target itself and restarts at document boundaries. ``compat="hans2024"`` gives the reference's masks.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from custodiet.errors import UsageError

__all__ = [
    "DEFAULT_MASK_SEED",
    "check_mask_settings",
    "effective_drop_rate",
    "goldfish_mask_numpy",
    "hans2024_table",
    "key_collapse_share",
    "window_keys",
]

Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]
DEFAULT_MASK_SEED = 2971215073
TABLE_SIZE = 1_000_003
WIDE_WINDOW = 32
MASK64 = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
SENTINEL = 0xD1B54A32D192ED03
RANDOM_TAG = 0xA0761D6478BD642F


def check_mask_settings(*, k: int, h: int, strategy: str, compat: str | None) -> None:
    """Refuse settings that mean nothing.

    Raises:
        UsageError: k below 2, h below 1, an unknown strategy or compat.
    """
    if k < 2:
        raise UsageError("goldfish k is too small", expected="at least 2 (one target in k is dropped)", got=k)
    if h < 1:
        raise UsageError("goldfish h is too small", expected="at least 1 preceding token", got=h)
    if strategy not in ("hash", "static", "random"):
        raise UsageError("goldfish strategy is unknown", expected="hash, static or random", got=strategy)
    if compat not in (None, "hans2024"):
        raise UsageError("goldfish compat is unknown", expected="None or 'hans2024'", got=compat)


def mix_word(x: int) -> int:
    """Splitmix64's finalizer on one 64-bit word (Steele, Lea & Flood 2014)."""
    x &= MASK64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK64
    return x ^ (x >> 31)


def _mix(x: Words) -> Words:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def goldfish_mask_numpy(
    tokens: ArrayLike,
    *,
    k: int = 4,
    h: int = 13,
    seed: int = DEFAULT_MASK_SEED,
    strategy: Literal["hash", "static", "random"] = "hash",
    segments: ArrayLike | None = None,
    positions: ArrayLike | None = None,
    compat: Literal["hans2024"] | None = None,
) -> Bools:
    """Which targets stay in the loss.

    Args:
        tokens: integer ids (T,) or (B, T), without BOS; entry t is the target at t.
        k: one eligible target in k is dropped.
        h: number of preceding tokens that are hashed.
        seed: key of the hash; not used by "static" and compat.
        strategy: "hash" of the preceding tokens; "static" drops every k-th target of a document; "random" drops by a
            hash of `positions`, so that repeats of a document get other masks.
        segments: integers of the shape of `tokens`; a new value starts a new document, -1 is padding (never kept).
        positions: integers of the shape of `tokens` for "random"; default 0, 1, 2, ... through the flattened array.
        compat: "hans2024" reproduces the masks of the reference code; windows then cross document boundaries.

    Returns:
        bool of the shape of `tokens`, True where the target is kept. A document's first target is always kept.

    Raises:
        UsageError: settings that mean nothing, or negative ids.
    """
    check_mask_settings(k=k, h=h, strategy=strategy, compat=compat)
    ids = np.atleast_2d(np.asarray(tokens))
    if ids.size and (not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0):
        raise UsageError("tokens are not ids", expected="integers >= 0", got=str(ids.dtype))
    ids = ids.astype(np.int64)
    pieces = np.zeros_like(ids) if segments is None else np.atleast_2d(np.asarray(segments)).astype(np.int64)
    if pieces.shape != ids.shape:
        raise UsageError("segments do not fit tokens", expected=ids.shape, got=pieces.shape)
    if compat == "hans2024":
        keep = _hans2024(ids, k=k, h=h)
    else:
        place = _place_in_document(pieces)
        if strategy == "static":
            drop = place % k == k - 1
        else:
            if strategy == "random":
                where = np.arange(ids.size).reshape(ids.shape) if positions is None else np.atleast_2d(positions)
                base = np.uint64(mix_word(mix_word(seed + GOLDEN) + RANDOM_TAG))
                digest = _mix(base + np.asarray(where).astype(np.uint64))
            else:
                digest = _digests(ids, place, h=h, seed=seed)
            drop = (digest >> np.uint64(11)) < np.uint64((1 << 53) // k)
        keep = ~drop | (place == 0)
    keep &= pieces >= 0
    return keep.reshape(np.shape(tokens))


def _place_in_document(pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    rows, length = pieces.shape
    starts = np.ones((rows, length), dtype=bool)
    starts[:, 1:] = pieces[:, 1:] != pieces[:, :-1]
    index = np.broadcast_to(np.arange(length), (rows, length))
    return index - np.maximum.accumulate(np.where(starts, index, 0), axis=1)


def _digests(ids: NDArray[np.int64], place: NDArray[np.int64], *, h: int, seed: int) -> Words:
    key = mix_word(seed + GOLDEN)
    products = (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
    total = np.zeros(ids.shape, dtype=np.uint64)
    for back in range(1, min(h, ids.shape[1] - 1) + 1):
        term = _mix(products[:, :-back] + np.uint64(mix_word(key + back)))
        total[:, back:] += np.where(place[:, back:] >= back, term, np.uint64(0))
    short = _mix(np.uint64((key ^ SENTINEL) & MASK64) + np.minimum(place, h).astype(np.uint64))
    total += np.where(place < h, short, np.uint64(0))
    return _mix(total ^ np.uint64(key))


def window_keys(
    tokens: ArrayLike,
    *,
    h: int,
    seed: int = DEFAULT_MASK_SEED,
    segments: ArrayLike | None = None,
    compat: Literal["hans2024"] | None = None,
) -> Words:
    """The key of every target's window: the 64-bit digest, or under compat the reference's table index."""
    ids = np.atleast_2d(np.asarray(tokens)).astype(np.int64)
    if compat == "hans2024":
        return _hans2024_keys(ids, h).astype(np.uint64).reshape(np.shape(tokens))
    pieces = np.zeros_like(ids) if segments is None else np.atleast_2d(np.asarray(segments)).astype(np.int64)
    return _digests(ids, _place_in_document(pieces), h=h, seed=seed).reshape(np.shape(tokens))


def key_collapse_share(
    tokens: ArrayLike,
    *,
    h: int,
    seed: int = DEFAULT_MASK_SEED,
    segments: ArrayLike | None = None,
    compat: Literal["hans2024"] | None = None,
) -> float:
    """Share of targets whose key is the single most frequent one, beyond what repeated windows explain.

    The most frequent key's count, less the count of its most frequent window, over all targets with a full window.
    Healthy hashes give about 0; the reference's product collapses to key 0 at wide windows.
    """
    ids = np.asarray(tokens).ravel().astype(np.int64)
    keys = window_keys(ids, h=h, seed=seed, segments=segments, compat=compat)
    first = h - 1 if compat == "hans2024" else h
    if segments is not None and compat is None:
        eligible = _place_in_document(np.atleast_2d(np.asarray(segments)).astype(np.int64)).ravel() >= h
    else:
        eligible = np.arange(len(ids)) >= first
    if not eligible.any():
        return 0.0
    values, counts = np.unique(keys[eligible], return_counts=True)
    where = np.flatnonzero(eligible & (keys == values[counts.argmax()]))
    offsets = np.arange(h) - (h - 1 if compat == "hans2024" else h)
    windows = ids[where[:, None] + offsets[None, :]]
    _, same = np.unique(windows, axis=0, return_counts=True)
    return float((len(where) - same.max()) / eligible.sum())


def effective_drop_rate(keep: ArrayLike, segments: ArrayLike | None = None) -> tuple[int, int]:
    """Dropped and eligible targets of a mask; a document's first target is not eligible, padding neither.

    Returns:
        (number dropped, number eligible).
    """
    kept = np.atleast_2d(np.asarray(keep, dtype=bool))
    pieces = (
        np.zeros(kept.shape, np.int64) if segments is None else np.atleast_2d(np.asarray(segments)).astype(np.int64)
    )
    eligible = (_place_in_document(pieces) > 0) & (pieces >= 0)
    return int((~kept & eligible).sum()), int(eligible.sum())


@cache
def hans2024_table() -> NDArray[np.float32]:
    """The reference's table: ``torch.rand(1000003)`` on CPU at seed 2971215073, from NumPy's Mersenne Twister."""
    words = np.random.RandomState(DEFAULT_MASK_SEED).randint(0, 1 << 32, size=TABLE_SIZE, dtype=np.uint32)
    return ((words & np.uint32((1 << 24) - 1)).astype(np.float32)) * np.float32(2.0**-24)


def _hans2024_keys(ids: NDArray[np.int64], h: int) -> NDArray[np.int64]:
    padded = np.concatenate([np.ones((len(ids), h - 1), dtype=np.int64), ids], axis=1)
    product = np.ones_like(ids)
    for offset in range(h):
        product = product * padded[:, offset : offset + ids.shape[1]]
    return product % TABLE_SIZE


def _hans2024(ids: NDArray[np.int64], *, k: int, h: int) -> Bools:
    keys = _hans2024_keys(ids, h)
    if h >= WIDE_WINDOW and ids.size > h:
        share = key_collapse_share(ids, h=h, compat="hans2024")
        warnings.warn(
            f"compat='hans2024' at h={h}: {share:.1%} of these windows collapse to one key, so that they are all kept or "
            "all dropped together; use h=13, or the default hash",
            UserWarning,
            stacklevel=3,
        )
    keep = hans2024_table()[keys] >= np.float32(1.0 / k)
    keep[:, : h - 1] = True
    return keep
