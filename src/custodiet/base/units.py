"""Nats, bits, and numbers for people."""

from __future__ import annotations

import math
from typing import TypeVar

__all__ = ["bits_to_nats", "format_bytes", "format_count", "format_duration_s", "nats_to_bits"]

X = TypeVar("X")
LN2 = math.log(2.0)


def nats_to_bits(nats: X) -> X:
    """Nats to bits; floats and arrays."""
    return nats / LN2  # type: ignore[operator]


def bits_to_nats(bits: X) -> X:
    """Bits to nats; floats and arrays."""
    return bits * LN2  # type: ignore[operator]


def format_bytes(num_bytes: float) -> str:
    """1536 -> "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(num_bytes) < 1024:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1024
    return f"{num_bytes:.1f} TiB"


def format_duration_s(seconds: float) -> str:
    """75 -> "1:15", 3675 -> "1:01:15"."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{secs:02d}" if hours else f"{minutes}:{secs:02d}"


def format_count(number: float) -> str:
    """1_550_000 -> "1.55 M"."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
