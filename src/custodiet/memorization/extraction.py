"""Verbatim extraction alone, for corpora where the other measures of an audit are not wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from custodiet.base.protocols import GreedyVerifier
from custodiet.errors import InputError

__all__ = ["find_extracted"]


def find_extracted(
    verifier: GreedyVerifier, windows_BT: NDArray[np.int64], *, prefix_tokens: int = 50, batch: int = 32
) -> NDArray[np.bool_]:
    """Which windows the model completes word for word: discoverable extraction (Carlini et al. 2023, arXiv 2202.07646).

    The verdict is that of greedy generation from the prefix, without generating.

    Args:
        verifier: the model.
        windows_BT: int64, one window per row: the prefix, then the suffix that must come out.
        prefix_tokens: length of the prefix.
        batch: windows per pass.

    Returns:
        bool of shape (B,): every token of the suffix is the greedy one.

    Raises:
        InputError: a window holds no suffix, is longer than the model's context, or has a token outside its vocabulary.
    """
    if batch < 1:
        raise InputError("batch is not a number of windows", expected="at least 1", got=batch)
    suffix_tokens = windows_BT.shape[1] - prefix_tokens
    found = [
        verifier.count_greedy_matches(windows_BT[start : start + batch], prefix_tokens=prefix_tokens) == suffix_tokens
        for start in range(0, len(windows_BT), batch)
    ]
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)
