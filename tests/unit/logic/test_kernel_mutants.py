"""The kernel against an oracle that shares no code with it: mutants of random proofs, and single formulas."""

import random
from itertools import islice

import pytest

from benchmarks.bench_logic_mutants import check_oracle, counts
from benchmarks.logic_mutants import MUTATIONS, mutants_of
from benchmarks.logic_oracle import Oracle, Signature, satisfiable, shape, z3_satisfiable
from benchmarks.logic_proofs import LANGUAGES, PROPOSITIONAL, random_proof, random_proofs
from custodiet.logic.formulas import Not, constants_of, instantiate, subformulas
from custodiet.logic.kernel import check_proof, follows
from custodiet.logic.kernel_rules import RULES, is_instance_of, same_formula
from custodiet.logic.notation import parse_formula


def test_the_kernel_rejects_what_the_oracle_rejects_and_accepts_what_it_accepts():
    found = counts(random_proofs(3), 40)
    assert len(MUTATIONS) >= 12
    for kind, one in found.items():
        assert one["missed"] == one["refused"] == one["unsound"] == 0, (kind, one)
        assert sum(one[key] for key in ("accepted", "rejected", "undecided")) >= 40
    assert found["gold"]["accepted"] == found["gold"].total()
    rejected = [kind for kind, one in found.items() if one["rejected"]]
    assert len(rejected) >= len(MUTATIONS) - 1  # a wrong name alone makes no proof wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_proofs_of_the_producer_are_accepted_and_well_named(language):
    rng = random.Random(5)
    for _ in range(200):
        proof = random_proof(rng, language)
        verdict = check_proof(proof.steps, proof.premises, proof.goal, logic=proof.logic)
        assert verdict.valid and verdict.problems == ()


def test_the_producer_uses_every_rule():
    used = {step.rule for proof in islice(random_proofs(0), 4000) for step in proof.steps}
    structural = {"conditional proof", "reductio", "case split", "existential elimination", "universal generalization",
                  "closed world", "premise", "assumption", None}  # fmt: skip
    assert set(RULES) | structural <= used
    assert {f"{kind} {rule}" for kind in ("universal", "existential") for rule in PROPOSITIONAL} <= used


def test_an_instance_of_a_rule_is_valid_whatever_was_damaged():
    oracle, rng, seen = Oracle(), random.Random(7), 0
    for proof in islice(random_proofs(7), 150):
        for _, mutant in mutants_of(proof, rng):
            said = {one.number: one.formula for one in mutant.steps}
            signature = Signature(mutant)
            for step in mutant.steps if signature.fits else ():
                if step.cites and step.rule and all(one in said for one in step.cites):
                    given = [said[one] for one in step.cites]
                    if is_instance_of(step.rule, given, step.formula):
                        seen += 1
                        assert oracle.follows(given, step.formula, signature.sort_of), (step, given)
    assert seen > 2000


def test_what_follows_is_what_the_oracle_says():
    oracle, rng, seen = Oracle(), random.Random(11), {True: 0, False: 0}
    for proof in islice(random_proofs(11), 400):
        if any(getattr(one, "sort", "") for step in proof.steps for one in subformulas(step.formula)):
            continue
        for _ in range(4):
            given = [one.formula for one in rng.sample(proof.steps, min(3, len(proof.steps)))]
            end = rng.choice(proof.steps).formula
            expected, found = oracle.follows(given, end, {}), follows(given, end)
            if expected is not None and found is not None:
                assert found is expected, (given, end)
                seen[found] += 1
    assert min(seen.values()) > 50


def test_the_oracle_agrees_with_z3():
    asked, differ = check_oracle(100)
    assert asked >= 100 and differ == 0


@pytest.mark.parametrize(("formulas", "expected"), [
    (["a = b", "P(a)", "~P(b)"], False),
    (["a != b", "forall x: x = a"], False),
    (["exists x: P(x)", "exists x: ~P(x)", "forall x: x = a | x = b"], True),
    (["exists x: P(x)", "exists x: ~P(x)", "forall x: x = a"], False),
    (["exists x in dog: P(x)", "forall x in cat: ~Q(x)"], True),
    (["forall x in dog: false"], False),
    (["p <-> ~p"], False),
    (["(exists x: P(x)) <-> ~(exists x: P(x))"], False),
])  # fmt: skip
def test_the_oracle_by_hand(formulas, expected):
    read = [parse_formula(one) for one in formulas]
    assert satisfiable(read, {}) is expected
    assert z3_satisfiable(read, {}) is expected


def test_shapes_and_the_kernel_agree_on_what_is_one_formula():
    rng = random.Random(13)
    formulas = [step.formula for proof in islice(random_proofs(13), 60) for step in proof.steps]
    formulas += [instantiate(one, {name: "a1"}) for one in formulas for name in constants_of(one)[:1]]
    formulas += [Not(one) for one in formulas[:20]]
    for one in formulas:
        for other in rng.sample(formulas, 30):
            assert same_formula(one, other) is (shape(one) == shape(other))
