"""Hyper tableaux against every other engine."""

from __future__ import annotations

import random

import pytest

from custodiet.errors import FormulaError
from custodiet.logic.engines.element_types import decide_by_types
from custodiet.logic.engines.grounding import decide_by_grounding
from custodiet.logic.engines.hyper_tableau import decide_by_tableau
from custodiet.logic.engines.truth_table import decide_by_table
from custodiet.logic.formulas import Atom, Formula, Iff
from custodiet.logic.fragments import signature_of
from custodiet.logic.notation import parse_formula
from tests.unit.logic.random_formulas import check_models, monadic_formula, propositional_problem
from tests.unit.logic.test_grounding import LANGUAGES, relational_problem


def test_agrees_with_truth_tables() -> None:
    rng = random.Random(61)
    for _ in range(1500):
        premises, goal = propositional_problem(rng, rng.randint(2, 9), rng.randint(0, 10))
        decision = decide_by_tableau(premises, goal)
        assert decision is not None
        assert decision.label == decide_by_table(premises, goal, models=False).label
        check_models(decision, premises, goal)


def test_agrees_with_element_types() -> None:
    rng = random.Random(62)
    spent = 0
    for _ in range(700):
        predicates, constants = list("PQRS")[: rng.randint(1, 4)], list("abc")[: rng.randint(0, 3)]
        made = [monadic_formula(rng, predicates, constants) for _ in range(rng.randint(1, 6))]
        decision = decide_by_tableau(made[1:], made[0], budget=10_000)
        if decision is None:
            spent += 1
            continue
        assert decision.label == decide_by_types(made[1:], made[0], models=False).label
        check_models(decision, made[1:], made[0])
    assert spent < 10


def test_agrees_with_grounding() -> None:
    rng = random.Random(63)
    labels = []
    for _ in range(1000):
        language = rng.choice(LANGUAGES)
        premises, goal = relational_problem(rng, language, rng.randint(0, 5))
        signature = signature_of([*premises, goal], constants=language[1])
        decision = decide_by_tableau(premises, goal, signature=signature)
        assert decision is not None
        assert decision.engines == ("hyper_tableau",)
        assert decision.label == decide_by_grounding(premises, goal, models=False, signature=signature).label
        check_models(decision, premises, goal)
        fewer = decide_by_tableau(premises, goal, models=False, signature=signature)
        assert fewer is not None
        assert fewer.label == decision.label
        labels.append(decision.label)
    assert all(labels.count(one) > 50 for one in ("entailed", "contradicted", "unknown", "inconsistent"))


@pytest.mark.parametrize(
    ("premises", "goal", "label"),
    [
        (["a = b", "b = c", "R(a, a)"], "R(c, b)", "entailed"),
        (["forall x: x = a | x = b", "P(a)", "P(b)"], "forall x: P(x)", "entailed"),
        (["exists x: exists y: x != y"], "forall x: x = a", "contradicted"),
        (["forall x: forall y: P(x) & P(y) -> x = y", "P(a)", "P(b)", "Q(a)"], "Q(b)", "entailed"),
        (["a != b", "forall x: x != a -> P(x)"], "P(b)", "entailed"),
        (["forall x: x = a | P(x)", "~P(b)", "Q(a)"], "Q(b)", "entailed"),
        (["P(a) | P(b)", "P(a) -> q", "P(b) -> q"], "q", "entailed"),
        (["exists x: forall y: R(x, y)"], "R(a, b)", "unknown"),
        (["a = b", "b = c", "a != c"], "P(a)", "inconsistent"),
        (["forall x in s: P(x)"], "exists x in s: P(x)", "entailed"),
    ],
)
def test_planted(premises: list[str], goal: str, label: str) -> None:
    formulas, wanted = [parse_formula(one) for one in premises], parse_formula(goal)
    decision = decide_by_tableau(formulas, wanted)
    assert decision is not None
    assert decision.label == label
    check_models(decision, formulas, wanted)


def test_the_budget_ends_a_search_without_a_label() -> None:
    """Eight pigeons in seven holes: true of every assignment, and long to see for a tableau."""
    holes = [" | ".join(f"In(p{i}, h{k})" for k in range(7)) for i in range(8)]
    apart = [f"~In(p{i}, h{k}) | ~In(p{j}, h{k})" for k in range(7) for i in range(8) for j in range(i)]
    premises = [parse_formula(one) for one in (*holes, *apart)]
    assert decide_by_tableau(premises, Atom("q"), budget=3000) is None
    assert decide_by_grounding(premises, Atom("q"), models=False).label == "inconsistent"


def test_equivalences_in_each_other_do_not_double() -> None:
    formula: Formula = Atom("p0")
    for i in range(1, 12):
        formula = Iff(formula, Atom(f"p{i}"))
    decision = decide_by_tableau([formula, *[Atom(f"p{i}") for i in range(1, 12)]], Atom("p0"))
    assert decision is not None
    assert decision.label == "entailed"


def test_what_is_refused() -> None:
    for text in ("forall x: exists y: R(x, y)", "~(exists x: forall y: R(x, y))"):
        with pytest.raises(FormulaError, match="depends on what is said of all"):
            decide_by_tableau([parse_formula(text)], Atom("p"))
