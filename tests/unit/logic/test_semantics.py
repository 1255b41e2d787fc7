"""Truth in finite structures, and models as JSON."""

from __future__ import annotations

import json
import random

import pytest

from custodiet.errors import FormulaError
from custodiet.logic.formulas import Atom
from custodiet.logic.notation import parse_formula
from custodiet.logic.semantics import Model, element_names, evaluate
from tests.unit.logic.random_formulas import all_structures

FAMILY = Model(
    {"person": ("e1", "e2", "e3"), "city": ("e4",)},
    {"ann": "e1", "bob": "e2", "rob": "e2", "rome": "e4"},
    frozenset(
        [Atom("Parent", ("e1", "e2")), Atom("Parent", ("e2", "e3")), Atom("In", ("e1", "e4")), Atom("In", ("e3", "e4"))]
    ),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Parent(ann, bob)", True),
        ("Parent(ann, rob) & bob = rob", True),
        ("Parent(bob, ann)", False),
        ("ann != bob -> ~Parent(bob, ann)", True),
        ("forall x in person: exists y in city: In(x, y)", False),
        ("exists y in city: forall x in person: In(x, y) | (exists z in person: Parent(x, z) & In(z, y))", True),
        ("forall x in person: forall y in person: Parent(x, y) -> ~(x = y)", True),
        ("exists x in person: forall y in person: ~Parent(x, y)", True),
        ("(exists x in person: Parent(x, ann)) <-> false", True),
        ("p | ~p", True),
        ("p & ~p", False),
    ],
)
def test_truth_by_definition(text: str, value: bool) -> None:
    assert evaluate(FAMILY, parse_formula(text)) is value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Parent(ann, carl)", "the model does not say what carl names"),
        ("forall x in dog: Parent(x, x)", "no individuals of the sort 'dog'"),
        ("forall x: Parent(x, x)", "no individuals of the sort ''"),
    ],
)
def test_what_the_structure_does_not_have(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        evaluate(FAMILY, parse_formula(text))


def test_json_there_and_back() -> None:
    structures = list(all_structures({"P": ("",), "R": ("", ""), "p": ()}, {"a": "", "b": ""}, {"": 2}))
    for one in random.Random(0).sample(structures, 200):
        text = json.dumps(one.to_json())
        assert Model.from_json(json.loads(text)) == one
    assert Model.from_json(FAMILY.to_json()) == FAMILY
    assert FAMILY.to_json()["true"] == ["In(e1, e4)", "In(e3, e4)", "Parent(e1, e2)", "Parent(e2, e3)"]
    assert Model({}, {}, frozenset([Atom("q"), Atom("p")])).to_json() == {"true": ["p", "q"]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "keys true"),
        ({}, "keys true"),
        ({"true": [], "domain": {}}, "keys true"),
        ({"true": "p"}, "true as a list of atoms"),
        ({"true": ["p &"]}, "atoms such as p or R"),
        ({"true": ["P(e1)"]}, "atoms said of individuals of the domains"),
        ({"true": [], "domains": {"": []}}, "one or more individuals"),
        ({"true": [], "domains": {"a": ["e1"], "b": ["e1"]}}, "each individual once"),
        ({"true": [], "domains": {"": ["e1"]}, "constants": {"a": "e2"}}, "constants that name individuals"),
    ],
)
def test_json_that_is_no_model(data: object, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        Model.from_json(data)


def test_names_of_individuals_are_no_constants() -> None:
    assert element_names(2) == ("e1", "e2")
    assert element_names(2, ["a", "e2"]) == ("d1", "d2")
    crowded = [f"{letter}1" for letter in "edcbaklmn"]
    assert not set(element_names(3, crowded)) & set(crowded)
