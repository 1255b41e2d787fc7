"""z3 against the other engines on every fragment."""

from __future__ import annotations

import random

import pytest

from custodiet.errors import CustodietError, FormulaError
from custodiet.logic.engines.element_types import decide_by_types
from custodiet.logic.engines.grounding import decide_by_grounding
from custodiet.logic.engines.truth_table import decide_by_table
from custodiet.logic.engines.z3_engine import Z3Problem, decide_by_z3
from custodiet.logic.formulas import Atom
from custodiet.logic.fragments import signature_of
from custodiet.logic.notation import parse_formula
from tests.unit.logic.random_formulas import check_models, monadic_formula, propositional_problem
from tests.unit.logic.test_grounding import LANGUAGES, relational_problem


def test_agrees_with_truth_tables() -> None:
    rng = random.Random(41)
    for _ in range(200):
        premises, goal = propositional_problem(rng, 6, rng.randint(0, 6))
        decision = decide_by_z3(premises, goal)
        assert decision.label == decide_by_table(premises, goal, models=False).label
        check_models(decision, premises, goal)


def test_agrees_with_element_types() -> None:
    rng = random.Random(42)
    for _ in range(200):
        made = [monadic_formula(rng, list("PQR"), list("ab")) for _ in range(rng.randint(1, 5))]
        decision = decide_by_z3(made[1:], made[0])
        assert decision.label == decide_by_types(made[1:], made[0], models=False).label
        check_models(decision, made[1:], made[0])


def test_agrees_with_grounding() -> None:
    rng = random.Random(43)
    labels = []
    for _ in range(300):
        language = rng.choice(LANGUAGES)
        premises, goal = relational_problem(rng, language, rng.randint(0, 4))
        signature = signature_of([*premises, goal], constants=language[1])
        decision = decide_by_z3(premises, goal, signature=signature)
        other = decide_by_grounding(premises, goal, signature=signature)
        assert decision.label == other.label
        assert decide_by_z3(premises, goal, models=False, signature=signature).label == other.label
        check_models(decision, premises, goal)
        check_models(other, premises, goal)
        labels.append(decision.label)
    assert all(labels.count(one) > 20 for one in ("entailed", "contradicted", "unknown", "inconsistent"))


def test_many_goals_over_one_solver() -> None:
    rng = random.Random(44)
    for _ in range(20):
        premises, goal = relational_problem(rng, LANGUAGES[3], 3)
        goals = [goal, *[relational_problem(rng, LANGUAGES[3], 0)[1] for _ in range(4)]]
        signature = signature_of([*premises, *goals], constants={"a": "", "b": ""})
        problem = Z3Problem(premises, signature)
        for one in [*goals, *goals[::-1]]:
            assert problem.label(one) == decide_by_grounding(premises, one, models=False).label
            check_models(problem.decide(one), premises, one)


def test_words_of_smt_lib_are_names_like_others() -> None:
    premises = [parse_formula("forall x: assert(x, let)"), parse_formula("Bool(distinct)")]
    assert decide_by_z3(premises, parse_formula("assert(distinct, let)")).label == "entailed"


def test_individuals_that_only_all_speaks_of() -> None:
    decision = decide_by_z3([parse_formula("forall x in s: P(x)")], parse_formula("forall x in t: Q(x)"))
    assert decision.label == "unknown"
    check_models(decision, [parse_formula("forall x in s: P(x)")], parse_formula("forall x in t: Q(x)"))


def test_beyond_what_it_decides() -> None:
    """An order without end has no finite model, and z3 says so or gives up: it never guesses."""
    order = [
        parse_formula(one)
        for one in (
            "forall x: exists y: R(x, y)",
            "forall x: ~R(x, x)",
            "forall x: forall y: forall z: R(x, y) & R(y, z) -> R(x, z)",
        )
    ]
    with pytest.raises(CustodietError, match="z3 did not decide; expected an answer within 300 ms"):
        decide_by_z3(order, parse_formula("R(a, b)"), timeout_ms=300)


def test_names_used_in_two_ways() -> None:
    with pytest.raises(FormulaError, match="two numbers of arguments"):
        decide_by_z3([Atom("p")], Atom("p", ("a",)))
