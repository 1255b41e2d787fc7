"""The one place that makes random generators: named, independent streams from one seed."""

from __future__ import annotations

import hashlib
import random

import numpy as np

__all__ = ["derive_seed", "numpy_rng", "python_rng"]


def derive_seed(seed: int, *path: str | int) -> int:
    """A 63-bit seed for the stream named by `path`.

    The name is hashed (BLAKE2b), so that streams do not depend on the order in which they are asked for and a new
    stream never shifts an old one.
    """
    text = repr((int(seed), *path)).encode("utf-8")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def numpy_rng(seed: int, *path: str | int) -> np.random.Generator:
    """An independent NumPy generator (PCG64) for the stream named by `path`."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *path)))


def python_rng(seed: int, *path: str | int) -> random.Random:
    """An independent generator of Python's own (Mersenne Twister) for the stream named by `path`.

    For loops that draw one small number at a time. Only `random()` and `getrandbits()` are stable across versions of
    Python: callers whose bytes must not change draw through those.
    """
    return random.Random(derive_seed(seed, *path))
