"""Fingerprints: renaming and reordering never change them; what differs in substance has another one."""

import random

from hypothesis import given
from hypothesis import strategies as st

from custodiet.logic.canonical import Coloring, outline, skeleton
from custodiet.logic.formulas import And, Atom, Equal, Exists, ForAll, Formula, Iff, Implies, Not, Or, complement
from custodiet.logic.notation import parse_formula
from tests.unit.logic.test_notation import formulas


def renamed(formula: Formula, names: dict[str, str], rng: random.Random) -> Formula:
    """Other names for predicates and constants, operands of symmetric connectives in another order."""
    if isinstance(formula, Atom):
        return Atom(names[formula.predicate], tuple(names.get(one, one) for one in formula.args))
    if isinstance(formula, Equal):
        sides = [names.get(formula.left, formula.left), names.get(formula.right, formula.right)]
        rng.shuffle(sides)
        return Equal(*sides)
    if isinstance(formula, Not):
        return Not(renamed(formula.body, names, rng))
    if isinstance(formula, (And, Or)):
        parts = [renamed(one, names, rng) for one in formula.parts]
        rng.shuffle(parts)
        return type(formula)(*parts)
    if isinstance(formula, Iff):
        parts = [renamed(formula.left, names, rng), renamed(formula.right, names, rng)]
        rng.shuffle(parts)
        return Iff(*parts)
    if isinstance(formula, Implies):
        return Implies(renamed(formula.left, names, rng), renamed(formula.right, names, rng))
    if isinstance(formula, (ForAll, Exists)):
        return type(formula)(formula.variable, renamed(formula.body, names, rng), formula.sort)
    return formula


@given(st.lists(formulas(), min_size=1, max_size=6), formulas(), st.randoms(use_true_random=False))
def test_names_and_order_are_not_seen(premises: list[Formula], goal: Formula, rng: random.Random) -> None:
    predicates = ["p", "q", "r1", "Rain", "A_b", "R"]
    new = [f"N{i}" for i in range(len(predicates))]
    rng.shuffle(new)
    constants = ["k", "l", "m"]
    rng.shuffle(constants)
    names = dict(zip(predicates, new, strict=True)) | dict(zip("abc", constants, strict=True))
    others = [renamed(one, names, rng) for one in premises]
    rng.shuffle(others)
    other_goal = renamed(goal, names, rng)
    assert skeleton(others, other_goal) == skeleton(premises, goal)
    assert outline(others, other_goal) == outline(premises, goal)


def test_the_goal_s_sign_is_seen_by_the_skeleton_and_not_by_the_outline() -> None:
    premises = [parse_formula(one) for one in ("p -> q", "p", "r -> ~q")]
    goal = parse_formula("q")
    assert skeleton(premises, goal) != skeleton(premises, complement(goal))
    assert outline(premises, goal) == outline(premises, complement(goal))


def test_twins_share_the_outline_only() -> None:
    def stated(switch: str) -> list[Formula]:
        return [parse_formula(one) for one in ("p -> q", "r -> ~q", "s -> t", switch)]

    goal = parse_formula("q")
    assert len({skeleton(stated(one), goal) for one in ("p", "r", "s")}) == 3
    assert len({outline(stated(one), goal) for one in ("p", "r", "s", "~p")}) == 1


def test_long_chains_are_told_apart_by_where_the_fact_stands() -> None:
    chain = [parse_formula(f"a{i} -> a{i + 1}") for i in range(5)]
    goal = parse_formula("a5")
    seen = {skeleton([*chain, parse_formula(f"a{i}")], goal) for i in range(5)}
    assert len(seen) == 5


def test_constants_that_only_facts_mention_are_told_apart_if_literals_are_looked_at() -> None:
    def whole(*facts: str) -> str:
        premises = [parse_formula(one) for one in ("forall x: forall y: R(x, y) & P(y) -> Q(x)", *facts)]
        goal = parse_formula("Q(a)")
        return Coloring(premises, goal, literals=True).skeleton(goal)

    right, wrong = whole("R(a, b)", "P(b)", "P(d)"), whole("R(a, b)", "P(c)", "P(d)")
    assert right != wrong
    assert right == whole("P(e)", "P(k)", "R(a, k)")
    assert wrong == whole("P(e)", "P(k)", "R(a, b)")


@given(st.lists(formulas(), min_size=1, max_size=4), formulas())
def test_a_formula_has_one_number_whether_it_colors_or_not(premises: list[Formula], goal: Formula) -> None:
    coloring = Coloring(premises, goal, literals=True)
    colored = [coloring._values()[root] for root, _ in coloring._roots[:-1]]  # pyright: ignore[reportPrivateUsage]
    assert colored == [coloring._value(one, {}) for one in premises]  # pyright: ignore[reportPrivateUsage]
