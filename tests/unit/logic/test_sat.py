"""Clauses and SAT against truth tables, which share no code with them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custodiet.errors import FormulaError, MissingExtraError, UsageError
from custodiet.logic.engines import optional
from custodiet.logic.engines.sat import SOLVERS, SatProblem, clause_form, decide_by_sat, literal_form
from custodiet.logic.engines.truth_table import all_supports, decide_by_table, table_of
from custodiet.logic.formulas import And, Atom, Exists, Formula, Iff, Not, Or
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import Model, evaluate
from tests.unit.logic.random_formulas import all_assignments, check_models, propositional_problem, random_formula


@given(st.integers(0, 2**32), st.integers(1, 10), st.integers(0, 12), st.sampled_from(sorted(SOLVERS)))
@settings(max_examples=300, deadline=None)
def test_agrees_with_truth_tables(seed: int, num_atoms: int, num_premises: int, solver: str) -> None:
    premises, goal = propositional_problem(random.Random(seed), num_atoms, num_premises)
    decision = decide_by_sat(premises, goal, solver=solver)
    assert decision.label == decide_by_table(premises, goal, models=False).label
    assert decision.engines == (solver,)
    check_models(decision, premises, goal)
    assert decide_by_sat(premises, goal, models=False).label == decision.label


def test_agrees_on_thousands() -> None:
    rng = random.Random(5)
    labels: dict[str, int] = {}
    for _ in range(3000):
        premises, goal = propositional_problem(rng, rng.randint(2, 8), rng.randint(1, 6))
        label = decide_by_sat(premises, goal, models=False).label
        assert label == decide_by_table(premises, goal, models=False).label
        labels[label] = labels.get(label, 0) + 1
    assert min(labels.values()) > 100
    assert len(labels) == 4


def satisfiable(clauses: tuple[tuple[int, ...], ...], num: int, fixed: set[int]) -> bool:
    """Whether some choice for the names satisfies the clauses, the literals in `fixed` being true."""
    names = [k for k in range(1, num + 1) if k not in fixed and -k not in fixed]
    for bits in range(1 << len(names)):
        chosen = fixed | {k if bits >> i & 1 else -k for i, k in enumerate(names)}
        if all(any(one in chosen for one in clause) for clause in clauses):
            return True
    return False


def test_clauses_mean_the_formula() -> None:
    rng = random.Random(6)
    leaves = [Atom(name) for name in "pqrs"]
    named = 0
    for _ in range(80):
        formula = random_formula(rng, leaves, 3)
        asserted, defined = clause_form(formula), literal_form(formula)
        if max(asserted.num_variables, defined.num_variables) > 13:
            continue
        named += asserted.num_variables > len(asserted.atoms)
        for model in all_assignments([formula]):
            truth = evaluate(model, formula)
            fixed = {k if atom in model.true_atoms else -k for k, atom in enumerate(asserted.atoms, start=1)}
            assert satisfiable(asserted.clauses, asserted.num_variables, fixed) is truth
            fixed = {k if atom in model.true_atoms else -k for k, atom in enumerate(defined.atoms, start=1)}
            for literal, value in ((defined.literal, truth), (-defined.literal, not truth)):
                possible = -literal not in fixed and satisfiable(
                    defined.clauses, defined.num_variables, fixed | {literal}
                )
                assert possible is value
    assert named > 5


def test_deep_equivalences_stay_small() -> None:
    formula: Formula = Atom("p0")
    for i in range(1, 60):
        formula = Iff(formula, Atom(f"p{i}"))
    assert len(clause_form(formula).clauses) < 300
    goal = Or(*[And(Atom(f"p{i}"), Atom(f"q{i}")) for i in range(30)])
    assert len(clause_form(goal).clauses) < 200
    decision = decide_by_sat([formula, *[Atom(f"p{i}") for i in range(1, 60)]], Atom("p0"))
    assert decision.label == "entailed"


def test_many_goals_over_one_solver() -> None:
    rng = random.Random(7)
    for _ in range(40):
        premises, _ = propositional_problem(rng, 6, 5)
        goals = [propositional_problem(rng, 6, 0)[1] for _ in range(20)]
        with SatProblem(premises) as problem, SatProblem(premises, selectable=True) as other:
            for goal in [*goals, *goals]:
                wanted = decide_by_table(premises, goal, models=False).label
                assert problem.label(goal) == other.label(goal) == wanted
                decision = other.decide(goal)
                assert decision.label == wanted
                check_models(decision, premises, goal)


def test_subsets_cores_and_supports() -> None:
    rng = random.Random(8)
    entailed = 0
    while entailed < 100:
        premises, goal = propositional_problem(rng, 6, 7)
        table = table_of([*premises, goal])
        supports = all_supports(table.columns(premises), table.column(goal), table.full)
        with SatProblem(premises, selectable=True) as problem:
            subset = [i for i in range(7) if rng.random() < 0.7]
            wanted = any(set(one) <= set(subset) for one in supports.sets)
            assert problem.entails(goal, subset) is wanted
            core = problem.core(goal)
            assert problem.all_supports(goal) == supports
            if not supports.sets:
                assert core is None
                assert problem.minimal_support(goal) is None
                continue
            entailed += 1
            assert core is not None
            assert any(set(one) <= set(core) for one in supports.sets)
            assert problem.minimal_support(goal) in supports.sets
            assert problem.necessary(goal) == supports.necessary


def test_atoms_with_arguments_are_propositions() -> None:
    premises = [parse_formula("P(a) -> R(a, b)"), parse_formula("P(a)")]
    assert decide_by_sat(premises, parse_formula("R(a, b)")).label == "entailed"
    assert decide_by_sat(premises, parse_formula("R(b, a)")).label == "unknown"


def test_an_atom_that_no_clause_mentions() -> None:
    decision = decide_by_sat([Or(Atom("p"), Not(Atom("p")))], Atom("q"))
    assert decision.with_goal == Model({}, {}, frozenset([Atom("q")]))
    assert decision.label == "unknown"


def test_what_it_cannot_read() -> None:
    with pytest.raises(FormulaError, match="cannot read exists x: P"):
        decide_by_sat([Exists("x", Atom("P", ("x",)))], Atom("p"))
    with pytest.raises(FormulaError, match="cannot read a = b"):
        decide_by_sat([], parse_formula("a = b"))
    with pytest.raises(UsageError, match="no such SAT solver; expected minisat22 or cadical153"):
        decide_by_sat([], Atom("p"), solver="nosat")


def test_subsets_need_selectable_premises() -> None:
    with SatProblem([Atom("p")]) as problem:
        with pytest.raises(UsageError, match="selectable"):
            problem.entails(Atom("p"), [0])
        with pytest.raises(UsageError, match="selectable"):
            problem.core(Atom("p"))
    with SatProblem([Atom("p")], selectable=True) as problem, pytest.raises(UsageError, match="no support"):
        problem.necessary(Atom("q"))


def test_a_solver_that_is_not_installed() -> None:
    with pytest.raises(MissingExtraError, match=r"needs the package nosuch, .* pip install 'custodiet\[logic\]'"):
        optional.load("nosuch_solver.module", "nosuch")
