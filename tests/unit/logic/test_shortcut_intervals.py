"""Intervals over groups: pinned to the house's slow bootstrap, and covering what they say."""

import numpy as np
import pytest

from custodiet.base.rng import derive_seed
from custodiet.base.stats import clustered_bootstrap
from custodiet.logic.shortcuts.columns import Problem
from custodiet.logic.shortcuts.folds import deal_folds, group_problems
from custodiet.logic.shortcuts.intervals import draw_recalls, estimate_accuracy, estimate_largest, estimate_recall


def test_draws_are_those_of_the_slow_definition():
    rng = np.random.default_rng(0)
    groups, labels = np.repeat(np.arange(40), 5), rng.integers(0, 3, 200)
    correct = rng.random((2, 200)) < [[0.4], [0.7]]
    draws = draw_recalls(correct, labels, groups, seed=7)
    shares = np.bincount(labels) / 200
    for attacker in range(2):

        def accuracy(rows):
            return sum(share * rows[rows[:, 1] == label, 0].mean() for label, share in enumerate(shares))

        rows = np.stack([correct[attacker], labels], axis=1).astype(float)
        slow = clustered_bootstrap(rows, groups, accuracy, seed=derive_seed(7, "draws"))
        fast = estimate_accuracy(draws, attacker)
        assert fast.value == pytest.approx(correct[attacker].mean())
        reach = [(end - slow.value) * 2**0.5 for end in (slow.low, slow.high)]
        assert (fast.low - fast.value, fast.high - fast.value) == pytest.approx(reach, rel=1e-9)
        assert fast.num == slow.num == 40
        recall = estimate_recall(draws, attacker, 1)
        assert recall.value == pytest.approx(correct[attacker, labels == 1].mean())
        assert recall.low < recall.value < recall.high


def test_a_constant_guess_has_exactly_its_share_and_a_perfect_one_an_open_end():
    labels = np.array([0] * 70 + [1] * 30)
    draws = draw_recalls(np.stack([labels == 0, labels == labels]), labels, np.arange(100), seed=0)
    constant, perfect = (estimate_accuracy(draws, index) for index in range(2))
    assert (constant.value, constant.low, constant.high) == pytest.approx((0.7, 0.7, 0.7))
    assert perfect.value == perfect.high == 1 and perfect.low == pytest.approx(0.9638, abs=1e-3)
    best, largest = estimate_largest(draws, [0, 1])
    assert best == 1 and largest.low == perfect.low
    few = draw_recalls((labels == 0)[None], labels, np.arange(100) % 10, seed=0)
    assert "10 groups" in estimate_accuracy(few, 0).why


def test_intervals_cover_where_folds_teach_each_other():
    """Groups of three, labels without any signal, three attackers that learn class means from the other folds."""
    rng = np.random.default_rng(1)
    num_trials, num_groups = 250, 120
    groups, labels = np.repeat(np.arange(num_groups), 3), np.tile([0, 1, 2], num_groups)
    covered = covered_largest = covered_without = above = 0
    for trial in range(num_trials):
        shuffled = np.concatenate([rng.permutation(3) for _ in range(num_groups)])
        folds = deal_folds(groups, shuffled, num_folds=3, seed=trial)
        correct = np.empty((3, len(labels)), dtype=bool)
        for attacker in range(3):
            seen = rng.standard_normal((len(labels), 150))
            scores = ((seen @ seen.T) * (folds[:, None] != folds[None, :])) @ (np.eye(3)[shuffled] - 1 / 3)
            correct[attacker] = scores.argmax(axis=1) == shuffled
        draws = draw_recalls(correct, shuffled, groups, seed=trial, num_draws=400)
        one = estimate_accuracy(draws, 0)
        covered += one.low <= 1 / 3 <= one.high
        low, high = (one.value + (end - one.value) / 2**0.5 for end in (one.low, one.high))
        covered_without += low <= 1 / 3 <= high
        largest = estimate_largest(draws, [0, 1, 2])[1]
        covered_largest += largest.low <= 1 / 3 <= largest.high
        above += max(estimate_accuracy(draws, index).low for index in range(3)) > 1 / 3
    assert 0.94 <= covered / num_trials < 1
    assert covered_without / num_trials < 0.94  # what the root of two is for
    assert covered_largest / num_trials >= 0.94 and above / num_trials < 0.06


def test_the_interval_of_the_largest_is_honest_about_the_choice():
    """Groups that are right or wrong mostly together, five equally good attackers that never learned anything."""
    rng = np.random.default_rng(2)
    num_trials, num_groups = 250, 150
    labels, groups = np.tile([0, 1, 0, 1], num_groups), np.repeat(np.arange(num_groups), 4)
    covered = naive = 0
    for trial in range(num_trials):
        together, alone = rng.random((5, num_groups)) < 0.5, rng.random((5, 4 * num_groups)) < 0.5
        correct = np.where(rng.random((5, 4 * num_groups)) < 0.6, np.repeat(together, 4, axis=1), alone)
        draws = draw_recalls(correct, labels, groups, seed=trial, num_draws=400)
        largest = estimate_largest(draws, list(range(5)))[1]
        low, high = (largest.value + (end - largest.value) / 2**0.5 for end in (largest.low, largest.high))
        covered += low <= 0.5 <= high
        best = max((estimate_accuracy(draws, index) for index in range(5)), key=lambda one: one.value)
        naive += best.value + (best.low - best.value) / 2**0.5 > 0.5
    assert covered / num_trials >= 0.93
    assert naive / num_trials > 0.08  # each alone is wrong above in one of forty


def test_folds_keep_groups_and_balance_labels():
    rng = np.random.default_rng(2)
    groups, labels = np.unique(rng.integers(0, 200, 1000), return_inverse=True)[1], rng.integers(0, 3, 1000)
    folds = deal_folds(groups, labels, num_folds=5, seed=0)
    assert set(folds) == set(range(5))
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert np.array_equal(folds, deal_folds(groups, labels, num_folds=5, seed=0))
    assert not np.array_equal(folds, deal_folds(groups, labels, num_folds=5, seed=1))
    single = np.arange(300)
    even = deal_folds(single, single % 3, num_folds=5, seed=0)
    assert all(np.array_equal(np.bincount(single[even == fold] % 3), [20, 20, 20]) for fold in range(5))


def test_the_form_of_premises_forgets_names_and_nothing_else():
    def groups(*problems):
        many = [Problem("x", premises=(f"p{number} & ~p{number} -> " + "~" * number + "q",)) for number in range(60)]
        found, by = group_problems([Problem("x", premises=one) for one in problems] + many)
        assert by == "form of the premises"
        return [int(one) for one in found[: len(problems)]]

    assert groups(
        ("If Ann is glad, then Bob is sad.", "Ann is glad."), ("If Cy is old, then Di is new.", "Cy is old.")
    ) == [0, 0]
    assert groups(("If Ann is glad, then Bob is sad.",), ("If Ann is glad, then Ann is sad.",)) == [0, 1]
    assert groups(("p -> q", "p"), ("r -> s", "r"), ("r -> s", "s")) == [0, 0, 1]
    assert groups(("p -> q",), ("p -> ~q",)) == [0, 1]


def test_groups_are_skeletons_forms_or_words():
    same, other = Problem("x", premises=("Max is a cat.",)), Problem("y", premises=("Rex is a dog.",))
    assert group_problems([Problem("x", "?", skeleton="7"), Problem("x", "!", skeleton="7")])[0].tolist() == [0, 0]
    found, by = group_problems([same, other, same] * 20)  # all have one form
    assert found[:3].tolist() == [0, 1, 0] and by == "words of the premises (many have one form)"
    assert (
        group_problems([Problem("x", f"p {'and not ' * number}q") for number in range(40)])[1] == "form of the prompt"
    )
