"""The attackers: what each sees of a problem, and how it learns to guess the label."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from custodiet.base.rng import derive_seed
from custodiet.errors import MissingExtraError
from custodiet.logic.shortcuts.features import (
    View,
    length_features,
    overlap_features,
    position_features,
    structural_features,
)
from custodiet.logic.shortcuts.ngrams import NgramTable, abstract, ngrams, words

__all__ = ["ATTACKERS", "Attacker", "FeatureTable", "guess_out_of_fold", "require_sklearn"]

Role = Literal["premises", "hypothesis"]
STRENGTHS = (0.03, 0.3, 3.0)
"""inverse strengths of regularization that the linear models choose from"""
MANY = 5000
"""problems from which on the strength is chosen once"""


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """One attacker; it has `grams` (a linear model on sparse counts), `numbers` (gradient boosting) or neither."""

    name: str
    description: str
    needs: tuple[Role, ...] = ()
    """columns without which it sees nothing"""
    grams: Callable[[View], list[str]] | None = None
    numbers: Callable[[View], list[float]] | None = None

    @property
    def model(self) -> str:
        """What learns."""
        if self.grams is not None:
            return "logistic regression"
        return "gradient boosting" if self.numbers is not None else "none"


def _hypothesis(view: View) -> list[str]:
    if view.hypothesis is None:
        return []
    own = ngrams(words(view.hypothesis.tokens), 2)
    return own + abstract(view, premises=False)


def _premises(view: View) -> list[str]:
    own = [gram for one in view.premises for gram in ngrams(words(one.tokens), 2)]
    return own + abstract(view, hypothesis=False, longest=2)


ATTACKERS = (
    Attacker(name="majority", description="always the most frequent label"),
    Attacker(
        name="hypothesis_only",
        description="words and pairs of the hypothesis, as they are and with its symbols numbered",
        needs=("hypothesis",),
        grams=_hypothesis,
    ),
    Attacker(
        name="premises_only",
        description="words and pairs of the premises, as they are and with their symbols numbered",
        needs=("premises",),
        grams=_premises,
    ),
    Attacker(name="bag_of_words", description="words of the prompt", grams=lambda view: ngrams(words(view.prompt), 1)),
    Attacker(
        name="bigrams",
        description="words and pairs of words of the prompt",
        grams=lambda view: ngrams(words(view.prompt), 2),
    ),
    Attacker(
        name="abstract_ngrams",
        description="runs of one to three words, every symbol replaced by the order of its first occurrence",
        grams=abstract,
    ),
    Attacker(
        name="structural_counts",
        description="counts of connectives, negations, quantifiers, forms of premises, lengths; form of the hypothesis",
        numbers=structural_features,
    ),
    Attacker(
        name="overlap",
        description="how often the hypothesis' symbols occur in the premises, on which side, negated, alone",
        needs=("hypothesis",),
        numbers=overlap_features,
    ),
    Attacker(
        name="position",
        description="where the premises stand that share symbols with the hypothesis, and those of each form",
        numbers=position_features,
    ),
    Attacker(name="length", description="numbers of characters, words and sentences", numbers=length_features),
)


def require_sklearn() -> None:
    """Raise `MissingExtraError` where scikit-learn is not installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise MissingExtraError(
            "the shortcut audit needs scikit-learn", hint="Install it: pip install 'custodiet[logic]'"
        ) from None


class FeatureTable:
    """What the attackers that can run see of every problem; filled one problem at a time."""

    def __init__(self, attackers: tuple[Attacker, ...]) -> None:
        self._attackers = attackers
        self._grams = {one.name: NgramTable() for one in attackers if one.grams is not None}
        self._numbers: dict[str, list[NDArray[np.float32]]] = {
            one.name: [] for one in attackers if one.numbers is not None
        }

    def add(self, view: View) -> None:
        """The features of the next problem."""
        for one in self._attackers:
            if one.grams is not None:
                self._grams[one.name].add(one.grams(view))
            elif one.numbers is not None:
                self._numbers[one.name].append(np.asarray(one.numbers(view), dtype=np.float32))

    def take(self, attacker: Attacker) -> Any:
        """Features of one attacker: a sparse or a dense matrix with a row for each problem, or None."""
        if attacker.grams is not None:
            return self._grams[attacker.name].matrix()
        return np.stack(self._numbers[attacker.name]) if attacker.numbers is not None else None


def guess_out_of_fold(
    attacker: Attacker, features: Any, labels_N: NDArray[np.int64], folds_N: NDArray[np.int64], *, seed: int
) -> NDArray[np.int64]:
    """The attacker's guess for every problem, by a model that did not learn from any problem of its fold.

    Args:
        attacker: who guesses.
        features: what `FeatureTable.take` gave for it.
        labels_N: label of each problem, 0 to L - 1.
        folds_N: fold of each problem; three folds or more.
        seed: seed of the learning.
    """
    guesses = np.empty_like(labels_N)
    if features is None:
        guesses[:] = np.bincount(labels_N).argmax()
        return guesses
    with _one_thread():
        _guess_by_folds(features, labels_N, folds_N, guesses, seed)
    return guesses


def _one_thread() -> Any:
    """Learning in one thread: threads that wait for each other on a busy core take a hundred times longer."""
    import sklearn.ensemble
    import sklearn.linear_model  # noqa: F401 (what is loaded later would not be held back)
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)


def _guess_by_folds(
    features: Any, labels_N: NDArray[np.int64], folds_N: NDArray[np.int64], guesses: NDArray[np.int64], seed: int
) -> None:
    linear = sparse.issparse(features)
    strength = None
    for fold in range(int(folds_N.max()) + 1):
        test = folds_N == fold
        if linear:
            if strength is None or len(labels_N) <= MANY:
                strength = _choose_strength(features, labels_N, folds_N, fold)
            model = _fit_linear(features, labels_N, ~test, strength)
        else:
            model = _boosting(seed, int((~test).sum())).fit(features[~test], labels_N[~test])
        guesses[test] = model.predict(features[test])


def _choose_strength(features: Any, labels_N: NDArray[np.int64], folds_N: NDArray[np.int64], fold: int) -> float:
    """The strength that does best on the fold after this one, learned from those that are neither.

    Of many problems it is chosen for the first fold and kept: one of three numbers carries no label over.
    """
    inner = folds_N == (fold + 1) % (int(folds_N.max()) + 1)
    outer = (folds_N != fold) & ~inner
    if len(np.unique(labels_N[outer])) < len(np.unique(labels_N)):
        return STRENGTHS[1]
    hits = [
        int((_fit_linear(features, labels_N, outer, one).predict(features[inner]) == labels_N[inner]).sum())
        for one in STRENGTHS
    ]
    return STRENGTHS[int(np.argmax(hits))]


def _fit_linear(features: Any, labels_N: NDArray[np.int64], chosen: NDArray[np.bool_], strength: float) -> Any:
    """A logistic regression.

    Of lbfgs, saga, averaged SGD and a linear SVM, lbfgs guessed best in the same time. The tolerance is small because it
    is compared with the largest derivative: a thousand rare words that tell a little each have small ones.
    """
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it stops at the last iteration is intended
        return LogisticRegression(C=strength, max_iter=50, tol=1e-5).fit(features[chosen], labels_N[chosen])


def _boosting(seed: int, num: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    settings: dict[str, Any] = {
        "learning_rate": 0.1,
        "max_iter": 80 if num > 2000 else 40,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 20,
        "l2_regularization": 1.0,
        "early_stopping": False,
        "random_state": derive_seed(seed, "boosting") % 2**31,
    }
    return HistGradientBoostingClassifier(**settings)
