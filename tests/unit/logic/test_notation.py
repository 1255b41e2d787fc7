"""What is printed is read back as the same tree, and nothing is guessed."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custodiet.errors import FormulaError
from custodiet.logic.formulas import (
    FALSUM,
    And,
    Atom,
    Equal,
    Exists,
    ForAll,
    Formula,
    Iff,
    Implies,
    Not,
    Or,
    atoms_of,
    constants_of,
    instantiate,
    predicates_of,
)
from custodiet.logic.notation import format_formula, parse_formula

NAMES = st.sampled_from(["p", "q", "r1", "Rain", "A_b"])


def formulas() -> st.SearchStrategy[Formula]:
    atoms = st.one_of(
        NAMES.map(Atom),
        st.builds(lambda a, b: Atom("R", (a, b)), st.sampled_from("abc"), st.sampled_from("abc")),
        st.builds(Equal, st.sampled_from("abc"), st.sampled_from("abc")),
        st.just(FALSUM),
    )

    def extend(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        several = st.lists(inner, min_size=2, max_size=3)
        return st.one_of(
            inner.map(Not),
            several.map(lambda parts: And(*parts)),
            several.map(lambda parts: Or(*parts)),
            st.builds(Implies, inner, inner),
            st.builds(Iff, inner, inner),
            st.builds(_quantified, st.sampled_from([ForAll, Exists]), inner, st.sampled_from(["", "person"])),
        )

    return st.recursive(atoms, extend, max_leaves=12)


def _quantified(made: type, body: Formula, sort: str) -> Formula:
    used = format_formula(body)
    names = ("x", "y", "z", *[f"x{number}" for number in range(40)])
    variable = next(name for name in names if f"{name}:" not in used and f"{name} in" not in used)
    return made(variable, instantiate(body, {"a": variable}), sort)


@given(formulas())
def test_what_is_printed_is_read_back(formula: Formula) -> None:
    assert parse_formula(format_formula(formula)) == formula


@given(formulas())
def test_formulas_are_pickled_with_their_class(formula: Formula) -> None:
    copy = pickle.loads(pickle.dumps(formula))
    assert copy == formula and type(copy) is type(formula)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("¬p ∧ q", "~p & q"),
        ("not p and q", "~p & q"),
        ("p ∨ q → r", "p | q -> r"),
        ("∀x: P(x) → ∃y: R(x, y)", "forall x: P(x) -> (exists y: R(x, y))"),
        ("a ≠ b", "a != b"),
        ("((p))", "p"),
        ("⊥", "false"),
    ],
)
def test_signs_of_textbooks_are_read_too(text: str, same: str) -> None:
    assert format_formula(parse_formula(text)) == same


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p -> q -> r", "character 8; expected parentheses"),
        ("p <-> q -> r", None),
        ("p & q | r", "parentheses where & and | meet"),
        ("P(x)", "a constant or a bound variable"),
        ("forall x: forall x: P(x)", "not bound already"),
        ("forall a: P(a)", "a variable"),
        ("P(a) & P(a, b)", "P with 1 arguments"),
        ("forall x: x", "a formula, not a variable"),
        ("p q", "the end of the formula"),
        ("p &", "an atom"),
        ("", "an atom"),
        ("p ? q", "got '?'"),
        ("R(A)", "lower case"),
        ("(" * 200 + "p" + ")" * 200, "at most 100 levels"),
        ("~" * 200 + "p", "at most 100 levels"),
    ],
)
def test_what_has_no_reading_or_two_is_an_error(text: str, told: str | None) -> None:
    if told is None:
        assert format_formula(parse_formula(text)) == "p <-> (q -> r)"
        return
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    assert told in str(caught.value)


def test_connectives_of_the_same_parts_differ() -> None:
    p, q = Atom("p"), Atom("q")
    assert len({And(p, q), Or(p, q), Implies(p, q), Iff(p, q)}) == 4


def test_what_a_formula_is_about() -> None:
    formula = parse_formula("forall x: R(x, b) -> (P(a) | x = c)")
    assert predicates_of(formula) == {"R": 2, "P": 1}
    assert constants_of(formula) == ["b", "a", "c"]
    assert [one.predicate for one in atoms_of(formula)] == ["R", "P"]


def test_a_bound_name_is_left_alone() -> None:
    formula = ForAll("x", Atom("R", ("x", "y")))
    assert instantiate(formula, {"x": "a", "y": "b"}) == ForAll("x", Atom("R", ("x", "b")))
