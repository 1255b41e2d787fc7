"""Grounding against every small structure, against element types, and on planted problems."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import FormulaError
from custodiet.logic.engines.element_types import decide_by_types
from custodiet.logic.engines.grounding import GroundProblem, decide_by_grounding
from custodiet.logic.engines.truth_table import decide_by_table
from custodiet.logic.formulas import Atom, Exists, ForAll, Formula, Iff, Or, subformulas
from custodiet.logic.fragments import require_logic, signature_of
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import evaluate
from tests.unit.logic.random_formulas import (
    all_structures,
    check_models,
    label_by,
    monadic_formula,
    propositional_problem,
    relational_formula,
)

LANGUAGES: list[tuple[dict[str, tuple[str, ...]], dict[str, str]]] = [
    ({"P": ("",), "R": ("", "")}, {"a": ""}),
    ({"P": ("",), "p": ()}, {"a": "", "b": ""}),
    ({"P": ("s",), "Q": ("t",), "R": ("s", "t")}, {"a": "s", "b": "t"}),
    ({"R": ("", "")}, {"a": "", "b": ""}),
]


def relational_problem(
    rng: random.Random, language: tuple[dict[str, tuple[str, ...]], dict[str, str]], num_premises: int
) -> tuple[list[Formula], Formula]:
    """Premises and a goal of the relational logic, by throwing others away."""
    predicates, constants = language
    made: list[Formula] = []
    while len(made) < num_premises + 1:
        one = relational_formula(rng, predicates, constants)
        try:
            if made:
                require_logic("relational", [*made[1:], one], made[0])
            else:
                require_logic("relational", [], one)
            made.append(one)
        except FormulaError:
            continue
    return made[1:], made[0]


def num_existential(formulas: list[Formula]) -> dict[str, int]:
    """Sort -> at most how many individuals are said to exist (each quantifier counted for both signs)."""
    found: dict[str, int] = {}
    for one in formulas:
        for part in subformulas(one):
            if isinstance(part, (ForAll, Exists)):
                found[part.sort] = found.get(part.sort, 0) + 1
    return found


def by_structures(premises: list[Formula], goal: Formula, most: int) -> str:
    """The label by every structure with up to `most` individuals of each sort."""
    signature = signature_of([*premises, goal])
    sizes = itertools.product(range(1, most + 1), repeat=len(signature.sorts))
    models = (
        model
        for size in sizes
        for model in all_structures(
            dict(signature.predicates), dict(signature.constants), dict(zip(signature.sorts, size, strict=True))
        )
    )
    return label_by(models, premises, goal)


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_labels_by_every_small_structure(seed: int) -> None:
    """What small structures show must be found; a label that they do not show must come with a larger model."""
    rng = random.Random(seed)
    premises, goal = relational_problem(rng, rng.choice(LANGUAGES), rng.randint(0, 2))
    decision = decide_by_grounding(premises, goal)
    check_models(decision, premises, goal)
    small = by_structures(premises, goal, 2)
    if decision.label == small:
        return
    larger = [
        model
        for model in (decision.with_goal, decision.without_goal)
        if model is not None and max(map(len, model.domains.values())) > 2
    ]
    assert larger  # so that the small ones could not show it
    assert small in ("inconsistent", "entailed", "contradicted")


def test_agrees_with_element_types() -> None:
    rng = random.Random(31)
    for _ in range(1500):
        predicates, constants = list("PQRS")[: rng.randint(1, 4)], list("abc")[: rng.randint(0, 3)]
        made = [monadic_formula(rng, predicates, constants) for _ in range(rng.randint(1, 6))]
        decision = decide_by_grounding(made[1:], made[0])
        assert decision.label == decide_by_types(made[1:], made[0], models=False).label
        check_models(decision, made[1:], made[0])


def test_agrees_with_truth_tables() -> None:
    rng = random.Random(32)
    for _ in range(500):
        premises, goal = propositional_problem(rng, 6, rng.randint(0, 6))
        decision = decide_by_grounding(premises, goal, solver="cadical153")
        assert decision.label == decide_by_table(premises, goal, models=False).label
        assert decision.engines == ("grounding_cadical153",)
        check_models(decision, premises, goal)


@pytest.mark.parametrize(
    ("premises", "goal", "label"),
    [
        (["a = b", "P(a)"], "P(b)", "entailed"),
        (["a = b", "b = c", "R(a, a)"], "R(c, b)", "entailed"),
        (["P(a)", "~P(b)"], "a = b", "contradicted"),
        (["forall x: x = a | x = b", "P(a)", "P(b)"], "forall x: P(x)", "entailed"),
        (["forall x: forall y: x = y", "P(a)"], "~P(b)", "contradicted"),
        (["exists x: exists y: x != y"], "forall x: x = a", "contradicted"),
        (["exists x: P(x)", "exists x: ~P(x)"], "exists x: exists y: x != y", "entailed"),
        (["forall x: forall y: R(x, y) -> R(y, x)", "R(a, b)"], "R(b, a)", "entailed"),
        (
            ["forall x: forall y: forall z: R(x, y) & R(y, z) -> R(x, z)", "R(a, b)", "R(b, c)", "forall x: ~R(x, x)"],
            "R(c, a)",
            "contradicted",
        ),
        (["exists x: forall y: R(x, y)"], "exists x: R(x, x)", "entailed"),
        (["exists x: forall y: R(x, y)"], "R(a, b)", "unknown"),
        (["P(a)", "a != b"], "exists x: P(x) & x != b", "entailed"),
        (
            ["forall x in s: forall y in t: R(x, y)", "exists x in s: P(x)"],
            "exists x in s: exists y in t: R(x, y)",
            "entailed",
        ),
        (["forall x in s: P(x)"], "exists x in s: P(x)", "entailed"),
        (["a = b", "b = c", "a != c"], "P(a)", "inconsistent"),
        (["forall x: P(x) | (exists y: Q(y))", "~P(a)"], "exists x: Q(x)", "entailed"),
    ],
)
def test_planted(premises: list[str], goal: str, label: str) -> None:
    formulas, wanted = [parse_formula(one) for one in premises], parse_formula(goal)
    decision = decide_by_grounding(formulas, wanted)
    assert decision.label == label
    check_models(decision, formulas, wanted)


def test_many_goals_subsets_and_supports() -> None:
    rng = random.Random(33)
    supported = 0
    for _ in range(150):
        language = rng.choice(LANGUAGES)
        premises, goal = relational_problem(rng, language, 4)
        goals = [goal, *[relational_problem(rng, language, 0)[1] for _ in range(3)]]
        signature = signature_of([*premises, *goals], constants=language[1])
        with (
            GroundProblem(premises, goals, signature=signature) as problem,
            GroundProblem(premises, goals, signature=signature, selectable=True) as other,
        ):
            for one in [*goals, *goals[::-1]]:
                decision = decide_by_grounding(premises, one, signature=signature)
                assert problem.label(one) == other.label(one) == decision.label
                check_models(other.decide(one), premises, one)
                subset = [i for i in range(4) if rng.random() < 0.6]
                chosen = [premises[i] for i in subset]
                alone = decide_by_grounding(chosen, one, models=False, signature=signature).label
                assert other.entails(one, subset) is (alone in ("entailed", "inconsistent"))
                support = other.minimal_support(one)
                assert (support is not None) is (decision.label in ("entailed", "inconsistent"))
                if support:
                    supported += 1
                    assert other.entails(one, support)
                    assert not any(other.entails(one, [k for k in support if k != left]) for left in support)
                    assert set(other.necessary(one)) <= set(support)
    assert supported > 100


def test_equivalences_in_each_other_do_not_double() -> None:
    formula: Formula = Atom("P0", ("x",))
    for i in range(1, 40):
        formula = Iff(formula, Atom(f"P{i}", ("x",)))
    given_ones = [ForAll("x", formula), *[ForAll("x", Atom(f"P{i}", ("x",))) for i in range(1, 40)]]
    assert decide_by_grounding(given_ones, Atom("P0", ("a",))).label == "entailed"


def test_long_disjunctions_get_names() -> None:
    rng = random.Random(34)
    for _ in range(30):
        made = [
            ForAll("x", Or(*[parse_formula(f"forall x: {text}")[3] for text in texts]))
            for texts in [[f"P{rng.randint(0, 4)}(x) & ~P{rng.randint(0, 4)}(x)" for _ in range(6)] for _ in range(3)]
        ]
        goal = Exists("x", Atom("P1", ("x",)))
        decision = decide_by_grounding(made, goal)
        assert decision.label == decide_by_types(made, goal).label
        check_models(decision, made, goal)


def test_individuals_not_named_e_where_constants_are() -> None:
    decision = decide_by_grounding([parse_formula("e1 != e2")], parse_formula("P(e1)"))
    assert decision.with_goal is not None
    assert set(decision.with_goal.domains[""]).isdisjoint({"e1", "e2"})
    assert evaluate(decision.with_goal, parse_formula("P(e1)"))


@pytest.mark.parametrize(
    ("premises", "goal", "message"),
    [
        (
            ["forall x: exists y: R(x, y)"],
            "P(a)",
            r"what exists y: R\(x, y\) says to exist depends on what is said of all",
        ),
        (["P(a)"], "exists x: forall y: R(x, y)", "depends on what is said of all"),
        (["P(a)", "P(a, b)"], "P(a)", "two numbers of arguments"),
        (
            [
                "P(a) | " + " | ".join(f"P(a{i})" for i in range(40)),
                "forall u: forall v: forall w: forall x: R(u, v, w, x)",
            ],
            "P(a)",
            "too large to ground; expected at most 1000000 ground clauses",
        ),
    ],
)
def test_what_is_refused(premises: list[str], goal: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        decide_by_grounding([parse_formula(one) for one in premises], parse_formula(goal))


def test_goals_must_be_announced() -> None:
    with (
        GroundProblem([Atom("p")], [Atom("p")]) as problem,
        pytest.raises(FormulaError, match="not announced; .* got q"),
    ):
        problem.label(Atom("q"))
