"""The blind baseline: how well members and controls are told apart by their text alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.base.stats import Estimate, estimate_auc

__all__ = ["estimate_blind_auc"]

MIN_PER_SIDE = 20
BUCKETS = 1 << 14


def estimate_blind_auc(
    members: Sequence[NDArray[np.int64]], controls: Sequence[NDArray[np.int64]], *, seed: int = 0, folds: int = 5
) -> Estimate:
    """AUC of a cross-validated naive Bayes classifier on token unigrams and bigrams, which never sees the model.

    Far from .5 means that the two sides differ in distribution, so that no membership figure can be trusted.

    Args:
        members: token ids of member documents.
        controls: token ids of control documents.
        seed: seed of the folds.
        folds: number of folds.

    Returns:
        Estimate with DeLong's interval, which takes the folds' classifiers as given: over fresh draws of two equal sides
        the value spreads about half as much again. Without a value below 20 documents per side.

    Reference:
        Das, Zhang & Tramer 2024, arXiv 2406.16201: blind baselines beat the attacks on common test sets.
    """
    if min(len(members), len(controls)) < MIN_PER_SIDE:
        return Estimate(
            None, None, None, len(members) + len(controls), f"fewer than {MIN_PER_SIDE} documents on a side"
        )
    documents = [_features(tokens) for tokens in (*members, *controls)]
    labels = np.r_[np.ones(len(members), dtype=bool), np.zeros(len(controls), dtype=bool)]
    rng = numpy_rng(seed, "blind")  # folds are stratified: an uneven fold would push the pooled AUC below one half
    fold = np.r_[rng.permutation(len(members)) % folds, rng.permutation(len(controls)) % folds]
    scores = np.zeros(len(documents))
    for held_out in range(folds):
        weights = np.zeros(BUCKETS)
        for side, sign in ((True, 1.0), (False, -1.0)):
            counts = np.ones(BUCKETS)
            for index in np.flatnonzero((fold != held_out) & (labels == side)):
                np.add.at(counts, documents[index], 1.0)
            weights += sign * np.log(counts / counts.sum())
        for index in np.flatnonzero(fold == held_out):
            scores[index] = weights[documents[index]].mean() if len(documents[index]) else 0.0
    return estimate_auc(scores[labels], scores[~labels])


def _features(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    words = tokens.astype(np.uint64)
    pairs = words[:-1] * np.uint64(0x9E3779B97F4A7C15) + words[1:] * np.uint64(0xD1B54A32D192ED03)
    mixed = np.concatenate([words * np.uint64(0xBF58476D1CE4E5B9), pairs])
    return (mixed >> np.uint64(50)).astype(np.int64)
