"""What engines show to be wrong is wrong for the oracle of the benchmarks and for the kernel; proofs are never refuted."""

import random
from collections import Counter
from itertools import islice

import pytest

from benchmarks.logic_oracle import Oracle
from benchmarks.logic_proofs import random_proofs
from custodiet.errors import FormulaError
from custodiet.logic.kernel import check_proof
from custodiet.logic.mutations import Proof, mutants_of
from custodiet.logic.notation import parse_formula
from custodiet.logic.proofs import read_proof
from custodiet.logic.refuting import Refuter


def accepted(proof):
    try:
        return check_proof(proof.steps, proof.premises, proof.goal, logic=proof.logic).valid
    except FormulaError:
        return False


def test_nothing_that_is_valid_is_refuted_and_most_that_is_not_is():
    refuter, oracle, rng, seen = Refuter(), Oracle(), random.Random(5), Counter()
    for proof in islice(random_proofs(5), 40):
        assert refuter.why_wrong(proof) is None
        for _, mutant in mutants_of(proof, rng):
            wrong = refuter.why_wrong(mutant) is not None
            valid = oracle.valid(mutant)
            assert not (wrong and (valid or accepted(mutant)))
            seen[valid, wrong] += 1
    assert seen[False, True] > 4 * seen[False, False]
    assert seen[True, False] > 50


PREMISES = ["p -> q", "p", "r"]
PROOF = "1. p -> q [premise]\n2. p [premise]\n3. q [modus ponens: 1, 2]"


@pytest.mark.parametrize(("text", "goal", "why"), [
    (PROOF, "q", None),
    (PROOF, "~q", None),
    (PROOF, "r", "not about the goal"),
    ("", "q", "no lines"),
    ("1. p [premise]\n1. p [premise]", "p", "do not increase"),
    ("1. q [premise]", "q", "line 1 is no premise"),
    ("1. p [premise]\n2. q [modus ponens: 1, 3]", "q", "line 2 cites a line that does not come before it"),
    ("1. p [premise]\n2. q [modus ponens: 1]", "q", "line 2 does not follow"),
    ("1. s [assumption]\n2. s | t [addition: 1]", "s | t", "does not follow from the premises"),
    ("1. p & p [premise]", "p", None),  # says the same as a premise: left to others
    ("1. ~q [assumption]\n2. ~q | q [addition: 1]", "~q | q", None),
])  # fmt: skip
def test_why(text, goal, why):
    steps = tuple(read_proof(text)) if text else ()
    proof = Proof(steps, tuple(map(parse_formula, PREMISES)), parse_formula(goal), "propositional")
    found = Refuter().why_wrong(proof)
    assert found is None if why is None else why in (found or "")


def test_programs_have_a_closed_world():
    premises = tuple(map(parse_formula, ["P(a)", "forall x: P(x) & ~Q(x) -> R(x)"]))
    steps = tuple(read_proof("1. ~Q(a) [closed world]"))
    assert Refuter().why_wrong(Proof(steps, premises, parse_formula("~Q(a)"), "datalog")) is None
    steps = tuple(read_proof("1. ~P(a) [closed world]"))
    assert "does not follow" in (Refuter().why_wrong(Proof(steps, premises, parse_formula("~P(a)"), "datalog")) or "")
    assert Refuter().why_wrong(Proof(steps, premises, parse_formula("~P(a)"), "relational")) is not None
