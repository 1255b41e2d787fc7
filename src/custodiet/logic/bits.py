"""Truth tables as integers: the columns of the atoms."""

from __future__ import annotations

from functools import lru_cache

__all__ = ["truth_patterns"]


@lru_cache(maxsize=32)
def truth_patterns(num: int) -> tuple[int, ...]:
    """The column of each of `num` atoms in a table of 2^num rows: runs of 2^i rows without atom i and as many with it."""
    full = (1 << (1 << num)) - 1
    return tuple([full // ((1 << (1 << i)) + 1) << (1 << i) for i in range(num)])
