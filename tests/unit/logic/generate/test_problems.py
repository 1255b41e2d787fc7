"""Problems are what they say: labels, supports, depths and models, found again by enumerating every assignment."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from custodiet.errors import UsageError
from custodiet.logic.formulas import Atom, Formula, Not, atoms_of, complement, is_literal
from custodiet.logic.generate.chains import GOAL_FORMS, min_premises
from custodiet.logic.generate.config import GenerateConfig
from custodiet.logic.generate.draws import Draws
from custodiet.logic.generate.lift import lift_problem
from custodiet.logic.generate.problem import Problem, draw_propositional
from custodiet.logic.minimal import propagation_rounds
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import Model, evaluate

KINDS = ("near-miss", "dead-end", "same-vocabulary")


def models_of(formulas: list[Formula]) -> tuple[list[Atom], list[Model]]:
    """Every assignment to the atoms of the formulas."""
    atoms = list(dict.fromkeys(atom for one in formulas for atom in atoms_of(one)))
    return atoms, [
        Model({}, {}, frozenset(atom for atom, true in zip(atoms, row, strict=True) if true))
        for row in product((False, True), repeat=len(atoms))
    ]


def label_by_enumeration(premises: list[Formula], goal: Formula) -> str:
    _, models = models_of([*premises, goal])
    values = {evaluate(model, goal) for model in models if all(evaluate(model, one) for one in premises)}
    return {frozenset({True}): "entailed", frozenset({False}): "contradicted", frozenset({True, False}): "unknown"}[
        frozenset(values)
    ]


def small_problems(num: int) -> list[Problem]:
    problems = []
    for number in range(num):
        draws = Draws(7, "small", number)
        form = draws.pick(GOAL_FORMS)
        depth = draws.between(1, 2)
        least = min_premises(depth, form)
        problems.append(
            draw_propositional(
                draws,
                depth=depth,
                num_premises=draws.between(least, 7),
                goal_form=form,
                distractors=KINDS,
                contrary=draws.below(2),
            )
        )
    return problems


@pytest.mark.parametrize("problem", small_problems(25), ids=lambda one: f"{one.num_steps}-{one.goal_form}")
def test_labels_supports_and_models_are_those_of_an_enumeration(problem: Problem) -> None:
    for version, told in enumerate(problem.versions):
        premises = problem.premises_of(version)
        assert label_by_enumeration(premises, problem.goal) == told.label
        if told.models is not None:
            assert [evaluate(model, problem.goal) for model in told.models] == [True, False]
            assert all(evaluate(model, one) for model in told.models for one in premises)
        if told.label != "unknown":
            wanted = problem.goal if told.label == "entailed" else complement(problem.goal)
            smallest = next(
                [
                    set(chosen)
                    for chosen in combinations(range(len(premises)), size)
                    if settles(premises, chosen, wanted)
                ]
                for size in range(len(premises) + 1)
                if any(settles(premises, chosen, wanted) for chosen in combinations(range(len(premises)), size))
            )
            assert smallest == [set(told.support)]  # one smallest support
            for place in told.support:  # which every support contains
                assert not settles(premises, [one for one in range(len(premises)) if one != place], wanted)


def settles(premises: list[Formula], chosen: object, goal: Formula) -> bool:
    return label_by_enumeration([premises[one] for one in chosen], goal) == "entailed"  # type: ignore[union-attr]


def test_the_versions_differ_in_one_sentence() -> None:
    for problem in small_problems(10):
        stated = [problem.premises_of(version) for version in range(3)]
        places = {place for other in stated[1:] for place, one in enumerate(other) if one != stated[0][place]}
        assert places == {problem.switch_at}
        assert {version.label for version in problem.versions} == {"entailed", "contradicted", "unknown"}


@pytest.mark.parametrize(("depth", "num_premises"), [(1, 2), (1, 64), (12, 13), (12, 40), (12, 64), (5, 16)])
def test_every_size_that_is_offered_exists(depth: int, num_premises: int) -> None:
    draws = Draws(1, "sizes", depth, num_premises)
    problem = draw_propositional(
        draws, depth=depth, num_premises=num_premises, goal_form="literal", distractors=KINDS, contrary=1
    )
    assert len(problem.premises) == len(set(problem.premises)) == num_premises
    assert problem.num_steps == depth
    assert problem.versions[0].depth in (depth, None)


def rounds_by_definition(premises: list[Formula], goal: Formula) -> int | None:
    """The definition, word by word: every literal that follows from one premise and the literals known so far."""
    atoms = list(dict.fromkeys(atom for one in [*premises, goal] for atom in atoms_of(one)))
    known: set[Formula] = {one for one in premises if is_literal(one)}
    rounds = 0
    while True:
        if label_by_enumeration(sorted(known), goal) != "unknown":
            return rounds if is_literal(goal) else rounds + 1
        new = {
            literal
            for premise in premises
            for atom in atoms
            for literal in (atom, Not(atom))
            if literal not in known
            and label_by_enumeration([premise, *relevant(known, premise, atom)], literal) == "entailed"
        }
        if not new:
            return None
        known |= new
        rounds += 1


def relevant(known: set[Formula], premise: Formula, atom: Atom) -> list[Formula]:
    inside = {*atoms_of(premise), atom}
    return [one for one in known if atoms_of(one)[0] in inside]


def test_depth_is_what_its_definition_says() -> None:
    for problem in small_problems(12):
        for version in (0, 1):
            premises = problem.premises_of(version)
            found = propagation_rounds(premises, problem.goal)
            assert found == rounds_by_definition(premises, problem.goal)
            assert found == problem.versions[version].depth


def test_depth_of_a_chain_and_of_what_needs_cases() -> None:
    chain = [parse_formula(one) for one in ("a", "a -> b", "b -> c", "c -> d")]
    assert propagation_rounds(chain, parse_formula("d")) == 3
    assert propagation_rounds(chain, parse_formula("a")) == 0
    assert propagation_rounds(chain, parse_formula("a & d")) == 4
    cases = [parse_formula(one) for one in ("a | b", "a -> c", "b -> c")]
    assert propagation_rounds(cases, parse_formula("c")) is None


@pytest.mark.parametrize(
    ("logic", "sorts"), [("monadic", ("",)), ("relational", ("", "")), ("relational", ("person", "city", "person"))]
)
def test_a_lifted_problem_has_the_labels_of_its_propositional_one_in_small_structures(
    logic: str, sorts: tuple[str, ...]
) -> None:
    """The structure with one individual per sort: versions 0 and 1 may not be settled the other way in it."""
    for number in range(20):
        draws = Draws(3, "lift", logic, number)
        problem = draw_propositional(
            draws, depth=2, num_premises=8, goal_form=draws.pick(GOAL_FORMS), distractors=KINDS, contrary=1
        )
        lifted = lift_problem(draws, problem, logic, sorts=sorts)
        if lifted is None:
            continue
        assert lifted.logic == logic
        assert len(lifted.premises) == len(problem.premises)
        for version in (0, 1):
            assert lifted.versions[version].support == problem.versions[version].support
            assert lifted.versions[version].lines[-1].formula in (lifted.goal, complement(lifted.goal))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num": 0}, "--num"),
        ({"tasks": ("riddle",)}, "--tasks: no such value; expected one of entailment"),
        ({"tasks": ()}, "--tasks"),
        ({"tasks": ("entailment", "entailment")}, "given twice"),
        ({"logics": ("modal",)}, "--logic: no such value"),
        ({"logics": ("datalog",), "tasks": ("counter-model",)}, "task counter-model does not exist in datalog"),
        ({"depth": (3, 2)}, "--depth; expected LOW-HIGH within 1-12; got 3-2"),
        ({"depth": (13, 13)}, "--depth"),
        ({"premises": (1, 4)}, "--premises; expected LOW-HIGH within 2-64"),
        ({"depth": (12, 12), "premises": (2, 12)}, "a chain of 12 steps does not fit into 12 premises"),
        ({"distractors": ("puns",)}, "--distractors"),
        ({"contrary": 99}, "contrary:K"),
        ({"language": "latin"}, "--language"),
        ({"vocabulary": "slang"}, "--vocabulary"),
        ({"goal_forms": ("biconditional",), "depth": (1, 1), "premises": (2, 2)}, "do not fit into 2 premises"),
    ],
)
def test_options_that_contradict_themselves_are_usage_errors(options: dict, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        GenerateConfig(**{"num": 6, **options})
    assert told in str(caught.value)
