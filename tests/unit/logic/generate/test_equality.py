"""Equality in relational problems: what is said of another name needs the equality, and inequalities change nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from custodiet.logic.engines.z3_engine import decide_by_z3
from custodiet.logic.formulas import Equal, Formula, Not, complement, subformulas
from custodiet.logic.fragments import Signature, require_logic
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.equality import say_equal
from custodiet.logic.generate.items import cases_of
from custodiet.logic.generate.lift import lift_problem, sorts_can_be_told
from custodiet.logic.generate.problem import Problem, certify_problem, draw_propositional
from custodiet.logic.generate.stream import generate_rows
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import evaluate

KINDS = ("near-miss", "dead-end", "same-vocabulary")


def problems(num: int, sorts: tuple[str, ...], num_unequal: int = 1) -> list[Problem]:
    found = []
    for number in range(100 * num):
        draws = Draws(4, "equality", len(sorts), number)
        plain = draw_propositional(
            draws, depth=2, num_premises=8, goal_form="literal", distractors=KINDS, contrary=1, certify=False
        )
        lifted = lift_problem(draws, plain, "relational", sorts=sorts)
        if lifted is None:
            continue
        made = say_equal(draws, lifted, len(sorts), num_unequal)
        if made is not None and sorts_can_be_told(made) and certify_problem(made):
            found.append(made)
        if len(found) == num:
            return found
    raise AssertionError("too few problems")


def equalities_in(formula: Formula) -> int:
    return sum(isinstance(one, Equal) for one in subformulas(formula))


@pytest.mark.parametrize("sorts", [("", ""), ("person", "city", "person")])
def test_labels_and_supports_are_those_that_z3_finds(sorts: tuple[str, ...]) -> None:
    for problem in problems(6, sorts):
        assert len(problem.premises) == 10
        equalities = [one for one in problem.premises if isinstance(one, Equal)]
        assert len(equalities) == 1
        assert sum(isinstance(one, Not) and isinstance(one.body, Equal) for one in problem.premises) == 1
        for version, told in enumerate(problem.versions):
            premises = problem.premises_of(version)
            signature = require_logic("relational", premises, problem.goal)
            assert isinstance(signature, Signature)
            assert all(problem.constants[name] == sort for name, sort in signature.constants.items())
            assert decide_by_z3(premises, problem.goal).label == told.label
            if told.models is not None:
                assert [evaluate(model, problem.goal) for model in told.models] == [True, False]
                assert all(evaluate(model, one) for model in told.models for one in premises)
                continue
            wanted = problem.goal if told.label == "entailed" else complement(problem.goal)
            assert premises.index(equalities[0]) in told.support
            needed = [premises[one] for one in told.support]
            assert decide_by_z3(needed, wanted, signature=signature).label == "entailed"
            for place in told.support:
                rest = [one for at, one in enumerate(premises) if at != place]
                assert decide_by_z3(rest, wanted, signature=signature).label == "unknown"


def test_proofs_put_one_name_for_the_other_and_skeletons_tell_names_apart() -> None:
    for problem in problems(8, ("", ""), num_unequal=0):
        cases = cases_of(Draws(1, "cases"), problem)  # checks the proofs
        assert len({one.skeleton for one in cases}) == 6
        for case in cases:
            rules = Counter(one.rule for one in case.proof)
            told = problem.versions[case.version]
            assert rules["substitution"] == told.num_renamings
            if case.label != "unknown":
                assert told.num_renamings >= 1
                depth = case.depth()
                assert depth is not None and depth["at_most"] - depth["at_least"] >= told.num_renamings


def test_rows_have_equalities_in_premises_and_in_rules_and_say_that_names_may_coincide() -> None:
    found = Counter()
    for row in generate_rows(GenerateConfig(num=180, seed=6, logics=("relational",), language="both")):
        premises = [parse_formula(one["formula"]) for one in row["premises"]]
        assert 8 <= len(premises) <= 16
        num = sum(map(equalities_in, premises))
        found["equality"] += any(isinstance(one, Equal) for one in premises)
        found["rule"] += any(equalities_in(one) and one[0] == "forall" for one in premises)
        found["inequality"] += any(isinstance(one, Not) and isinstance(one.body, Equal) for one in premises)
        found["none"] += num == 0
        if num:
            assert "Two names may stand for one individual." in row["prompt"]
    assert all(found[one] >= 12 for one in ("equality", "rule", "inequality", "none"))
