"""The kernel against an oracle that shares no code with it: mutants of random proofs, and single formulas."""

import random
from itertools import islice

import pytest

from benchmarks.bench_logic_mutants import check_oracle, counts
from benchmarks.logic_oracle import Oracle, Signature, satisfiable, shape, z3_satisfiable
from benchmarks.logic_proofs import LANGUAGES, PROPOSITIONAL, random_proof, random_proofs
from custodiet.logic import kernel
from custodiet.logic.formulas import Not, Or, constants_of, instantiate, subformulas
from custodiet.logic.kernel import check_proof, follows
from custodiet.logic.kernel_rules import RULES, is_instance_of, same_formula
from custodiet.logic.mutations import MUTATIONS, mutants_of, proof_of_item
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import Step


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


def test_proofs_of_items_are_mutated_like_any():
    texts = ["p -> q", "p", "q"]
    rules = [("premise", []), ("premise", []), ("modus ponens", [1, 2])]
    proof = proof_of_item({
        "logic": "propositional", "premises": [{"formula": one} for one in texts[:2]], "goal": {"formula": "q"},
        "proof": [{"number": at, "formula": text, "rule": rule, "cites": cites, "text": text}
                  for at, (text, (rule, cites)) in enumerate(zip(texts, rules, strict=True), start=1)],
    })  # fmt: skip
    found = counts([proof] * 30, 20)
    assert found["gold"]["accepted"] == found["gold"].total() > 0
    assert found["drop a line"]["rejected"] == 20


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


POOL = [parse_formula(one) for one in (
    "false", "P(a)", "P(b)", "~P(a)", "Q(a)", "P(a) & Q(a)", "P(a) | Q(a)", "P(a) -> Q(a)", "P(a) -> ~P(a)", "P(a) -> P(b)",
    "P(a) -> (forall x: P(x))", "forall x: P(x)", "exists x: P(x)", "exists x: Q(x)", "forall x: P(x) -> Q(x)",
    "exists x: P(x) & Q(a)", "exists x: P(x) -> (forall y: P(y))", "a = b", "a != b", "forall x: x = a", "exists x: x != a",
    "R(a, b)", "R(a, a)", "forall x: R(x, a)", "forall x: R(x, x)", "exists x: R(x, a)", "exists x: R(x, x)",
    "exists x: forall y: R(x, y)", "forall y: exists x: R(x, y)", "~(forall x: P(x))", "exists x: ~P(x)",
    "(exists x: P(x)) -> P(a)", "(forall x: P(x)) | Q(a)",
)]  # fmt: skip
STRUCTURAL = ("conditional proof", "reductio", "case split", "existential elimination", "universal generalization")


def random_line(rng, number, proof):
    """A line that cites whatever stands above it, by whatever rule; often one that could discharge."""
    if rng.random() < 0.3 or number == 1:
        return Step(number, rng.choice(POOL), "assumption")
    cites = tuple(rng.randrange(1, number) for _ in range(rng.choice([0, 1, 1, 2, 2, 2, 3, 3])))
    assumed = [one for one in range(1, number) if proof.assumed >> (one - 1) & 1]
    splits = [one for one in range(1, number) if isinstance(proof.formulas[one - 1], Or)]
    if splits and rng.random() < 0.2:
        cites = (
            rng.choice(splits),
            rng.choice(assumed),
            cites[0] if cites else 1,
            rng.choice(assumed),
            cites[0] if cites else 1,
        )
    elif len(cites) > 1 and rng.random() < 0.5:
        cites = (*cites[:-2], rng.choice(assumed), cites[-1])
    formula = rng.choice(POOL) if not cites or rng.random() < 0.6 else proof.formulas[rng.choice(cites) - 1]
    return Step(number, formula, rng.choice([None, *STRUCTURAL, *RULES]), cites)


def test_what_a_line_rests_on_entails_it_whatever_is_cited():
    rng, oracle, seen = random.Random(17), Oracle(), 0
    for _ in range(700):
        proof = kernel._Proof([], POOL[0], "relational")
        for number in range(1, 13):
            step = random_line(rng, number, proof)
            num_problems = len(proof.problems)
            proof.add(step)
            if any(one.kind != "misnamed" for one in proof.problems[num_problems:]):
                proof.formulas[-1], proof.rests[-1] = parse_formula("a = a"), 0  # a line that is right, in its place
            elif step.rule != "assumption":
                seen += 1
                rests = [one for place, one in enumerate(proof.formulas) if proof.rests[-1] >> place & 1]
                assert oracle.follows(rests, step.formula, {}) is not False, (step, rests)
    assert seen > 1500
