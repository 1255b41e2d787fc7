"""Intervals of accuracies where problems hang together by group and the shares of the labels are a fact of the file.

An accuracy is the sum over labels of the label's share times its recall. A draw takes whole groups with replacement and
recomputes the recalls; the shares stay what they are in the file, so guessing always the same label has accuracy and
interval exactly its share.

Every problem is guessed by models that learned from other folds, so the folds' accuracies hang together: what fold 1
teaches about fold 2, fold 2 teaches about fold 1. Without any signal this at most doubles the variance (each pair of
folds counts twice; exactly so for scores that are linear in the labels), and there is no unbiased estimate of it
(Bengio & Grandvalet 2004). Intervals are therefore wider than the draws by the root of two.

Legend: N problems, G groups, L labels, A attackers, R draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.base.stats import Estimate, estimate_proportion

__all__ = ["Draws", "draw_recalls", "estimate_accuracy", "estimate_largest", "estimate_recall"]

NUM_DRAWS = 2000
FEW_GROUPS = 30
WIDER = 2**0.5
"""what folds that teach each other add to the width"""


@dataclass(frozen=True)
class Draws:
    """Recalls as found and as drawn."""

    share_L: NDArray[np.float64]
    """share of each label in the file"""
    recall_AL: NDArray[np.float64]
    drawn_RAL: NDArray[np.float64]
    num_groups: int
    num_groups_L: NDArray[np.int64]
    """groups that hold a problem with the label"""


def draw_recalls(
    correct_AN: NDArray[np.bool_],
    labels_N: NDArray[np.int64],
    groups_N: NDArray[np.int64],
    *,
    seed: int,
    num_draws: int = NUM_DRAWS,
) -> Draws:
    """Draw groups with replacement and recompute every attacker's recall of every label.

    Args:
        correct_AN: bool, whether each attacker guessed the label of each problem.
        labels_N: label of each problem, 0 to L - 1; each occurs.
        groups_N: group of each problem, 0 to G - 1; each occurs.
        seed: seed of the draws, the same for all attackers.
        num_draws: number of draws.
    """
    num_labels, num_groups, num_attackers = int(labels_N.max()) + 1, int(groups_N.max()) + 1, len(correct_AN)
    cells = groups_N * num_labels + labels_N
    size = num_groups * num_labels
    num_GL = np.bincount(cells, minlength=size).reshape(num_groups, num_labels).astype(np.float64)
    hits_GAL = np.stack(
        [np.bincount(cells[hit], minlength=size).reshape(num_groups, num_labels) for hit in correct_AN], axis=1
    ).astype(np.float64)
    columns = np.concatenate([num_GL, hits_GAL.reshape(num_groups, -1)], axis=1)
    rng = numpy_rng(seed, "draws")
    sums = np.empty((num_draws, columns.shape[1]))
    for draw in range(num_draws):
        weight_G = np.bincount(rng.integers(0, num_groups, num_groups), minlength=num_groups).astype(np.float64)
        sums[draw] = weight_G @ columns
    num_RL, hits_RAL = sums[:, :num_labels], sums[:, num_labels:].reshape(num_draws, num_attackers, num_labels)
    recall_AL = hits_GAL.sum(axis=0) / num_GL.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = hits_RAL / num_RL[:, None, :]
    drawn = np.where(np.isfinite(drawn), drawn, recall_AL[None])  # a draw without any problem of a label
    return Draws(
        num_GL.sum(axis=0) / len(labels_N), recall_AL, drawn, num_groups, (num_GL > 0).sum(axis=0).astype(np.int64)
    )


def _interval(value: float, draws: NDArray[np.float64], num: int, confidence: float) -> Estimate:
    tail = (1 - confidence) / 2
    low, high = value + WIDER * (np.quantile(draws, [tail, 1 - tail]) - value)
    return Estimate(value, max(0.0, float(low)), min(1.0, float(high)), num, _few(num))


def _few(num: int) -> str | None:
    return f"only {num} groups: the interval is rough" if num < FEW_GROUPS else None


def estimate_recall(draws: Draws, attacker: int, label: int, *, confidence: float = 0.95) -> Estimate:
    """Recall of one label; at exactly none or all with the Clopper-Pearson bound of as many trials as it has groups."""
    value, num = float(draws.recall_AL[attacker, label]), int(draws.num_groups_L[label])
    if value in (0.0, 1.0):
        exact = estimate_proportion(round(value * num), num, confidence=confidence)
        return Estimate(value, exact.low, exact.high, num, _few(num))
    return _interval(value, draws.drawn_RAL[:, attacker, label], num, confidence)


def estimate_accuracy(draws: Draws, attacker: int, *, confidence: float = 0.95) -> Estimate:
    """Accuracy over all labels; `num` is the number of groups."""
    value = float(draws.recall_AL[attacker] @ draws.share_L)
    if value > 1 - 1e-12:
        exact = estimate_proportion(draws.num_groups, draws.num_groups, confidence=confidence)
        return Estimate(1.0, exact.low, exact.high, draws.num_groups, _few(draws.num_groups))
    return _interval(value, draws.drawn_RAL[:, attacker] @ draws.share_L, draws.num_groups, confidence)


def estimate_largest(draws: Draws, attackers: list[int], *, confidence: float = 0.95) -> tuple[int, Estimate]:
    """The most accurate attacker, and an interval that stays honest after choosing it.

    Returns:
        The attacker, and its accuracy with an interval for the largest of all true accuracies: the limits are the
        largest lower and the largest upper limit of a band that covers all attackers at once.

    Reference:
        The band is the studentized maximum of the bootstrap deviations (Romano & Wolf 2005, there one-sided and for tests).
    """
    value_A = draws.recall_AL[attackers] @ draws.share_L
    drawn_RA = draws.drawn_RAL[:, attackers] @ draws.share_L
    best = int(np.argmax(value_A))
    if value_A[best] > 1 - 1e-12:
        return attackers[best], estimate_accuracy(draws, attackers[best], confidence=confidence)
    deviation_A = drawn_RA.std(axis=0)
    moving = deviation_A > 1e-12
    if not moving.any():
        value = float(value_A[best])
        return attackers[best], Estimate(value, value, value, draws.num_groups, _few(draws.num_groups))
    scaled = np.abs(drawn_RA[:, moving] - value_A[moving]) / deviation_A[moving]
    reach = WIDER * float(np.quantile(scaled.max(axis=1), confidence))
    low, high = (value_A - reach * deviation_A).max(), (value_A + reach * deviation_A).max()
    limits = (max(0.0, float(low)), min(1.0, float(high)))
    return attackers[best], Estimate(float(value_A[best]), *limits, draws.num_groups, _few(draws.num_groups))
