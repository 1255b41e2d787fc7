"""Which split an item is in: decided by a fingerprint, so that what shares it stays together."""

from __future__ import annotations

__all__ = ["SPLITS", "split_of"]

SPLITS = (("train", 0.8), ("validation", 0.1), ("test", 0.1))


def split_of(outline: str) -> str:
    """The split of everything with this fingerprint (16 hexadecimal digits).

    By outline: twins stay together, and no skeleton is in two splits.
    """
    at = int(outline, 16) / 2.0**64
    for name, share in SPLITS:
        at -= share
        if at < 0.0:
            return name
    return SPLITS[-1][0]
