"""Element types against every small structure, and on planted problems."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import FormulaError
from custodiet.logic.engines.element_types import Types, decide_by_types, types_of
from custodiet.logic.formulas import Atom
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import evaluate
from tests.unit.logic.random_formulas import all_structures, check_models, label_by, monadic_formula


def by_structures(premises: list, goal: object, predicates: list[str], constants: list[str], most: int) -> str:
    """The label by every structure of up to `most` individuals: with that many types, all that matter."""
    models = (
        model
        for size in range(1, most + 1)
        for model in all_structures(dict.fromkeys(predicates, ("",)), dict.fromkeys(constants, ""), {"": size})
    )
    return label_by(models, premises, goal)  # type: ignore[arg-type]


@given(st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_labels_by_every_structure(seed: int) -> None:
    rng = random.Random(seed)
    predicates, constants = (["P"], ["a", "b", "c"]) if rng.random() < 0.3 else (["P", "Q"], ["a"])
    constants = constants[: rng.randint(0, 3)]
    made = [monadic_formula(rng, predicates, constants) for _ in range(rng.randint(1, 5))]
    decision = decide_by_types(made[1:], made[0])
    assert decision.label == by_structures(made[1:], made[0], predicates, constants, 1 << len(predicates))
    assert decision.engines == ("element_types",)
    check_models(decision, made[1:], made[0])


def test_models_of_larger_problems_are_models() -> None:
    rng = random.Random(11)
    labels = []
    for _ in range(1500):
        predicates, constants = list("PQRST")[: rng.randint(2, 5)], list("abcd")[: rng.randint(0, 4)]
        made = [monadic_formula(rng, predicates, constants) for _ in range(rng.randint(1, 7))]
        decision = decide_by_types(made[1:], made[0])
        check_models(decision, made[1:], made[0])
        labels.append(decision.label)
        assert decide_by_types(made[1:], made[0], models=False).label == decision.label
    assert all(labels.count(one) > 50 for one in ("entailed", "contradicted", "unknown", "inconsistent"))


@pytest.mark.parametrize(
    ("premises", "goal", "label"),
    [
        (["forall x: P(x) -> Q(x)", "forall x: Q(x) -> R(x)"], "forall x: P(x) -> R(x)", "entailed"),
        (["forall x: P(x) -> Q(x)", "exists x: P(x) & R(x)"], "exists x: Q(x) & R(x)", "entailed"),
        (["forall x: P(x) -> Q(x)", "forall x: R(x) -> Q(x)"], "forall x: P(x) -> R(x)", "unknown"),
        # Existential import is not built in: it takes a premise.
        (["forall x: P(x) -> Q(x)"], "exists x: P(x) & Q(x)", "unknown"),
        (["forall x: P(x) -> Q(x)", "exists x: P(x)"], "exists x: P(x) & Q(x)", "entailed"),
        (["forall x: P(x) -> ~Q(x)"], "exists x: P(x) & Q(x)", "contradicted"),
        ([], "(exists x: P(x)) | (exists x: ~P(x))", "entailed"),
        (["P(a)", "~P(b)"], "forall x: P(x)", "contradicted"),
        (["forall x: P(x) -> Q(a)", "P(b)"], "Q(a)", "entailed"),
        (["P(a) | Q(b)", "P(a) -> R(c)", "Q(b) -> R(c)"], "R(c)", "entailed"),
        (["(forall x: P(x)) -> (exists x: Q(x))", "forall x: ~Q(x)"], "exists x: ~P(x)", "entailed"),
        (["P(a)", "forall x: ~P(x)"], "Q(a)", "inconsistent"),
        (["false"], "P(a)", "inconsistent"),
        (["(P(a) <-> Q(b)) <-> (Q(b) <-> P(a))"], "P(a)", "unknown"),
    ],
)
def test_planted(premises: list[str], goal: str, label: str) -> None:
    formulas, wanted = [parse_formula(one) for one in premises], parse_formula(goal)
    decision = decide_by_types(formulas, wanted)
    assert decision.label == label
    check_models(decision, formulas, wanted)


def test_a_model_names_all_constants_it_is_given() -> None:
    types = types_of([parse_formula("exists x: P(x) & Q(x)")])
    solution = types.solve([types.constraint(parse_formula("exists x: P(x) & Q(x)"))])
    assert solution is not None
    model = types.model(solution, ["a", "e1"])
    assert set(model.constants) == {"a", "e1"}
    assert evaluate(model, parse_formula("exists x: P(x) & Q(x)"))
    assert "e1" not in model.domains[""]


@pytest.mark.parametrize(
    "text",
    [
        "R(a, b)",
        "p",
        "a = b",
        "forall x: exists y: P(x) & P(y)",
        "forall x in s: P(x)",
        "forall x: R(x, x)",
        "forall x: P(x) & R(a, b)",
        "P(a) -> (exists x: x = a)",
    ],
)
def test_other_logics_are_refused(text: str) -> None:
    with pytest.raises(FormulaError, match="element types do not decide"):
        decide_by_types([], parse_formula(text))


def test_too_many_predicates() -> None:
    with pytest.raises(FormulaError, match="too many predicates for element types; expected at most 14; got 15"):
        Types([f"P{i}" for i in range(15)])


def test_the_cache_is_bounded_and_harmless() -> None:
    rng = random.Random(12)
    types = Types([f"P{i}" for i in range(14)])
    formulas = [monadic_formula(rng, types.predicates, ["a", "b"]) for _ in range(5000)]
    first = [hash(types.constraint(one)) for one in formulas]
    assert len(types._cache) <= types._limit
    assert [hash(types.constraint(one)) for one in formulas] == first
    assert types.solve([types.constraint(Atom("P0", ("a",))), types.constraint(Atom("P0", ("a",)), False)]) is None
