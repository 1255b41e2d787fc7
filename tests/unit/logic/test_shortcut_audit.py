"""The shortcut audit finds what was planted, with the attacker that should find it, and nothing where nothing is."""

import random
from dataclasses import replace

import numpy as np
import pytest

from custodiet.errors import InputError, TooFewSamplesError, UsageError
from custodiet.logic.shortcuts.attackers import ATTACKERS, FeatureTable
from custodiet.logic.shortcuts.audit import ShortcutConfig, audit_shortcuts
from custodiet.logic.shortcuts.columns import Problem
from custodiet.logic.shortcuts.features import look_at
from custodiet.logic.shortcuts.folds import group_problems
from tests.unit.logic.problems import make_problems


def audit(problems, *attackers, **settings):
    chosen = {"attackers": attackers} if attackers else {}
    record = audit_shortcuts(problems, ShortcutConfig(num_folds=3, **chosen, **settings))
    return record, {one.name: one.excess_points for one in record.attackers}


@pytest.mark.parametrize("notation", [False, True])
@pytest.mark.parametrize(
    ("plant", "finds", "misses"),
    [
        ("negation", ("hypothesis_only", "structural_counts"), ("bag_of_words", "position")),
        ("count", ("structural_counts", "length", "premises_only"), ("hypothesis_only",)),
        ("word", ("bag_of_words", "bigrams"), ("hypothesis_only", "overlap")),
        ("position", ("position",), ("hypothesis_only", "overlap")),
        ("order", ("overlap",), ("hypothesis_only", "bag_of_words", "length")),
    ],
)
def test_a_planted_shortcut_is_found_by_the_right_attacker(plant, finds, misses, notation):
    _, excess = audit(make_problems(700, 1, plant=plant, notation=notation, strength=0.9), *finds, *misses)
    for one in finds:
        assert excess[one].low > 7, (one, excess[one])
    for one in misses:
        assert excess[one].value < 7, (one, excess[one])


def test_nothing_is_found_where_labels_are_random():
    record, excess = audit(make_problems(600, 2))
    assert len(excess) == len(ATTACKERS) and not record.not_run
    assert excess["majority"].value == excess["majority"].low == excess["majority"].high == 0
    assert all(abs(one.value) < 7 for one in excess.values())
    assert record.strongest.excess_points.low <= 0 <= record.strongest.excess_points.high
    assert record.control.excess_points.low <= 0


def test_shuffling_the_labels_removes_a_shortcut_and_the_control_says_so():
    problems = make_problems(800, 3, plant="negation")
    record, excess = audit(problems, "hypothesis_only")
    assert record.strongest.attacker == "hypothesis_only" and excess["hypothesis_only"].low > 8
    assert abs(record.control.excess_points.value) < 5 and record.control.attacker == "hypothesis_only"
    labels = [one.label for one in problems]
    random.Random(0).shuffle(labels)
    _, again = audit([replace(one, label=new) for one, new in zip(problems, labels, strict=True)], "hypothesis_only")
    assert abs(again["hypothesis_only"].value) < 5


def test_many_rare_words_that_tell_a_little_each_are_found():
    rng, words, labels = random.Random(0), [f"w{index}ord" for index in range(1200)], ("yes", "no")
    problems = []
    for _ in range(1500):
        label = rng.choice(labels)
        mine = [
            rng.choice(words[labels.index(label if rng.random() < 0.65 else rng.choice(labels)) :: 2]) for _ in range(9)
        ]
        problems.append(Problem(label, " ".join(mine)))
    _, excess = audit(problems, "bag_of_words", "length")
    assert excess["bag_of_words"].low > 15 and excess["length"].value < 5


def test_a_skeleton_keeps_copies_out_of_the_training_part():
    # forty problems, each thirty times with one label: whoever sees a copy in training knows the label by heart
    kinds = make_problems(40, 4, labels=("yes", "no"))
    copies = [kind for kind in kinds for _ in range(30)]
    record, excess = audit(
        [replace(one, skeleton=str(index // 30)) for index, one in enumerate(copies)], "bag_of_words"
    )
    assert record.num_groups == 40 and record.split_by == "skeleton"
    assert excess["bag_of_words"].value < 15 and excess["bag_of_words"].num == 40
    torn, torn_excess = audit([replace(one, skeleton=str(index)) for index, one in enumerate(copies)], "bag_of_words")
    assert torn_excess["bag_of_words"].value > 40
    by_form, form_excess = audit(copies, "bag_of_words")  # without skeletons the form of the premises is one
    assert by_form.split_by == "form of the premises" and by_form.num_groups == 40
    assert form_excess["bag_of_words"].value < 15


def test_same_problems_same_numbers_and_a_sample_of_many():
    problems = make_problems(400, 5, plant="negation")
    first, _ = audit(iter(problems), "hypothesis_only", "length", max_problems=300)
    second, _ = audit(problems, "hypothesis_only", "length", max_problems=300)
    assert first.num_rows == 400 and first.num_problems == 300
    assert first.attackers == second.attackers and first.strongest == second.strongest


def test_attackers_without_their_columns_are_not_run_and_it_is_said():
    problems = [replace(one, premises=None, hypothesis=None) for one in make_problems(300, 6, plant="negation")]
    record, excess = audit(problems, "hypothesis_only", "premises_only", "overlap", "bag_of_words")
    assert set(record.not_run) == {"hypothesis_only", "premises_only", "overlap"}
    assert "no column of hypothesis" in record.not_run["overlap"] and "bag_of_words" in excess
    assert record.split_by == "form of the prompt"


def test_recalls_are_those_of_the_label():
    record, _ = audit(make_problems(900, 7, plant="negation", strength=1.0), "hypothesis_only")
    recalls = {one.label: one.recall.value for one in record.attackers[1].recalls}
    # only "contradicted" has a negation; the other two cannot be told apart
    assert recalls["contradicted"] > 0.99 and recalls["entailed"] + recalls["unknown"] == pytest.approx(1, abs=0.15)
    majority = {one.label: one.recall.value for one in record.attackers[0].recalls}
    assert sorted(majority.values()) == [0, 0, 1]


def test_what_cannot_be_audited_is_refused():
    problems = make_problems(60, 8)
    with pytest.raises(TooFewSamplesError, match="one label 'x'"):
        audit([replace(one, label="x") for one in problems])
    with pytest.raises(InputError, match="not a label"):
        audit([replace(one, label=f"text {index}") for index, one in enumerate(problems)])
    with pytest.raises(TooFewSamplesError, match="too few groups"):
        audit([replace(one, label="rare" if index < 2 else "often") for index, one in enumerate(problems)])
    with pytest.raises(TooFewSamplesError, match="no problem"):
        audit([])
    with pytest.raises(UsageError, match="attacker 'oracle'"):
        ShortcutConfig(attackers=("oracle",))
    with pytest.raises(UsageError, match="num_folds"):
        ShortcutConfig(num_folds=2)


def test_every_attacker_sees_the_same_number_of_features_of_every_problem():
    for notation in (False, True):
        problems = make_problems(30, 9, notation=notation)
        problems += [replace(one, premises=None, hypothesis=None) for one in problems]
        problems += [replace(one, prompt="?", premises=None, hypothesis="Why.") for one in problems]
        table = FeatureTable(ATTACKERS)
        for one in problems:
            table.add(look_at(one))
        for attacker in ATTACKERS[1:]:
            features = table.take(attacker)
            assert features.shape[0] == len(problems)
            assert np.isfinite(features.data if hasattr(features, "indptr") else features).all()


def test_problems_without_a_skeleton_are_not_all_one_group():
    problems = make_problems(30, 1)
    some = [replace(one, skeleton=None if at % 2 else f"s{at // 4}") for at, one in enumerate(problems)]
    groups, split_by = group_problems(some)
    by_form, _ = group_problems([replace(one, skeleton=None) for one in problems])
    assert split_by == "skeleton"
    lacking = [at for at, one in enumerate(some) if one.skeleton is None]
    assert len({int(groups[at]) for at in lacking}) == len({int(by_form[at]) for at in lacking}) > 1
    assert not {int(groups[at]) for at in lacking} & {int(groups[at]) for at in range(30) if at not in lacking}
    assert groups[0] == groups[2] != groups[4]
