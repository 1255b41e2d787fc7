"""A row as text, with what data sets are counted by; and which split a fingerprint puts it in."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COUNTED", "SPLITS", "RowText", "split_of"]

SPLITS = (("train", 0.8), ("validation", 0.1), ("test", 0.1))
COUNTED = ("label", "task", "logic", "language", "split")
"""What data sets are counted by."""


class RowText(NamedTuple):
    """A row as JSON text, and its values of `COUNTED`."""

    text: str
    values: tuple[str, ...]


def split_of(outline: str) -> str:
    """The split of everything with this outline: twins stay together, and no skeleton is in two splits."""
    at = int(outline, 16) / 2.0**64
    for name, share in SPLITS:
        at -= share
        if at < 0.0:
            return name
    return SPLITS[-1][0]
