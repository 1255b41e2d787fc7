"""Groups of problems that stand and fall together, and their deal into folds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from custodiet.base.rng import numpy_rng
from custodiet.logic.shortcuts.columns import Problem
from custodiet.logic.shortcuts.tokens import is_notation, split_sentences, tokenize

__all__ = ["deal_folds", "group_problems"]

LARGEST_SHARE = 0.05
"""of all problems that one form of premises may have"""


def group_problems(problems: Sequence[Problem]) -> tuple[NDArray[np.int64], str]:
    """Which problems are the same one in other words.

    Args:
        problems: all with the same columns.

    Returns:
        Group of each problem, 0 to G - 1, and what makes a group: the skeleton where it is known of any; else the form of the
        premises (symbols numbered by first occurrence, sentences in any order), so that a problem with other names falls
        into the same group; else, where one form has more than a twentieth of all problems, the very words of the
        premises. Without premises the prompt stands for them.
    """
    what = "premises" if problems[0].premises is not None else "prompt"
    if any(one.skeleton is not None for one in problems):
        keys = (f"form {_form(_sentences(one))}" if one.skeleton is None else f"= {one.skeleton}" for one in problems)
        return _numbered(keys), "skeleton"
    groups = _numbered(_form(_sentences(one)) for one in problems)
    if np.bincount(groups).max() <= max(1, len(problems) * LARGEST_SHARE):
        return groups, f"form of the {what}"
    words = _numbered("\n".join(sorted(_sentences(one))) for one in problems)
    return words, f"words of the {what} (many have one form)"


def _numbered(keys: Iterable[str]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(one, len(numbers)) for one in keys], dtype=np.int64)


def _sentences(problem: Problem) -> Sequence[str]:
    if problem.premises is not None:
        return problem.premises
    return split_sentences(problem.prompt or problem.hypothesis or "")


def _form(sentences: Sequence[str]) -> str:
    notation = is_notation(sentences)
    numbers: dict[str, int] = {}
    forms = [
        " ".join(
            f"s{numbers.setdefault(token.text, len(numbers))}" if token.category == "symbol" else token.text
            for token in tokenize(one, notation=notation)
        )
        for one in sentences
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
