"""Groups of problems that stand and fall together, and their deal into folds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.logic.shortcuts.columns import Problem
from custodiet.logic.shortcuts.tokens import is_notation, split_sentences, tokenize

__all__ = ["deal_folds", "group_key"]


def group_key(problem: Problem) -> str:
    """What says that two problems are the same one: the skeleton where it is known, else the form of the premises.

    The form is the multiset of the premises with every symbol replaced by the order of its first occurrence, so that a
    problem with other names and the same order of premises falls into the same group.
    """
    if problem.skeleton is not None:
        return problem.skeleton
    premises = problem.premises
    if premises is None:
        premises = tuple(split_sentences(problem.prompt or problem.hypothesis or ""))
    notation = is_notation(premises)
    numbers: dict[str, int] = {}
    forms = [
        " ".join(
            f"s{numbers.setdefault(token.text, len(numbers))}" if token.category == "symbol" else token.text
            for token in tokenize(one, notation=notation)
        )
        for one in premises
    ]
    return hashlib.blake2b("\n".join(sorted(forms)).encode(), digest_size=12).hexdigest()


def deal_folds(
    groups_N: Sequence[int] | NDArray[np.int64], labels_N: NDArray[np.int64], *, num_folds: int, seed: int
) -> NDArray[np.int64]:
    """Deal whole groups into folds with nearly the same number of each label.

    Args:
        groups_N: group of each problem, 0 to G - 1.
        labels_N: label of each problem, 0 to L - 1.
        num_folds: number of folds, at least 2.
        seed: seed of the deal.

    Returns:
        int64, the fold of each problem. Groups with equal counts of labels are shuffled and dealt in turn.
    """
    groups = np.asarray(groups_N, dtype=np.int64)
    num_groups = int(groups.max()) + 1
    counts_GL = np.zeros((num_groups, int(labels_N.max()) + 1), dtype=np.int64)
    np.add.at(counts_GL, (groups, labels_N), 1)
    _, kind_G = np.unique(counts_GL, axis=0, return_inverse=True)
    shuffled = numpy_rng(seed, "folds").permutation(num_groups)
    order = shuffled[np.argsort(kind_G.reshape(-1)[shuffled], kind="stable")]
    fold_G = np.empty(num_groups, dtype=np.int64)
    fold_G[order] = np.arange(num_groups) % num_folds
    return fold_G[groups]
