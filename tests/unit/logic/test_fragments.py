"""Signatures, and which formula does not belong to a logic and why."""

from __future__ import annotations

import pytest

from custodiet.errors import FormulaError, UsageError
from custodiet.logic.engines.closure import Program
from custodiet.logic.formulas import Atom, Equal, ForAll, Formula
from custodiet.logic.fragments import Signature, require_logic, signature_of
from custodiet.logic.notation import parse_formula


def formulas(*texts: str) -> list[Formula]:
    return [parse_formula(one) for one in texts]


def test_languages_without_sorts() -> None:
    assert signature_of(formulas("p -> q", "~p")) == Signature({"p": (), "q": ()}, {}, ())
    found = signature_of(formulas("forall x: P(x) -> R(x, a)", "R(b, a)", "b = c", "t"))
    assert found == Signature({"P": ("",), "R": ("", ""), "t": ()}, {"a": "", "b": "", "c": ""}, ("",))
    assert signature_of(formulas("P(a)")).sorts == ("",)


def test_sorts_spread_to_places_and_constants() -> None:
    found = signature_of(
        formulas("forall x in person: exists y in city: In(x, y)", "In(ann, rome)", "rome != paris", "Big(paris)", "p")
    )
    assert found == Signature(
        {"In": ("person", "city"), "Big": ("city",), "p": ()},
        {"ann": "person", "rome": "city", "paris": "city"},
        ("person", "city"),
    )
    given = signature_of(formulas("forall x in city: Big(x)", "Old(rex)"), constants={"rex": "dog"})
    assert given.predicates["Old"] == ("dog",)
    assert given.sorts == ("city", "dog")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["P(a)", "P(a, b)"], "the predicate P is used with two numbers of arguments; expected 1; got 2"),
        (["p", "p(a)"], "the predicate p is used with two numbers of arguments; expected 0; got 1"),
        (["forall x in s: P(x)", "forall x: Q(x)"], "with and without sorts in one language; .* got s, none"),
        (["forall x in s: P(x)", "forall x in t: P(x)"], "argument 1 of the predicate P is used as of two sorts"),
        (["forall x in s: P(x)", "forall x in t: Q(x)", "P(a)", "Q(a)"], "the constant a is used as of two sorts"),
        (["forall x in s: forall y in t: x != y"], "= between two sorts"),
        (["forall x in s: P(x)", "Q(a)"], "no formula tells the sort of the constant a; expected s; got neither"),
        (["forall x in s: P(x)", "forall x in t: Q(x)", "P(a)", "Q(b)", "a = b"], "the constant . is used as of two"),
    ],
)
def test_names_used_in_two_ways(texts: list[str], message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        signature_of(formulas(*texts))


def test_free_variables() -> None:
    with pytest.raises(FormulaError, match=r"the variable y is free in forall x: R\(x, y\)"):
        signature_of([ForAll("x", Atom("R", ("x", "y")))])
    with pytest.raises(FormulaError, match="the variable x is free in x = a"):
        signature_of([Equal("x", "a")])


@pytest.mark.parametrize(
    ("logic", "texts", "goal"),
    [
        ("propositional", ["p -> ~(q & r)", "false | p"], "q <-> r"),
        (
            "syllogistic",
            ["forall x: P(x) -> Q(x)", "exists y: Q(y) & ~R(y)", "exists x: P(x)"],
            "forall x: P(x) -> ~R(x)",
        ),
        ("monadic", ["(forall x: P(x) | Q(a)) -> (exists y: ~Q(y))", "P(b) <-> Q(a)"], "forall x: P(x)"),
        ("relational", ["exists x: forall y: R(x, y)", "a = b"], "(forall x: P(x)) & (exists y: Q(y))"),
        ("relational", ["forall x: P(x) | (exists y: Q(y))"], "p"),
        ("relational", ["(exists x: R(x, x)) -> (forall x: forall y: R(x, y))"], "R(a, b)"),
        ("relational", ["forall x in s: forall y in t: R(x, y) -> x = a"], "exists z in t: R(a, z)"),
    ],
)
def test_what_belongs(logic: str, texts: list[str], goal: str) -> None:
    wanted = signature_of(formulas(*texts, goal))
    assert require_logic(logic, formulas(*texts), parse_formula(goal)) == wanted
    assert isinstance(require_logic(logic, formulas(*texts)), Signature)


@pytest.mark.parametrize(
    ("logic", "texts", "goal", "message"),
    [
        ("propositional", ["p", "P(a)"], "p", r"premise 2, P\(a\), is not propositional: P\(a\) has arguments"),
        ("propositional", ["p"], "exists x: p", "the goal, exists x: p, is not propositional: it has a quantifier"),
        ("propositional", ["a = b"], "p", "it has an equality"),
        ("syllogistic", ["P(a)"], "p", "premise 1, .* is not syllogistic: it is none of forall x"),
        ("syllogistic", ["forall x: P(x) & Q(x)"], "p", "none of forall x"),
        ("syllogistic", ["forall x: P(x) -> Q(a)"], "p", "none of forall x"),
        ("syllogistic", ["exists x: ~P(x) & Q(x)"], "p", "none of forall x"),
        ("syllogistic", ["exists x in s: P(x) & Q(x)"], "p", "it has a sort"),
        ("monadic", ["R(a, b)"], "P(a)", r"premise 1, .* is not monadic: R\(a, b\) has 2 arguments instead of 1"),
        ("monadic", ["p"], "P(a)", "p has 0 arguments"),
        ("monadic", ["forall x: exists y: P(x) & Q(y)"], "P(a)", "a quantifier stands inside another"),
        ("monadic", ["forall x in s: P(x)"], "P(a)", "it has the sort s"),
        ("monadic", ["P(a)"], "exists x: x = a", "the goal, .* it has an equality"),
        (
            "relational",
            ["forall x: exists y: R(x, y)"],
            "p",
            r"what exists y: R\(x, y\) says to exist depends on x, said",
        ),
        ("relational", ["~(exists x: forall y: R(x, y))"], "p", "says to exist depends on x, .*under a negation"),
        ("relational", ["(exists x: forall y: R(x, y)) <-> p"], "p", "under a negation"),
        ("relational", ["(exists x: forall y: R(x, y)) -> p"], "p", "under a negation"),
        ("relational", ["p"], "exists x: forall y: R(x, y)", "the goal, .* depends on x"),
        ("relational", ["p"], "forall x: exists y: R(x, y)", "the goal, .* depends on x"),
        ("datalog", ["P(a)", "P(a) | Q(a)"], "P(a)", "premise 2, .* is not datalog"),
    ],
)
def test_what_does_not_belong(logic: str, texts: list[str], goal: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        require_logic(logic, formulas(*texts), parse_formula(goal))


def test_datalog_gives_its_program() -> None:
    found = require_logic("datalog", formulas("P(a)", "forall x: P(x) -> Q(x)"), parse_formula("Q(a)"))
    assert isinstance(found, Program)
    assert found.strata == {"P": 0, "Q": 0}


def test_no_such_logic() -> None:
    with pytest.raises(UsageError, match="no such logic; expected propositional or syllogistic or .*; got modal"):
        require_logic("modal", [])
