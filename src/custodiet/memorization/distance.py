"""Distances between token sequences: ROUGE-L and edit distance, over many pairs of equal shape at once.

Shape suffixes: B pairs, S tokens of the truth, G tokens generated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["common_subsequence_lengths", "edit_distances", "rouge_l"]

Tokens = NDArray[np.int64]


def common_subsequence_lengths(truth_BS: Tokens, generated_BG: Tokens) -> NDArray[np.int64]:
    """Length of the longest common subsequence of each pair, int64 (B,)."""
    B, S = truth_BS.shape
    table = np.zeros((B, S + 1), dtype=np.int64)
    for column in generated_BG.T:
        same = truth_BS == column[:, None]
        # a row of the table is the running maximum of "extend the diagonal" and "keep the row above"
        extended = np.where(same, table[:, :-1] + 1, table[:, 1:])
        table[:, 1:] = np.maximum.accumulate(np.maximum(extended, table[:, 1:]), axis=1)
    return table[:, -1]


def rouge_l(truth_BS: Tokens, generated_BG: Tokens) -> NDArray[np.float64]:
    """ROUGE-L F1 over tokens, float64 (B,) in [0, 1].

    Reference:
        Lin 2004, with equal weight on precision and recall; over token ids, not over stemmed words.
    """
    common = common_subsequence_lengths(truth_BS, generated_BG)
    return 2 * common / (truth_BS.shape[1] + generated_BG.shape[1])


def edit_distances(truth_BS: Tokens, generated_BG: Tokens) -> NDArray[np.int64]:
    """Levenshtein distance of each pair, int64 (B,): insertions, deletions and substitutions cost 1."""
    B, S = truth_BS.shape
    index = np.arange(S + 1)
    row = np.broadcast_to(index, (B, S + 1)).copy()
    for place, column in enumerate(generated_BG.T):
        cost = np.empty_like(row)
        cost[:, 0] = place + 1
        cost[:, 1:] = np.minimum(row[:, 1:] + 1, row[:, :-1] + (truth_BS != column[:, None]))
        # insertions along the row: min over earlier places of cost + distance
        row = np.minimum.accumulate(cost - index, axis=1) + index
    return row[:, -1]
