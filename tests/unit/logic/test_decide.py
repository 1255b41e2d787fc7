"""Certified decisions: pairs of engines, what they refuse, and that a defect is never passed over."""

from __future__ import annotations

import random

import pytest

from custodiet.errors import CustodietError, FormulaError, UsageError
from custodiet.logic.engines import decide
from custodiet.logic.engines.decide import certify
from custodiet.logic.formulas import Atom, Formula, Implies, Not
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import Decision, Model
from tests.unit.logic.random_formulas import check_models, monadic_formula, propositional_problem
from tests.unit.logic.test_closure import is_stratified, random_program
from tests.unit.logic.test_grounding import LANGUAGES, relational_problem

P, Q = Atom("p"), Atom("q")


def problems(logic: str, num: int) -> list[tuple[list[Formula], Formula, dict[str, str]]]:
    rng = random.Random(51)
    made: list[tuple[list[Formula], Formula, dict[str, str]]] = []
    while len(made) < num:
        if logic == "propositional":
            made.append((*propositional_problem(rng, 8, rng.randint(1, 8)), {}))
        elif logic == "monadic":
            goal, *premises = [monadic_formula(rng, list("PQR"), list("ab")) for _ in range(5)]
            made.append((premises, goal, {}))
        elif logic == "syllogistic":
            texts = ["forall x: {}(x) -> {}(x)", "forall x: {}(x) -> ~{}(x)", "exists x: {}(x) & {}(x)"]
            texts.append("exists x: {}(x) & ~{}(x)")
            goal, *premises = [parse_formula(rng.choice(texts).format(*rng.sample("PQRS", 2))) for _ in range(4)]
            made.append((premises, goal, {}))
        elif logic == "relational":
            language = rng.choice(LANGUAGES)
            made.append((*relational_problem(rng, language, 3), language[1]))
        else:
            premises = random_program(rng, 5, 4)
            if is_stratified(premises):
                made.append((premises, rng.choice([Atom("t"), Not(Atom("R", ("a", "b")))]), {}))
    return made


@pytest.mark.parametrize(
    ("logic", "engines", "num"),
    [
        ("propositional", ("truth_table", "minisat22"), 300),
        ("syllogistic", ("element_types", "grounding_minisat22"), 300),
        ("monadic", ("element_types", "grounding_minisat22"), 300),
        ("relational", ("grounding_minisat22", "hyper_tableau"), 300),
        ("datalog", ("closure", "clingo"), 100),
    ],
)
def test_two_engines_of_each_logic(logic: str, engines: tuple[str, ...], num: int) -> None:
    labels = set()
    for i, (premises, goal, constants) in enumerate(problems(logic, num)):
        decision = certify(logic, premises, goal, constants=constants)
        if decision.engines[1] == "z3":  # in place of a tableau that would have been long
            continue
        assert decision.engines == engines
        check_models(decision, premises, goal)
        labels.add(decision.label)
        if i < 20:
            fewer = certify(logic, premises, goal, constants=constants, models=False)
            assert fewer == Decision(decision.label, None, None, engines)
            third = certify(logic, premises, goal, constants=constants, with_z3=True)
            assert third.engines == (engines if logic == "datalog" else (*engines, "z3"))
    assert len(labels) == (2 if logic == "datalog" else 4)


def test_large_problems_go_to_other_engines() -> None:
    premises: list[Formula] = [Implies(Atom(f"p{i}"), Atom(f"p{i + 1}")) for i in range(40)]
    decision = certify("propositional", [*premises, Atom("p0")], Atom("p40"))
    assert (decision.label, decision.engines) == ("entailed", ("minisat22", "hyper_tableau"))
    rules = [parse_formula(f"forall x: P{i}(x) -> P{i + 1}(x)") for i in range(20)]
    decision = certify("monadic", rules, parse_formula("forall x: P0(x) -> P20(x)"))
    assert (decision.label, decision.engines) == ("entailed", ("grounding_minisat22", "hyper_tableau"))


def test_z3_takes_the_place_of_a_long_tableau() -> None:
    holes = [" | ".join(f"In(p{i}, h{k})" for k in range(5)) for i in range(6)]
    apart = [f"~In(p{i}, h{k}) | ~In(p{j}, h{k})" for k in range(5) for i in range(6) for j in range(i)]
    premises = [parse_formula(one) for one in (*holes, *apart)]
    for with_z3 in (False, True):
        decision = certify("relational", premises, P, with_z3=with_z3)
        assert (decision.label, decision.engines) == ("inconsistent", ("grounding_minisat22", "z3"))


def test_formulas_of_another_logic() -> None:
    with pytest.raises(FormulaError, match="premise 1, forall x: .* is not propositional"):
        certify("propositional", [parse_formula("forall x: P(x)")], P)
    with pytest.raises(UsageError, match="no such logic"):
        certify("modal", [], P)


def test_engines_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "decide_by_sat", lambda *_, **__: Decision("unknown", engines=("broken",)))
    with pytest.raises(CustodietError, match=r"disagree about premises p -> q; p and goal q; got .* broken: unknown"):
        certify("propositional", [Implies(P, Q), P], Q)


def test_models_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Decision("entailed", Model({}, {}, frozenset([P])), None, ("broken",))
    monkeypatch.setattr(decide, "decide_by_table", lambda *_, **__: wrong)
    with pytest.raises(CustodietError, match="a model of broken is none .*report it"):
        certify("propositional", [Implies(P, Q), P], Q)
    missing = Decision("entailed", None, None, ("broken",))
    monkeypatch.setattr(decide, "decide_by_table", lambda *_, **__: missing)
    with pytest.raises(CustodietError, match="the models of broken do not fit its label"):
        certify("propositional", [Implies(P, Q), P], Q)
