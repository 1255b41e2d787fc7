"""Truth tables against the definition of truth, and supports against every subset of the premises."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import FormulaError
from custodiet.logic.engines.truth_table import (
    Table,
    all_supports,
    column,
    column_label,
    conjunction,
    decide_by_table,
    minimal_support,
    rests,
    row_in,
    table_of,
)
from custodiet.logic.formulas import Atom, ForAll, Formula, complement
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import evaluate
from tests.unit.logic.random_formulas import all_assignments, check_models, label_by, propositional_problem

P, Q, R = Atom("p"), Atom("q"), Atom("r")


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(0, 5))
@settings(max_examples=300, deadline=None)
def test_labels_and_models_by_definition(seed: int, num_atoms: int, num_premises: int) -> None:
    premises, goal = propositional_problem(random.Random(seed), num_atoms, num_premises)
    decision = decide_by_table(premises, goal)
    assert decision.label == label_by(all_assignments([*premises, goal]), premises, goal)
    assert decision.engines == ("truth_table",)
    check_models(decision, premises, goal)
    assert decide_by_table(premises, goal, models=False).label == decision.label


def test_columns_row_by_row() -> None:
    rng = random.Random(1)
    for _ in range(50):
        (formula,), other = propositional_problem(rng, 5, 1)
        table = table_of([formula, other])
        rows = table.column(formula)
        for row in range(table.num_rows):
            assert evaluate(table.model(row), formula) is bool(rows >> row & 1)
        assert column(formula, table.atoms) == rows


@pytest.mark.parametrize(
    ("premises", "goal", "label"),
    [
        (["p -> q", "p"], "q", "entailed"),
        (["p -> q", "q"], "p", "unknown"),
        (["p -> q", "~q"], "p", "contradicted"),
        (["p | q", "p -> r", "q -> r"], "r", "entailed"),
        (["p <-> q", "q <-> r", "p"], "~r", "contradicted"),
        (["p", "~p"], "q", "inconsistent"),
        ([], "p | ~p", "entailed"),
        ([], "false", "contradicted"),
        ([], "p", "unknown"),
    ],
)
def test_planted(premises: list[str], goal: str, label: str) -> None:
    assert decide_by_table([parse_formula(one) for one in premises], parse_formula(goal)).label == label


def supports_by_definition(premises: list[Formula], goal: Formula) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for size in range(len(premises) + 1):
        for subset in itertools.combinations(range(len(premises)), size):
            if any(set(one) <= set(subset) for one in found):
                continue
            if decide_by_table([premises[i] for i in subset], goal, models=False).label in ("entailed", "inconsistent"):
                found.append(subset)
    return found


def test_supports_are_those_of_the_definition() -> None:
    rng = random.Random(2)
    many = entailed = 0
    while entailed < 150:
        premises, goal = propositional_problem(rng, rng.randint(3, 6), rng.randint(1, 7))
        table = table_of([*premises, goal])
        columns, goal_rows = table.columns(premises), table.column(goal)
        wanted = supports_by_definition(premises, goal)
        found = all_supports(columns, goal_rows, table.full)
        assert found.complete
        assert list(found.sets) == wanted
        one = minimal_support(columns, goal_rows, table.full)
        assert one in wanted if wanted else one is None
        if wanted:
            entailed += 1
            many += len(wanted) > 1
            assert set(found.necessary) == set.intersection(*map(set, wanted))
    assert many > 30


def test_contradictory_sets_are_the_supports_of_false() -> None:
    premises = [parse_formula(one) for one in ("p", "p -> q", "~q", "r", "~p | q", "~r | s")]
    table = table_of(premises)
    found = all_supports(table.columns(premises), 0, table.full)
    assert found.sets == ((0, 1, 2), (0, 2, 4))
    assert found.necessary == (0, 2)


def test_refutation_has_the_support_of_the_negated_goal() -> None:
    premises = [parse_formula(one) for one in ("p -> ~q", "p", "r")]
    table = table_of([*premises, Q])
    goal_rows = table.column(Q)
    assert minimal_support(table.columns(premises), table.full ^ goal_rows, table.full) == (0, 1)
    assert table.full ^ goal_rows == table.column(complement(Q))


def test_a_search_over_its_budget_says_so() -> None:
    # Each of 7 pairs offers either of its two premises for one link: 2 ** 7 supports.
    texts = ["p0"] + [text for i in range(7) for text in (f"p{i} -> p{i + 1}", f"~p{i + 1} -> ~p{i}")]
    premises, goal = [parse_formula(one) for one in texts], parse_formula("p7")
    table = table_of([*premises, goal])
    columns, goal_rows = table.columns(premises), table.column(goal)
    every = all_supports(columns, goal_rows, table.full)
    assert every.complete
    assert len(every.sets) == 128
    some = all_supports(columns, goal_rows, table.full, budget=40)
    assert not some.complete
    assert 0 < len(some.sets) < 128
    assert set(some.sets) < set(every.sets)
    assert some.necessary == every.necessary == (0,)


def test_leave_one_out_and_picking_rows() -> None:
    rng = random.Random(3)
    full = 2**64 - 1
    for num in range(6):
        columns = [rng.getrandbits(64) | rng.getrandbits(64) for _ in range(num)]
        others = [conjunction(columns[:i] + columns[i + 1 :], full) for i in range(num)]
        assert rests(columns, full) == others
    assert row_in(0b1001000) == 3
    assert row_in(0b1001000, 4) == 6
    assert row_in(0b1001000, 7) == 3
    with pytest.raises(ValueError, match="no row"):
        row_in(0)


def test_labels_of_columns() -> None:
    assert column_label(0b1100, 0b1110) == "entailed"
    assert column_label(0b1100, 0b0011) == "contradicted"
    assert column_label(0b1100, 0b0110) == "unknown"
    assert column_label(0, 0b0110) == "inconsistent"


def test_the_cache_is_bounded_and_harmless() -> None:
    table = Table([Atom(f"p{i}") for i in range(16)])
    rng = random.Random(4)
    formulas = [propositional_problem(rng, 16, 1)[0][0] for _ in range(1500)]
    first = [hash(one) for one in table.columns(formulas)]
    assert len(table._cache) < 1100
    assert [hash(one) for one in table.columns(formulas)] == first


@pytest.mark.parametrize(
    ("premises", "message"),
    [
        (
            [Atom(f"p{i}") for i in range(17)],
            "too many atoms for a truth table; expected at most 16; got 18. decide_by_sat",
        ),
        ([ForAll("x", Atom("P", ("x",)))], "no column for forall x: P"),
    ],
)
def test_beyond_tables(premises: list[Formula], message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        decide_by_table(premises, P)


def test_an_atom_twice() -> None:
    with pytest.raises(FormulaError, match="stands twice"):
        Table([P, Q, P])


def test_a_formula_over_other_atoms() -> None:
    with pytest.raises(FormulaError, match="no column for r; expected a propositional formula over p, q"):
        Table([P, Q]).column(R)
